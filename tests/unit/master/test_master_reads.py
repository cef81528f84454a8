"""The fields of operators' reads, old and new (src/master/readonly_handler.cpp, http.cpp)."""

import msgspec
import pytest

from comity.core.ids import AgentId
from comity.master import documents, inputs, operator
from comity.master.documents import Page, Show
from comity.wire.mesos import codec, link, responses, v1
from comity.wire.mesos import operator as wire
from comity.wire.mesos.maintenance import DrainConfig
from support.master_world import MasterWorld, task

SUMMARY = {
    "id",
    "name",
    "used_resources",
    "offered_resources",
    "capabilities",
    "hostname",
    "webui_url",
    "active",
    "connected",
    "recovered",
}
FULL = SUMMARY | {
    "user",
    "failover_timeout",
    "checkpoint",
    "registered_time",
    "unregistered_time",
    "resources",
    "tasks",
    "unreachable_tasks",
    "completed_tasks",
    "offers",
    "executors",
    "offer_constraints",
}


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent()
    return made


def state(world):
    return msgspec.json.decode(msgspec.json.encode(documents.whole_state(world.state, Show())))


def answer(world, kind):
    """Return the answer to a read, held to the message that it is in protobuf."""
    data = codec.encode(operator.answer(world.state, kind(), Show()))
    message = codec.decode(responses.MasterResponse, data)
    assert codec.encode(message, codec.Format.PROTOBUF)
    found = msgspec.json.decode(data)
    return found[found["type"].lower()]


def test_a_framework_has_either_role_or_roles_and_only_what_it_said(world):
    world.subscribe("s1", role="ads")
    labels = v1.Labels(labels=(v1.Label(key="k", value="v"),))
    world.subscribe(
        "s2", roles=("a", "b"), can=("MULTI_ROLE",), principal="p", labels=labels, hostname="h"
    )
    one, two = state(world)["frameworks"]
    assert set(one) == FULL | {"role"}
    assert one["role"] == "ads"
    assert set(two) == FULL | {"roles", "labels", "principal"}
    assert (two["roles"], two["principal"]) == (["a", "b"], "p")
    assert two["labels"] == [{"key": "k", "value": "v"}]
    assert two["capabilities"] == ["MULTI_ROLE"]
    assert two["offer_constraints"] == {}


def test_state_has_mesos_s_keys(world):
    shown = state(world)
    assert {
        "version",
        "build_date",
        "build_time",
        "build_user",
        "start_time",
        "elected_time",
        "id",
        "pid",
        "hostname",
        "capabilities",
        "activated_slaves",
        "deactivated_slaves",
        "unreachable_slaves",
        "leader",
        "leader_info",
        "cluster",
        "flags",
        "slaves",
        "recovered_slaves",
        "frameworks",
        "completed_frameworks",
        "orphan_tasks",
        "unregistered_frameworks",
    } == set(shown)
    assert set(shown["leader_info"]) == {"id", "pid", "port", "hostname"}
    assert (shown["activated_slaves"], shown["deactivated_slaves"]) == (1.0, 0.0)


def test_a_deactivated_agent_is_not_counted_as_active(world):
    world.step(inputs.AgentDeactivated(7, AgentId("M-S0")))
    shown = state(world)
    assert (shown["activated_slaves"], shown["deactivated_slaves"]) == (0.0, 1.0)
    [agent] = shown["slaves"]
    assert (agent["active"], agent["deactivated"]) == (False, True)
    world.step(inputs.AgentReactivated(8, AgentId("M-S0")))
    assert state(world)["slaves"][0]["active"] is True


