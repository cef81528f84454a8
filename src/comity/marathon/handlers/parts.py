"""Statuses of a pod's tasks: what they make of the instance that the tasks are parts of.

An instance runs when all of its tasks do that have not finished. One that fails ends it, as the
default executor ends the whole group; it is gone when the last of its tasks has ended.
"""

from comity.core.effects import CancelTimer, Outbox, Write
from comity.core.ids import TaskId
from comity.core.instants import Instant
from comity.marathon.handlers import ending, losing
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import Cause, changed, forget, kill, record_failure
from comity.marathon.handlers.touching import touch
from comity.marathon.inputs import StagingExpired
from comity.marathon.state import (
    Condition,
    Instance,
    Part,
    State,
    Termination,
    encode,
    instance_key,
    terminations_key,
)
from comity.wire.mesos import v1

TERMINATIONS_MAX = 5
"""Ended instances remembered per pod; Marathon shows the last failed one."""

_WEIGHTY: tuple[tuple[str, Condition], ...] = (
    ("TASK_UNREACHABLE", "Unreachable"),
    ("TASK_KILLING", "Killing"),
    ("TASK_STAGING", "Staging"),
    ("TASK_STARTING", "Starting"),
    ("TASK_RUNNING", "Running"),
)
"""States of tasks that have not ended: the first that any has is the instance's condition."""

_WORST_FIRST = ("TASK_ERROR", "TASK_FAILED", "TASK_GONE", "TASK_LOST", "TASK_DROPPED")


def take(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Take in one status of one part."""
    part = instance.parts[TaskId(status.task_id.value)]
    if part.has_ended:
        return  # said again
    was_healthy = part.healthy
    if not _update(part, status, now):
        return
    if not (status.state.is_terminal and status.reason is v1.Reason.INVALID_OFFERS):
        out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
    ending.report(state, instance, status, now, out)
    if part.has_ended:
        _part_ended(state, instance, part, status, now, out)
        return
    if part.healthy is not None and part.healthy is not was_healthy:
        _health_changed(state, instance, part, now, out)
    _settle_condition(state, instance, status, now, out)


def _update(part: Part, status: v1.TaskStatus, now: Instant) -> bool:
    """Take what a status says into a part; whether it says anything new."""
    before = (part.state, part.healthy, part.networks)
    if part.state != status.state.value:
        part.state, part.since = status.state.value, now
        part.message = status.message or ""
    if status.state is v1.TaskState.RUNNING:
        part.started_at = part.started_at or now
    if status.healthy is not None:
        part.healthy = status.healthy
    infos = status.container_status.network_infos if status.container_status else ()
    if infos:
        part.networks = tuple(
            (one.name, tuple(ip.ip_address for ip in one.ip_addresses if ip.ip_address))
            for one in infos
        )
    return before != (part.state, part.healthy, part.networks)


def condition_of(instance: Instance) -> Condition:
    """Return the condition that the parts which have not ended make."""
    states = {one.state for one in instance.parts.values() if not one.has_ended}
    return next((name for state, name in _WEIGHTY if state in states), "Killing")


def _settle_condition(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    condition = condition_of(instance)
    if condition == instance.condition:
        return
    if condition == "Unreachable":
        losing.lost(state, instance, status, now, out)
        changed(state, instance, condition, now, out)
        return
    if instance.condition == "Unreachable":
        losing.came_back(instance, out)
    instance.condition, instance.since = condition, now
    if condition == "Running":
        instance.started_at = instance.started_at or now
        networks = [one for part in instance.parts.values() for one in part.networks]
        instance.addresses = tuple(dict.fromkeys(ip for _, found in networks for ip in found))
        out.timers.append(CancelTimer(StagingExpired(instance.task_id)))
    out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
    touch(state, instance.app_id, now, out)
    changed(state, instance, condition, now, out)


def _health_changed(
    state: State, instance: Instance, part: Part, now: Instant, out: Outbox
) -> None:
    touch(state, instance.app_id, now, out)
    emit(
        state,
        now,
        out,
        "instance_health_changed_event",
        instanceId=instance.instance_id,
        runSpecId=instance.app_id,
        healthy=part.healthy,
        runSpecVersion=instance.version,
    )


# ends


def _part_ended(
    state: State,
    instance: Instance,
    part: Part,
    status: v1.TaskStatus,
    now: Instant,
    out: Outbox,
) -> None:
    if status.reason is v1.Reason.INVALID_OFFERS:
        forget(state, instance, now, out)  # the offer was taken back; no fault of the pod
        return
    ended_well = status.state in (v1.TaskState.FINISHED, v1.TaskState.KILLED)
    if not ended_well and not instance.leaving:
        cause = Cause(part.state, part.message, TaskId(status.task_id.value))
        record_failure(state, instance, cause, now, out)
        ending.back_off(state, instance, now, out)
    if not instance.live_tasks:
        _ended(state, instance, now, out)
    elif status.state is not v1.TaskState.FINISHED and not instance.leaving:
        kill(state, instance, now, out)  # the executor does it too; this makes sure
    else:
        _settle_condition(state, instance, status, now, out)


def _ended(state: State, instance: Instance, now: Instant, out: Outbox) -> None:
    """Forget an instance of which nothing runs any more."""
    states = {one.state for one in instance.parts.values()}
    if states == {"TASK_FINISHED"} and not instance.leaving:
        ending.back_off(state, instance, now, out)
    worst = next((one for one in _WORST_FIRST if one in states), None)
    last = worst or ("TASK_KILLED" if "TASK_KILLED" in states else "TASK_FINISHED")
    changed(state, instance, ending.condition_name(v1.TaskState(last)), now, out)
    _remember(state, instance, last, now, out)
    forget(state, instance, now, out)


def _remember(state: State, instance: Instance, last: str, now: Instant, out: Outbox) -> None:
    if instance.app_id not in state.pods:
        return
    messages = [one.message for one in instance.parts.values() if one.state == last]
    ended = Termination(
        instance_id=instance.instance_id,
        started_at=instance.started_at or instance.staged_at,
        terminated_at=now,
        message=next((one for one in messages if one), ""),
        parts=dict(instance.parts),
    )
    history = [ended, *state.terminations.get(instance.app_id, [])][:TERMINATIONS_MAX]
    state.terminations[instance.app_id] = history
    out.writes.append(Write(terminations_key(instance.app_id), encode(history)))
