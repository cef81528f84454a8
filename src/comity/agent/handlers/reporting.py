"""Status updates: ordered per task, stored before they are sent, repeated until acknowledged.

One update per task is outstanding; the next goes when it is acknowledged. Repeats come after 10 s,
20 s, and so on up to 10 minutes (Mesos's task status update manager).
"""

from comity.agent import checkpoints, networking
from comity.agent.inputs import UpdateRetryDue
from comity.agent.outbox import ToMaster
from comity.agent.state import Executor, PendingUpdate, State, Task
from comity.agent.table import table
from comity.core.effects import Outbox, SetTimer
from comity.core.ids import FrameworkId, TaskId
from comity.core.instants import Instant
from comity.wire.mesos import codec, link, v1

RETRY_FIRST_S = 10.0
RETRY_MAX_S = 600.0


def report(
    state: State,
    executor: Executor,
    task: Task,
    status: v1.TaskStatus,
    now: Instant,
    out: Outbox,
) -> None:
    """Make a status this task's next update. After a terminal one, nothing more is reported."""
    if task.state.is_terminal:
        return
    status = _drained(state, executor, status)
    status = _completed(state, executor, task, status, now)
    assert status.uuid is not None
    task.state = status.state
    task.statuses.pop(status.state, None)
    task.statuses[status.state] = codec.replace(status, data=None)
    task.pending.append(PendingUpdate(status, status.uuid))
    if len(task.pending) == 1:
        forward(state, executor, task, now, out)
    checkpoints.save_task(executor, task, out)
    state.count("slave/valid_status_updates")
    state.count(f"slave/tasks_{status.state.value.removeprefix('TASK_').lower()}")


def _drained(state: State, executor: Executor, status: v1.TaskStatus) -> v1.TaskStatus:
    """Say of a task that is killed while the agent drains that this is why."""
    if state.drain is None or status.state not in (v1.TaskState.KILLING, v1.TaskState.KILLED):
        return status
    status = codec.replace(status, reason=v1.Reason.AGENT_DRAINING)
    framework = state.frameworks.get(executor.framework_id)
    aware = framework is not None and any(
        one.type == "PARTITION_AWARE" for one in framework.capabilities
    )
    if state.drain.mark_gone and aware and status.state is v1.TaskState.KILLED:
        return codec.replace(status, state=v1.TaskState.GONE_BY_OPERATOR)
    return status


def last_status(task: Task) -> v1.TaskStatus | None:
    """Return a task's latest status, None before its first."""
    return next(reversed(task.statuses.values()), None)


def _completed(
    state: State, executor: Executor, task: Task, status: v1.TaskStatus, now: Instant
) -> v1.TaskStatus:
    """Return a status with what the agent knows better than who made it."""
    container = state.containers.get(task.container_id or executor.container_id)
    shown = status.container_status or v1.ContainerStatus()
    if not shown.network_infos:
        shown = codec.replace(shown, network_infos=networking.infos_of(state, container))
    if shown.container_id is None and container is not None:
        shown = codec.replace(shown, container_id=container.wire_id)
    if shown.executor_pid is None and container is not None and container.pid is not None:
        shown = codec.replace(shown, executor_pid=container.pid)
    return codec.replace(
        status,
        agent_id=v1.Id(value=state.id),
        executor_id=v1.Id(value=executor.id),
        timestamp=status.timestamp if status.timestamp is not None else now,
        uuid=status.uuid or state.new_uuid(),
        container_status=shown,
    )


def forward(
    state: State,
    executor: Executor,
    task: Task,
    now: Instant,
    out: Outbox,
    delay_s: float = RETRY_FIRST_S,
) -> None:
    """Send the oldest unacknowledged update, and plan to repeat it."""
    if not task.pending:
        return
    first = task.pending[0]
    if state.is_linked:
        call = link.Update(
            framework_id=v1.Id(value=executor.framework_id),
            executor_id=v1.Id(value=executor.id),
            status=first.status,
            latest_state=task.state,
        )
        out.launches.append(ToMaster(call))
    retry = UpdateRetryDue(executor.framework_id, task.task_id, first.uuid, delay_s)
    out.timers.append(SetTimer(retry, Instant(now + delay_s)))


@table.on(UpdateRetryDue)
def on_update_retry_due(state: State, item: UpdateRetryDue, now: Instant, out: Outbox) -> None:
    """Repeat an update that has not been acknowledged; a stale timer does nothing."""
    executor = state.tasks.get((item.framework_id, item.task_id))
    task = executor.tasks.get(item.task_id) if executor is not None else None
    if executor is None or task is None or not task.pending:
        return
    if task.pending[0].uuid == item.uuid:
        forward(state, executor, task, now, out, min(item.delay_s * 2, RETRY_MAX_S))


def acknowledge(
    state: State, event: link.EventAcknowledge, now: Instant, out: Outbox
) -> tuple[Executor, Task] | None:
    """Take an acknowledgement; return the task when it is over and done with."""
    task_id = TaskId(event.task_id.value)
    executor = state.tasks.get((FrameworkId(event.framework_id.value), task_id))
    if executor is None:
        return None
    task = executor.tasks.get(task_id)
    if task is None or not task.pending or task.pending[0].uuid != event.uuid:
        return None  # an acknowledgement that comes twice
    acknowledged = task.pending.popleft()
    if acknowledged.status.state.is_terminal:
        return executor, task
    forward(state, executor, task, now, out)
    checkpoints.save_task(executor, task, out)
    return None


def resend_all(state: State, now: Instant, out: Outbox) -> None:
    """Send every outstanding update again: the master may be another."""
    for executor in state.executors.values():
        for task in executor.tasks.values():
            forward(state, executor, task, now, out)
