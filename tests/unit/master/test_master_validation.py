"""What LAUNCH and LAUNCH_GROUP refuse, and in which words (Mesos's src/master/validation.cpp)."""

import pytest

from comity.resources import text
from comity.wire.mesos import link, resources, scheduler, v1
from comity.wire.mesos.base import Secret, SecretReference, SecretValue
from comity.wire.mesos.checks import CheckCommand, CheckHttp, HttpCheckInfo
from comity.wire.mesos.containers import (
    DockerImage,
    DockerInfo,
    Image,
    LinuxInfo,
    MesosInfo,
    Parameter,
    SandboxPath,
    VolumeSource,
)
from support.master_world import MasterWorld, executor, task

FW = v1.Id(value="M-0000")
S = v1.TaskState
NEGATIVE = v1.DurationInfo(nanoseconds=-1)
OWN_CGROUPS = v1.ContainerInfo(type="MESOS", linux_info=LinuxInfo(share_cgroups=False))


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent(has="cpus:4;mem:1024;disk:100;gpus:2;ports:[31000-31009]")
    made.subscribe(can=("GPU_RESOURCES",))
    return made


def reserved(needs, role):
    return tuple(
        v1.Resource(
            name=one.name,
            type=one.type,
            scalar=one.scalar,
            allocation_info=v1.AllocationInfo(role=role),
        )
        for one in resources.write(text.parse(needs))
    )


def secret(held=None, **more):
    variable = v1.Variable(name="A", type="SECRET", secret=held, **more)
    return v1.CommandInfo(value="x", environment=v1.Environment(variables=(variable,)))


VALUED = Secret(type="VALUE", value=SecretValue(data=b"x"))
REFERRED = Secret(type="REFERENCE", reference=SecretReference(name="s"))


def valueless():
    return v1.CommandInfo(value="x", environment=v1.Environment(variables=(v1.Variable(name="A"),)))


def volume(**source):
    kind = source.pop("kind")
    made = v1.Volume(container_path="v", source=VolumeSource(type=kind, **source))
    return v1.ContainerInfo(type="MESOS", volumes=(made,))


def docker(**info):
    return v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image="i", **info) if info else None)


def limits(**given):
    return {name: v1.Scalar(value=value) for name, value in given.items()}


