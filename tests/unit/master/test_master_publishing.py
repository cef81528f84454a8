"""The operators' event stream: who hears what, in which order, and when streams end."""

import json

import pytest

from comity.core.effects import Send
from comity.master import inputs
from comity.wire import recordio
from comity.wire.mesos import codec, v1
from support.master_world import MasterWorld, task


class Watched(MasterWorld):
    """A master with operators that watch it."""

    def __init__(self, **settings):
        self.told = {}
        super().__init__(**settings)

    def _take(self, out):
        for send in [one for one in out.sends if one.stream.startswith("op")]:
            events = self.told.setdefault(send.stream, [])
            if isinstance(send, Send):
                [record] = recordio.Decoder().feed(send.data)
                events.append(json.loads(record))
            else:
                events.append({"type": type(send).__name__})
            out.sends.remove(send)
        super()._take(out)

    def watch(self, stream="op"):
        self._to += 1
        self.step(inputs.OperatorSubscribed(self._to, stream))

    def kinds(self, stream="op"):
        """Return the types of the events so far, and forget them."""
        return [one["type"] for one in self.told.pop(stream, [])]

    def events(self, kind, stream="op"):
        return [one[kind.lower()] for one in self.told.get(stream, []) if one["type"] == kind]


@pytest.fixture
def world():
    return Watched()


def test_a_subscriber_first_gets_everything_that_is_there(world):
    world.agent()
    world.subscribe()
    world.launch("a")
    world.watch()
    [subscribed] = world.events("SUBSCRIBED")
    assert subscribed["heartbeat_interval_seconds"] == 15.0
    held = subscribed["get_state"]
    assert [one["task_id"]["value"] for one in held["get_tasks"]["tasks"]] == ["a"]
    assert held["get_tasks"]["tasks"][0]["state"] == "TASK_RUNNING"
    assert [one["agent_info"]["id"]["value"] for one in held["get_agents"]["agents"]] == ["M-S0"]
    frameworks = held["get_frameworks"]["frameworks"]
    assert [one["framework_info"]["id"]["value"] for one in frameworks] == ["M-0000"]
    assert world.kinds() == ["OpenStream", "SUBSCRIBED", "HEARTBEAT"]


def test_heartbeats_come_every_15_seconds_until_the_stream_ends(world):
    world.watch()
    world.kinds()
    world.run(14.9)
    assert world.kinds() == []
    world.run(30.2)
    assert world.kinds() == ["HEARTBEAT"] * 3
    world.step(inputs.StreamClosed("op"))
    world.run(100)
    assert world.kinds() == []
    assert not world.state.subscribers
    assert inputs.SubscriberHeartbeatDue("op") not in world.timers


def test_the_life_of_a_task_is_told_in_order(world):
    world.watch()
    world.agent()
    world.subscribe()
    world.launch("a")
    world.report("a", v1.TaskState.FINISHED)
    assert [one["task"]["state"] for one in world.events("TASK_ADDED")] == ["TASK_STAGING"]
    assert [(one["state"], one["status"]["state"]) for one in world.events("TASK_UPDATED")] == [
        ("TASK_RUNNING", "TASK_RUNNING"),
        ("TASK_FINISHED", "TASK_FINISHED"),
    ]
    assert {one["framework_id"]["value"] for one in world.events("TASK_UPDATED")} == {"M-0000"}
    assert world.kinds() == [
        "OpenStream",
        "SUBSCRIBED",
        "HEARTBEAT",
        "AGENT_ADDED",
        "FRAMEWORK_ADDED",
        "TASK_ADDED",
        "TASK_UPDATED",
        "TASK_UPDATED",
    ]


def test_a_repeated_state_is_told_only_when_a_check_changed(world):
    world.agent()
    world.subscribe()
    world.launch("a")
    world.watch()
    world.kinds()
    world.report("a", v1.TaskState.RUNNING)
    assert world.kinds() == []
    for reason in (
        v1.Reason.TASK_CHECK_STATUS_UPDATED,
        v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED,
    ):
        status = v1.TaskStatus(
            task_id=v1.Id(value="a"), state=v1.TaskState.RUNNING, reason=reason, data=b"secret"
        )
        world.agent_says(_update(status))
        [told] = world.events("TASK_UPDATED")
        assert told["status"]["reason"] == reason.value
        assert "data" not in told["status"]
        assert world.kinds() == ["TASK_UPDATED"]


def _update(status):
    from comity.wire.mesos import link

    return link.Update(framework_id=v1.Id(value="M-0000"), status=status, latest_state=status.state)


def test_a_bad_task_is_never_added(world):
    world.agent()
    world.subscribe()
    world.watch()
    world.kinds()
    world.accept(world.offers(), task("a", "cpus:100;mem:1"))
    assert world.kinds() == []


