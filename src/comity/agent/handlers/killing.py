"""Who asks for the end of tasks and executors: KILL, SHUTDOWN, the end of a framework."""

from comity.agent import checkpoints
from comity.agent.handlers import ending, outcomes, playing, reporting
from comity.agent.handlers.speaking import send_to_executor
from comity.agent.inputs import KillDue
from comity.agent.state import Ending, Executor, State, Task
from comity.core.effects import Outbox, SetTimer
from comity.core.ids import FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import executor as wire
from comity.wire.mesos import link, v1

_DURING_LAUNCH = Ending(
    v1.TaskState.KILLED,
    v1.Source.AGENT,
    v1.Reason.TASK_KILLED_DURING_LAUNCH,
    "Task killed before it was launched",
)


def kill(state: State, event: link.EventKillTask, now: Instant, out: Outbox) -> None:
    """Kill a task as its policy, or the call's, says; a task that is not here is the master's."""
    task_id = TaskId(event.task_id.value)
    executor = state.tasks.get((FrameworkId(event.framework_id.value), task_id))
    if executor is None:
        return
    task = executor.tasks[task_id]
    if task.state.is_terminal:
        return
    if executor.is_built_in:
        runs = state.containers[task.container_id].phase == "RUNNING"
        end = Ending(v1.TaskState.KILLED) if runs else _DURING_LAUNCH
        grace_s = ending.grace_of(state, task, event.kill_policy)
        playing.end_task(state, executor, task, (end, grace_s), now, out)
        return
    if task_id in executor.queued:
        _kill_queued(state, executor, task, now, out)
        return
    body = wire.KillBody(task_id=task.info.task_id, kill_policy=event.kill_policy)
    if not send_to_executor(executor, wire.EventKill(kill=body), out):
        executor.kills[task_id] = event.kill_policy


def _kill_queued(state: State, executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Kill a task that waits for its executor, its group with it, and an executor without any."""
    for one in executor.live_tasks:
        if one is not task and (not task.group or one.group != task.group):
            continue
        executor.queued.remove(one.task_id)
        status = outcomes.status(
            one.info,
            v1.TaskState.KILLED,
            source=v1.Source.AGENT,
            reason=v1.Reason.TASK_KILLED_DURING_LAUNCH,
            message="Killed before its executor had subscribed",
        )
        reporting.report(state, executor, one, status, now, out)
    if not executor.queued and not executor.was_sent_tasks:
        shut_down(state, executor, now, out)


def shut_down(state: State, executor: Executor, now: Instant, out: Outbox) -> None:
    """Ask an executor to end, and end it after its grace."""
    if executor.has_exited:
        return
    executor.is_shutting_down = True
    container = state.containers[executor.container_id]
    grace_s = state.config.executor_shutdown_grace_s
    if executor.info.shutdown_grace_period is not None:
        grace_s = executor.info.shutdown_grace_period.nanoseconds / 1e9
    if executor.is_built_in:
        task_grace_s = grace_s if executor.is_command else min(grace_s, ending.KILL_GRACE_S)
        for task in executor.live_tasks:
            how = (Ending(v1.TaskState.KILLED), task_grace_s)
            playing.end_task(state, executor, task, how, now, out)
        playing.settle(state, executor, now, out)
        return
    if not send_to_executor(executor, wire.EventShutdown(), out):
        ending.terminate(state, container, grace_s, now, out)
        return
    container.is_killed = container.phase != "RUNNING"
    out.timers.append(SetTimer(KillDue(container.id), Instant(now + grace_s)))


def shut_down_framework(state: State, framework_id: FrameworkId, now: Instant, out: Outbox) -> None:
    """End everything of a framework; nobody will acknowledge its updates any more."""
    for key in [key for key in state.executors if key[0] == framework_id]:
        executor = state.executors[key]
        executor.is_orphaned = True
        checkpoints.save_executor(state, executor, out)
        for task in list(executor.tasks.values()):
            task.pending.clear()
            if task.state.is_terminal:
                ending.forget_task(state, executor, task, now, out)
            else:
                checkpoints.save_task(executor, task, out)
        if key in state.executors:
            shut_down(state, executor, now, out)