BAD_TASKS = {
    "Task ID": {"name": "a/b"},
    "invalid agent M-S9": {"agent_id": "M-S9"},
    "'kill_policy.grace_period' must be non-negative": {
        "kill_policy": v1.KillPolicy(grace_period=NEGATIVE)
    },
    "`max_completion_time` must be non-negative": {"max_completion_time": NEGATIVE},
    "CheckInfo must specify 'type'": {"check": v1.CheckInfo()},
    "'PING' is not a valid check type": {"check": v1.CheckInfo(type="PING")},
    "Expecting 'http' to be set for HTTP check": {"check": v1.CheckInfo(type="HTTP")},
    "The path 'x' of HTTP check must start with '/'": {
        "check": v1.CheckInfo(type="HTTP", http=CheckHttp(port=1, path="x"))
    },
    "Command check must contain 'shell command'": {
        "check": v1.CheckInfo(type="COMMAND", command=CheckCommand(command=v1.CommandInfo()))
    },
    "HealthCheck must specify 'type'": {"health_check": v1.HealthCheck()},
    "Expecting 'tcp' to be set for TCP health check": {"health_check": v1.HealthCheck(type="TCP")},
    "Command health check must contain 'executable path'": {
        "health_check": v1.HealthCheck(type="COMMAND", command=v1.CommandInfo(shell=False))
    },
    "Unsupported HTTP health check scheme: 'ftp'": {
        "health_check": v1.HealthCheck(type="HTTP", http=HttpCheckInfo(port=1, scheme="ftp"))
    },
    "Expecting 'delay_seconds' to be non-negative": {
        "health_check": v1.HealthCheck(
            type="COMMAND", command=v1.CommandInfo(value="x"), delay_seconds=-1.0
        )
    },
    "Expecting 'timeout_seconds' to be non-negative": {
        "check": v1.CheckInfo(
            type="COMMAND",
            command=CheckCommand(command=v1.CommandInfo(value="x")),
            timeout_seconds=float("nan"),
        )
    },
    "Task uses no resources": {"needs": ""},
    "The 'gpus' resource must be an unsigned integer": {"needs": "cpus:1;gpus:0.5"},
    "allocated to role 'other', not '*'": {"resources": reserved("cpus:1", "other")},
    "multiple allocation roles": {"resources": reserved("cpus:1", "a") + reserved("mem:1", "b")},
    "of type 'SECRET' must have a secret set": {"command": secret()},
    "of type 'SECRET' must not have a value set": {"command": secret(VALUED, value="x")},
    "of type REFERENCE must have 'reference' set": {"command": secret(Secret(type="REFERENCE"))},
    "of type VALUE must not have 'reference' set": {
        "command": secret(Secret(value=VALUED.value, reference=REFERRED.reference))
    },
    "of type REFERENCE must not have 'value' set": {
        "command": secret(
            Secret(type="REFERENCE", value=VALUED.value, reference=REFERRED.reference)
        )
    },
    "'A' cannot be put into": {"command": secret(Secret(value=SecretValue(data=b"\0")))},
    "of type 'VALUE' must have a value": {"command": valueless()},
    "Only one of them should be set": {
        "container": v1.ContainerInfo(type="MESOS", volumes=(v1.Volume(container_path="v"),))
    },
    "'source.type' is unknown": {"container": volume(kind=None)},
    "'source.host_path' is not set": {"container": volume(kind="HOST_PATH")},
    "'source.secret' is not set": {"container": volume(kind="SECRET")},
    "leads out of the sandbox": {
        "container": volume(
            kind="SANDBOX_PATH", sandbox_path=SandboxPath(type="SELF", path="a/../../b")
        )
    },
    "is absolute": {
        "container": volume(kind="SANDBOX_PATH", sandbox_path=SandboxPath(type="SELF", path="/b"))
    },
    "must be SELF or PARENT": {
        "container": volume(kind="SANDBOX_PATH", sandbox_path=SandboxPath(path="b"))
    },
    "needs a nested container": {
        "container": volume(kind="SANDBOX_PATH", sandbox_path=SandboxPath(type="PARENT", path="v"))
    },
    "'docker' is not set for DOCKER": {"container": docker()},
    "must not be 'name'": {"container": docker(parameters=(Parameter(key="name", value="x"),))},
    "Only cpus and mem may be included": {"limits": limits(disk=1)},
    "The cpu limit must be greater": {"limits": limits(cpus=0.5)},
    "The memory limit must be greater": {"limits": limits(mem=float("nan"))},
    "a memory request must also be specified": {"needs": "cpus:1", "limits": limits(mem=64)},
    "should have at least one": {"command": None},
    "more than available": {"needs": "cpus:5"},
    "Only tasks in a task group": {"container": OWN_CGROUPS},
}


@pytest.mark.parametrize(("text", "fields"), BAD_TASKS.items(), ids=list(BAD_TASKS))
def test_a_bad_task_is_an_error_and_its_sibling_runs(world, text, fields):
    bad = refused_task(**fields)
    assert world.accept(world.offers(), bad, task("good")) == 202
    [status] = world.updates()
    assert (status.task_id, status.state) == (bad.task_id, S.ERROR)
    assert (status.source, status.reason) == (v1.Source.MASTER, v1.Reason.TASK_INVALID)
    assert text in status.message
    assert status.uuid is None
    [run] = world.heard("link-a", link.EventRunTasks)
    assert [one.name for one in run.tasks] == ["good"]


def refused_task(**fields):
    given = dict(fields)
    made = task(given.pop("name", "bad"), given.pop("needs", "cpus:1;mem:32"), **{})
    agent = given.pop("agent_id", None)
    if agent is not None:
        given["agent_id"] = v1.Id(value=agent)
    if given.get("resources") == "":
        given["resources"] = ()
    return v1.TaskInfo(
        **{name: getattr(made, name) for name in made.__struct_fields__ if name not in given},
        **given,
    )


