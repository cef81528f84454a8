"""What ended sessions and nested containers leave, on the agent's machine."""

import pytest

from comity.agent.handlers.remains import SESSION_KEPT_S
from comity.agent.inputs import (
    ContainerAsked,
    ContainerExited,
    ContainerStarted,
    KillAsked,
    RemoveAsked,
    SessionOver,
    WaitAsked,
)
from comity.agent.outbox import DestroyContainer, LaunchContainer, RemoveSandbox
from comity.wire.mesos import operator, v1
from comity.wire.mesos.containers import ContainerID
from support.agent_world import AgentWorld, info


@pytest.fixture
def world():
    return AgentWorld()


@pytest.fixture
def session(world):
    """Run a session in a task's container; gives its flat id and its sandbox."""
    [task] = world.run_group(info("a"))
    world.step(ContainerStarted(task, 42))
    outer, _, inner = task.partition(".")
    parent = ContainerID(value=inner, parent=ContainerID(value=outer))
    body = operator.LaunchContainerBody(
        container_id=ContainerID(value="s", parent=parent),
        command=v1.CommandInfo(value="sleep 9"),
    )
    name = f"{task}.s"
    world.step(ContainerAsked(7, name, body, is_session=True))
    world.step(ContainerStarted(name, 43))
    return name, world.agent.state.containers[name].spec.sandbox


def is_known(world, name):
    return name in world.agent.state.containers, f"containers/{name}" in world.stored


def test_who_has_a_session_removed_has_its_sandbox_deleted(world, session):
    name, sandbox = session
    world.step(ContainerExited(name, 0))
    assert is_known(world, name) == (True, True)
    world.step(RemoveAsked(9, name))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]
    assert is_known(world, name) == (False, False)


def test_a_session_whose_client_vanished_goes_at_its_end(world, session):
    name, sandbox = session
    world.step(KillAsked(8, name, 9, is_abandoned=True))
    assert world.asked(RemoveSandbox) == []  # it still runs
    world.step(ContainerExited(name, 9))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]
    assert is_known(world, name) == (False, False)


def test_a_client_that_vanishes_after_the_end(world, session):
    name, sandbox = session
    world.step(ContainerExited(name, 0))
    world.step(KillAsked(8, name, 9, is_abandoned=True))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]
    assert is_known(world, name) == (False, False)


def test_a_session_that_nobody_removes_goes_after_a_while(world, session):
    name, sandbox = session
    world.step(ContainerExited(name, 0))
    assert world.timers[SessionOver(name)] == world.now + SESSION_KEPT_S
    world.step(SessionOver(name))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]
    world.step(SessionOver(name))  # again is harmless
    assert world.asked(RemoveSandbox) == []


def test_sessions_of_the_last_agent(world, session):
    name, sandbox = session
    world.step(ContainerExited(name, 0))
    world.timers.clear()
    world.restart(running={each: 42 for each in world.agent.state.containers if each != name})
    assert SessionOver(name) in world.timers
    world.step(SessionOver(name))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]


def test_a_session_that_ran_when_the_agent_died_goes_with_its_end(world, session):
    name, sandbox = session
    world.restart(running=dict.fromkeys(world.agent.state.containers, 42))
    world.step(ContainerExited(name, 9))
    assert world.asked(RemoveSandbox) == [RemoveSandbox(name, sandbox)]


def test_a_signal_to_another_container_does_not_abandon_it(world, session):
    name, _ = session
    task = name.rpartition(".")[0]
    world.step(KillAsked(8, task, 15, is_abandoned=True))
    assert not world.agent.state.containers[task].is_abandoned


def test_who_waits_for_a_session_hears_of_its_end_even_when_the_task_is_forgotten_first(world):
    task = world.run()
    world.step(ContainerStarted(task, 42))
    body = operator.LaunchContainerBody(
        container_id=ContainerID(value="s", parent=ContainerID(value=task)),
        command=v1.CommandInfo(value="sleep 9"),
    )
    name = f"{task}.s"
    world.step(ContainerAsked(7, name, body, is_session=True))
    world.step(ContainerStarted(name, 43))
    world.step(WaitAsked(8, name))
    world.step(ContainerExited(task, 0))
    for status in world.statuses("t"):
        world.acknowledge(status)
    [reply] = [each for each in world.out.replies if each.to == 8]
    assert b'"exit_status":9' in reply.body
    assert name in [each.container_id for each in world.asked(DestroyContainer)]
    assert is_known(world, name) == (False, False)
    world.step(ContainerExited(name, 9))  # harmless, when it comes


@pytest.fixture
def asked(world):
    """Ask for a container nested in a task's, as an executor does; it is on its way."""
    task = world.run()
    world.step(ContainerStarted(task, 42))
    body = operator.LaunchContainerBody(
        container_id=ContainerID(value="n", parent=ContainerID(value=task)),
        command=v1.CommandInfo(value="sleep 9"),
    )
    ask = ContainerAsked(7, f"{task}.n", body)
    world.step(ask)
    assert [each.spec.id for each in world.asked(LaunchContainer)][-1:] == [ask.container_id]
    return ask


def test_a_launch_that_died_with_the_agent_is_made_when_it_is_asked_for_again(world, asked):
    name = asked.container_id
    world.restart(running={name.rpartition(".")[0]: 42})
    assert is_known(world, name) == (False, False)
    assert world.asked(DestroyContainer) == [DestroyContainer(name, has_image=False)]
    world.step(asked)
    assert [each.spec.id for each in world.asked(LaunchContainer)] == [name]


@pytest.mark.parametrize("was_told", [True, False])
def test_one_that_had_run_is_not_made_again(world, asked, was_told):
    name = asked.container_id
    if was_told:
        world.step(ContainerStarted(name, 43))
    ended = {} if was_told else {name: 0}  # by whom was told the launcher may have been, too
    world.restart(running={name.rpartition(".")[0]: 42}, exited=ended)
    world.asked(LaunchContainer)
    world.step(asked)
    assert world.asked(LaunchContainer) == []
    assert world.agent.state.containers[name].phase == "EXITED"
