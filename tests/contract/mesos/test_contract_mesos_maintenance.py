"""Draining and maintenance, seen by operators and schedulers (mesos.md, section 4, 90 and 91)."""

import contextlib
import time

import pytest

from support.mesos_contract import WAIT_S, name_of, task

API = "/api/v1"


def operate(target, kind, **body):
    return target.post(API, {"type": kind, kind.lower(): body})


def read(target, kind):
    answer = target.post(API, {"type": kind})
    assert answer.status == 200, answer.body
    return answer.json()[kind.lower()]


def agent(target):
    agents = read(target, "GET_AGENTS")["agents"]
    return next(one for one in agents if one["agent_info"]["id"]["value"] == target.agent_id)


def until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def me(target):
    """Give the agent's id, and take the agent back at the end."""
    agent_id = {"value": target.agent_id}
    yield agent_id
    if agent(target).get("deactivated"):
        until(lambda: operate(target, "REACTIVATE_AGENT", agent_id=agent_id).status == 200)


def test_draining_kills_what_runs_and_lasts_until_reactivation(target, me):
    aware = {"capabilities": [{"type": "PARTITION_AWARE"}]}
    with target.framework(**aware) as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        mesos.acknowledges = False
        assert operate(target, "DRAIN_AGENT", agent_id=me).status == 200
        shown = agent(target)
        assert shown["drain_info"]["state"] == "DRAINING"
        assert shown["deactivated"] is True
        assert shown["estimated_drain_start_time"]["nanoseconds"] > 0
        assert operate(target, "REACTIVATE_AGENT", agent_id=me).status == 400
        ended = mesos.status(name_of(made), "TASK_KILLED", "TASK_GONE_BY_OPERATOR")
        assert ended["reason"] == "REASON_AGENT_DRAINING"
        assert agent(target)["drain_info"]["state"] == "DRAINING"  # it is not acknowledged yet
        mesos.acknowledge(ended)
        until(lambda: agent(target)["drain_info"]["state"] == "DRAINED")
        assert operate(target, "REACTIVATE_AGENT", agent_id=me).status == 200
        mesos.acknowledges = True
        mesos.offer()
        assert "drain_info" not in agent(target)


def test_a_deactivated_agent_is_not_offered_and_its_tasks_go_on(target, me):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        mesos.offer()
        assert operate(target, "DEACTIVATE_AGENT", agent_id=me).status == 200
        shown = agent(target)
        assert (shown["active"], shown["deactivated"]) == (False, True)
        mesos.until(lambda: any(one["type"] == "RESCIND" for one in mesos.heard))
        assert mesos.states(name_of(made))[-1] == "TASK_RUNNING"
        assert operate(target, "REACTIVATE_AGENT", agent_id=me).status == 200
        mesos.offers = []
        mesos.offer()


@pytest.mark.parametrize("kind", ["DRAIN_AGENT", "DEACTIVATE_AGENT", "REACTIVATE_AGENT"])
def test_unknown_agents_are_a_bad_request(target, kind):
    assert operate(target, kind, agent_id={"value": "nobody"}).status == 400


def test_unknown_agents_cannot_be_marked_gone(target):
    assert operate(target, "MARK_AGENT_GONE", agent_id={"value": "nobody"}).status == 404


@contextlib.contextmanager
def scheduled(target, machine, start_s=4_000_000_000):
    """Schedule a machine, and take the schedule back at the end."""
    unavailability = {"start": {"nanoseconds": start_s * 10**9}}
    windows = [{"machine_ids": [machine], "unavailability": unavailability}]
    schedule = {"windows": windows}
    found = operate(target, "UPDATE_MAINTENANCE_SCHEDULE", schedule=schedule)
    assert found.status == 200, found.body
    try:
        yield schedule
    finally:
        found = operate(target, "UPDATE_MAINTENANCE_SCHEDULE", schedule={})
        assert found.status == 200, found.body


def machine_of(target):
    shown = agent(target)
    address = shown["pid"].partition("@")[2].rpartition(":")[0]
    return {"hostname": shown["agent_info"]["hostname"], "ip": address}


