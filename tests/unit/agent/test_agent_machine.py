"""The agent's machine, one input at a time: update streams, kills, executors, recovery."""

import pytest

from comity.agent import registration
from comity.agent.inputs import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    ExecutorCalled,
    ExecutorDue,
    KillDue,
    LinkLost,
    MasterSaid,
    UpdateRetryDue,
)
from comity.agent.outbox import DestroyContainer, SignalContainer
from comity.agent.table import table
from comity.core.effects import SetTimer
from comity.wire.mesos import codec, executor, link, v1
from support.agent_world import AgentWorld, custom, subscribe

S = v1.TaskState


@pytest.fixture
def world():
    return AgentWorld()


def test_every_input_has_a_handler():
    from comity.agent import inputs

    members = set(inputs.Input.__args__)
    assert table.inputs == members


def test_one_update_is_outstanding_and_the_next_follows_its_acknowledgement(world):
    container = world.run()
    (starting,) = world.updates
    assert starting.state is S.STARTING
    world.step(ContainerStarted(container, 42))
    assert world.updates == []
    world.acknowledge(starting)
    (running,) = world.updates
    assert running.state is S.RUNNING
    assert running.container_status.executor_pid == 42
    world.step(ContainerExited(container, 0))
    world.acknowledge(running)
    (finished,) = world.updates
    assert finished.state is S.FINISHED
    world.acknowledge(finished)
    assert world.agent.state.tasks == {}
    assert not [key for key in world.stored if key.startswith(("tasks", "executors", "frameworks"))]


def test_an_update_is_repeated_with_growing_delays_until_acknowledged(world):
    world.run()
    (first,) = world.updates
    delays = []
    for _ in range(8):
        (timer,) = [
            each
            for each in world.out.timers
            if isinstance(each, SetTimer) and isinstance(each.item, UpdateRetryDue)
        ]
        delays.append(timer.item.delay_s)
        world.now = timer.at
        world.step(timer.item)
        assert [status.uuid for status in world.updates] == [first.uuid]
    assert delays == [10, 20, 40, 80, 160, 320, 600, 600]
    stale = timer.item
    world.acknowledge(first)
    world.step(stale)
    assert world.updates == []


def test_updates_wait_for_the_link_and_are_sent_when_it_is_back(world):
    world.step(LinkLost("gone"))
    world.run()
    assert world.updates == []
    body = link.RegisteredBody(agent_id=v1.Id(value="A"), master_info=v1.MasterInfo(id="m", ip=1))
    world.step(MasterSaid(link.EventRegistered(registered=body)))
    assert [status.state for status in world.updates] == [S.STARTING]


def test_kill_is_sigterm_then_sigkill_and_says_killed(world):
    container = world.run()
    world.step(ContainerStarted(container, 42))
    world.kill()
    assert world.asked(SignalContainer) == [SignalContainer(container, 15, tree=True)]
    world.step(KillDue(container))
    assert world.asked(SignalContainer) == [SignalContainer(container, 9, tree=True)]
    world.step(ContainerExited(container, 9))
    task = next(iter(world.agent.state.tasks.values())).tasks["t"]
    assert task.state is S.KILLED


def test_a_task_killed_before_it_runs_is_ended_as_soon_as_it_does(world):
    container = world.run()
    world.kill()
    assert world.asked(SignalContainer) == []
    world.step(ContainerStarted(container, 42))
    assert [each.signal for each in world.asked(SignalContainer)] == [9]


def test_a_container_that_cannot_start_fails_its_task_with_the_reason(world):
    container = world.run()
    world.step(ContainerFailed(container, "no such image"))
    task = next(iter(world.agent.state.tasks.values())).tasks["t"]
    assert task.pending[-1].status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
    assert task.pending[-1].status.message == "no such image"


def test_a_task_that_comes_twice_runs_once(world):
    assert world.run()
    assert world.run() is None


@pytest.mark.parametrize(
    ("running", "exited", "state", "message"),
    [
        (True, None, S.RUNNING, None),
        (False, 3 << 8, S.FAILED, "Command exited with status 3"),
        (False, None, S.FAILED, "Lost with its launcher"),
    ],
)
def test_a_restart_finds_what_happened(world, running, exited, state, message):
    container = world.run()
    world.step(ContainerStarted(container, 42))
    world.restart(
        {container: 42} if running else {}, {container: exited} if exited is not None else {}
    )
    task = next(iter(world.agent.state.tasks.values())).tasks["t"]
    assert task.state is state
    assert task.pending[-1].status.message == message
    assert len(task.pending) == (2 if running else 3)