def test_drain_times_are_whole_seconds_and_end_with_the_draining(world):
    world.now += 0.75
    world.step(inputs.AgentDrained(7, AgentId("M-S0"), DrainConfig()))
    [agent] = state(world)["slaves"]
    assert agent["estimated_drain_start_time_seconds"] == 1000
    assert agent["drain_info"] == {"state": "DRAINED", "config": {"mark_gone": False}}
    [agent] = answer(world, wire.GetAgents)["agents"]
    assert agent["estimated_drain_start_time"] == {"nanoseconds": 1000 * 10**9}
    world.step(inputs.AgentReactivated(8, AgentId("M-S0")))
    [agent] = answer(world, wire.GetAgents)["agents"]
    assert not {"drain_info", "estimated_drain_start_time"} & set(agent)


def test_agents_that_are_not_back_are_shown_as_agents_are(world):
    other = MasterWorld(registry=world.store.items())
    recovered = [{"id": "M-S0", "hostname": "link-a", "port": 5051, "attributes": {}}]
    assert state(other)["recovered_slaves"] == recovered
    shown = documents.agents_document(other.state, None, Show())
    assert shown["recovered_slaves"] == recovered
    assert documents.agents_document(other.state, "M-S1", Show())["recovered_slaves"] == []
    [agent] = answer(other, wire.GetAgents)["recovered_agents"]
    assert agent["id"] == {"value": "M-S0"}


def test_a_framework_of_the_v1_api_has_its_times_offers_and_constraints(world):
    world.subscribe(role="ads")
    [shown] = answer(world, wire.GetFrameworks)["frameworks"]
    assert shown["registered_time"] == shown["reregistered_time"]
    [offer] = shown["offers"]
    assert offer["allocation_info"] == {"role": "ads"}
    assert offer["agent_id"] == {"value": "M-S0"}
    assert offer["url"]["address"]["ip"] == "127.0.0.1"
    assert {one["role"] for one in shown["offered_resources"]} == {"*"}
    assert shown["offer_constraints"] == {}
    assert "unregistered_time" not in shown
    world.step(inputs.StreamClosed("s1"))
    world.step(inputs.TeardownRequested(9, "M-0000"))
    found = answer(world, wire.GetFrameworks)
    [shown] = found["completed_frameworks"]
    assert shown["unregistered_time"] == {"nanoseconds": 1000 * 10**9}
    assert shown["active"] is False


def test_the_master_itself(world):
    shown = answer(world, wire.GetMaster)
    assert (shown["start_time"], shown["elected_time"]) == (1000.0, 1000.0)
    assert shown["master_info"]["id"] == "M"


def test_tasks_are_in_the_order_in_which_they_were_first_heard_of(world):
    world.subscribe()
    assert world.accept(world.offers(), task("a"), task("b"), task("c"), refuse=0) == 202
    agent_id = v1.Id(value="M-S0")
    for at, name in ((2000.0, "b"), (1500.0, "a")):
        status = v1.TaskStatus(
            task_id=v1.Id(value=name),
            state=v1.TaskState.RUNNING,
            uuid=b"u" * 6 + b"\x40" + b"u" * 9,
            agent_id=agent_id,
            timestamp=at,
        )
        update = link.Update(
            framework_id=v1.Id(value="M-0000"), status=status, latest_state=v1.TaskState.RUNNING
        )
        world.agent_says(update)

    def names(**page):
        found = documents.tasks_document(world.state, Page(**page), Show())
        return [one.id for one in found["tasks"]]

    assert names() == ["b", "a", "c"]
    assert names(is_ascending=True) == ["c", "a", "b"]
    assert names(limit=1, offset=1) == ["a"]
    assert names(limit=-1, offset=1) == ["a", "c"]
    assert names(task_id="c") == ["c"]
    assert names(framework_id="nobody") == []


def test_agents_of_completed_tasks_are_among_a_framework_s_agents(world):
    world.subscribe()
    world.launch("t")
    world.report("t", v1.TaskState.FINISHED)
    world.step(inputs.AgentMarkedGone(7, AgentId("M-S0")))
    [shown] = documents.state_summary(world.state, Show())["frameworks"]
    assert shown["slave_ids"] == ["M-S0"]
    assert shown["TASK_FINISHED"] == 1
