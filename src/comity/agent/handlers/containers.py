"""Containers start, fail to start, and end; and what the launcher remembers after a restart."""

from comity.agent import checkpoints
from comity.agent.handlers import ending, nested, operating, probing, reporting
from comity.agent.inputs import (
    CompletionDue,
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    ExecutorDue,
    LauncherFound,
)
from comity.agent.outbox import DestroyContainer
from comity.agent.state import Container, Executor, State, Task
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.wire.mesos import v1


@table.on(ContainerStarted)
def on_container_started(state: State, item: ContainerStarted, now: Instant, out: Outbox) -> None:
    """A container runs: say so, or end it when it was killed meanwhile."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase == "EXITED":
        return
    container.phase = "RUNNING"
    container.pid = item.pid
    if container.executor is None:
        nested.started(state, container, out)
        return
    executor = state.executors[container.executor]
    checkpoints.save_executor(state, executor, out)
    if container.is_killed:
        ending.kill_now(state, container, out)
        return
    if executor.is_command:
        for task in executor.tasks.values():
            _run_command_task(state, executor, task, now, out)


def _run_command_task(
    state: State, executor: Executor, task: Task, now: Instant, out: Outbox
) -> None:
    task.started_at = now
    status = v1.TaskStatus(
        task_id=task.info.task_id, state=v1.TaskState.RUNNING, source=v1.Source.EXECUTOR
    )
    reporting.report(state, executor, task, status, now, out)
    resume(executor, task, now, out)


def resume(executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Set a running command task's timers: its probes, and its time limit."""
    probing.begin(executor, task, now, out)
    limit = task.info.max_completion_time
    if limit is not None:
        due = CompletionDue(executor.framework_id, task.task_id)
        out.timers.append(SetTimer(due, Instant(now + limit.nanoseconds / 1e9)))


@table.on(ContainerFailed)
def on_container_failed(state: State, item: ContainerFailed, now: Instant, out: Outbox) -> None:
    """A container could not be started: its tasks fail with the reason."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase == "EXITED":
        return
    container.phase = "EXITED"
    container.failure = item.message
    state.count("slave/container_launch_errors")
    if container.executor is None:
        nested.failed(state, container, item, out)
        return
    executor = state.executors[container.executor]
    executor.failure = (v1.Reason.CONTAINER_LAUNCH_FAILED, item.message)
    container.status = 1 << 8
    ending.executor_exited(state, executor, container, now, out)


@table.on(ContainerExited)
def on_container_exited(state: State, item: ContainerExited, now: Instant, out: Outbox) -> None:
    """A container ended by itself or by a signal."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase == "EXITED":
        return
    container.phase = "EXITED"
    container.status = item.status
    container.oom = item.oom
    if container.executor is None:
        nested.exited(state, container, out)
        return
    executor = state.executors[container.executor]
    ending.executor_exited(state, executor, container, now, out)


@table.on(LauncherFound)
def on_launcher_found(state: State, item: LauncherFound, now: Instant, out: Outbox) -> None:
    """Compare what was stored with what still runs, and go on from there."""
    for container in list(state.containers.values()):
        if container.phase == "EXITED":
            continue
        if container.id in item.running:
            container.phase = "RUNNING"
            container.pid = item.running[container.id]
            _resume_container(state, container, now, out)
        else:
            status = item.exited.get(container.id)
            on_container_exited(state, ContainerExited(container.id, status), now, out)
    for container_id in item.running:
        if container_id not in state.containers:
            out.launches.append(DestroyContainer(container_id, has_image=False))
    operating.keep_volumes(state, out)
    state.is_recovering = False


def _resume_container(state: State, container: Container, now: Instant, out: Outbox) -> None:
    if container.executor is None:
        return
    executor = state.executors[container.executor]
    framework = state.frameworks.get(executor.framework_id)
    if framework is not None and not framework.checkpoint:
        text = "The agent restarted, and the framework does not checkpoint"
        executor.failure = (v1.Reason.AGENT_RESTARTED, text)
        for task in executor.tasks.values():
            task.kill_state = v1.TaskState.LOST
            task.kill_reason = v1.Reason.AGENT_RESTARTED
            task.kill_message = text
        ending.kill_now(state, container, out)
        return
    if not executor.is_command:
        due = ExecutorDue(executor.framework_id, executor.id, container.id)
        wait_s = state.config.executor_reregistration_timeout_s
        out.timers.append(SetTimer(due, Instant(now + wait_s)))
        return
    for task in executor.tasks.values():
        if task.state in (v1.TaskState.STAGING, v1.TaskState.STARTING):
            _run_command_task(state, executor, task, now, out)
        elif not task.state.is_terminal:
            resume(executor, task, now, out)
