"""Launches of any shape: every task is launched or refused, and the sums are right."""

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from comity.resources import text
from comity.resources.amounts import NOTHING
from comity.wire.mesos import link, resources, scheduler, v1
from comity.wire.mesos.checks import HttpCheckInfo
from comity.wire.mesos.containers import LinuxInfo
from support.master_world import MasterWorld, executor

FW = v1.Id(value="M-0000")
NEEDS = st.sampled_from(
    ["", "cpus:1;mem:32", "cpus:0.1;mem:32;disk:1", "cpus:9", "ports:[31000-31001]", "gpus:0.5"]
)
LIMITS = st.sampled_from([{}, {"cpus": v1.Scalar(value=2.0)}, {"disk": v1.Scalar(value=1.0)}])
CONTAINERS = st.sampled_from(
    [
        None,
        v1.ContainerInfo(type="MESOS"),
        v1.ContainerInfo(type="DOCKER"),
        v1.ContainerInfo(type="MESOS", linux_info=LinuxInfo(share_cgroups=False)),
        v1.ContainerInfo(type="MESOS", volumes=(v1.Volume(container_path="x"),)),
    ]
)
CHECKS = st.sampled_from(
    [None, v1.HealthCheck(), v1.HealthCheck(type="HTTP", http=HttpCheckInfo(port=80))]
)
KINDS = st.sampled_from([None, v1.ExecutorType.DEFAULT, v1.ExecutorType.CUSTOM])


def held(needs):
    return resources.write(text.parse(needs)) if needs else ()


@st.composite
def executors(draw):
    made = executor(draw(st.sampled_from(["x", "y", ".."])), "")
    return msgspec.structs.replace(
        made,
        type=draw(KINDS),
        framework_id=draw(st.sampled_from([None, FW, FW, v1.Id(value="other")])),
        command=draw(st.sampled_from([None, made.command])),
        resources=held(draw(NEEDS)),
    )


@st.composite
def tasks(draw, in_group=False):
    return v1.TaskInfo(
        name="n",
        task_id=v1.Id(value=draw(st.sampled_from(["a", "b", "c", "d", "e", "f/", ""]))),
        agent_id=v1.Id(value=draw(st.sampled_from(["M-S0", "M-S0", "M-S0", "M-S1"]))),
        resources=held(draw(NEEDS)),
        limits=draw(LIMITS),
        command=draw(st.sampled_from([None, v1.CommandInfo(value="true")])),
        executor=None if in_group else draw(st.none() | executors()),
        container=draw(CONTAINERS),
        health_check=draw(CHECKS),
    )


@st.composite
def operations(draw):
    if draw(st.booleans()):
        infos = tuple(draw(st.lists(tasks(), max_size=3)))
        return v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=infos))
    group = v1.TaskGroupInfo(tasks=tuple(draw(st.lists(tasks(in_group=True), max_size=3))))
    made = v1.LaunchGroup(executor=draw(executors()), task_group=group)
    return v1.Operation(type="LAUNCH_GROUP", launch_group=made)


def named(operation):
    if operation.launch is not None:
        return [one.task_id.value for one in operation.launch.task_infos]
    return [one.task_id.value for one in operation.launch_group.task_group.tasks]


@settings(max_examples=150)
@given(made=st.lists(st.lists(operations(), min_size=1, max_size=3), min_size=1, max_size=3))
def test_every_task_is_launched_or_refused_and_the_sums_are_right(made):
    world = MasterWorld()
    world.agent(has="cpus:4;mem:512;disk:10;ports:[31000-31009];gpus:2")
    world.subscribe(can=("GPU_RESOURCES",))
    for batch in made:
        offers = world.offers()
        body = scheduler.AcceptBody(
            offer_ids=tuple(one.id for one in offers),
            operations=tuple(batch),
            filters=v1.Filters(refuse_seconds=0.0),
        )
        assert world.call(scheduler.Accept(framework_id=FW, accept=body)) == 202
        refused = [one.task_id.value for one in world.updates()]
        runs = world.heard("link-a", link.EventRunTasks)
        groups = world.heard("link-a", link.EventRunTaskGroup)
        ran = [one.task_id.value for event in runs for one in event.tasks]
        together = [[one.task_id.value for one in event.task_group.tasks] for event in groups]
        ran += [name for names in together for name in names]
        assert sorted(refused + ran) == sorted(name for one in batch for name in named(one))
        whole = [named(one) for one in batch if one.launch_group is not None]
        assert all(names in whole for names in together)
        check_sums(world)


def check_sums(world):
    """What the agent is held to be using is what the tasks and executors there ask for."""
    agent = world.state.agents["M-S0"]
    framework = world.state.frameworks["M-0000"]
    total = NOTHING
    for task in framework.tasks.values():
        total = total + resources.read(task.info.resources)
    for one in framework.executors.values():
        total = total + resources.read(one.info.resources)
    assert total == agent.used
    assert set(agent.tasks) == {("M-0000", name) for name in framework.tasks}
