"""Executors, task groups and checks (mesos.md, section 4, 31, 34, 73, 74 and 77 to 81)."""

import uuid

import pytest

from support.mesos_contract import JSON, amounts, name_of, request, task

EXECUTOR = "/api/v1/executor"
ENOUGH = amounts(cpus=0.1, mem=32, disk=1)
IDS = {"framework_id": {"value": "nobody"}, "executor_id": {"value": "nobody"}}


def default(mesos, name="x", **fields):
    return {
        "executor_id": {"value": name},
        "type": "DEFAULT",
        "framework_id": {"value": mesos.id},
        "resources": ENOUGH,
        **fields,
    }


def launch_group(mesos, *tasks, executor=None, **operation):
    offer = mesos.offer(0.1 * len(tasks) + 0.1)
    infos = [{"agent_id": offer["agent_id"], **one} for one in tasks]
    group = {"executor": executor or default(mesos), "task_group": {"tasks": infos}}
    mesos.accept([offer], {"type": "LAUNCH_GROUP", "launch_group": group, **operation})


# the executor API


def test_the_executor_api_answers_as_the_schedulers_does(target):
    agent = target.agent
    assert request(agent, "POST", EXECUTOR, b"{}").status == 400
    text = {"Content-Type": "text/plain"}
    assert request(agent, "POST", EXECUTOR, b"{}", text).status == 415
    assert request(agent, "POST", EXECUTOR, b"{", {"Content-Type": JSON}).status == 400
    answer = request(agent, "GET", EXECUTOR)
    assert answer.status == 405
    assert "POST" in answer.headers["allow"]


def test_an_executor_nobody_knows_may_not_subscribe(target):
    call = {"type": "SUBSCRIBE", **IDS, "subscribe": {}}
    assert request(target.agent, "POST", EXECUTOR, call).status == 400


@pytest.mark.parametrize(
    "status",
    [
        {"source": "SOURCE_EXECUTOR"},
        {"source": "SOURCE_AGENT", "uuid": "RRRRRRRRRRRRRRRRRRRRRQ=="},
        {"source": "SOURCE_EXECUTOR", "uuid": "AAAA"},
    ],
)
def test_an_update_that_is_not_valid_is_400(target, status):
    given = {"task_id": {"value": "t"}, "state": "TASK_RUNNING", **status}
    call = {"type": "UPDATE", **IDS, "update": {"status": given}}
    assert request(target.agent, "POST", EXECUTOR, call).status == 400


def test_an_executor_that_ends_fails_its_tasks_and_is_told(target):
    with target.framework() as mesos:
        executor = {
            "executor_id": {"value": "own"},
            "command": {"value": "exit 7"},
            "resources": ENOUGH,
        }
        made = task("t", None, executor=executor)
        mesos.launch(made, offer=mesos.offer(0.2))
        failed = mesos.status(name_of(made), "TASK_FAILED")
        assert failed["source"] == "SOURCE_AGENT"
        assert failed["reason"] == "REASON_EXECUTOR_TERMINATED"
        failures = []
        mesos.until(lambda: failures.extend(failures_of(mesos)) or failures)
        assert failures[0]["executor_id"]["value"] == "own"
        assert failures[0]["status"] == 7 << 8


def failures_of(mesos):
    return [one["failure"] for one in mesos.heard if one["type"] == "FAILURE"]


def test_an_executor_that_is_shut_down_ends_with_its_tasks(target):
    with target.framework() as mesos:
        launch_group(mesos, made := task("t"))
        mesos.status(name_of(made), "TASK_RUNNING")
        body = {"executor_id": {"value": "x"}, "agent_id": {"value": target.agent_id}}
        assert mesos.call("SHUTDOWN", shutdown=body).status == 202
        mesos.status(name_of(made), "TASK_KILLED")
        mesos.until(lambda: failures_of(mesos))
        [failure] = failures_of(mesos)
        assert failure["executor_id"]["value"] == "x"
        assert failure["agent_id"]["value"] == target.agent_id


# task groups