BAD_EXECUTORS = {
    "must be 'CUSTOM'": v1.ExecutorInfo(executor_id=v1.Id(value="x"), type=v1.ExecutorType.DEFAULT),
    "'ExecutorInfo.command' must be set": v1.ExecutorInfo(executor_id=v1.Id(value="x")),
    "'ExecutorInfo.command' must not be set for 'DEFAULT'": v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        type=v1.ExecutorType.DEFAULT,
        command=v1.CommandInfo(value="x"),
    ),
    "'shutdown_grace_period' must be non-negative": v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        command=v1.CommandInfo(value="x"),
        shutdown_grace_period=NEGATIVE,
    ),
    "invalid FrameworkID (Actual: other": v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        framework_id=v1.Id(value="other"),
        command=v1.CommandInfo(value="x"),
    ),
    "Executor's `CommandInfo` is invalid": v1.ExecutorInfo(
        executor_id=v1.Id(value="x"), command=secret()
    ),
    "Executor ID": executor(".."),
    "overlapping resources": executor("x", "cpus:1;ports:[31001-31002]"),
    "more than available": executor("x", "cpus:3.5"),
}


@pytest.mark.parametrize(("text", "info"), BAD_EXECUTORS.items(), ids=list(BAD_EXECUTORS))
def test_a_bad_executor_is_an_error_of_its_task(world, text, info):
    bad = task("bad", "cpus:1;ports:[31000-31001]", executor=info)
    world.accept(world.offers(), bad)
    [status] = world.updates()
    assert (status.state, status.reason) == (S.ERROR, v1.Reason.TASK_INVALID)
    assert text in status.message
    assert not world.state.frameworks["M-0000"].executors


def test_a_limit_may_be_infinite(world):
    # The codec reads "Infinity" as this number.
    unlimited = limits(cpus=1e15, mem=1e15)
    world.accept(world.offers(), task("t", limits=unlimited))
    assert not world.updates()


def test_an_operation_id_on_a_launch_refuses_all_its_tasks(world):
    operation = v1.Operation(
        type="LAUNCH", id=v1.Id(value="o"), launch=v1.Launch(task_infos=(task("a"), task("b")))
    )
    accept(world, operation)
    found = world.updates()
    assert [one.task_id.value for one in found] == ["a", "b"]
    assert {one.reason for one in found} == {v1.Reason.TASK_INVALID}
    assert "`id` field cannot be set on LAUNCH" in found[0].message


def test_the_type_of_a_health_check_is_guessed_for_old_schedulers(world):
    health = v1.HealthCheck(http=HttpCheckInfo(port=1))
    world.accept(world.offers(), task("t", health_check=health))
    [run] = world.heard("link-a", link.EventRunTasks)
    assert run.tasks[0].health_check.type == "HTTP"


# groups


def default(name="x", needs="cpus:0.1;mem:32;disk:10", **fields):
    given = {"type": v1.ExecutorType.DEFAULT, "framework_id": FW, **fields}
    return v1.ExecutorInfo(
        executor_id=v1.Id(value=name), resources=resources.write(text.parse(needs)), **given
    )


def accept(world, *operations):
    offers = world.offers()
    body = scheduler.AcceptBody(offer_ids=tuple(one.id for one in offers), operations=operations)
    return world.call(scheduler.Accept(framework_id=FW, accept=body))


def group(*tasks, info=None, **fields):
    made = v1.LaunchGroup(
        executor=info or default(), task_group=v1.TaskGroupInfo(tasks=tuple(tasks))
    )
    return v1.Operation(type="LAUNCH_GROUP", launch_group=made, **fields)


IMAGE = v1.ContainerInfo(
    type="MESOS", mesos=MesosInfo(image=Image(type="DOCKER", docker=DockerImage(name="i")))
)

