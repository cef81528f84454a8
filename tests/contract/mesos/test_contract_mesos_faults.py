"""Masters, agents and schedulers that break, and come back or do not (mesos.md, 1.4)."""

import pytest

from support.mesos_clusters import own, until
from support.mesos_contract import name_of, request, task

AWARE = {"capabilities": [{"type": "PARTITION_AWARE"}]}
KEPT = {"checkpoint": True, "failover_timeout": 600.0}
PINGS = ("--agent_ping_timeout=1secs", "--max_agent_ping_timeouts=1")


@pytest.fixture
def cluster():
    """Give a cluster that soon gives up agents who are silent."""
    with own(*PINGS) as made:
        made.add()
        yield made


@pytest.fixture
def patient():
    """Give a cluster that waits for whoever is away."""
    with own() as made:
        made.add()
        yield made


def running(mesos, **fields):
    """Launch a task, and return its id once it runs."""
    mesos.launch(made := task("t", **fields))
    mesos.status(name_of(made), "TASK_RUNNING")
    return name_of(made)


def failures(mesos):
    return [one["failure"] for one in mesos.heard if one["type"] == "FAILURE"]


def asked(mesos, name, agent_id=None):
    """Ask about one task, and return the answers that came before those about another."""
    before = len(mesos.updates)
    body = {"task_id": {"value": name}}
    if agent_id is not None:
        body["agent_id"] = {"value": agent_id}
    mesos.call("RECONCILE", reconcile={"tasks": [body]})
    end = f"end-{before}"
    mesos.call("KILL", kill={"task_id": {"value": end}, "agent_id": {"value": "nobody"}})
    mesos.until(lambda: mesos.states(end))
    found = [one for one in mesos.updates[before:] if one["task_id"]["value"] == name]
    return [one["state"] for one in found]


def agent_shown(cluster):
    [shown] = cluster.shown()
    return shown


# agents that are silent


@pytest.mark.parametrize(("info", "state"), [({}, "TASK_LOST"), (AWARE, "TASK_UNREACHABLE")])
def test_a_silent_agent_is_given_up_and_its_tasks_go_on(cluster, info, state):
    [agent] = cluster.agents
    target = cluster.target
    with target.framework(**KEPT, **info) as mesos:
        name = running(mesos)
        mesos.until(lambda: mesos.offers)
        agent.freeze()
        lost = mesos.status(name, state)
        assert lost["source"] == "SOURCE_MASTER"
        assert lost["reason"] in ("REASON_AGENT_REMOVED", "REASON_SLAVE_REMOVED")
        assert "uuid" not in lost
        if info:
            assert lost["unreachable_time"]["nanoseconds"] > 0
        mesos.until(lambda: failures(mesos))
        assert failures(mesos)[0] == {"agent_id": {"value": target.agent_id}}
        assert not mesos.offers
        assert asked(mesos, name, target.agent_id) == [state]
        agent.thaw()
        mesos.until(lambda: mesos.updates[-1]["state"] == "TASK_RUNNING")
        back = mesos.updates[-1]
        assert back["reason"] in ("REASON_AGENT_REREGISTERED", "REASON_SLAVE_REREGISTERED")
        assert back["source"] == "SOURCE_MASTER"
        assert "uuid" not in back
        assert asked(mesos, name) == ["TASK_RUNNING"]


def test_an_agent_whose_connection_breaks_is_not_offered_until_it_is_back(patient):
    [agent] = patient.agents
    with patient.target.framework(**KEPT) as mesos:
        name = running(mesos)
        mesos.until(lambda: mesos.offers)
        agent.kill()
        mesos.until(lambda: not mesos.offers)
        assert agent_shown(patient)["active"] is False
        # Nothing is lost so far.
        assert asked(mesos, name) == ["TASK_RUNNING"]
        agent.start()
        mesos.until(lambda: mesos.offers)
        assert mesos.states(name)[-1] == "TASK_RUNNING"


def test_tasks_without_checkpoints_are_lost_with_their_agents_connection(patient):
    [agent] = patient.agents
    with patient.target.framework(failover_timeout=600.0) as mesos:
        name = running(mesos)
        agent.kill()
        lost = mesos.status(name, "TASK_LOST")
        assert lost["reason"] in ("REASON_AGENT_DISCONNECTED", "REASON_SLAVE_DISCONNECTED")
        agent.start()
        mesos.until(lambda: mesos.offers)


def test_a_kill_reaches_an_agent_that_was_away(patient):
    [agent] = patient.agents
    with patient.target.framework(**KEPT) as mesos:
        name = running(mesos)
        agent.kill()
        until(lambda: not agent_shown(patient)["active"])
        assert mesos.call("KILL", kill={"task_id": {"value": name}}).status == 202
        agent.start()
        mesos.status(name, "TASK_KILLED")


def test_updates_wait_for_a_scheduler_that_is_away_while_its_agent_restarts(patient):
    [agent] = patient.agents
    target = patient.target
    with target.framework(**KEPT) as mesos:
        mesos.launch(made := task("t", "sleep 1; exit 0"))
        mesos.status(name_of(made), "TASK_RUNNING")
        mesos.stream.close()
        until(lambda: request(agent.url, "GET", "/state").json()["frameworks"][0])
        agent.kill()
        agent.start()
        mesos.subscribe()
        mesos.status(name_of(made), "TASK_FINISHED")