def shared(name="v"):
    """Return a container that sees a directory of its executor's as `shared`."""
    volume = {
        "container_path": "shared",
        "mode": "RW",
        "source": {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": name}},
    }
    return {"type": "MESOS", "volumes": [volume]}


def test_one_that_fails_ends_its_group(target):
    with target.framework() as mesos:
        stays = task("stays", "touch shared/up; sleep 600", container=shared())
        waits = "until [ -e shared/up ]; do sleep 0.1; done; exit 1"
        fails = task("fails", waits, container=shared())
        launch_group(mesos, stays, fails)
        running = mesos.status(name_of(stays), "TASK_RUNNING")
        assert running["executor_id"]["value"] == "x"
        nested = running["container_status"]["container_id"]
        assert nested["parent"]["value"]
        mesos.status(name_of(fails), "TASK_FAILED")
        mesos.status(name_of(stays), "TASK_KILLED")
        mesos.until(lambda: failures_of(mesos))


def test_one_that_finishes_leaves_its_group(target):
    with target.framework() as mesos:
        stays, ends = task("stays"), task("ends", "exit 0")
        launch_group(mesos, stays, ends)
        mesos.status(name_of(stays), "TASK_RUNNING")
        mesos.status(name_of(ends), "TASK_FINISHED")
        shown = target.get(f"/tasks?framework_id={mesos.id}").json()["tasks"]
        states = {one["id"]: one["state"] for one in shown if one["framework_id"] == mesos.id}
        assert states[name_of(stays)] == "TASK_RUNNING"


def test_a_group_shares_its_executors_directories(target):
    with target.framework() as mesos:
        writer = task("w", "echo hello > shared/f; sleep 600", container=shared())
        looks = "until grep hello shared/f; do sleep 0.1; done; exit 0"
        reader = task("r", looks, container=shared())
        launch_group(mesos, writer, reader)
        mesos.status(name_of(reader), "TASK_FINISHED")


def test_a_groups_tasks_know_their_role(target):
    with target.framework(role="a") as mesos:
        made = task("t", '[ "$MESOS_ALLOCATION_ROLE" = a ] && [ -d "$MESOS_SANDBOX" ]')
        launch_group(mesos, made)
        mesos.status(name_of(made), "TASK_FINISHED")


INVALID = {
    "no type": {"type": None},
    "no framework": {"framework_id": None},
    "too little memory": {"resources": amounts(cpus=0.1, mem=16, disk=1)},
    "too little cpu": {"resources": amounts(cpus=0.001, mem=32, disk=1)},
    "no disk": {"resources": amounts(cpus=0.1, mem=32)},
    "a command of its own": {"command": {"value": "true"}},
    "another framework": {"framework_id": {"value": "nobody"}},
}


@pytest.mark.parametrize("fields", INVALID.values(), ids=list(INVALID))
def test_a_group_whose_executor_is_not_valid_is_an_error_of_all_its_tasks(target, fields):
    with target.framework() as mesos:
        executor = {
            name: value for name, value in {**default(mesos), **fields}.items() if value is not None
        }
        tasks = [task("a"), task("b")]
        launch_group(mesos, *tasks, executor=executor)
        for made in tasks:
            last = mesos.status(name_of(made), "TASK_ERROR")
            assert last["reason"] == "REASON_TASK_GROUP_INVALID"


def test_a_group_with_one_bad_task_is_an_error_of_all(target):
    with target.framework() as mesos:
        tasks = [task("a"), {**task("b"), "resources": []}]
        launch_group(mesos, *tasks)
        for made in tasks:
            last = mesos.status(name_of(made), "TASK_ERROR")
            assert last["reason"] == "REASON_TASK_GROUP_INVALID"


@pytest.mark.parametrize("kind", ["LAUNCH", "LAUNCH_GROUP"])
def test_launches_have_no_operation_id(target, kind):
    with target.framework() as mesos:
        made = task("t")
        if kind == "LAUNCH_GROUP":
            launch_group(mesos, made, id={"value": str(uuid.uuid4())})
        else:
            offer = mesos.offer()
            info = {**made, "agent_id": offer["agent_id"]}
            launch = {"type": "LAUNCH", "launch": {"task_infos": [info]}}
            mesos.accept([offer], {**launch, "id": {"value": str(uuid.uuid4())}})
        mesos.status(name_of(made), "TASK_ERROR")


def test_a_default_executor_is_refused_by_launch(target):
    with target.framework() as mesos:
        made = task("t", None, executor=default(mesos))
        mesos.launch(made, offer=mesos.offer(0.2))
        assert mesos.status(name_of(made), "TASK_ERROR")["reason"] == "REASON_TASK_INVALID"


def test_another_executor_of_the_same_id_is_refused(target):
    with target.framework() as mesos:
        launch_group(mesos, first := task("a"))
        mesos.status(name_of(first), "TASK_RUNNING")
        other = default(mesos, resources=amounts(cpus=0.2, mem=32, disk=1))
        launch_group(mesos, second := task("b"), executor=other)
        mesos.status(name_of(second), "TASK_ERROR")
        launch_group(mesos, third := task("c"))
        mesos.status(name_of(third), "TASK_RUNNING")


# checks, health checks, time limits

FAST = {"delay_seconds": 0.0, "interval_seconds": 0.2, "grace_period_seconds": 0.0}


@pytest.mark.parametrize("in_group", [False, True], ids=["command", "group"])
def test_three_failures_end_a_task_as_unhealthy(target, in_group):
    check = {"type": "COMMAND", "command": {"value": "false"}, **FAST}
    with target.framework() as mesos:
        made = task("t", health_check=check)
        (launch_group if in_group else type(mesos).launch)(mesos, made)
        killed = mesos.status(name_of(made), "TASK_KILLED")
        told = [one["healthy"] for one in mesos.updates if "healthy" in one]
        assert told == [False] * 4
        assert killed["healthy"] is False
        reasons = {one.get("reason") for one in mesos.updates if one["state"] == "TASK_RUNNING"}
        assert reasons == {None, "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"}


COUNT = "echo x >> n"
UNTIL_THIRD = "until [ -e n ] && [ $(wc -l < n) -ge 3 ]; do sleep 0.1; done"
"""A check that counts itself, and a task that ends with the third: the second's result is known."""


def test_the_first_success_is_told_once(target):
    check = {"type": "COMMAND", "command": {"value": COUNT}, **FAST}
    with target.framework() as mesos:
        made = task("t", UNTIL_THIRD, health_check=check)
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_FINISHED")
        assert [one["healthy"] for one in mesos.updates if "healthy" in one] == [True]


def test_a_check_tells_when_its_result_changes(target):
    command = {"value": f"{COUNT}; [ $(wc -l < n) -gt 1 ]"}
    times = {"delay_seconds": 0.0, "interval_seconds": 0.2}
    check = {"type": "COMMAND", "command": {"command": command}, **times}
    with target.framework() as mesos:
        made = task("t", UNTIL_THIRD, check=check)
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_FINISHED")
        told = [
            one["check_status"]["command"]["exit_code"]
            for one in mesos.updates
            if one.get("reason") == "REASON_TASK_CHECK_STATUS_UPDATED"
        ]
        assert told == [1, 0]
        assert mesos.updates[0]["check_status"] == {"type": "COMMAND", "command": {}}


@pytest.mark.parametrize("in_group", [False, True], ids=["command", "group"])
def test_a_task_that_runs_for_too_long_fails(target, in_group):
    with target.framework(capabilities=[{"type": "TASK_KILLING_STATE"}]) as mesos:
        made = task("t", max_completion_time={"nanoseconds": 5 * 10**8})
        (launch_group if in_group else type(mesos).launch)(mesos, made)
        failed = mesos.status(name_of(made), "TASK_FAILED")
        assert failed["reason"] == "REASON_MAX_COMPLETION_TIME_REACHED"
        assert "TASK_KILLING" not in mesos.states(name_of(made))
