"""LAUNCH: check each task against what is left of the offers, record it, send it to the agent.

The checks and their order are those of Mesos's src/master/validation.cpp, as far as this master
knows the fields. One bad task does not keep its siblings from running.
"""

from dataclasses import dataclass

from comity.core.effects import Outbox
from comity.core.ids import ExecutorId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import ids, sending
from comity.master.state import Agent, Executor, Framework, State, Task
from comity.resources import ranges
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, link, resources, v1


@dataclass(slots=True)
class Place:
    """Where tasks are launched, and what is left there."""

    agent: Agent
    role: str
    remaining: Resources


class TaskInvalid(ValueError):
    """A task that must not be launched; the text becomes the message of its TASK_ERROR."""


def tasks_of(operation: v1.Operation) -> tuple[v1.TaskInfo, ...]:
    """Return the tasks that an operation would launch."""
    if operation.launch is not None:
        return operation.launch.task_infos
    if operation.launch_group is not None:
        return operation.launch_group.task_group.tasks
    return ()


def launch(
    state: State,
    framework: Framework,
    place: Place,
    operation: v1.Operation,
    now: Instant,
    out: Outbox,
) -> Resources:
    """Launch what is valid; return what is left of the offers' resources."""
    run: list[v1.TaskInfo] = []
    for given in tasks_of(operation):
        info = _allocated(framework, place.role, given)
        try:
            _record(framework, place, info)
        except TaskInvalid as fault:
            status = sending.master_status(
                info.task_id.value,
                v1.TaskState.ERROR,
                v1.Reason.TASK_INVALID,
                str(fault),
                now,
                agent_id=info.agent_id.value,
            )
            sending.update(framework, status, out)
            state.count("master/tasks_error")
            continue
        run.append(info)
    if run:
        event = link.EventRunTasks(framework_info=framework.info, tasks=tuple(run))
        sending.to_agent(place.agent, event, out)
    return place.remaining


def _record(framework: Framework, place: Place, info: v1.TaskInfo) -> None:
    """Check a task and count it as running."""
    agent = place.agent
    _check_shape(framework, agent, info)
    wanted = _read(info.resources, place.role)
    executor_wanted = _executor_wanted(framework, place, info)
    _check_overlap(wanted, executor_wanted)
    needed = wanted + executor_wanted
    if not place.remaining.contains(needed):
        raise TaskInvalid(
            f"Total resources {_shown(needed)} required by task and its executor is more than "
            f"available {_shown(place.remaining)}"
        )
    place.remaining = place.remaining - needed
    agent.used = agent.used + needed
    if info.executor is not None and not _runs(framework, agent, info.executor):
        key = ExecutorId(info.executor.executor_id.value)
        executor = Executor(info.executor, executor_wanted, place.role)
        framework.executors[agent.id, key] = executor
        agent.executors[framework.id, key] = executor
    task = Task(
        info=as_task(framework, info),
        state=v1.TaskState.STAGING,
        forwarded=v1.TaskState.STAGING,
        resources=wanted,
        role=place.role,
    )
    framework.tasks[task.task_id] = task
    agent.tasks[framework.id, task.task_id] = task


def as_task(framework: Framework, info: v1.TaskInfo) -> v1.Task:
    """Return what master and agent remember of a task."""
    user = framework.info.user
    if info.command is not None and info.command.user:
        user = info.command.user
    return v1.Task(
        name=info.name,
        task_id=info.task_id,
        framework_id=v1.Id(value=framework.id),
        agent_id=info.agent_id,
        state=v1.TaskState.STAGING,
        executor_id=info.executor.executor_id if info.executor is not None else None,
        resources=info.resources,
        limits=info.limits,
        labels=info.labels,
        discovery=info.discovery,
        container=info.container,
        health_check=info.health_check,
        kill_policy=info.kill_policy,
        max_completion_time=info.max_completion_time,
        user=user,
    )


