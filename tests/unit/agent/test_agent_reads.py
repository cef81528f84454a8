"""The agent's operator reads: tasks by how far they are, containers by what was asked for."""

import pytest

from comity.agent import operator as reads
from comity.agent import statistics
from comity.agent.inputs import ContainerExited, ContainerStarted
from comity.wire.mesos import operator
from support.agent_world import AgentWorld, custom, info


@pytest.fixture
def world():
    return AgentWorld()


def read(world, call, usage=None):
    document = reads.answer(world.agent.state, call, usage or {})
    return document[document["type"].lower()]


def test_tasks_are_told_by_how_far_they_are(world):
    world.run("waiting", command=None, executor=custom())
    world.start("runs")
    ended = world.start("ends")
    over = world.start("over")
    world.step(ContainerExited(ended, 0))
    world.step(ContainerExited(over, 0))
    for status in world.statuses("over"):
        world.acknowledge(status)
    shown = read(world, operator.GetTasks())
    names = {
        kind: [one.name and one.task_id.value for one in tasks] for kind, tasks in shown.items()
    }
    assert names == {
        "queued_tasks": ["waiting"],
        "launched_tasks": ["runs"],
        "terminated_tasks": ["ends"],
        "completed_tasks": ["over"],
    }
    executors = read(world, operator.GetExecutors())
    live = [one["executor_info"].executor_id.value for one in executors["executors"]]
    assert live == ["e", "runs"]
    gone = [one["executor_info"].executor_id.value for one in executors["completed_executors"]]
    assert gone == ["ends", "over"]


@pytest.mark.parametrize("nested", [None, True])
def test_nested_containers_are_shown_when_asked_for(world, nested):
    [a] = world.run_group(info("a"))
    world.step(ContainerStarted(a, 42))
    root = a.partition(".")[0]
    body = operator.GetContainersBody(show_nested=nested)
    usage = {root: {"mem_rss_bytes": 5.0}}
    shown = read(world, operator.GetContainers(get_containers=body), usage)["containers"]
    assert len(shown) == (2 if nested else 1)
    assert shown[0]["container_id"].value == root
    assert shown[0]["resource_statistics"]["mem_rss_bytes"] == 5.0
    assert shown[0]["resource_statistics"]["mem_limit_bytes"] == 96 << 20
    if nested:
        assert shown[1]["container_id"].parent.value == root
        assert shown[1]["container_status"].executor_pid == 42
        assert shown[1]["executor_id"] == {"value": "e"}


def test_a_command_task_has_what_its_executor_would_need_besides(world):
    world.start()
    [one] = statistics.containers(world.agent.state, {})
    assert one["statistics"]["cpus_soft_limit"] == 1.1
    assert one["statistics"]["mem_limit_bytes"] == 96 << 20


def test_there_are_no_resource_providers_and_no_operations(world):
    assert read(world, operator.GetResourceProviders()) == {}
    assert read(world, operator.GetOperations()) == {}
