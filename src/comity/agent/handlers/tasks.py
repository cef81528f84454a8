"""Tasks arrive and are killed."""

from pathlib import Path

import msgspec

from comity.agent import building, checkpoints
from comity.agent.handlers import ending, operating, reporting
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.inputs import CompletionDue, ExecutorDue
from comity.agent.outbox import LaunchContainer, LinkVolumes, ToMaster
from comity.agent.state import Container, Executor, State, Task, uuid_text
from comity.agent.table import table
from comity.core.containers import Spec
from comity.core.effects import Outbox, SetTimer
from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1

KILL_GRACE_S = 3.0


def run(state: State, event: link.EventRunTasks, now: Instant, out: Outbox) -> None:
    """Run tasks of one framework."""
    framework = event.framework_info
    assert framework.id is not None
    framework_id = FrameworkId(framework.id.value)
    if state.frameworks.get(framework_id) != framework:
        state.frameworks[framework_id] = framework
        checkpoints.save_framework(state, framework_id, out)
    for info in event.tasks:
        if (framework_id, TaskId(info.task_id.value)) in state.tasks:
            continue  # the master repeats itself after a break
        if operating.lacks(state, building.held_by(info.resources)):
            _refuse(state, framework, info, out)
            continue
        if info.executor is None:
            _run_command(state, framework, info, now, out)
        else:
            _run_on_executor(state, framework, info, now, out)


def _refuse(state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, out: Outbox) -> None:
    """Refuse a task that wants reservations or volumes that this agent has not."""
    assert framework.id is not None
    aware = any(one.type == "PARTITION_AWARE" for one in framework.capabilities)
    status = v1.TaskStatus(
        task_id=info.task_id,
        state=v1.TaskState.DROPPED if aware else v1.TaskState.LOST,
        source=v1.Source.AGENT,
        reason=v1.Reason.RESOURCES_UNKNOWN,
        message="The task wants reserved resources or volumes that the agent does not have",
        agent_id=v1.Id(value=state.id),
    )
    call = link.Update(framework_id=framework.id, status=status, latest_state=status.state)
    out.launches.append(ToMaster(call))


def _run_command(
    state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, now: Instant, out: Outbox
) -> None:
    """Start a command task; the agent is its executor."""
    assert framework.id is not None
    framework_id = FrameworkId(framework.id.value)
    executor_id = ExecutorId(info.task_id.value)
    container_id = uuid_text(state.new_uuid())
    sandbox = building.sandbox_of(state, framework_id, executor_id, container_id)
    held = building.held_by(info.resources)
    spec = building.for_command(state, framework, info, (container_id, sandbox, held))
    synthesised = v1.ExecutorInfo(
        executor_id=info.task_id,
        framework_id=framework.id,
        command=info.command,
        container=info.container,
        name=f"Command Executor (Task: {info.task_id.value}) (Command: sh -c '')",
        source=info.task_id.value,
    )
    executor = _add_executor(state, synthesised, spec.sandbox, (container_id, True), now)
    container = _add_container(state, executor, spec)
    task = _add_task(state, executor, info)
    checkpoints.save_executor(state, executor, out)
    starting = v1.TaskStatus(
        task_id=info.task_id, state=v1.TaskState.STARTING, source=v1.Source.EXECUTOR
    )
    reporting.report(state, executor, task, starting, now, out)
    assert info.command is not None
    out.launches.append(LaunchContainer(container.spec, info.command.uris))


def _run_on_executor(
    state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, now: Instant, out: Outbox
) -> None:
    """Give a task to its executor, starting that when it does not run."""
    assert framework.id is not None
    assert info.executor is not None
    framework_id = FrameworkId(framework.id.value)
    key = (framework_id, ExecutorId(info.executor.executor_id.value))
    executor = state.executors.get(key)
    if executor is not None and executor.is_shutting_down and not executor.has_exited:
        _drop(state, framework, info, now, out)
        return
    if executor is None:
        executor = _start_executor(state, framework, info.executor, now, out)
    elif executor.has_exited:
        executor = _start_again(state, framework, info.executor, executor, now, out)
    task = _add_task(state, executor, info)
    _link_volumes(state, executor, task, out)
    if executor.stream is None:
        executor.queued.append(task.task_id)
    else:
        send_to_executor(executor, wire.EventLaunch(launch=wire.LaunchBody(task=info)), out)
    checkpoints.save_task(executor, task, out)


def _link_volumes(state: State, executor: Executor, task: Task, out: Outbox) -> None:
    """Let an executor find the persistent volumes of a task of its own in its sandbox."""
    volumes = building.volumes_of(state, building.held_by(task.info.resources))
    if volumes:
        spec = state.containers[executor.container_id].spec
        out.launches.append(LinkVolumes(msgspec.structs.replace(spec, volumes=volumes)))


def _drop(
    state: State, framework: v1.FrameworkInfo, info: v1.TaskInfo, now: Instant, out: Outbox
) -> None:
    """Refuse a task whose executor is ending; a record of its own carries the update."""
    assert info.executor is not None
    assert framework.id is not None
    aware = any(one.type == "PARTITION_AWARE" for one in framework.capabilities)
    status = v1.TaskStatus(
        task_id=info.task_id,
        state=v1.TaskState.DROPPED if aware else v1.TaskState.LOST,
        source=v1.Source.AGENT,
        reason=v1.Reason.EXECUTOR_TERMINATED,
        message="The task's executor is shutting down",
    )
    executor = state.executors[
        FrameworkId(framework.id.value), ExecutorId(info.executor.executor_id.value)
    ]
    task = _add_task(state, executor, info)
    reporting.report(state, executor, task, status, now, out)