def _check_shape(framework: Framework, agent: Agent, info: v1.TaskInfo) -> None:
    _check_id(info.task_id.value, "Task ID")
    task_id = TaskId(info.task_id.value)
    if task_id in framework.tasks:
        raise TaskInvalid(f"Task has duplicate ID: {task_id}")
    if task_id in framework.unreachable_tasks:
        raise TaskInvalid(f"Task reuses the ID of an unreachable task: {task_id}")
    if info.agent_id.value != agent.id:
        raise TaskInvalid(
            f"Task uses invalid agent {info.agent_id.value} while agent {agent.id} is expected"
        )
    if (info.command is None) == (info.executor is None):
        raise TaskInvalid("Task should have at least one (but not both) of CommandInfo or Executor")
    grace = info.kill_policy.grace_period if info.kill_policy is not None else None
    if grace is not None and grace.nanoseconds < 0:
        raise TaskInvalid("Task's 'kill_policy.grace_period' must be non-negative")
    if info.max_completion_time is not None and info.max_completion_time.nanoseconds < 0:
        raise TaskInvalid("Task's 'max_completion_time' must be non-negative")
    variables = info.command.environment if info.command is not None else None
    if variables is not None and any(one.type == "SECRET" for one in variables.variables):
        raise TaskInvalid("Environment variables of type SECRET are not supported")


def _check_id(text: str, what: str) -> None:
    fault = ids.fault_of(text, what)
    if fault is not None:
        raise TaskInvalid(fault)


def _read(wanted: tuple[v1.Resource, ...], role: str) -> Resources:
    try:
        read = resources.read(wanted)
    except resources.ResourceInvalid as error:
        raise TaskInvalid(f"Task uses invalid resources: {error}") from error
    foreign = resources.allocation_roles(wanted) - {role}
    if foreign:
        raise TaskInvalid(f"Task uses resources allocated to role '{min(foreign)}', not '{role}'")
    if not read:
        raise TaskInvalid("Task uses no resources")
    return read


def _allocated(framework: Framework, role: str, info: v1.TaskInfo) -> v1.TaskInfo:
    """Say in the resources to which role they are allocated, where a framework has several.

    A later master learns it from the agent; frameworks often leave it out.
    """
    if len(framework.roles) < 2:
        return info
    info = codec.replace(info, resources=_with_role(info.resources, role))
    if info.executor is None:
        return info
    charged = _with_role(info.executor.resources, role)
    return codec.replace(info, executor=codec.replace(info.executor, resources=charged))


def _with_role(written: tuple[v1.Resource, ...], role: str) -> tuple[v1.Resource, ...]:
    allocation = v1.AllocationInfo(role=role)
    return tuple(
        one if one.allocation_info is not None else codec.replace(one, allocation_info=allocation)
        for one in written
    )


def _check_overlap(wanted: Resources, executor_wanted: Resources) -> None:
    """Refuse what a task and its executor both claim: ports and items cannot be shared."""
    held = dict(executor_wanted)
    for kind, amount in wanted:
        other = held.get(kind)
        if isinstance(amount, tuple) and isinstance(other, tuple):
            shared = ranges.overlaps(amount, other)
        else:
            shared = isinstance(amount, frozenset) and bool(amount & frozenset(other or ()))  # type: ignore[arg-type]
        if shared:
            raise TaskInvalid(f"Task and its executor both use some of the same {kind.name}")


def _runs(framework: Framework, agent: Agent, executor: v1.ExecutorInfo) -> bool:
    return (agent.id, ExecutorId(executor.executor_id.value)) in framework.executors


def _executor_wanted(framework: Framework, place: Place, info: v1.TaskInfo) -> Resources:
    """Return what the task's executor adds: nothing when it runs already, or there is none."""
    executor = info.executor
    if executor is None:
        return NOTHING
    _check_id(executor.executor_id.value, "Executor ID")
    if executor.type is v1.ExecutorType.DEFAULT:
        raise TaskInvalid("'ExecutorInfo.type' must not be DEFAULT in LAUNCH; use LAUNCH_GROUP")
    if executor.command is None:
        raise TaskInvalid("'ExecutorInfo.command' must be set for a custom executor")
    if executor.framework_id is not None and executor.framework_id.value != framework.id:
        raise TaskInvalid("ExecutorInfo has an invalid FrameworkID")
    key = (place.agent.id, ExecutorId(executor.executor_id.value))
    running = framework.executors.get(key)
    if running is None:
        return _read(executor.resources, place.role) if executor.resources else NOTHING
    if _comparable(running.info) != _comparable(executor):
        raise TaskInvalid(
            "Task has invalid ExecutorInfo: it differs from that of the running executor "
            f"'{executor.executor_id.value}'"
        )
    return NOTHING


def _comparable(info: v1.ExecutorInfo) -> v1.ExecutorInfo:
    """Return an ExecutorInfo without what the master or the framework may leave out."""
    plain = tuple(codec.replace(one, allocation_info=None) for one in info.resources)
    return codec.replace(info, framework_id=None, type=None, resources=plain)


def _shown(bundle: Resources) -> str:
    return "; ".join(f"{kind.name}:{amount}" for kind, amount in bundle) or "nothing"