# masters that are killed


def test_a_framework_is_shown_as_recovered_until_it_is_back(patient):
    target = patient.target
    with target.framework(**KEPT) as mesos:
        name = running(mesos)
        old = mesos.stream
        patient.master.kill()
        while old.next() is not None:
            pass
        old.close()
        patient.master.start()

        def shown():
            return target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]

        [recovered] = until(shown)
        assert (recovered["recovered"], recovered["connected"]) == (True, False)
        assert [one["id"] for one in recovered["tasks"]] == [name]
        mesos.subscribe()
        assert asked(mesos, name) == ["TASK_RUNNING"]
        [back] = shown()
        assert (back["recovered"], back["connected"]) == (False, True)


def test_nothing_is_said_of_tasks_while_a_new_master_waits_for_their_agent(patient):
    [agent] = patient.agents
    target = patient.target
    agent_id = target.agent_id
    with target.framework(**KEPT, **AWARE) as mesos:
        name = running(mesos)
        agent.kill()
        patient.master.kill()
        mesos.stream.close()
        patient.master.start()
        mesos.subscribe()
        assert asked(mesos, name, agent_id) == []
        assert asked(mesos, name) == []  # it may be on that one
        agent.start()
        patient.id_of(agent)
        assert set(asked(mesos, name, agent_id)) == {"TASK_RUNNING"}


def test_quotas_weights_and_the_schedule_outlive_a_master(patient):
    limits = {"cpus": {"value": 2.0}}
    window = {
        "machine_ids": [{"hostname": "somewhere"}],
        "unavailability": {"start": {"nanoseconds": 4 * 10**18}},
    }
    calls = {
        "UPDATE_QUOTA": {"quota_configs": [{"role": "q", "limits": limits}]},
        "UPDATE_WEIGHTS": {"weight_infos": [{"role": "w", "weight": 2.0}]},
        "UPDATE_MAINTENANCE_SCHEDULE": {"schedule": {"windows": [window]}},
    }
    target = patient.target
    for kind, body in calls.items():
        assert target.post("/api/v1", {"type": kind, kind.lower(): body}).status == 200
    patient.master.kill()
    patient.master.start()
    assert target.get("/weights").json() == [{"role": "w", "weight": 2.0}]
    assert target.get("/maintenance/schedule").json() == {"windows": [window]}
    shown = target.post("/api/v1", {"type": "GET_QUOTA"}).json()["get_quota"]["status"]
    assert [(one["role"], one["limits"]) for one in shown["configs"]] == [("q", limits)]


# agents that are marked gone


def test_an_agent_that_is_gone_stays_away(patient):
    [agent] = patient.agents
    target = patient.target
    agent_id = {"value": target.agent_id}
    call = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": agent_id}}
    with target.framework(**KEPT, **AWARE) as mesos:
        name = running(mesos)
        assert target.post("/api/v1", call).status == 200
        gone = mesos.status(name, "TASK_GONE_BY_OPERATOR")
        assert gone["source"] == "SOURCE_MASTER"
        mesos.until(lambda: failures(mesos))
        assert failures(mesos)[-1]["agent_id"] == agent_id
        assert asked(mesos, name, agent_id["value"]) == ["TASK_GONE_BY_OPERATOR"]
        assert target.post("/api/v1", call).status == 200
        # It hears of it, and ends; it is not taken back.
        until(lambda: agent.child.poll() is not None)
        assert patient.shown() == []


# what is remembered


def test_agents_that_were_given_up_are_forgotten_in_time():
    flags = ("--registry_gc_interval=1secs", "--registry_max_agent_age=1secs")
    with own(*PINGS, *flags) as cluster:
        agent = cluster.add()
        target = cluster.target
        with target.framework(**KEPT, **AWARE) as mesos:
            name = running(mesos)
            agent.freeze()
            mesos.status(name, "TASK_UNREACHABLE")
            until(lambda: asked(mesos, "another", target.agent_id) == ["TASK_UNKNOWN"])


def test_no_more_of_the_past_is_kept_than_was_said():
    flags = ("--max_completed_frameworks=1", "--max_completed_tasks_per_framework=2")
    with own(*flags) as cluster:
        cluster.add()
        target = cluster.target
        with target.framework() as mesos:
            made = [task("t", "exit 0") for _ in range(3)]
            for one in made:
                mesos.launch(one)
                mesos.status(name_of(one), "TASK_FINISHED")
            until(lambda: not past(target, mesos)["tasks"])
            kept = [one["id"] for one in past(target, mesos)["completed_tasks"]]
            assert kept == [name_of(one) for one in made[1:]]
        for _ in range(2):
            with target.framework() as last:
                pass
        until(lambda: last.id in completed(target))
        assert completed(target) == [last.id]


def past(target, mesos):
    [shown] = target.get(f"/frameworks?framework_id={mesos.id}").json()["frameworks"]
    return shown


def completed(target):
    return [one["id"] for one in target.get("/state").json()["completed_frameworks"]]
