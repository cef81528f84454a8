"""Containers start, fail to start, and end; and what the launcher remembers after a restart."""

from comity.agent import building, checkpoints
from comity.agent.handlers import ending, groups, killing, nested, operating, playing, remains
from comity.agent.inputs import (
    ContainerExited,
    ContainerFailed,
    ContainerStarted,
    DiskMeasured,
    ExecutorDue,
    LauncherFound,
)
from comity.agent.outbox import DestroyContainer, LaunchContainer
from comity.agent.state import Container, Ending, Executor, State
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.wire.mesos import v1


@table.on(ContainerStarted)
def on_container_started(state: State, item: ContainerStarted, now: Instant, out: Outbox) -> None:
    """A container runs: say so, or end it when it was killed meanwhile."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase == "EXITED":
        # It was on its way when this agent started, and given up because nobody knew of it.
        _end_stray(state, item.container_id, out)
        return
    container.phase = "RUNNING"
    container.pid = item.pid
    container.joined = item.joined
    if container.task is not None:
        checkpoints.save_nested(container, out)
    elif container.executor is None:
        nested.started(state, container, out)
        return
    else:
        checkpoints.save_executor(state, state.executors[container.executor], out)
    if container.is_killed:
        ending.kill_now(state, container, out)
        return
    for executor, task in playing.tasks_in(state, container):
        playing.started(state, executor, task, now, out)


@table.on(ContainerFailed)
def on_container_failed(state: State, item: ContainerFailed, now: Instant, out: Outbox) -> None:
    """A container could not be started: its tasks fail with the reason."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase == "EXITED":
        return
    container.phase = "EXITED"
    container.failure = item.message
    state.count("slave/container_launch_errors")
    if container.task is not None:
        _group_task_ended(state, container, now, out)
        return
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
    if container.task is not None:
        _group_task_ended(state, container, now, out)
        return
    if container.executor is None:
        ending.nested_exited(state, container, out)
        if container.spec.is_session:
            remains.session_ended(state, container, now, out)
        return
    executor = state.executors[container.executor]
    ending.executor_exited(state, executor, container, now, out)


def _group_task_ended(state: State, container: Container, now: Instant, out: Outbox) -> None:
    """The container of a group's task ended, or did not start; its record stays for its parent."""
    tasks = playing.tasks_in(state, container)
    ending.nested_exited(state, container, out)
    for executor, task in tasks:
        playing.task_ended(state, executor, container, task, now, out)
        if not executor.has_exited:
            groups.limit(executor, out)


_REBOOTED = (v1.Reason.AGENT_RESTARTED, "The agent's machine was started anew")


@table.on(DiskMeasured)
def on_disk_measured(state: State, item: DiskMeasured, now: Instant, out: Outbox) -> None:
    """End an executor whose sandbox holds more than its disk; without a limit there is none."""
    executor = state.executors.get((item.framework_id, item.executor_id))
    if executor is None or executor.has_exited or executor.failure is not None:
        return
    held = executor.resources
    for task in executor.live_tasks:
        held = held + building.held_by(task.info.resources)
    limit_mb = sum(
        amount
        for kind, amount in held
        if kind.name == "disk" and not kind.volume and isinstance(amount, int)
    )
    if limit_mb and item.used_bytes * 1000 > limit_mb << 20:
        used = f"{item.used_bytes / (1 << 20):.1f}MB"
        text = f"Disk usage ({used}) exceeds quota ({limit_mb / 1000:g}MB)"
        executor.failure = (v1.Reason.CONTAINER_LIMITATION_DISK, text)
        ending.kill_now(state, state.containers[executor.container_id], out)


@table.on(LauncherFound)
def on_launcher_found(state: State, item: LauncherFound, now: Instant, out: Outbox) -> None:
    """Compare what was stored with what still runs, and go on from there."""
    state.is_recovering, state.recovered_at = False, now
    found = [one for one in state.containers.values() if one.phase != "EXITED"]
    for container in [one for one in state.containers.values() if one.phase == "EXITED"]:
        if container.spec.is_session:
            remains.session_ended(state, container, now, out)
    for container in found:
        if container.id in item.running:
            container.phase, container.pid = "RUNNING", item.running[container.id]
    for container in found:
        if container.id in item.running or not container.has_process:
            _resume_container(state, container, now, out)
        elif _was_never_told(container) and container.id not in item.exited:
            text = "the agent restarted before the container was started"
            on_container_failed(state, ContainerFailed(container.id, text), now, out)
            continue
        else:
            status = item.exited.get(container.id)
            if item.rebooted and container.executor is not None:
                state.executors[container.executor].failure = _REBOOTED
            on_container_exited(state, ContainerExited(container.id, status), now, out)
        if container.spec.is_session:  # its connection broke with the last agent
            container.is_abandoned = True
            ending.kill_now(state, container, out)
    for container_id in item.running:
        _end_stray(state, container_id, out)
    operating.keep_volumes(state, out)
    for executor in list(state.executors.values()):
        if executor.is_orphaned:
            killing.shut_down(state, executor, now, out)
        playing.settle(state, executor, now, out)


def _was_never_told(container: Container) -> bool:
    """Whether who launched a container has had no answer: it asks again, and then is to have it."""
    asked = container.executor is None and container.task is None
    return asked and container.phase == "STARTING" and not container.spec.is_session


def _end_stray(state: State, container_id: str, out: Outbox) -> None:
    """End a container that runs although its end was reported, or that nobody here started."""
    container = state.containers.get(container_id)
    if container is None or container.phase == "EXITED":
        has_image = container is not None and container.has_image
        out.launches.append(DestroyContainer(container_id, has_image=has_image))


def _resume_container(state: State, container: Container, now: Instant, out: Outbox) -> None:
    executor = state.executors[container.executor] if container.executor is not None else None
    framework = state.frameworks.get(executor.framework_id) if executor is not None else None
    if executor is not None and framework is not None and not framework.checkpoint:
        _end_unsaved(state, executor, container, out)
        return
    if container.spec.is_pod and not container.has_process:
        # Made once more if need be; one that was on its way is heard of in any case.
        out.launches.append(LaunchContainer(container.spec))
    for played, task in playing.tasks_in(state, container):
        playing.resume(state, played, task, now, out)
    if executor is not None and not executor.is_built_in:
        due = ExecutorDue(executor.framework_id, executor.id, container.id)
        wait_s = state.config.executor_reregistration_timeout_s
        out.timers.append(SetTimer(due, Instant(now + wait_s)))


def _end_unsaved(state: State, executor: Executor, container: Container, out: Outbox) -> None:
    """End what a framework without checkpoints has here: its tasks do not outlive the agent."""
    text = "The agent restarted, and the framework does not checkpoint"
    reason = v1.Reason.AGENT_RESTARTED
    executor.failure = (reason, text)
    executor.is_shutting_down = True
    for task in executor.live_tasks:
        task.ending = Ending(v1.TaskState.LOST, v1.Source.AGENT, reason, text)
        task.probes.clear()
    ending.kill_now(state, container, out)
