"""How tasks, executors and frameworks end, and what is forgotten when."""

import signal

from comity.agent import checkpoints
from comity.agent.handlers import outcomes, reporting
from comity.agent.handlers.speaking import answer
from comity.agent.inputs import KillDue
from comity.agent.outbox import DestroyContainer, SignalContainer, ToMaster
from comity.agent.state import Container, Executor, State, Task, Waiter
from comity.agent.table import table
from comity.core.effects import CloseStream, Outbox, SetTimer
from comity.core.ids import FrameworkId
from comity.core.instants import Instant
from comity.wire.mesos import codec, link, v1

KILL_GRACE_S = 3.0
"""What Mesos's command and default executors allow without a kill policy."""


def grace_of(state: State, task: Task, policy: v1.KillPolicy | None) -> float:
    """Return the seconds a task may take to end: the call's policy, the task's, or the default.

    For containers of type DOCKER that is an executor's, as with Mesos's docker executor.
    """
    for one in (policy, task.info.kill_policy):
        if one is not None and one.grace_period is not None:
            return one.grace_period.nanoseconds / 1e9
    container = task.info.container
    is_docker = container is not None and container.type == "DOCKER"
    return state.config.executor_shutdown_grace_s if is_docker else KILL_GRACE_S


def terminate(
    state: State, container: Container, grace_s: float, now: Instant, out: Outbox
) -> None:
    """SIGTERM now, SIGKILL after the grace, which a second call may shorten but not extend.

    A container that does not run yet never will.
    """
    container.is_killed = True
    if container.phase != "RUNNING":
        return
    is_first = container.killed_at is None
    began = now if container.killed_at is None else container.killed_at
    due = Instant(max(now, began + grace_s))
    if not is_first and container.kill_due is not None and due >= container.kill_due:
        return
    container.killed_at, container.kill_due = began, due
    if due <= now:
        kill_now(state, container, out)
        return
    if is_first:
        # What the group leader starts is to get the signal, too, as from a terminal.
        tree = not container.has_image
        out.launches.append(SignalContainer(container.id, signal.SIGTERM, tree=tree))
    out.timers.append(SetTimer(KillDue(container.id), due))


def kill_now(state: State, container: Container, out: Outbox) -> None:
    """SIGKILL a container with everything in it and nested below it."""
    container.is_killed = True
    if container.spec.is_pod and container.phase == "RUNNING":
        container.phase, container.status = "EXITED", int(signal.SIGKILL)
        nested_exited(state, container, out)
        return
    for child in sorted(state.children.get(container.id, ())):
        kill_now(state, state.containers[child], out)
    if container.phase == "RUNNING" and container.has_process:
        out.launches.append(SignalContainer(container.id, signal.SIGKILL, tree=True))


def nested_exited(state: State, container: Container, out: Outbox) -> None:
    """A nested container ended: tell who waits; its record stays until it is removed."""
    for child in sorted(state.children.get(container.id, ())):
        kill_now(state, state.containers[child], out)
    _end_here(container, out)
    checkpoints.save_nested(container, out)


def _end_here(container: Container, out: Outbox) -> None:
    out.launches.append(DestroyContainer(container.id, container.has_image))
    if container.launch_to is not None:
        answer(container.launch_to, 200, out)
        container.launch_to = None
    _tell_waiters(container, out)


def _tell_waiters(container: Container, out: Outbox) -> None:
    """Answer those who wait for a container that has ended."""
    for waiter in container.waiters:
        answer(waiter.to, 200, out, end_of(container, waiter))
    container.waiters.clear()


def end_of(container: Container, waiter: Waiter) -> bytes:
    """Return the answer to somebody who waits for a container's end."""
    shown: dict[str, object] = {}
    if container.status is not None:
        shown["exit_status"] = container.status
    if container.oom:
        shown["reason"] = v1.Reason.CONTAINER_LIMITATION_MEMORY
        shown["message"] = "Memory limit exceeded: killed by the kernel"
    elif container.status is None:
        shown["message"] = "The container was lost with its launcher"
    name = "WAIT_NESTED_CONTAINER" if waiter.is_old else "WAIT_CONTAINER"
    return codec.encode({"type": name, name.lower(): shown})


@table.on(KillDue)
def on_kill_due(state: State, item: KillDue, now: Instant, out: Outbox) -> None:
    """End a container that outlived its grace."""
    container = state.containers.get(item.container_id)
    if container is not None:
        kill_now(state, container, out)


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
    complete(state, executor)
    checkpoints.drop_executor(executor, out)
    forget_framework_if_idle(state, executor.framework_id, out)


def complete(state: State, executor: Executor) -> None:
    """Remember an executor that is over: what it was, and whose its sandbox is."""
    executor.framework = state.frameworks.get(executor.framework_id)
    state.completed_executors.append(executor)


def forget_nested(state: State, container: Container, out: Outbox) -> None:
    """Forget a nested container and those below it."""
    for child in list(state.children.pop(container.id, ())):
        forget_nested(state, state.containers[child], out)
    if container.phase != "EXITED":
        # Killed with its parent, whose end was acknowledged before this one's was heard of.
        container.phase, container.status = "EXITED", int(signal.SIGKILL)
        _end_here(container, out)
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
    _tell_waiters(container, out)
    executor.has_exited = True
    state.count("slave/executors_terminated")
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
        if state.is_linked:
            out.launches.append(ToMaster(call))
        else:
            # SUBSCRIBE may have said just now that it runs: REGISTERED tells what the master knows.
            state.untold_exits.append(call)
    for task in list(executor.tasks.values()):
        if executor.is_orphaned:
            task.state = v1.TaskState.KILLED
            forget_task(state, executor, task, now, out)
        elif not task.state.is_terminal:
            status = outcomes.of_task(executor, container, task)
            reporting.report(state, executor, task, status, now, out)
    if not executor.tasks:
        forget_executor(state, executor, out)  # again is harmless
