"""The executor API on the agent's machine: who may call, what timeouts do, what is sent when."""

import pytest

from comity.agent.inputs import (
    ContainerExited,
    ContainerStarted,
    ExecutorBeatDue,
    ExecutorCalled,
    ExecutorDue,
    KillDue,
    LinkLost,
)
from comity.agent.outbox import SignalContainer
from comity.wire.mesos import executor as wire
from comity.wire.mesos import v1
from support.agent_world import FRAMEWORK, AgentWorld, custom, info, subscribe

S = v1.TaskState
UUID = bytes.fromhex("0123456789ab4def8123456789abcdef")
IDS = {"executor_id": v1.Id(value="e"), "framework_id": v1.Id(value="F")}
AWARE = v1.FrameworkInfo(
    user="root",
    name="f",
    id=v1.Id(value="F"),
    checkpoint=True,
    capabilities=(v1.FrameworkCapability(type="PARTITION_AWARE"),),
)


@pytest.fixture
def world():
    return AgentWorld()


def running(world, *names, framework=FRAMEWORK):
    """Start an executor with tasks that it has been sent; return its container's id."""
    container = world.run(names[0], framework=framework, command=None, executor=custom())
    for name in names[1:]:
        world.run(name, framework=framework, command=None, executor=custom())
    world.step(ContainerStarted(container, 42))
    world.step(subscribe())
    return container


def status(task_id, state=S.RUNNING, **fields):
    given = {"source": v1.Source.EXECUTOR, "uuid": UUID, **fields}
    return v1.TaskStatus(task_id=v1.Id(value=task_id), state=state, **given)


def update(world, made):
    call = wire.Update(update=wire.UpdateBody(status=made), **IDS)
    [reply] = world.step(ExecutorCalled(1, call)).replies
    return reply.status


def test_who_is_not_known_may_not_subscribe(world):
    [reply] = world.step(subscribe()).replies
    assert reply.status == 400


def test_who_has_not_subscribed_may_not_report(world):
    container = world.run("a", command=None, executor=custom())
    world.step(ContainerStarted(container, 42))
    assert update(world, status("a")) == 403


def test_a_recovering_agent_answers_503(world):
    world.agent = world.make()
    for call in (subscribe(), ExecutorCalled(1, wire.Heartbeat(**IDS))):
        [reply] = world.step(call).replies
        assert reply.status == 503


def test_a_check_status_must_have_its_type(world):
    running(world, "a")
    assert update(world, status("a", check_status=v1.CheckStatusInfo())) == 400
    assert update(world, status("a", check_status=v1.CheckStatusInfo(type="TCP"))) == 400


def test_heartbeats_come_every_30_minutes(world):
    running(world, "a")
    began = world.now
    world.fire(ExecutorBeatDue)
    assert [type(one) for one in world.heard()] == [wire.EventHeartbeat]
    assert world.now == began + 1800
    assert list(world.due(ExecutorBeatDue).values()) == [began + 3600]


def test_the_first_subscription_may_take_a_minute(world):
    world.run("a", command=None, executor=custom())
    assert list(world.due(ExecutorDue).values()) == [world.now + 60]


def test_an_executor_that_does_not_come_back_after_a_restart_is_ended(world):
    container = running(world, "a")
    update(world, status("a"))
    world.timers.clear()
    world.restart({container: 42})
    assert list(world.due(ExecutorDue).values()) == [world.now + 2]
    world.fire(ExecutorDue)
    assert [each.signal for each in world.asked(SignalContainer)] == [9]
    world.step(ContainerExited(container, 9))
    last = world.statuses("a")[-1]
    assert (last.state, last.source) == (S.FAILED, v1.Source.AGENT)
    assert last.reason is v1.Reason.EXECUTOR_REREGISTRATION_TIMEOUT
    assert last.message == "Executor did not reregister within 2secs"


def test_one_that_comes_back_in_time_stays(world):
    container = running(world, "a")
    update(world, status("a"))
    world.timers.clear()
    world.restart({container: 42})
    world.step(subscribe())
    assert not world.due(ExecutorDue)
    assert world.states("a") == [S.RUNNING]


