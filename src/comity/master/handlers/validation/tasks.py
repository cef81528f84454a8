"""Tasks: what every task must be, and what those of LAUNCH must be besides."""

from comity.core.ids import TaskId
from comity.master.handlers.placing import Place
from comity.master.handlers.validation import bundles, checks, commands, executors
from comity.master.handlers.validation.faults import Invalid, check_id, within
from comity.master.state import Framework
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, v1


def check_launch(
    framework: Framework, place: Place, info: v1.TaskInfo
) -> tuple[Resources, Resources]:
    """Return what a task of LAUNCH asks for, and what its executor adds: nothing if it runs."""
    wanted = check(framework, place, info)
    if info.container is not None:
        commands.check_no_parent(info.container)
    executor_wanted = _check_executor(framework, place, info, wanted)
    needed = wanted + executor_wanted
    if not place.remaining.contains(needed):
        raise Invalid(
            f"Total resources {bundles.shown(needed)} required by task and its executor is more "
            f"than available {bundles.shown(place.remaining)}"
        )
    if not shares_cgroups(info.container):
        raise Invalid("Only tasks in a task group may have 'share_cgroups' set to 'false'")
    return wanted, executor_wanted


def check(framework: Framework, place: Place, info: v1.TaskInfo) -> Resources:
    """Return what a task of either operation asks for; its executor is another matter."""
    _check_identity(framework, place, info)
    _check_times(info)
    if info.check is not None:
        with within("Task uses invalid check"):
            checks.check_check(info.check)
    if info.health_check is not None:
        with within("Task uses invalid health check"):
            checks.check_health_check(info.health_check)
    if not info.resources:
        raise Invalid("Task uses no resources")
    wanted = bundles.read(info.resources, place.role, "Task")
    if not wanted:
        raise Invalid("Task uses no resources")
    if info.command is not None:
        with within("Task's `CommandInfo` is invalid"):
            commands.check_command(info.command)
    if info.container is not None:
        with within("Task's `ContainerInfo` is invalid"):
            commands.check_container(info.container)
    _check_limits(info, wanted)
    return wanted


def _check_identity(framework: Framework, place: Place, info: v1.TaskInfo) -> None:
    check_id(info.task_id.value, "Task ID")
    task_id = TaskId(info.task_id.value)
    if task_id in framework.tasks:
        raise Invalid(f"Task has duplicate ID: {task_id}")
    if task_id in framework.unreachable_tasks:
        raise Invalid(f"Task reuses the ID of an unreachable task: {task_id}")
    if info.agent_id.value != place.agent.id:
        raise Invalid(
            f"Task uses invalid agent {info.agent_id.value} while agent {place.agent.id} is "
            "expected"
        )


def _check_times(info: v1.TaskInfo) -> None:
    grace = info.kill_policy.grace_period if info.kill_policy is not None else None
    if grace is not None and grace.nanoseconds < 0:
        raise Invalid("Task's 'kill_policy.grace_period' must be non-negative")
    if info.max_completion_time is not None and info.max_completion_time.nanoseconds < 0:
        raise Invalid("Task's `max_completion_time` must be non-negative")


def _check_limits(info: v1.TaskInfo, wanted: Resources) -> None:
    """Allow limits of cpus and mem, each at least what is requested of it."""
    if set(info.limits) - {"cpus", "mem"}:
        raise Invalid("Only cpus and mem may be included in a task's resource limits")
    for name, word in (("cpus", "CPU"), ("mem", "memory")):
        if name not in info.limits:
            continue
        if not wanted.milli_of(name):
            raise Invalid(
                f"When a {word} limit is specified, a {word} request must also be specified"
            )
        # `not >=` refuses NaN, too.
        if not info.limits[name].value * 1000 >= wanted.milli_of(name):
            raise Invalid(
                f"The {word.lower()} limit must be greater than or equal to the {word.lower()} "
                "request"
            )


def shares_cgroups(container: v1.ContainerInfo | None) -> bool:
    """Whether a task lives in its executor's cgroups: it does unless it says otherwise."""
    return container is None or container.linux_info is None or container.linux_info.share_cgroups


def _check_executor(
    framework: Framework, place: Place, info: v1.TaskInfo, wanted: Resources
) -> Resources:
    """Return what the executor of a task of LAUNCH adds."""
    if (info.command is None) == (info.executor is None):
        raise Invalid(
            "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
        )
    executor = info.executor
    if executor is None:
        return NOTHING
    executor_wanted = executors.check(framework, place, executor)
    if executor.type not in (None, v1.ExecutorType.CUSTOM):
        raise Invalid("'ExecutorInfo.type' must be 'CUSTOM'; use LAUNCH_GROUP for 'DEFAULT'")
    if executor.command is None:
        raise Invalid("'ExecutorInfo.command' must be set")
    bundles.check_overlap((wanted, executor_wanted), "the task and executor resources")
    bundles.check_volumes(
        info.resources + executor.resources, "Task and its executor use duplicate persistence ID"
    )
    bundles.check_revocable(
        wanted + executor_wanted, "Task and its executor mix revocable and non-revocable resources"
    )
    return NOTHING if executors.runs(framework, place, executor) else executor_wanted


def completed(framework: Framework, info: v1.TaskInfo) -> v1.TaskInfo:
    """Return a task of LAUNCH with what older schedulers leave out, as Mesos's master does.

    That is the executor's framework id and the type of a health check.
    """
    executor, health = info.executor, info.health_check
    if executor is not None and executor.framework_id is None:
        executor = codec.replace(executor, framework_id=v1.Id(value=framework.id))
        info = codec.replace(info, executor=executor)
    if health is not None and health.type is None:
        kind = None
        if health.command is not None and health.http is None:
            kind = "COMMAND"
        elif health.http is not None and health.command is None:
            kind = "HTTP"
        info = codec.replace(info, health_check=codec.replace(health, type=kind))
    return info
