"""The progress of pulls, in the messages of TASK_STARTING."""

import pytest

from comity.agent.inputs import ContainerStarted, ImagePulling
from comity.wire.mesos import v1
from comity.wire.mesos.containers import DockerImage, Image, MesosInfo
from support.agent_world import AgentWorld

S = v1.TaskState
IMAGE = Image(type="DOCKER", docker=DockerImage(name="box:1"))
OF_BOX = v1.ContainerInfo(type="MESOS", mesos=MesosInfo(image=IMAGE))


@pytest.fixture
def world():
    return AgentWorld()


def messages(world):
    return [each.message for each in world.statuses() if each.message]


def told(world):
    """Acknowledge everything that was told; return it."""
    found = []
    while world.task().pending:
        found.append(world.task().pending[0].status)
        world.acknowledge(found[-1])
    return [(each.state, each.message) for each in found]


def test_a_pull_is_told_as_it_goes_on(world):
    container = world.run(container=OF_BOX)
    world.step(ImagePulling(container, 0, 0))
    assert told(world) == [(S.STARTING, None), (S.STARTING, "Pulling image box:1")]
    world.step(ImagePulling(container, 1_500_000, 20_000_000))
    world.step(ImagePulling(container, 1_500_000, 20_000_000))
    assert told(world) == [(S.STARTING, "Pulling image box:1: 1.5 MB of 20.0 MB")]
    world.step(ContainerStarted(container, 42))
    assert told(world) == [(S.RUNNING, None)]


def test_progress_does_not_pile_up_before_a_framework_that_is_slow(world):
    container = world.run(container=OF_BOX)
    for done in range(1, 9):
        world.step(ImagePulling(container, done * 1_000_000, 9_000_000))
    assert messages(world) == ["Pulling image box:1: 1.0 MB of 9.0 MB"]


def test_what_was_killed_or_runs_is_not_starting_again(world):
    container = world.start(container=OF_BOX)
    world.step(ImagePulling(container, 1, 2))
    assert world.states() == [S.STARTING, S.RUNNING]
    killed = world.run("u", container=OF_BOX)
    world.kill("u")
    world.step(ImagePulling(killed, 1, 2))
    assert [each.message for each in world.statuses("u") if each.message] == []
    world.step(ImagePulling("nobody", 1, 2))