def test_tasks_wait_for_their_executor_and_reach_it_in_order(world):
    container = world.run("a", command=None, executor=custom())
    assert world.run("b", command=None, executor=custom()) is None
    world.step(ContainerStarted(container, 42))
    world.step(subscribe())
    events = [each.data for each in world.out.sends[1:]]
    kinds = [codec.decode(codec.EXECUTOR_EVENT, data.partition(b"\n")[2]) for data in events]
    assert isinstance(kinds[0], executor.EventSubscribed)
    assert [kind.launch.task.task_id.value for kind in kinds[1:]] == ["a", "b"]


def test_a_kill_meets_an_executor_that_is_away_when_it_comes_back(world):
    container = world.run("a", command=None, executor=custom())
    world.step(ContainerStarted(container, 42))
    world.step(subscribe())
    world.restart({container: 42})
    world.kill("a")
    assert world.out.sends == []
    world.step(subscribe(unacknowledged_tasks=()))
    assert any(b'"KILL"' in each.data for each in world.out.sends[1:])


def test_an_executor_that_never_subscribes_is_ended(world):
    container = world.run("a", command=None, executor=custom())
    (timer,) = [
        each
        for each in world.out.timers
        if isinstance(each, SetTimer) and isinstance(each.item, ExecutorDue)
    ]
    world.step(ContainerStarted(container, 42))
    world.step(timer.item)
    assert [each.signal for each in world.asked(SignalContainer)] == [9]
    world.step(ContainerExited(container, 9))
    (failed,) = world.updates
    assert failed.reason is v1.Reason.EXECUTOR_REGISTRATION_TIMEOUT


@pytest.mark.parametrize(
    "change",
    [{"uuid": None}, {"uuid": b"x" * 3}, {"source": v1.Source.AGENT}, {"state": S.STAGING}],
)
def test_a_wrong_update_of_an_executor_is_refused(world, change):
    container = world.run("a", command=None, executor=custom())
    world.step(ContainerStarted(container, 42))
    world.step(subscribe())
    good = v1.TaskStatus(
        task_id=v1.Id(value="a"),
        state=S.RUNNING,
        source=v1.Source.EXECUTOR,
        uuid=bytes.fromhex("0123456789ab4def8123456789abcdef"),
    )
    ids = {"executor_id": v1.Id(value="e"), "framework_id": v1.Id(value="F")}
    for status, code in ((codec.replace(good, **change), 400), (good, 202)):
        call = executor.Update(update=executor.UpdateBody(status=status), **ids)
        (reply,) = world.step(ExecutorCalled(1, call)).replies
        assert reply.status == code


def test_a_container_that_starts_after_it_was_given_up_is_ended(world):
    # An image container's start is under way while the agent restarts; the launcher's hello
    # does not know it yet, so its task is reported as failed.
    container = world.run()
    world.restart()
    assert S.FAILED in world.agent.state.executors["F", "t"].tasks["t"].statuses
    world.step(ContainerStarted(container, 42))
    assert world.asked(DestroyContainer) == [DestroyContainer(container, has_image=False)]


def test_a_container_whose_end_was_reported_is_ended_when_it_still_runs_at_a_restart(world):
    container = world.run()
    world.restart()
    world.restart(running={container: 42})
    assert world.asked(DestroyContainer) == [DestroyContainer(container, has_image=False)]


def test_the_end_of_a_framework_survives_a_restart(world):
    container = world.run()
    world.step(ContainerStarted(container, 42))
    ended = link.EventShutdownFramework(framework_id=v1.Id(value="F"))
    world.step(MasterSaid(ended))
    world.restart(running={container: 42})
    assert [one.container_id for one in world.asked(SignalContainer)] == [container]
    assert registration.brought(world.agent.state).tasks == ()
    world.step(ContainerExited(container, 15))
    assert world.updates == []
    assert not [key for key in world.stored if key.startswith(("tasks", "executors", "frameworks"))]
