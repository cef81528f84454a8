"""Task groups: all of their tasks are right, or none of them is launched."""

from collections.abc import Iterable

from comity.core.ids import TaskId
from comity.master.handlers.placing import Place
from comity.master.handlers.validation import bundles, executors, tasks
from comity.master.handlers.validation.faults import Invalid, within
from comity.master.state import Framework
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import v1

CPUS_MIN_MILLI = 10
MEM_MIN_MILLI = 32_000


def check(
    framework: Framework, place: Place, group: v1.LaunchGroup
) -> tuple[list[Resources], Resources]:
    """Return what each task asks for, and what the executor adds: nothing if it runs."""
    infos = group.task_group.tasks
    if not infos:
        raise Invalid("Task group has no tasks")
    wanted = []
    seen: set[TaskId] = set()
    for info in infos:
        with within(f"Task '{info.task_id.value}' is invalid"):
            if TaskId(info.task_id.value) in seen:
                raise Invalid(f"Task has duplicate ID: {info.task_id.value}")
            seen.add(TaskId(info.task_id.value))
            wanted.append(_check_task(framework, place, info))
    executor_wanted = _check_executor(framework, place, group, wanted)
    added = NOTHING if executors.runs(framework, place, group.executor) else executor_wanted
    needed = bundles.total(wanted) + added
    if not place.remaining.contains(needed):
        raise Invalid(
            f"Total resources {bundles.shown(needed)} required by task group and its executor are "
            f"more than available {bundles.shown(place.remaining)}"
        )
    _check_shares(framework, place, group)
    return wanted, added


def _check_task(framework: Framework, place: Place, info: v1.TaskInfo) -> Resources:
    wanted = tasks.check(framework, place, info)
    container, health = info.container, info.health_check
    if container is not None:
        if container.network_infos and health is not None and health.type in ("HTTP", "TCP"):
            raise Invalid(
                "HTTP and TCP health checks are not supported for nested containers not joining "
                "parent's network"
            )
        if container.type == "DOCKER":
            raise Invalid("Docker ContainerInfo is not supported on the task")
    if info.limits and tasks.shares_cgroups(container):
        raise Invalid(
            "Resource limits may only be set for tasks within a task group when the "
            "'share_cgroups' field is set to 'false'"
        )
    return wanted


def _check_executor(
    framework: Framework, place: Place, group: v1.LaunchGroup, wanted: list[Resources]
) -> Resources:
    """Return what the executor asks for; Mesos wants a little of everything for it."""
    executor = group.executor
    name = executor.executor_id.value
    held = executors.check(framework, place, executor)
    if executor.type is None:
        raise Invalid("'ExecutorInfo.type' must be set")
    if executor.container is not None and executor.container.type == "DOCKER":
        raise Invalid("Docker ContainerInfo is not supported on the executor")
    for info in group.task_group.tasks:
        if info.executor is not None and info.executor != executor:
            raise Invalid(
                f"The `ExecutorInfo` of task '{info.task_id.value}' is different from executor "
                f"'{name}'"
            )
        if executor.type is v1.ExecutorType.DEFAULT and not _says_what_to_run(info):
            raise Invalid(
                f"Task '{info.task_id.value}' is invalid: it has neither a command nor an image"
            )
    if held.milli_of("cpus") < CPUS_MIN_MILLI:
        raise Invalid(
            f"Executor '{name}' uses less CPUs ({held.scalar('cpus'):g}) than the minimum "
            "required (0.01)"
        )
    if held.milli_of("mem") < MEM_MIN_MILLI:
        raise Invalid(
            f"Executor '{name}' uses less memory ({held.scalar('mem'):g}MB) than the minimum "
            "required (32MB)"
        )
    if not held.milli_of("disk"):
        raise Invalid(f"Executor '{name}' uses no disk")
    _check_together(group, [*wanted, held])
    return held


def _says_what_to_run(info: v1.TaskInfo) -> bool:
    if info.command is not None:
        return True
    mesos = info.container.mesos if info.container is not None else None
    return mesos is not None and mesos.image is not None


def _check_together(group: v1.LaunchGroup, held: list[Resources]) -> None:
    infos = group.task_group.tasks
    written = [*group.executor.resources, *(one for info in infos for one in info.resources)]
    bundles.check_volumes(written, "Task group and executor use duplicate persistence ID")
    bundles.check_revocable(
        bundles.total(held),
        "Task group and executor mix revocable and non-revocable resources",
    )
    bundles.check_overlap(held, "the task group's task resources and/or executor resources")


def _check_shares(framework: Framework, place: Place, group: v1.LaunchGroup) -> None:
    """Hold all tasks of one executor to one value of `share_cgroups`."""
    name = group.executor.executor_id
    known: Iterable[v1.Task] = (
        task.info
        for held in (framework.tasks, framework.unreachable_tasks)
        for task in held.values()
        if executors.runs(framework, place, group.executor)
        and task.agent_id == place.agent.id
        and task.info.executor_id == name
    )
    values = {tasks.shares_cgroups(info.container) for info in group.task_group.tasks}
    values |= {tasks.shares_cgroups(info.container) for info in known}
    if len(values) > 1:
        raise Invalid(
            "If set, the value of 'share_cgroups' must be the same for all tasks in each task "
            "group and under a single executor"
        )
