"""Task groups on the agent's machine: default executors, and frameworks' own."""

import pytest

from comity.agent.inputs import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    KillDue,
    MasterSaid,
)
from comity.agent.outbox import DestroyContainer, LimitContainer, MakeSandbox, SignalContainer
from comity.core.containers import Mount
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1
from comity.wire.mesos.containers import LinuxInfo, SandboxPath, VolumeSource
from support.agent_world import AgentWorld, custom, default, info, subscribe

S = v1.TaskState
TERM, KILL = 15, 9


@pytest.fixture
def world():
    return AgentWorld()


def group(world, *names, **fields):
    """Run a group on the default executor and start its containers."""
    found = world.run_group(*(info(name, **fields) for name in names))
    for number, container in enumerate(found):
        world.step(ContainerStarted(container, 40 + number))
    return found


def signals(world):
    return [(each.container_id, each.signal) for each in world.asked(SignalContainer)]


def test_each_task_is_a_container_in_that_of_its_executor(world):
    containers = world.run_group(info("a"), info("b"))
    [made] = world.asked(MakeSandbox)
    [one] = world.agent.state.executors.values()
    assert made.spec.id == one.container_id
    assert {each.rpartition(".")[0] for each in containers} == {one.container_id}
    launches = [world.agent.state.containers[each].spec for each in containers]
    assert [each.link for each in launches] == [
        one.directory / "tasks" / "a",
        one.directory / "tasks" / "b",
    ]
    assert all(each.sandbox.parent == one.directory / "containers" for each in launches)
    # What a group may use, its executor and tasks share.
    assert {(each.cgroup, each.cpus) for each in launches} == {(one.container_id, 2.1)}
    assert launches[0].environment["MESOS_ALLOCATION_ROLE"] == "*"
    assert "MESOS_EXECUTOR_ID" not in launches[0].environment
    assert world.states("a") == world.states("b") == [S.STARTING]
    world.step(ContainerStarted(containers[0], 42))
    assert world.states("a") == [S.STARTING, S.RUNNING]
    running = world.statuses("a")[-1]
    assert running.container_status.container_id.parent.value == one.container_id
    assert running.container_status.executor_pid == 42
    assert running.executor_id.value == "e"


def test_a_task_with_cgroups_of_its_own_is_limited_alone(world):
    alone = v1.ContainerInfo(type="MESOS", linux_info=LinuxInfo(share_cgroups=False))
    limits = {"cpus": v1.Scalar(value=2.0), "mem": v1.Scalar(value=128.0)}
    [name] = world.run_group(info("a", container=alone, limits=limits))
    spec = world.agent.state.containers[name].spec
    assert (spec.cgroup, spec.cpus, spec.cpu_quota, spec.mem_bytes) == (None, 1.0, 2.0, 128 << 20)


def test_a_volume_of_the_parent_is_made_in_the_executors_sandbox(world):
    source = VolumeSource(type="SANDBOX_PATH", sandbox_path=SandboxPath(type="PARENT", path="v"))
    own = VolumeSource(type="SANDBOX_PATH", sandbox_path=SandboxPath(type="SELF", path="w"))
    volumes = (
        v1.Volume(container_path="shared", source=source),
        v1.Volume(container_path="own", source=own, mode="RO"),
    )
    [name] = world.run_group(info("a", container=v1.ContainerInfo(type="MESOS", volumes=volumes)))
    spec = world.agent.state.containers[name].spec
    [one] = world.agent.state.executors.values()
    assert spec.mounts == (
        Mount(f"{one.directory}/v", "/mnt/mesos/sandbox/shared", make=True),
        Mount(f"{spec.sandbox}/w", "/mnt/mesos/sandbox/own", read_only=True, make=True),
    )


def test_a_task_that_fails_ends_its_group_and_no_other(world):
    [other] = group(world, "other")
    a, b = group(world, "a", "b")
    world.step(ContainerExited(a, 3 << 8))
    assert world.statuses("a")[-1].message == "Command exited with status 3"
    assert signals(world) == [(b, TERM)]
    world.step(ContainerExited(b, TERM))
    assert world.states("b")[-1] is S.KILLED
    assert world.states("other")[-1] is S.RUNNING
    assert not world.ended_executors
    world.step(ContainerExited(other, 0))
    assert world.states("other")[-1] is S.FINISHED
    [exited] = world.ended_executors
    assert (exited.executor_id.value, exited.status) == ("e", 0)