def test_frameworks_are_told_when_they_come_come_back_and_end(world):
    world.agent()
    world.watch()
    world.kinds()
    world.subscribe(failover_timeout=60.0)
    assert world.events("FRAMEWORK_ADDED")[0]["framework"]["active"] is True
    assert world.kinds() == ["FRAMEWORK_ADDED"]
    world.subscribe("s2", framework_id="M-0000", failover_timeout=60.0)
    assert world.kinds() == ["FRAMEWORK_UPDATED"]
    world.accept(world.offers("s2"), task("a"), stream="s2")
    world.kinds()
    world.step(inputs.TeardownRequested(99, "M-0000"))
    [removed] = world.events("FRAMEWORK_REMOVED")
    assert removed["framework_info"]["id"]["value"] == "M-0000"
    [killed] = world.events("TASK_UPDATED")
    assert killed["state"] == "TASK_KILLED"
    assert killed["status"]["reason"] == "REASON_FRAMEWORK_REMOVED"
    assert world.kinds() == ["TASK_UPDATED", "FRAMEWORK_REMOVED"]


def test_an_agent_is_told_when_it_comes_and_when_it_is_given_up(world):
    world.watch()
    world.kinds()
    world.agent()
    [added] = world.events("AGENT_ADDED")
    assert added["agent"]["agent_info"]["hostname"] == "link-a"
    assert world.kinds() == ["AGENT_ADDED"]
    world.step(inputs.StreamClosed("link-a"))
    world.agent("link-b", agent_id="M-S0")
    assert world.kinds() == []  # it was registered all along
    world.step(inputs.AgentMarkedGone(99, "M-S0"))
    assert world.events("AGENT_REMOVED") == [{"agent_id": {"value": "M-S0"}}]


def test_what_an_agent_brings_to_a_new_master_is_told(world):
    world.watch()
    world.kinds()
    held = v1.Task(
        name="a",
        task_id=v1.Id(value="a"),
        framework_id=v1.Id(value="OLD-0000"),
        agent_id=v1.Id(value="OLD-S0"),
        state=v1.TaskState.RUNNING,
        resources=task("a").resources,
    )
    info = v1.FrameworkInfo(user="root", name="f", id=v1.Id(value="OLD-0000"))
    world.agent(agent_id="OLD-S0", frameworks=(info,), tasks=(held,))
    assert world.events("FRAMEWORK_ADDED")[0]["framework"]["recovered"] is True
    assert world.kinds() == ["AGENT_ADDED", "FRAMEWORK_ADDED", "TASK_ADDED"]


def test_one_too_many_closes_the_oldest():
    world = Watched(max_operator_event_stream_subscribers=2)
    for stream in ("op1", "op2", "op3"):
        world.watch(stream)
    assert world.kinds("op1") == ["OpenStream", "SUBSCRIBED", "HEARTBEAT", "CloseStream"]
    world.kinds("op2"), world.kinds("op3")
    world.agent()
    assert world.kinds("op1") == []
    assert world.kinds("op2") == world.kinds("op3") == ["AGENT_ADDED"]


def test_an_event_is_encoded_once_for_all(world, monkeypatch):
    encoded = []
    real = codec.encode
    monkeypatch.setattr(
        codec, "encode", lambda one, *how: (encoded.append(one), real(one, *how))[1]
    )
    for number in range(5):
        world.watch(f"op{number}")
    encoded.clear()
    world.agent()
    added = [one for one in encoded if isinstance(one, dict) and one["type"] == "AGENT_ADDED"]
    assert len(added) == 1


def test_a_subscriber_may_read_protobuf(world):
    seen = {}
    take = Watched._take

    def watched(self, out):
        for send in [one for one in out.sends if one.stream == "proto"]:
            out.sends.remove(send)
            if isinstance(send, Send):
                [record] = recordio.Decoder().feed(send.data)
                event = codec.decode(codec.MASTER_EVENT, record, codec.Format.PROTOBUF)
                seen[event.type] = event
        take(self, out)

    world._take = watched.__get__(world)
    world.step(inputs.OperatorSubscribed(1, "proto", codec.Format.PROTOBUF))
    world.agent()
    world.subscribe()
    world.launch("a")
    assert list(seen) == [
        "SUBSCRIBED",
        "HEARTBEAT",
        "AGENT_ADDED",
        "FRAMEWORK_ADDED",
        "TASK_ADDED",
        "TASK_UPDATED",
    ]
    assert seen["AGENT_ADDED"].agent_added.agent.agent_info.hostname == "link-a"
    assert seen["TASK_UPDATED"].task_updated.state is v1.TaskState.RUNNING
