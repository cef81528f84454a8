"""Instances of lost agents: waited for, replaced, and given up."""

from comity.core.effects import CancelTimer, Outbox, SetTimer, Write
from comity.core.instants import Instant
from comity.marathon.handlers import ending, table
from comity.marathon.handlers.killing import changed, forget, kill
from comity.marathon.handlers.touching import touch
from comity.marathon.inputs import ExpungeDue, InactiveDue
from comity.marathon.state import Instance, State, encode, instance_key
from comity.wire.mesos import v1


def lost(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Wait for a lost agent as long as the app's strategy says."""
    if instance.condition == "Unreachable":
        return
    if instance.leaving:
        forget(state, instance, now, out)
        return
    instance.condition = "Unreachable"
    instance.unreachable_since = instance.since = now
    out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
    if not instance.parts:
        ending.report(state, instance, status, now, out)
    arm_unreachable(state, instance, out)
    touch(state, instance.app_id, now, out)


def came_back(instance: Instance, out: Outbox) -> None:
    """Count again on an instance whose agent is back."""
    instance.unreachable_since = None
    instance.expunged = False
    stale = (InactiveDue(instance.task_id), ExpungeDue(instance.task_id))
    out.timers.extend(CancelTimer(one) for one in stale)


def arm_unreachable(state: State, instance: Instance, out: Outbox) -> None:
    """Set the timers of a lost instance; `disabled` means to wait for ever."""
    app = state.spec_of(instance)
    since = instance.unreachable_since
    if app is None or since is None or app.unreachable_strategy == "disabled":
        return
    strategy = app.unreachable_strategy
    inactive = Instant(since + strategy.inactive_after_seconds)
    expunge = Instant(since + strategy.expunge_after_seconds)
    out.timers.append(SetTimer(InactiveDue(instance.task_id), inactive))
    out.timers.append(SetTimer(ExpungeDue(instance.task_id), expunge))


@table.on(InactiveDue)
def on_inactive_due(state: State, item: InactiveDue, now: Instant, out: Outbox) -> None:
    """Have a lost instance replaced, while its task may still come back."""
    instance = state.instances.get(item.task_id)
    if instance is not None and instance.condition == "Unreachable" and not instance.expunged:
        instance.expunged = True
        out.writes.append(Write(instance_key(instance.task_id), encode(instance)))
        changed(state, instance, "UnreachableInactive", now, out)
        touch(state, instance.app_id, now, out)


@table.on(ExpungeDue)
def on_expunge_due(state: State, item: ExpungeDue, now: Instant, out: Outbox) -> None:
    """Forget a lost instance for good: its task is killed should it come back."""
    instance = state.instances.get(item.task_id)
    if instance is not None and instance.condition == "Unreachable":
        kill(state, instance, now, out)
