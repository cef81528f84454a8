"""The agent in the place of Mesos's command executor and default executor.

Neither has a process of its own: a command task is its executor's container, and a task of a group
is a container nested in that of its executor, which holds nothing else. What is here is common to
both: a task runs, is ended, has run for too long, comes to its end.
"""

from comity.agent import checkpoints
from comity.agent.handlers import ending, outcomes, reporting
from comity.agent.inputs import CompletionDue, ProbeDue
from comity.agent.state import CHECK, HEALTH, Container, Ending, Executor, Probe, State, Task
from comity.agent.table import table
from comity.core.effects import CancelTimer, Outbox, SetTimer
from comity.core.instants import Instant
from comity.wire.mesos import v1

GROUP_ENDS = (v1.TaskState.FAILED, v1.TaskState.KILLED)
"""Ends of a task that end its group, too."""


def tasks_in(state: State, container: Container) -> list[tuple[Executor, Task]]:
    """Return the tasks that a container is: its executor's one command, or one of a group."""
    if container.task is not None:
        executor = state.tasks.get(container.task)
        task = executor.tasks.get(container.task[1]) if executor is not None else None
        runs = task is not None and not task.state.is_terminal
        return [(executor, task)] if executor is not None and task is not None and runs else []
    if container.executor is None:
        return []
    executor = state.executors[container.executor]
    return [(executor, task) for task in executor.live_tasks] if executor.is_command else []


def started(state: State, executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Say that a task's container runs, and begin to look after it."""
    task.started_at = now
    status = outcomes.status(task.info, v1.TaskState.RUNNING)
    reporting.report(state, executor, task, status, now, out)
    look_after(executor, task, now, out)


def look_after(executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Set a running task's timers: its probes, and its time limit."""
    for kind, check in ((HEALTH, task.info.health_check), (CHECK, task.info.check)):
        if check is not None:
            task.probes[kind] = _probe(task, kind)
            due = ProbeDue(executor.framework_id, task.task_id, kind)
            out.timers.append(SetTimer(due, Instant(now + check.delay_seconds)))
    limit = task.info.max_completion_time
    if limit is not None and limit.nanoseconds > 0:
        began = task.started_at if task.started_at is not None else now
        at = Instant(max(now, began + limit.nanoseconds / 1e9))
        out.timers.append(SetTimer(_completion(executor, task), at))


def _probe(task: Task, kind: str) -> Probe:
    """Return a new probe, which knows what was reported before a restart of the agent."""
    last = reporting.last_status(task)
    was_healthy = last.healthy if last is not None and kind == HEALTH else None
    return Probe(kind, is_healthy=was_healthy, has_been_healthy=bool(was_healthy))


def _completion(executor: Executor, task: Task) -> CompletionDue:
    return CompletionDue(executor.framework_id, task.task_id)


def resume(state: State, executor: Executor, task: Task, now: Instant, out: Outbox) -> None:
    """Go on with a task that ran while the agent did not."""
    if task.ending is not None:
        container = state.containers[task.container_id]
        if not container.is_killed:
            ending.terminate(state, container, ending.grace_of(state, task, None), now, out)
    elif task.state in (v1.TaskState.STAGING, v1.TaskState.STARTING):
        started(state, executor, task, now, out)
    elif not task.state.is_terminal:
        look_after(executor, task, now, out)


def end_task(
    state: State,
    executor: Executor,
    task: Task,
    how: tuple[Ending, float],
    now: Instant,
    out: Outbox,
) -> None:
    """Begin to end a task; a second call does not change why, but may shorten the grace."""
    container = state.containers[task.container_id]
    end, grace_s = how
    if task.ending is None:
        task.ending = end
        task.probes.clear()
        out.timers.append(CancelTimer(_completion(executor, task)))
        framework = state.frameworks.get(executor.framework_id)
        tells = outcomes.has_capability(framework, "TASK_KILLING_STATE")
        if tells and task.state is v1.TaskState.RUNNING and end.state is v1.TaskState.KILLED:
            status = outcomes.status(task.info, v1.TaskState.KILLING)
            reporting.report(state, executor, task, status, now, out)
        checkpoints.save_task(executor, task, out)
    ending.terminate(state, container, grace_s, now, out)


@table.on(CompletionDue)
def on_completion_due(state: State, item: CompletionDue, now: Instant, out: Outbox) -> None:
    """End a task that has run for longer than it may, unless it is being ended already."""
    executor = state.tasks.get((item.framework_id, item.task_id))
    task = executor.tasks.get(item.task_id) if executor is not None else None
    if executor is None or task is None or task.state.is_terminal or task.ending is not None:
        return
    reason = v1.Reason.MAX_COMPLETION_TIME_REACHED
    end = Ending(v1.TaskState.FAILED, reason=reason)
    end_task(state, executor, task, (end, 0.0), now, out)


def task_ended(
    state: State, executor: Executor, container: Container, task: Task, now: Instant, out: Outbox
) -> None:
    """Report the end of a group's task, end its group with it, and the executor after its last."""
    status = outcomes.of_task(executor, container, task)
    reporting.report(state, executor, task, status, now, out)
    if executor.is_orphaned:
        ending.forget_task(state, executor, task, now, out)
    elif task.state in GROUP_ENDS:
        for other in executor.live_tasks:
            if other.group == task.group and other.ending is None:
                end = Ending(v1.TaskState.KILLED)
                how = (end, ending.grace_of(state, other, None))
                end_task(state, executor, other, how, now, out)
    settle(state, executor, now, out)


def settle(state: State, executor: Executor, now: Instant, out: Outbox) -> None:
    """End a default executor that has no task left."""
    if not executor.is_default or executor.has_exited or executor.live_tasks:
        return
    container = state.containers[executor.container_id]
    container.phase = "EXITED"
    container.status = 0
    ending.executor_exited(state, executor, container, now, out)