def _start_executor(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    now: Instant,
    out: Outbox,
) -> Executor:
    assert framework.id is not None
    framework_id = FrameworkId(framework.id.value)
    executor_id = ExecutorId(info.executor_id.value)
    container_id = uuid_text(state.new_uuid())
    sandbox = building.sandbox_of(state, framework_id, executor_id, container_id)
    held = building.held_by(info.resources)
    if info.framework_id is None:
        info = msgspec.structs.replace(info, framework_id=framework.id)
    spec = building.for_executor(state, framework, info, (container_id, sandbox, held))
    executor = _add_executor(state, info, sandbox, (container_id, False), now)
    executor.resources = held
    _add_container(state, executor, spec)
    checkpoints.save_executor(state, executor, out)
    assert info.command is not None
    out.launches.append(LaunchContainer(spec, info.command.uris))
    due = ExecutorDue(framework_id, executor_id, container_id)
    wait_s = state.config.executor_registration_timeout_s
    out.timers.append(SetTimer(due, Instant(now + wait_s)))
    return executor


def _add_executor(
    state: State, info: v1.ExecutorInfo, sandbox: Path, what: tuple[str, bool], now: Instant
) -> Executor:
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


def _start_again(
    state: State,
    framework: v1.FrameworkInfo,
    info: v1.ExecutorInfo,
    earlier: Executor,
    now: Instant,
    out: Outbox,
) -> Executor:
    """Start an executor anew; it goes on with the earlier run's unacknowledged updates."""
    for child in list(state.children.pop(earlier.container_id, ())):
        ending.forget_nested(state, state.containers[child], out)
    state.containers.pop(earlier.container_id, None)
    executor = _start_executor(state, framework, info, now, out)
    executor.tasks, earlier.tasks = earlier.tasks, {}
    for task_id in executor.tasks:
        state.tasks[executor.framework_id, task_id] = executor
    state.completed_executors.append(earlier)
    return executor


def _add_container(state: State, executor: Executor, spec: Spec) -> Container:
    container = Container(
        id=spec.id,
        wire_id=v1.ContainerID(value=spec.id),
        spec=spec,
        has_image=spec.image not in (None, building.HOST_IMAGE),
        executor=(executor.framework_id, executor.id),
    )
    state.containers[spec.id] = container
    return container


def _add_task(state: State, executor: Executor, info: v1.TaskInfo) -> Task:
    task = Task(info=info, executor_id=executor.id)
    executor.tasks[task.task_id] = task
    state.tasks[executor.framework_id, task.task_id] = executor
    return task


def kill(state: State, event: link.EventKillTask, now: Instant, out: Outbox) -> None:
    """Kill a task as its policy, or the call's, says; a task that is not here is the master's."""
    framework_id = FrameworkId(event.framework_id.value)
    task_id = TaskId(event.task_id.value)
    executor = state.tasks.get((framework_id, task_id))
    if executor is None:
        return
    task = executor.tasks[task_id]
    if task.state.is_terminal:
        return
    if executor.is_command:
        task.kill_state = task.kill_state or v1.TaskState.KILLED
        task.kill_message = task.kill_message or "Command terminated by KILL"
        end_command(state, executor, task, grace_of(task, event.kill_policy), now, out)
        return
    if task_id in executor.queued:
        executor.queued.remove(task_id)
        status = v1.TaskStatus(
            task_id=task.info.task_id,
            state=v1.TaskState.KILLED,
            source=v1.Source.AGENT,
            reason=v1.Reason.TASK_KILLED_DURING_LAUNCH,
            message="Killed before its executor had subscribed",
        )
        reporting.report(state, executor, task, status, now, out)
        return
    body = wire.KillBody(task_id=task.info.task_id, kill_policy=event.kill_policy)
    if not send_to_executor(executor, wire.EventKill(kill=body), out):
        executor.kills[task_id] = event.kill_policy


def grace_of(task: Task, policy: v1.KillPolicy | None) -> float:
    """Return the seconds a task may take to end: the call's policy, the task's, or the default."""
    for one in (policy, task.info.kill_policy):
        if one is not None and one.grace_period is not None:
            return one.grace_period.nanoseconds / 1e9
    return KILL_GRACE_S


def end_command(
    state: State, executor: Executor, task: Task, grace_s: float, now: Instant, out: Outbox
) -> None:
    """Begin to end a command task; a second call may shorten the grace."""
    framework = state.frameworks.get(executor.framework_id)
    tells = framework is not None and any(
        one.type == "TASK_KILLING_STATE" for one in framework.capabilities
    )
    if tells and task.state is v1.TaskState.RUNNING:
        status = v1.TaskStatus(
            task_id=task.info.task_id, state=v1.TaskState.KILLING, source=v1.Source.EXECUTOR
        )
        reporting.report(state, executor, task, status, now, out)
    ending.terminate(state, state.containers[executor.container_id], grace_s, now, out)


@table.on(CompletionDue)
def on_completion_due(state: State, item: CompletionDue, now: Instant, out: Outbox) -> None:
    """End a task that has run for longer than it may."""
    executor = state.tasks.get((item.framework_id, item.task_id))
    task = executor.tasks.get(item.task_id) if executor is not None else None
    if executor is None or task is None or task.state.is_terminal:
        return
    task.kill_state = v1.TaskState.FAILED
    task.kill_reason = v1.Reason.MAX_COMPLETION_TIME_REACHED
    task.kill_message = "Task exceeded its max_completion_time"
    ending.kill_now(state, state.containers[executor.container_id], out)
