"""What the master says: subscriptions, and statuses of tasks.

A status is acknowledged only when what it changed is in the store, which the order of effects
gives. The same status may come again at any time; handling it twice changes nothing.
"""

from comity.core.effects import CancelTimer, Outbox, Write
from comity.core.ids import AgentId, TaskId
from comity.core.instants import Instant
from comity.marathon.handlers import ending, health, losing, parts, reconciling, table
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import Cause, forget, kill_task, record_failure
from comity.marathon.handlers.touching import touch, touch_all
from comity.marathon.inputs import (
    Disconnected,
    FrameworkRemoved,
    StagingExpired,
    StatusReceived,
    Subscribed,
)
from comity.marathon.outbox import Acknowledge, Resubscribe
from comity.marathon.state import (
    FRAMEWORK_KEY,
    Condition,
    Instance,
    State,
    encode,
    instance_key,
)
from comity.wire.marathon import ids
from comity.wire.mesos import v1

_LIVE: dict[v1.TaskState, Condition] = {
    v1.TaskState.STAGING: "Staging",
    v1.TaskState.STARTING: "Starting",
    v1.TaskState.RUNNING: "Running",
    v1.TaskState.KILLING: "Killing",
}
_ORDER = {"Staging": 0, "Starting": 1, "Running": 2, "Unreachable": 2, "Killing": 3}


@table.on(Subscribed)
def on_subscribed(state: State, item: Subscribed, now: Instant, out: Outbox) -> None:
    """Keep the framework's id, ask for the states of our tasks, and look at every app."""
    again = state.framework_id is not None
    if state.framework_id != item.framework_id:
        state.framework_id = item.framework_id
        out.writes.append(Write(FRAMEWORK_KEY, item.framework_id.encode()))
    state.subscribed = True
    state.master = item.master
    state.reviving = True  # a new subscription gets offers unasked
    reconciling.begin(state, now, out)
    for instance in state.instances.values():
        if instance.leaving:
            for task_id in instance.live_tasks:
                kill_task(state, task_id, instance.agent_id, out)
    touch_all(state, now, out)
    if again:
        emit(state, now, out, "scheduler_reregistered_event", master=item.master)
    else:
        emit(
            state,
            now,
            out,
            "scheduler_registered_event",
            frameworkId=item.framework_id,
            master=item.master,
        )


@table.on(Disconnected)
def on_disconnected(state: State, item: Disconnected, now: Instant, out: Outbox) -> None:
    """Make no calls until the next subscription."""
    state.subscribed = False
    emit(state, now, out, "scheduler_disconnected_event")


@table.on(FrameworkRemoved)
def on_framework_removed(state: State, item: FrameworkRemoved, now: Instant, out: Outbox) -> None:
    """Start over as a new framework: the old one's tasks were ended by the master."""
    state.subscribed = False
    state.framework_id = None
    out.writes.append(Write(FRAMEWORK_KEY, None))
    for instance in list(state.instances.values()):
        forget(state, instance, now, out)
    emit(state, now, out, "scheduler_disconnected_event")
    out.launches.append(Resubscribe(anew=True))


@table.on(StatusReceived)
def on_status_received(state: State, item: StatusReceived, now: Instant, out: Outbox) -> None:
    """Take in one status of one task."""
    status = item.status
    task_id = TaskId(status.task_id.value)
    reconciling.heard(state, task_id)
    if status.uuid is not None and status.agent_id is not None:
        agent_id = AgentId(status.agent_id.value)
        out.launches.append(Acknowledge(agent_id, task_id, status.uuid))
    instance = state.instance_of(task_id)
    if instance is not None and instance.leaving and _lives_on(status):
        kill_task(state, task_id, instance.agent_id, out)  # the kill was lost with a master
    if instance is None:
        _unknown_task(state, status, now, out)
    elif instance.parts:
        parts.take(state, instance, status, now, out)
    elif status.state.is_terminal or status.state is v1.TaskState.UNKNOWN:
        _ended(state, instance, status, now, out)
    elif status.state is v1.TaskState.UNREACHABLE:
        losing.lost(state, instance, status, now, out)
    else:
        _lives(state, instance, status, now, out)


def _lives_on(status: v1.TaskStatus) -> bool:
    """Whether the master says, because we asked, that a task runs and nothing ends it."""
    is_answer = status.reason is v1.Reason.RECONCILIATION
    return is_answer and status.state in _LIVE and status.state is not v1.TaskState.KILLING


def _unknown_task(state: State, status: v1.TaskStatus, now: Instant, out: Outbox) -> None:
    """Kill a live task that no app has any more; mention one that has ended."""
    app_id = ids.app_of(status.task_id.value)
    if status.state in _LIVE:
        agent_id = AgentId(status.agent_id.value) if status.agent_id else None
        kill_task(state, TaskId(status.task_id.value), agent_id, out)
    elif app_id is not None and status.state.is_terminal:
        emit(
            state,
            now,
            out,
            "unknown_instance_terminated_event",
            instanceId=ids.instance_of(status.task_id.value),
            runSpecId=app_id,
            condition=ending.condition_name(status.state),
        )


def _lives(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    condition = _LIVE[status.state]
    came_back = instance.condition == "Unreachable"
    if came_back:
        losing.came_back(instance, out)
    news = came_back or _ORDER[condition] > _ORDER[instance.condition]
    if news:
        instance.condition = condition
        if condition == "Running":
            _runs(state, instance, status, now, out)
        if condition != "Starting":  # nothing is lost if a crash forgets this step
            out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
        touch(state, instance.app_id, now, out)
    is_progress = condition == instance.condition == "Starting" and bool(status.message)
    if news or is_progress:
        ending.report(state, instance, status, now, out)
    if status.healthy is not None:
        health.on_agent_health(state, instance, status, now, out)


def _runs(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    instance.started_at = instance.started_at or now
    networks = status.container_status.network_infos if status.container_status else ()
    instance.addresses = tuple(
        one.ip_address for net in networks for one in net.ip_addresses if one.ip_address
    )
    out.timers.append(CancelTimer(StagingExpired(instance.task_id)))
    health.start_probes(state, instance, now, out)


def _ended(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Forget an instance; a failure that nobody asked for delays the next launch."""
    ending.report(state, instance, status, now, out)
    if status.reason is v1.Reason.INVALID_OFFERS:
        forget(state, instance, now, out)  # the offer was taken back; no fault of the app
        return
    if status.state not in (v1.TaskState.KILLED, v1.TaskState.FINISHED):
        cause = Cause(status.state.value, status.message or "")
        record_failure(state, instance, cause, now, out)
    if not instance.leaving and status.state is not v1.TaskState.KILLED:
        ending.back_off(state, instance, now, out)
    forget(state, instance, now, out)
