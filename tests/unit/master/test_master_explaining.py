"""Why a framework gets no offers, and what was dropped (issue: structured reasons)."""

import pytest

from comity.core.instants import Instant
from comity.master import explaining, inputs
from comity.wire.mesos import scheduler, v1
from comity.wire.mesos.quota import QuotaConfig
from support.master_world import MasterWorld, task

FW = "M-0000"


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent()
    return made


def told(world, framework=FW):
    return explaining.explained(world.state, world.state.frameworks[framework], Instant(world.now))


def reasons(world, framework=FW):
    [role] = told(world, framework)["roles"]
    return {one["reason"]: one["count"] for one in role["agents"]}


def test_what_can_be_offered_and_what_is_taken(world):
    world.subscribe()
    assert reasons(world) == {"NOTHING_FREE": 1}
    assert told(world)["outstanding_offers"] == 1
    world.subscribe("s2", role="other")
    assert told(world, "M-0001")["summary"] == ["Role 'other': 1 agent: have nothing free."]
    world.decline(world.offers(), refuse=0)
    assert told(world, "M-0001")["outstanding_offers"] == 1
    world.decline(world.offers("s2"), refuse=0, stream="s2", fw="M-0001")
    assert reasons(world, "M-0001") == {"REFUSED": 1}


def test_refused_until(world):
    world.subscribe()
    world.decline(world.offers(), refuse=3600)
    [role] = told(world)["roles"]
    [agents] = role["agents"]
    assert agents["reason"] == "REFUSED"
    assert agents["until"] >= world.now + 3600
    assert agents["examples"] == [{"id": "M-S0", "hostname": "link-a"}]


def test_suppressed_away_and_alone(world):
    world.subscribe(suppressed=("*",))
    assert "suppressed" in told(world)["summary"][0]
    assert reasons(world) == {"OFFERABLE": 1}
    world.step(inputs.StreamClosed("s1"))
    if FW in world.state.frameworks:
        assert "not connected" in told(world)["summary"][0]
    empty = MasterWorld()
    empty.subscribe()
    assert told(empty)["summary"] == ["No agent is registered with this master."]


def test_gpus_minimum_reservations_and_inactive_agents():
    world = MasterWorld()
    world.agent("link-gpu", has="cpus:4;mem:1024;gpus:1")
    world.agent("link-small", has="cpus:0.001;mem:1")
    world.agent("link-reserved", has="cpus(ads):4;mem(ads):100")
    world.agent("link-off")
    world.step(inputs.AgentDeactivated(5, "M-S3"))
    world.subscribe()
    assert reasons(world) == {"GPUS": 1, "TOO_LITTLE": 1, "RESERVED": 1, "INACTIVE": 1}


def test_a_role_at_its_limit(world):
    limit = QuotaConfig(role="eng", limits={"cpus": v1.Scalar(value=0), "mem": v1.Scalar(value=0)})
    world.step(inputs.QuotaUpdated(5, (limit,)))
    world.subscribe(role="eng")
    assert reasons(world) == {"QUOTA": 1}
    assert "at the limit of its quota" in told(world)["summary"][0]


def test_dropped_calls_and_refused_tasks_are_kept(world):
    world.subscribe()
    world.accept(world.offers(), task("t", needs="cpus:99"))
    body = scheduler.RolesBody(roles=("nope",))
    world.call(scheduler.Revive(framework_id=v1.Id(value=FW), revive=body))
    newest, older = told(world)["dropped"]
    assert (newest["call"], older["call"]) == ("REVIVE", "ACCEPT")
    assert "not subscribed to role 'nope'" in newest["reason"]
    assert "task t" in older["reason"]


def test_failed_tasks_say_why(world):
    world.subscribe(failover_timeout=60.0)
    world.launch("t")
    world.report("t", v1.TaskState.FAILED)
    body = scheduler.AcknowledgeBody(
        agent_id=v1.Id(value="M-S0"),
        task_id=v1.Id(value="t"),
        uuid=b"u" * 6 + b"\x40" + b"u" * 9,
    )
    world.call(scheduler.Acknowledge(framework_id=v1.Id(value=FW), acknowledge=body))
    [failed] = told(world)["tasks"]
    assert (failed["id"], failed["state"]) == ("t", v1.TaskState.FAILED)
