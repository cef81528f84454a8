"""What every launch begins with: frameworks, executors, containers and tasks become known."""

from pathlib import Path

import msgspec

from comity.agent import building, checkpoints
from comity.agent.handlers import ending, outcomes, reporting
from comity.agent.inputs import ExecutorDue
from comity.agent.outbox import LaunchContainer, LinkVolumes, ToMaster
from comity.agent.state import Container, Executor, State, Task, uuid_text
from comity.core.containers import Spec
from comity.core.effects import Outbox, SetTimer
from comity.core.ids import ExecutorId, FrameworkId
from comity.core.instants import Instant
from comity.wire.mesos import link, v1


def remember_framework(state: State, framework: v1.FrameworkInfo, out: Outbox) -> FrameworkId:
    """Know a framework as the master does; return its id."""
    assert framework.id is not None
    framework_id = FrameworkId(framework.id.value)
    if state.frameworks.get(framework_id) != framework:
        state.frameworks[framework_id] = framework
        checkpoints.save_framework(state, framework_id, out)
    return framework_id


def find_executor(
    state: State, framework: v1.FrameworkInfo, info: v1.ExecutorInfo, may_start: bool
) -> Executor | str | None:
    """Return the executor of this id, an ended one too, or why no task may be given to it.

    Without `may_start` the master has not paid for a new one: it took the executor for running.
    """
    assert framework.id is not None
    key = (FrameworkId(framework.id.value), ExecutorId(info.executor_id.value))
    executor = state.executors.get(key)
    if executor is not None and executor.is_shutting_down and not executor.has_exited:
        return "The task's executor is shutting down"
    if not may_start and (executor is None or executor.has_exited):
        return "The task's executor has ended, and no new one was asked for"
    return executor


def drop(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    what: tuple[list[v1.TaskInfo], tuple[v1.Reason, str]],
    now: Instant,
    out: Outbox,
) -> None:
    """Refuse tasks whose executor is no more; records of their own carry the updates."""
    assert framework.id is not None
    key = (FrameworkId(framework.id.value), ExecutorId(info.executor_id.value))
    executor = state.executors.get(key) or _ended_executor(state, framework, info, now, out)
    for one in what[0]:
        task = add_task(state, executor, one)
        status = outcomes.dropped(framework, one, what[1])
        reporting.report(state, executor, task, status, now, out)


def _ended_executor(
    state: State, framework: v1.FrameworkInfo, info: v1.ExecutorInfo, now: Instant, out: Outbox
) -> Executor:
    """Return a record of an executor that never ran."""
    assert framework.id is not None
    container_id = uuid_text(state.new_uuid())
    key = (FrameworkId(framework.id.value), ExecutorId(info.executor_id.value))
    sandbox = building.sandbox_of(state, *key, container_id)
    executor = add_executor(state, info, sandbox, (container_id, False), now)
    container = add_container(state, executor, Spec(id=container_id, sandbox=sandbox))
    container.phase = "EXITED"
    executor.has_exited = True
    checkpoints.save_executor(state, executor, out)
    return executor


def start_executor(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    earlier: Executor | None,
    now: Instant,
    out: Outbox,
) -> Executor:
    """Start a framework's program; it goes on with an earlier run's unacknowledged updates."""
    assert framework.id is not None
    container_id = uuid_text(state.new_uuid())
    key = (FrameworkId(framework.id.value), ExecutorId(info.executor_id.value))
    sandbox = building.sandbox_of(state, *key, container_id)
    held = building.held_by(info.resources)
    if info.framework_id is None:
        info = msgspec.structs.replace(info, framework_id=framework.id)
    spec = building.for_executor(state, framework, info, (container_id, sandbox, held))
    executor = add_executor(state, info, sandbox, (container_id, False), now)
    executor.resources = held
    add_container(state, executor, spec)
    checkpoints.save_executor(state, executor, out)
    assert info.command is not None
    out.launches.append(LaunchContainer(spec, info.command.uris))
    due = ExecutorDue(*key, container_id)
    wait_s = state.config.executor_registration_timeout_s
    out.timers.append(SetTimer(due, Instant(now + wait_s)))
    if earlier is not None:
        take_over(state, executor, earlier, out)
    return executor


def add_executor(
    state: State, info: v1.ExecutorInfo, sandbox: Path, what: tuple[str, bool], now: Instant
) -> Executor:
    """Know an executor; `what` is its container's id, and whether it is a command task's."""
    assert info.framework_id is not None
    executor = Executor(
        framework_id=FrameworkId(info.framework_id.value),
        id=ExecutorId(info.executor_id.value),
        info=info,
        container_id=what[0],
        directory=sandbox,
        is_command=what[1],
        started_at=now,
    )
    state.executors[executor.framework_id, executor.id] = executor
    return executor


def take_over(state: State, executor: Executor, earlier: Executor, out: Outbox) -> None:
    """Let an executor carry the unacknowledged updates of an ended one of the same id."""
    for child in list(state.children.pop(earlier.container_id, ())):
        ending.forget_nested(state, state.containers[child], out)
    state.containers.pop(earlier.container_id, None)
    executor.tasks, earlier.tasks = earlier.tasks, {}
    executor.groups = earlier.groups
    for task_id in executor.tasks:
        state.tasks[executor.framework_id, task_id] = executor
    ending.complete(state, earlier)


def add_container(state: State, executor: Executor, spec: Spec) -> Container:
    """Know an executor's container."""
    container = Container(
        id=spec.id,
        wire_id=v1.ContainerID(value=spec.id),
        spec=spec,
        has_image=spec.image not in (None, building.HOST_IMAGE),
        executor=(executor.framework_id, executor.id),
    )
    state.containers[spec.id] = container
    return container


def add_task(state: State, executor: Executor, info: v1.TaskInfo) -> Task:
    """Know a task."""
    task = Task(info=info, executor_id=executor.id)
    executor.tasks[task.task_id] = task
    state.tasks[executor.framework_id, task.task_id] = executor
    return task


def refuse(state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, out: Outbox) -> None:
    """Refuse a task that wants reservations or volumes that this agent has not."""
    assert framework.id is not None
    text = "The task wants reserved resources or volumes that the agent does not have"
    status = outcomes.dropped(framework, info, (v1.Reason.RESOURCES_UNKNOWN, text))
    status = msgspec.structs.replace(status, agent_id=v1.Id(value=state.id))
    call = link.Update(framework_id=framework.id, status=status, latest_state=status.state)
    out.launches.append(ToMaster(call))


def link_volumes(state: State, executor: Executor, task: Task, out: Outbox) -> None:
    """Let an executor find the persistent volumes of a task of its own in its sandbox."""
    volumes = building.volumes_of(state, building.held_by(task.info.resources))
    if volumes:
        spec = state.containers[executor.container_id].spec
        out.launches.append(LinkVolumes(msgspec.structs.replace(spec, volumes=volumes)))