@pytest.mark.parametrize(
    ("call", "status"), [("ACCEPT_INVERSE_OFFERS", "ACCEPT"), ("DECLINE_INVERSE_OFFERS", "DECLINE")]
)
def test_frameworks_are_asked_to_leave_and_their_answers_are_shown(target, call, status):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        with scheduled(target, machine_of(target)) as schedule:
            mesos.until(lambda: any(one["type"] == "INVERSE_OFFERS" for one in mesos.heard))
            [event] = [one for one in mesos.heard if one["type"] == "INVERSE_OFFERS"]
            [asked] = event["inverse_offers"]["inverse_offers"]
            assert asked["agent_id"]["value"] == target.agent_id
            assert asked["framework_id"]["value"] == mesos.id
            assert asked["unavailability"] == schedule["windows"][0]["unavailability"]
            body = {"inverse_offer_ids": [asked["id"]], "filters": {"refuse_seconds": 600}}
            assert mesos.call(call, **{call.lower(): body}).status == 202

            def answers():
                shown = read(target, "GET_MAINTENANCE_STATUS")["status"]
                return shown["draining_machines"][0].get("statuses", [])

            until(answers)
            [answer] = answers()
            assert (answer["status"], answer["framework_id"]["value"]) == (status, mesos.id)
            assert answer["timestamp"]["nanoseconds"] > 0
            offer = mesos.offer()
            assert offer["unavailability"] == asked["unavailability"]


def test_an_inverse_offer_is_rescinded_with_the_schedule(target):
    with target.framework() as mesos:
        made = task("t")
        mesos.launch(made)
        mesos.status(name_of(made), "TASK_RUNNING")
        with scheduled(target, machine_of(target)):
            mesos.until(lambda: any(one["type"] == "INVERSE_OFFERS" for one in mesos.heard))
        mesos.until(lambda: any(one["type"] == "RESCIND_INVERSE_OFFER" for one in mesos.heard))


def test_machines_go_through_their_modes_in_order(target):
    machine = {"hostname": "contract-nobody", "ip": "192.0.2.1"}
    assert operate(target, "START_MAINTENANCE", machines=[machine]).status == 400
    assert operate(target, "STOP_MAINTENANCE", machines=[machine]).status == 400
    with scheduled(target, machine) as schedule:
        assert read(target, "GET_MAINTENANCE_SCHEDULE")["schedule"] == schedule
        shown = target.get("/maintenance/status").json()
        assert [one["id"] for one in shown["draining_machines"]] == [machine]
        assert operate(target, "STOP_MAINTENANCE", machines=[machine]).status == 400
        assert operate(target, "START_MAINTENANCE", machines=[machine]).status == 200
        assert operate(target, "START_MAINTENANCE", machines=[machine]).status == 400
        refused = operate(target, "UPDATE_MAINTENANCE_SCHEDULE", schedule={})
        assert refused.status == 400
        assert target.get("/maintenance/status").json() == {"down_machines": [machine]}
        assert operate(target, "STOP_MAINTENANCE", machines=[machine]).status == 200
        assert target.get("/maintenance/schedule").json() == {}


@pytest.mark.parametrize(
    "windows",
    [
        [{"unavailability": {"start": {"nanoseconds": 1}}}],
        [{"machine_ids": [{}], "unavailability": {"start": {"nanoseconds": 1}}}],
        [{"machine_ids": [{"ip": "nonsense"}], "unavailability": {"start": {"nanoseconds": 1}}}],
        [
            {
                "machine_ids": [{"hostname": "a"}],
                "unavailability": {"start": {"nanoseconds": 1}, "duration": {"nanoseconds": -1}},
            }
        ],
        [
            {
                "machine_ids": [{"hostname": "a"}, {"hostname": "A"}],
                "unavailability": {"start": {"nanoseconds": 1}},
            }
        ],
    ],
)
def test_schedules_that_make_no_sense_are_refused(target, windows):
    found = operate(target, "UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": windows})
    assert found.status == 400
    assert target.post("/maintenance/schedule", {"windows": windows}).status == 400