@pytest.mark.parametrize(("framework", "state"), [(FRAMEWORK, S.LOST), (AWARE, S.DROPPED)])
def test_tasks_that_did_not_arrive_before_a_restart_are_lost(world, framework, state):
    container = running(world, "a", "b", framework=framework)
    world.restart({container: 42})
    world.step(subscribe(unacknowledged_tasks=(info("a", command=None, executor=custom()),)))
    assert world.states("a") == []
    [lost] = world.statuses("b")
    assert (lost.state, lost.reason) == (state, v1.Reason.AGENT_RESTARTED)
    assert lost.source is v1.Source.AGENT


def test_unacknowledged_updates_come_with_the_subscription_once(world):
    container = running(world, "a")
    world.restart({container: 42})
    bodies = (wire.UpdateBody(status=status("a")),)
    world.step(subscribe(unacknowledged_updates=bodies))
    assert world.states("a") == [S.RUNNING]
    assert any(isinstance(one, wire.EventAcknowledged) for one in world.heard())
    world.step(subscribe(unacknowledged_updates=bodies))
    assert world.states("a") == [S.RUNNING]


@pytest.mark.parametrize("uuid", [None, b"", UUID[:15], bytes(16)])
def test_a_subscription_with_an_update_that_nobody_can_acknowledge_is_refused(world, uuid):
    running(world, "a")
    told = subscribe(unacknowledged_updates=(wire.UpdateBody(status=status("a", uuid=uuid)),))
    outbox = world.step(told)
    assert [reply.status for reply in outbox.replies] == [400]
    assert (outbox.sends, outbox.writes) == ([], [])
    assert update(world, status("a")) == 202, "the earlier stream goes on"


def test_an_executor_that_never_got_a_task_is_shut_down(world):
    container = world.run("a", command=None, executor=custom())
    world.step(ContainerStarted(container, 42))
    world.kill("a")
    assert [each.signal for each in world.asked(SignalContainer)] == [15]
    [killed] = world.statuses("a")
    assert (killed.state, killed.reason) == (S.KILLED, v1.Reason.TASK_KILLED_DURING_LAUNCH)
    world.step(subscribe())
    assert any(isinstance(one, wire.EventShutdown) for one in world.heard())


def test_one_that_did_stays_when_it_subscribes_again(world):
    container = running(world, "a")
    update(world, status("a", S.FINISHED))
    world.acknowledge(world.statuses("a")[-1])
    world.restart({container: 42})
    world.step(subscribe())
    assert not any(isinstance(one, wire.EventShutdown) for one in world.heard())
    assert not world.due(KillDue)


def test_one_whose_only_task_did_not_arrive_before_a_restart_is_shut_down(world):
    container = running(world, "a")
    world.restart({container: 42})
    world.step(subscribe())
    [lost] = world.statuses("a")
    assert (lost.state, lost.reason) == (S.LOST, v1.Reason.AGENT_RESTARTED)
    assert any(isinstance(one, wire.EventShutdown) for one in world.heard())


def test_a_task_for_an_executor_that_has_just_ended_is_lost(world):
    container = running(world, "a")
    world.step(ContainerExited(container, 7 << 8))
    [exited] = world.ended_executors
    assert exited.status == 7 << 8
    assert world.run("b", command=None, executor=custom(), running=("e",)) is None
    [lost] = world.statuses("b")
    assert (lost.state, lost.reason) == (S.LOST, v1.Reason.EXECUTOR_TERMINATED)
    assert world.run("c", command=None, executor=custom()) is not None


def test_an_executors_failure_is_told_with_the_agents_words(world):
    container = running(world, "a")
    world.step(ContainerExited(container, 7 << 8))
    last = world.statuses("a")[-1]
    assert (last.state, last.source) == (S.FAILED, v1.Source.AGENT)
    assert last.reason is v1.Reason.EXECUTOR_TERMINATED
    assert last.message == "Executor terminated: exited with status 7"
    shown = last.container_status
    assert shown.network_infos[0].ip_addresses[0].ip_address == "127.0.0.1"
    assert shown.container_id.value == container
    assert (last.agent_id.value, last.executor_id.value) == ("A", "e")


@pytest.mark.parametrize(("told", "expected"), [(("e",), [0]), ((), [])])
def test_an_end_while_there_was_no_link_is_told_if_the_master_thinks_it_runs(world, told, expected):
    """SUBSCRIBE may have been sent before the end, or after: then the master knows already."""
    container = running(world, "a")
    world.step(LinkLost("gone"))
    world.step(ContainerExited(container, 0))
    assert world.ended_executors == []
    world.link(*told)
    assert [one.status for one in world.ended_executors] == expected
    world.link(*told)
    assert world.ended_executors == []