def test_a_task_that_finishes_leaves_its_group_and_gives_back_what_it_shared(world):
    a, _ = group(world, "a", "b")
    world.step(ContainerExited(a, 0))
    assert not signals(world)
    assert world.states("b")[-1] is S.RUNNING
    [limit] = world.asked(LimitContainer)
    assert limit.cpus == pytest.approx(1.1)
    assert not world.ended_executors


def test_a_task_that_is_killed_ends_its_group(world):
    a, b = group(world, "a", "b")
    world.kill("a")
    assert signals(world) == [(a, TERM)]
    world.step(ContainerExited(a, TERM))
    assert world.states("a")[-1] is S.KILLED
    assert signals(world) == [(b, TERM)]


def test_a_task_that_cannot_start_fails_with_the_reason_and_ends_its_group(world):
    a, b = world.run_group(info("a"), info("b"))
    world.step(ContainerStarted(b, 42))
    world.step(ContainerFailed(a, "no such image"))
    failed = world.statuses("a")[-1]
    assert (failed.state, failed.reason) == (S.FAILED, v1.Reason.CONTAINER_LAUNCH_FAILED)
    assert failed.message == "no such image"
    assert signals(world) == [(b, TERM)]


def test_a_sibling_that_does_not_run_yet_never_will(world):
    a, b = world.run_group(info("a"), info("b"))
    world.step(ContainerStarted(a, 42))
    world.step(ContainerExited(a, 1 << 8))
    world.step(ContainerStarted(b, 43))
    assert signals(world) == [(b, KILL)]
    world.step(ContainerExited(b, KILL))
    assert world.states("b") == [S.STARTING, S.KILLED]


def test_shutting_the_executor_down_kills_its_tasks(world):
    a, b = group(world, "a", "b")
    ids = {"framework_id": v1.Id(value="F"), "executor_id": v1.Id(value="e")}
    world.step(MasterSaid(link.EventShutdownExecutor(**ids)))
    assert signals(world) == [(a, TERM), (b, TERM)]
    world.step(KillDue(a))
    assert signals(world) == [(a, KILL)]
    for container in (a, b):
        world.step(ContainerExited(container, TERM))
    assert world.states("a")[-1] is world.states("b")[-1] is S.KILLED
    assert len(world.ended_executors) == 1


def test_the_end_of_the_framework_forgets_everything(world):
    containers = group(world, "a", "b")
    world.step(MasterSaid(link.EventShutdownFramework(framework_id=v1.Id(value="F"))))
    for container in containers:
        world.step(ContainerExited(container, TERM))
    assert not world.agent.state.executors
    assert not world.agent.state.tasks
    assert not world.agent.state.containers
    assert not [key for key in world.stored if key != "agent"]


def test_after_its_last_acknowledgement_nothing_is_left(world):
    [a] = group(world, "a")
    world.step(ContainerExited(a, 0))
    for status in world.statuses("a"):
        world.acknowledge(status)
    assert not world.agent.state.executors
    assert not world.agent.state.containers
    assert not [key for key in world.stored if key != "agent"]
    assert world.agent.state.completed_executors[-1].id == "e"


def test_a_group_that_comes_twice_runs_once(world):
    assert len(world.run_group(info("a"), info("b"))) == 2
    assert world.run_group(info("a"), info("b")) == []


def test_a_group_after_the_last_one_starts_the_executor_again(world):
    [a] = group(world, "a")
    world.step(ContainerExited(a, 0))
    [b] = world.run_group(info("b"))
    assert b.partition(".")[0] != a.partition(".")[0]
    assert world.states("a")[-1] is S.FINISHED  # its update is still to be acknowledged


def test_a_group_for_an_executor_that_has_just_ended_is_lost(world):
    [a] = group(world, "a")
    world.step(ContainerExited(a, 0))
    assert world.run_group(info("b"), starts=False) == []
    [lost] = world.statuses("b")
    assert (lost.state, lost.reason) == (S.LOST, v1.Reason.EXECUTOR_TERMINATED)
    assert lost.source is v1.Source.AGENT


