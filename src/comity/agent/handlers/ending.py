"""How tasks, executors and frameworks end, and what is forgotten when."""

import signal

from comity.agent import checkpoints
from comity.agent.handlers import reporting
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.inputs import KillDue
from comity.agent.outbox import DestroyContainer, SignalContainer, ToMaster
from comity.agent.state import Container, Executor, State, Task
from comity.agent.table import table
from comity.core.effects import CloseStream, Outbox, SetTimer
from comity.core.ids import FrameworkId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1


def terminate(
    state: State, container: Container, grace_s: float, now: Instant, out: Outbox
) -> None:
    """SIGTERM now, SIGKILL after the grace; a container that does not run yet never will."""
    container.is_killed = True
    if container.phase != "RUNNING":
        return
    if grace_s <= 0:
        kill_now(state, container, out)
        return
    # What the group leader starts is to get the signal, too, as from a terminal.
    tree = not container.has_image
    out.launches.append(SignalContainer(container.id, signal.SIGTERM, tree=tree))
    out.timers.append(SetTimer(KillDue(container.id), Instant(now + grace_s)))


def kill_now(state: State, container: Container, out: Outbox) -> None:
    """SIGKILL a container with everything in it and nested below it."""
    container.is_killed = True
    for child in sorted(state.children.get(container.id, ())):
        kill_now(state, state.containers[child], out)
    if container.phase == "RUNNING":
        out.launches.append(SignalContainer(container.id, signal.SIGKILL, tree=True))


@table.on(KillDue)
def on_kill_due(state: State, item: KillDue, now: Instant, out: Outbox) -> None:
    """End a container that outlived its grace."""
    container = state.containers.get(item.container_id)
    if container is not None:
        kill_now(state, container, out)


def shut_down(state: State, executor: Executor, now: Instant, out: Outbox) -> None:
    """Ask an executor to end, and end it after its grace."""
    executor.is_shutting_down = True
    container = state.containers[executor.container_id]
    grace_s = state.config.executor_shutdown_grace_s
    if executor.info.shutdown_grace_period is not None:
        grace_s = executor.info.shutdown_grace_period.nanoseconds / 1e9
    if executor.is_command or not send_to_executor(executor, wire.EventShutdown(), out):
        terminate(state, container, grace_s, now, out)
        return
    container.is_killed = container.phase != "RUNNING"
    out.timers.append(SetTimer(KillDue(container.id), Instant(now + grace_s)))


def forget_task(state: State, executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Forget a task whose terminal update was acknowledged, and its executor with its last task."""
    executor.tasks.pop(task.task_id, None)
    state.tasks.pop((executor.framework_id, task.task_id), None)
    executor.completed_tasks.append(task)
    checkpoints.drop_task(executor, task, out)
    if executor.has_exited and not executor.tasks:
        forget_executor(state, executor, out)


def forget_executor(state: State, executor: Executor, out: Outbox) -> None:
    """Forget an executor that has exited and has no tasks to report any more."""
    key = (executor.framework_id, executor.id)
    if state.executors.get(key) is not executor:
        return
    del state.executors[key]
    container = state.containers.pop(executor.container_id, None)
    for child in list(state.children.pop(executor.container_id, ())):
        forget_nested(state, state.containers[child], out)
    if container is not None:
        container.executor = None
    state.completed_executors.append(executor)
    checkpoints.drop_executor(executor, out)
    forget_framework_if_idle(state, executor.framework_id, out)


def forget_nested(state: State, container: Container, out: Outbox) -> None:
    """Forget a nested container and those below it."""
    for child in list(state.children.pop(container.id, ())):
        forget_nested(state, state.containers[child], out)
    state.containers.pop(container.id, None)
    if container.parent is not None:
        state.children.get(container.parent, set()).discard(container.id)
    checkpoints.drop_nested(container, out)


def forget_framework_if_idle(state: State, framework_id: FrameworkId, out: Outbox) -> None:
    """Forget a framework that has nothing here."""
    if any(key[0] == framework_id for key in state.executors):
        return
    if state.frameworks.pop(framework_id, None) is not None:
        checkpoints.save_framework(state, framework_id, out)


def executor_exited(
    state: State, executor: Executor, container: Container, now: Instant, out: Outbox
) -> None:
    """An executor's program has ended: tell the master, and end what was left of it."""
    executor.has_exited = True
    if executor.stream is not None:
        state.streams.pop(executor.stream, None)
        out.sends.append(CloseStream(executor.stream))
        executor.stream = None
    for child in sorted(state.children.get(container.id, ())):
        kill_now(state, state.containers[child], out)
    out.launches.append(DestroyContainer(container.id, container.has_image))
    checkpoints.save_executor(state, executor, out)
    if not executor.is_command:
        call = link.ExitedExecutor(
            framework_id=v1.Id(value=executor.framework_id),
            executor_id=v1.Id(value=executor.id),
            status=container.status if container.status is not None else -1,
        )
        out.launches.append(ToMaster(call))
    for task in list(executor.tasks.values()):
        if executor.is_orphaned:
            task.state = v1.TaskState.KILLED
            forget_task(state, executor, task, now, out)
        elif not task.state.is_terminal:
            status = _final_status(executor, container, task)
            reporting.report(state, executor, task, status, now, out)
    if not executor.tasks:
        forget_executor(state, executor, out)  # again is harmless


def _final_status(executor: Executor, container: Container, task: Task) -> v1.TaskStatus:
    """Return what the end of the container means for a task of it."""
    if task.kill_state is not None:
        return v1.TaskStatus(
            task_id=task.info.task_id,
            state=task.kill_state,
            source=v1.Source.EXECUTOR if executor.is_command else v1.Source.AGENT,
            reason=task.kill_reason,
            message=task.kill_message,
            healthy=False if task.kill_reason is None and _is_unhealthy(task) else None,
        )
    if container.oom:
        state, text = v1.TaskState.FAILED, "Memory limit exceeded: killed by the kernel"
        return _agent_status(task, state, v1.Reason.CONTAINER_LIMITATION_MEMORY, text)
    if executor.failure is not None:
        return _agent_status(task, v1.TaskState.FAILED, *executor.failure)
    if not executor.is_command or container.status is None:
        text = "Executor terminated" if container.status is not None else "Lost with its launcher"
        return _agent_status(task, v1.TaskState.FAILED, v1.Reason.EXECUTOR_TERMINATED, text)
    return _command_status(task, container.status)


def _is_unhealthy(task: Task) -> bool:
    probe = task.probes.get("health")
    return probe is not None and probe.is_healthy is False


def _agent_status(task: Task, state: v1.TaskState, reason: v1.Reason, text: str) -> v1.TaskStatus:
    return v1.TaskStatus(
        task_id=task.info.task_id,
        state=state,
        source=v1.Source.AGENT,
        reason=reason,
        message=text,
    )


def _command_status(task: Task, status: int) -> v1.TaskStatus:
    """Return what a command's wait(2) status means, in the command executor's words."""
    signum = status & 0x7F
    if signum == 0:
        code = status >> 8
        found = v1.TaskState.FINISHED if code == 0 else v1.TaskState.FAILED
        text = f"Command exited with status {code}"
    else:
        found = v1.TaskState.FAILED
        text = f"Command terminated with signal {signal.strsignal(signum) or signum}"
    return v1.TaskStatus(
        task_id=task.info.task_id, state=found, source=v1.Source.EXECUTOR, message=text
    )