BAD_GROUPS = {
    "Task 'b' is invalid: Task has duplicate ID": group(task("b"), task("b")),
    "Task 'b' is invalid: Task uses no resources": group(task("a"), task("b", "")),
    "Docker ContainerInfo is not supported on the task": group(
        task("a"), task("b", container=docker(privileged=False))
    ),
    "Resource limits may only be set": group(task("a", limits=limits(cpus=2))),
    "the value of 'share_cgroups' must be the same": group(
        task("a"), task("b", container=OWN_CGROUPS)
    ),
    "not joining parent's network": group(
        task(
            "a",
            container=v1.ContainerInfo(type="MESOS", network_infos=(v1.NetworkInfo(name="n"),)),
            health_check=v1.HealthCheck(type="HTTP", http=HttpCheckInfo(port=1)),
        )
    ),
    "neither a command nor an image": group(task("a", command=None)),
    "'ExecutorInfo.type' must be set": group(task("a"), info=default(type=None)),
    "'ExecutorInfo.framework_id' must be set": group(task("a"), info=default(framework_id=None)),
    "must not be set for 'DEFAULT'": group(
        task("a"), info=default(command=v1.CommandInfo(value="x"))
    ),
    "'ExecutorInfo.command' must be set for 'CUSTOM'": group(
        task("a"), info=default(type=v1.ExecutorType.CUSTOM)
    ),
    "'ExecutorInfo.container.type' must be 'MESOS'": group(
        task("a"), info=default(container=docker(privileged=False))
    ),
    "'ExecutorInfo.container.mesos.image' must not be set": group(
        task("a"), info=default(container=IMAGE)
    ),
    "is different from executor 'x'": group(task("a", executor=default("y"))),
    "uses less CPUs (0.005)": group(task("a"), info=default(needs="cpus:0.005;mem:32;disk:1")),
    "uses less memory (31MB)": group(task("a"), info=default(needs="cpus:0.1;mem:31;disk:1")),
    "uses no disk": group(task("a"), info=default(needs="cpus:0.1;mem:32")),
    "overlapping resources": group(
        task("a", "cpus:1;ports:[31000-31001]"), task("b", "cpus:1;ports:[31001-31002]")
    ),
    "are more than available": group(task("a", "cpus:2"), task("b", "cpus:2")),
    "`id` field cannot be set on LAUNCH_GROUP": group(task("a"), id=v1.Id(value="o")),
}


@pytest.mark.parametrize(("text", "operation"), BAD_GROUPS.items(), ids=list(BAD_GROUPS))
def test_a_bad_group_is_an_error_of_all_its_tasks(world, text, operation):
    accept(world, operation)
    found = world.updates()
    assert len(found) == len(operation.launch_group.task_group.tasks)
    for status in found:
        assert (status.state, status.reason) == (S.ERROR, v1.Reason.TASK_GROUP_INVALID)
        assert text in status.message
    framework = world.state.frameworks["M-0000"]
    assert not framework.tasks
    assert not framework.executors
    assert not world.state.agents["M-S0"].used


def test_a_group_without_tasks_launches_nothing(world):
    assert accept(world, group()) == 202
    assert not world.updates()
    assert not world.state.frameworks["M-0000"].executors


@pytest.mark.parametrize("roles", [("web",), ("web", "other"), ("*",)])
def test_the_agent_is_told_to_which_role_tasks_are_allocated(roles):
    world = MasterWorld()
    world.agent(has="cpus:4;mem:1024;disk:100")
    world.subscribe(can=("MULTI_ROLE",), roles=roles)
    [offer] = world.offers()
    role = offer.allocation_info.role
    body = scheduler.AcceptBody(offer_ids=(offer.id,), operations=(group(task("g")),))
    world.call(scheduler.Accept(framework_id=FW, accept=body))
    [run] = world.heard("link-a", link.EventRunTaskGroup)
    told = [one.allocation_info for one in run.task_group.tasks[0].resources]
    told += [one.allocation_info for one in run.executor.resources]
    if roles == ("*",):
        assert set(told) == {None}  # nothing else it could be
    else:
        assert {one.role for one in told} == {role}