def test_a_group_for_an_executor_nobody_knows_is_lost_and_acknowledged(world):
    assert world.run_group(info("b"), starts=False) == []
    [lost] = world.statuses("b")
    world.acknowledge(lost)
    assert not world.agent.state.executors


@pytest.mark.parametrize("state", ["RUNNING", "STARTING"])
def test_a_restart_finds_the_groups_tasks(world, state):
    a, b = world.run_group(info("a"), info("b"))
    if state == "RUNNING":
        world.step(ContainerStarted(a, 40))
        world.step(ContainerStarted(b, 41))
    world.restart({a: 40}, {b: 3 << 8})
    assert world.states("b")[-1] is S.FAILED
    assert signals(world) == [(a, TERM)]
    world.link()
    world.step(ContainerExited(a, TERM))
    assert world.states("a")[-1] is S.KILLED
    assert len(world.ended_executors) == 1


def test_a_restart_goes_on_killing(world):
    [a] = group(world, "a")
    world.kill("a", grace_s=60)
    world.restart({a: 40})
    assert signals(world) == [(a, TERM)]
    world.step(ContainerExited(a, TERM))
    assert world.states("a")[-1] is S.KILLED


def test_a_restart_ends_what_a_framework_without_checkpoints_had(world):
    unsaved = v1.FrameworkInfo(user="root", name="f", id=v1.Id(value="F"))
    containers = world.run_group(info("a"), info("b"), framework=unsaved)
    for container in containers:
        world.step(ContainerStarted(container, 42))
    world.restart(dict.fromkeys(containers, 42))
    assert set(signals(world)) == {(each, KILL) for each in containers}
    for container in containers:
        world.step(ContainerExited(container, KILL))
    lost = world.statuses("a")[-1]
    assert (lost.state, lost.reason) == (S.LOST, v1.Reason.AGENT_RESTARTED)
    assert not [each for each in world.agent.state.executors.values() if not each.has_exited]


# executors of frameworks


def test_a_group_waits_for_a_custom_executor_and_reaches_it_whole(world):
    own = custom(type=v1.ExecutorType.CUSTOM)
    [container] = world.run_group(info("a"), info("b"), executor=own)
    world.step(ContainerStarted(container, 42))
    world.step(subscribe())
    subscribed, launched = world.heard()
    assert isinstance(subscribed, wire.EventSubscribed)
    assert isinstance(launched, wire.EventLaunchGroup)
    names = [one.task_id.value for one in launched.launch_group.task_group.tasks]
    assert names == ["a", "b"]
    world.run_group(info("c"), executor=own)
    [more] = world.heard()
    assert [one.task_id.value for one in more.launch_group.task_group.tasks] == ["c"]


def test_killing_one_of_a_waiting_group_kills_all_and_the_idle_executor(world):
    own = custom(type=v1.ExecutorType.CUSTOM)
    [container] = world.run_group(info("a"), info("b"), executor=own)
    world.step(ContainerStarted(container, 42))
    world.kill("b")
    for name in ("a", "b"):
        [killed] = world.statuses(name)
        assert (killed.state, killed.reason) == (S.KILLED, v1.Reason.TASK_KILLED_DURING_LAUNCH)
    assert signals(world) == [(container, TERM)]


def test_what_is_destroyed_includes_the_executors_own_container(world):
    [a] = group(world, "a")
    world.step(ContainerExited(a, 0))
    destroyed = {each.container_id for each in world.asked(DestroyContainer)}
    assert destroyed == {a, a.partition(".")[0]}


def test_two_frameworks_may_use_the_same_ids(world):
    other = v1.FrameworkInfo(user="root", name="g", id=v1.Id(value="G"), checkpoint=True)
    [a] = group(world, "a")
    theirs = default()
    theirs = v1.ExecutorInfo(
        executor_id=theirs.executor_id,
        framework_id=other.id,
        type=theirs.type,
        resources=theirs.resources,
    )
    [b] = world.run_group(info("a"), executor=theirs, framework=other)
    world.step(ContainerStarted(b, 50))
    world.step(ContainerExited(a, 1 << 8))
    assert not signals(world)
    tasks = world.agent.state.tasks
    assert tasks["F", "a"].tasks["a"].state is S.FAILED
    assert tasks["G", "a"].tasks["a"].state is S.RUNNING
    assert tasks["F", "a"].directory != tasks["G", "a"].directory
