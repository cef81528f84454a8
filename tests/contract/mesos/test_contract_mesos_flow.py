"""A task's life as its scheduler sees it (mesos.md, section 4, 20 to 39, 67 and 68)."""

import pytest

from support.mesos_contract import SCHEDULER, amounts, decoded, name_of, scalar, task

AWARE = {"capabilities": [{"type": "PARTITION_AWARE"}]}
KILLING = {"capabilities": [{"type": "TASK_KILLING_STATE"}]}
TERMINAL = ("TASK_FINISHED", "TASK_FAILED", "TASK_KILLED", "TASK_ERROR", "TASK_LOST")


def kill(mesos, name, **fields):
    body = {"task_id": {"value": name}, **fields}
    assert mesos.call("KILL", kill=body).status == 202


def test_an_offer_says_what_and_where(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        assert offer["framework_id"]["value"] == mesos.id
        assert offer["agent_id"]["value"] == target.agent_id
        assert offer["hostname"]
        assert offer["url"]["path"] == "/slave(1)"
        assert scalar(offer["resources"], "mem") > 0
        # Frameworks without MULTI_ROLE know nothing of allocations.
        assert "allocation_info" not in offer
        assert not any("allocation_info" in one for one in offer["resources"])


def test_a_framework_of_several_roles_sees_allocations(target):
    info = {"roles": ["a", "b"], "capabilities": [{"type": "MULTI_ROLE"}]}
    with target.framework(**info) as mesos:
        offer = mesos.offer()
        role = offer["allocation_info"]["role"]
        assert role in ("a", "b")
        assert {one["allocation_info"]["role"] for one in offer["resources"]} == {role}


def test_a_command_task_starts_runs_and_finishes(target):
    with target.framework() as mesos:
        made = task("t", "exit 0")
        mesos.launch(made)
        last = mesos.status(name_of(made), "TASK_FINISHED")
        assert mesos.states(name_of(made)) == ["TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"]
        assert len({one["uuid"] for one in mesos.updates}) == 3
        for status in mesos.updates:
            assert status["source"] == "SOURCE_EXECUTOR"
            assert len(decoded(status["uuid"])) == 16
            assert status["agent_id"]["value"] == target.agent_id
            assert status["executor_id"]["value"] == name_of(made)
        assert "exited with status 0" in last["message"]
        running = mesos.updates[1]["container_status"]
        assert running["container_id"]["value"]
        assert running["network_infos"][0]["ip_addresses"][0]["ip_address"]
        mesos.offer()  # what it had is offered again


def test_a_command_that_fails_says_how_and_gives_no_reason(target):
    with target.framework() as mesos:
        made = task("t", "exit 3")
        mesos.launch(made)
        last = mesos.status(name_of(made), "TASK_FAILED")
        assert "exited with status 3" in last["message"]
        assert "reason" not in last


def test_arguments_are_argv_without_a_shell(target):
    with target.framework() as mesos:
        command = {"shell": False, "value": "/bin/sh", "arguments": ["sh", "-c", "exit 4"]}
        made = task("t", None, command=command)
        mesos.launch(made)
        assert "status 4" in mesos.status(name_of(made), "TASK_FAILED")["message"]


def test_an_update_is_repeated_until_it_is_acknowledged_and_the_next_waits(target):
    with target.framework() as mesos:
        mesos.acknowledges = False
        made = task("t", "exit 0")
        mesos.launch(made)
        mesos.until(lambda: len(mesos.updates) == 2)  # after ten seconds
        first, again = mesos.updates
        assert first["uuid"] == again["uuid"]
        assert first["state"] == again["state"] == "TASK_STARTING"
        mesos.acknowledges = True
        mesos.acknowledge(first)
        mesos.status(name_of(made), "TASK_FINISHED")
        states = mesos.states(name_of(made))
        assert states[2:] == ["TASK_RUNNING", "TASK_FINISHED"]


@pytest.mark.parametrize(("info", "state"), [({}, "TASK_LOST"), (AWARE, "TASK_DROPPED")])
def test_a_used_offer_loses_its_tasks(target, info, state):
    with target.framework(**info) as mesos:
        offer = mesos.offer()
        mesos.decline(offer, refuse_s=0)
        made = task("t")
        mesos.launch(made, offer=offer)
        last = mesos.status(name_of(made), state)
        assert last["reason"] == "REASON_INVALID_OFFERS"
        assert last["source"] == "SOURCE_MASTER"
        assert "uuid" not in last


def test_the_same_offer_twice_loses_its_tasks(target):
    with target.framework() as mesos:
        offer = mesos.offer()
        made = {**task("t"), "agent_id": offer["agent_id"]}
        mesos.accept([offer, offer], {"type": "LAUNCH", "launch": {"task_infos": [made]}})
        assert mesos.status(name_of(made), "TASK_LOST")["reason"] == "REASON_INVALID_OFFERS"


INVALID = {
    "more than offered": {"resources": amounts(cpus=100_000.0)},
    "no resources": {"resources": []},
    "another agent": {"agent_id": {"value": "nobody"}},
    "a bad id": {"task_id": {"value": "a/b"}},
    "neither command nor executor": {"command": None},
    "command and executor": {
        "executor": {"executor_id": {"value": "x"}, "command": {"value": "true"}}
    },
    "a negative grace": {"kill_policy": {"grace_period": {"nanoseconds": -1}}},
    "a negative time limit": {"max_completion_time": {"nanoseconds": -1}},
    "a limit below its request": {"limits": {"cpus": {"value": 0.01}}},
    "a limit of disk": {"limits": {"disk": {"value": 10.0}}},
    "a check without type": {"check": {}},
    "a health check of nothing": {"health_check": {"type": "TCP"}},
    "cgroups of its own outside of a group": {
        "container": {"type": "MESOS", "linux_info": {"share_cgroups": False}}
    },
    "a variable without value": {
        "command": {"value": "true", "environment": {"variables": [{"name": "A"}]}}
    },
}


@pytest.mark.parametrize("fields", INVALID.values(), ids=list(INVALID))
def test_a_task_that_is_not_valid_is_an_error_and_its_sibling_runs(target, fields):
    with target.framework() as mesos:
        bad, good = {**task("bad"), **fields}, task("good", "exit 0")
        bad = {name: value for name, value in bad.items() if value is not None}
        mesos.launch(bad, good, offer=mesos.offer(0.2))
        last = mesos.status(name_of(bad), "TASK_ERROR")
        assert (last["reason"], last["source"]) == ("REASON_TASK_INVALID", "SOURCE_MASTER")
        assert last["message"]
        assert "uuid" not in last
        mesos.status(name_of(good), "TASK_FINISHED")


def test_an_id_that_is_in_use_is_an_error(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        mesos.launch(made)
        assert "duplicate" in mesos.status(name_of(made), "TASK_ERROR")["message"]
        kill(mesos, name_of(made))
        mesos.status(name_of(made), "TASK_KILLED")


def test_two_frameworks_may_use_the_same_task_id(target):
    with target.framework() as one, target.framework() as other:
        made = task("t", "exit 0")
        one.launch(made)
        one.status(name_of(made), "TASK_FINISHED")
        other.launch(made)
        other.status(name_of(made), "TASK_FINISHED")


def test_kill_ends_a_task(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        kill(mesos, name_of(made), agent_id={"value": target.agent_id})
        last = mesos.status(name_of(made), "TASK_KILLED")
        assert last["source"] == "SOURCE_EXECUTOR"
        assert "TASK_KILLING" not in mesos.states(name_of(made))


def test_killing_is_told_to_those_who_know_it_and_a_second_kill_shortens_the_grace(target):
    with target.framework(**KILLING) as mesos:
        made = task(
            "t",
            "trap '' TERM; while :; do sleep 0.1; done",
            kill_policy={"grace_period": {"nanoseconds": 3600 * 10**9}},
        )
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        kill(mesos, name_of(made))
        mesos.status(name_of(made), "TASK_KILLING")
        shorter = {"grace_period": {"nanoseconds": 10**8}}
        kill(mesos, name_of(made), kill_policy=shorter)
        mesos.status(name_of(made), "TASK_KILLED")


def test_a_kill_with_another_agents_id_does_nothing(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        kill(mesos, name_of(made), agent_id={"value": "another"})
        # What comes next answers a later call: the task runs still.
        asked = [{"task_id": made["task_id"]}]
        mesos.call("RECONCILE", reconcile={"tasks": asked})
        mesos.until(lambda: mesos.updates[-1].get("reason") == "REASON_RECONCILIATION")
        assert mesos.updates[-1]["state"] == "TASK_RUNNING"


@pytest.mark.parametrize(
    ("info", "agent", "state"),
    [
        ({}, None, "TASK_LOST"),
        ({}, "known", "TASK_LOST"),
        (AWARE, None, "TASK_UNKNOWN"),
        (AWARE, "known", "TASK_GONE"),
        (AWARE, "unknown", "TASK_UNKNOWN"),
    ],
)
@pytest.mark.parametrize("call", ["KILL", "RECONCILE"])
def test_a_task_nobody_knows_is_answered(target, call, info, agent, state):
    with target.framework(**info) as mesos:
        asked = {"task_id": {"value": "nobody"}}
        if agent is not None:
            asked["agent_id"] = {"value": target.agent_id if agent == "known" else "nobody"}
        if call == "KILL":
            mesos.call("KILL", kill=asked)
        else:
            mesos.call("RECONCILE", reconcile={"tasks": [asked]})
        last = mesos.status("nobody", state)
        assert last["reason"] == "REASON_RECONCILIATION"
        assert last["source"] == "SOURCE_MASTER"
        assert "uuid" not in last


def test_implicit_reconciliation_tells_every_task_once(target):
    with target.framework() as mesos:
        made = [task(name) for name in ("a", "b")]
        mesos.launch(*made)
        for one in made:
            mesos.status(name_of(one), "TASK_RUNNING")
        count = len(mesos.updates)
        mesos.call("RECONCILE", reconcile={"tasks": []})
        mesos.until(lambda: len(mesos.updates) == count + 2)
        told = mesos.updates[count:]
        assert {one["task_id"]["value"] for one in told} == {name_of(one) for one in made}
        assert {one["state"] for one in told} == {"TASK_RUNNING"}
        assert {one["reason"] for one in told} == {"REASON_RECONCILIATION"}
        assert not any("uuid" in one for one in told)


def test_teardown_ends_the_stream_and_the_framework_for_good(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        assert mesos.call("TEARDOWN").status == 202
        while mesos.next() is not None:
            pass
        assert "TASK_KILLED" not in mesos.states(name_of(made))
        shown = target.get("/state").json()
        assert mesos.id not in {one["id"] for one in shown["frameworks"]}
        assert mesos.id in {one["id"] for one in shown["completed_frameworks"]}
        body = {
            "type": "SUBSCRIBE",
            "framework_id": {"value": mesos.id},
            "subscribe": {"framework_info": {**mesos.info, "id": {"value": mesos.id}}},
        }
        answer = target.post(SCHEDULER, body)
        assert answer.status == 200
        assert b"Framework has been removed" in answer.body


def test_a_framework_that_comes_back_in_time_keeps_its_tasks(target):
    with target.framework(failover_timeout=600.0, checkpoint=True) as mesos:
        mesos.acknowledges = False
        made = task("t")
        mesos.launch(made)
        first = mesos.status(name_of(made), "TASK_STARTING")
        mesos.stream.close()
        mesos.updates = []
        mesos.acknowledges = True
        mesos.subscribe()
        # What was not acknowledged is said again.
        assert mesos.status(name_of(made), "TASK_STARTING")["uuid"] == first["uuid"]
        mesos.status(name_of(made), "TASK_RUNNING")


def test_a_framework_without_timeout_ends_with_its_stream(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        mesos.stream.close()
        mesos.is_over = True
        gone = False
        while not gone:
            shown = target.get("/frameworks").json()
            gone = mesos.id in {one["id"] for one in shown["completed_frameworks"]}


def test_the_principal_of_a_framework_stays(target):
    with target.framework(failover_timeout=600.0, principal="one") as mesos:
        body = {
            "type": "SUBSCRIBE",
            "framework_id": {"value": mesos.id},
            "subscribe": {
                "framework_info": {**mesos.info, "principal": "two", "id": {"value": mesos.id}}
            },
        }
        answer = target.post(SCHEDULER, body)
        assert answer.status == 200
        assert b'"ERROR"' in answer.body


def test_labels_discovery_and_data_are_kept(target):
    with target.framework() as mesos:
        labels = {"labels": [{"key": "k", "value": "v"}, {"key": "alone"}]}
        port = {"number": 80, "name": "http", "protocol": "tcp"}
        discovery = {"visibility": "CLUSTER", "name": "web", "ports": {"ports": [port]}}
        made = task("t", labels=labels, discovery=discovery, data="AAE=")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        shown = target.get(f"/tasks?task_id={name_of(made)}").json()["tasks"]
        [found] = [one for one in shown if one["framework_id"] == mesos.id]
        assert found["labels"] == labels["labels"]
        assert found["discovery"] == discovery
        assert found["statuses"][-1]["container_status"]["container_id"]["value"]
