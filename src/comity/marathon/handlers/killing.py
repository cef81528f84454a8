"""Ending tasks: told once, told again until the task is gone."""

from typing import NamedTuple

from comity.core.effects import CancelTimer, Outbox, SetTimer, Write
from comity.core.ids import AgentId, TaskId
from comity.core.instants import Instant
from comity.marathon.handlers import table
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.touching import touch
from comity.marathon.inputs import (
    ExpungeDue,
    InactiveDue,
    KillRetryDue,
    ProbeDue,
    StagingExpired,
)
from comity.marathon.outbox import Kill
from comity.marathon.state import Instance, State, encode, failure_key, instance_key
from comity.marathon.state import TaskFailure as Failure
from comity.wire.marathon import timestamps


def kill(state: State, instance: Instance, now: Instant, out: Outbox) -> None:
    """End an instance. One whose agent is lost is forgotten: it is killed if it comes back."""
    if instance.condition == "Unreachable":
        forget(state, instance, now, out)
        return
    if not instance.leaving:
        instance.leaving = True
        out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
        touch(state, instance.app_id, now, out)
    for task_id in instance.live_tasks:
        kill_task(state, task_id, instance.agent_id, out)
    again = Instant(now + state.config.kill_retry_s)
    out.timers.append(SetTimer(KillRetryDue(instance.task_id), again))


def kill_task(state: State, task_id: TaskId, agent_id: AgentId | None, out: Outbox) -> None:
    """Send the kill of a task that may be unknown to us."""
    if state.subscribed:
        out.launches.append(Kill(task_id, agent_id))


def forget(state: State, instance: Instance, now: Instant, out: Outbox) -> None:
    """Drop an instance from the state and the store, and have its app looked at."""
    state.drop_instance(instance)
    task_id = instance.task_id
    out.writes.append(Write(instance_key(task_id), None))
    checks = len(spec.health_checks) if (spec := state.spec_of(instance)) else 0
    stale = [KillRetryDue(task_id), StagingExpired(task_id), InactiveDue(task_id)]
    out.timers.extend(CancelTimer(one) for one in [*stale, ExpungeDue(task_id)])
    out.timers.extend(CancelTimer(ProbeDue(task_id, check)) for check in range(checks))
    touch(state, instance.app_id, now, out)


class Cause(NamedTuple):
    """Why a task failed."""

    state: str
    message: str
    task_id: TaskId | None = None
    """Which of a pod's tasks."""


def record_failure(
    state: State, instance: Instance, cause: Cause, now: Instant, out: Outbox
) -> None:
    """Keep the last task failure of an app or a pod, while that exists."""
    if state.spec(instance.app_id) is None:
        return
    failure = Failure(
        app_id=instance.app_id,
        host=instance.host,
        message=cause.message,
        state=cause.state,
        task_id=cause.task_id or instance.task_id,
        timestamp=timestamps.render(now),
        version=instance.version,
        slave_id=instance.agent_id,
    )
    state.failures[instance.app_id] = failure
    out.writes.append(Write(failure_key(instance.app_id), encode(failure)))


def changed(state: State, instance: Instance, condition: str, now: Instant, out: Outbox) -> None:
    """Tell the readers of events what has become of an instance."""
    emit(
        state,
        now,
        out,
        "instance_changed_event",
        instanceId=instance.instance_id,
        condition=condition,
        runSpecId=instance.app_id,
        agentId=instance.agent_id,
        host=instance.host,
        runSpecVersion=instance.version,
    )


@table.on(KillRetryDue)
def on_kill_retry_due(state: State, item: KillRetryDue, now: Instant, out: Outbox) -> None:
    """Kill again; a task that has ended meanwhile needs nothing."""
    instance = state.instances.get(item.task_id)
    if instance is not None and instance.leaving:
        kill(state, instance, now, out)


@table.on(StagingExpired)
def on_staging_expired(state: State, item: StagingExpired, now: Instant, out: Outbox) -> None:
    """Give up on a task that never ran; a task that runs or has ended needs nothing."""
    instance = state.instances.get(item.task_id)
    if instance is not None and instance.condition in ("Staging", "Starting"):
        kill(state, instance, now, out)
