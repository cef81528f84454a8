"""Reconciliation: what the master knows of our tasks, asked for after each subscription.

A master that has just failed over says nothing of tasks whose agents are not back yet, so tasks
that it has said nothing of are asked for again, at growing intervals (Mesos's
`docs/reconciliation.md`). Without that a launch that was lost with the old master would be waited
for until its staging timeout.
"""

from collections.abc import Iterable

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import TaskId
from comity.core.instants import Instant
from comity.marathon.handlers import table
from comity.marathon.inputs import ReconcileDue
from comity.marathon.outbox import Reconcile
from comity.marathon.state import State

_FIRST_REPEAT_S = 1.0


def begin(state: State, now: Instant, out: Outbox) -> None:
    """Ask for all tasks of a new subscription."""
    state.repeats = 0
    state.unheard = {
        task_id: None for one in state.instances.values() for task_id in one.live_tasks
    }
    _ask_for_all(state, now, out)


def heard(state: State, task_id: TaskId) -> None:
    """Ask no more for a task of which the master has said something."""
    state.unheard.pop(task_id, None)


@table.on(ReconcileDue)
def on_reconcile_due(state: State, item: ReconcileDue, now: Instant, out: Outbox) -> None:
    """Ask again; while unsubscribed the next subscription does it."""
    if not state.subscribed:
        return
    state.unheard = {one: None for one in state.unheard if state.instance_of(one) is not None}
    if now >= state.reconciled_at + state.config.reconcile_s:
        _ask_for_all(state, now, out)
        return
    if state.unheard:
        state.repeats += 1
        _ask(state, state.unheard, out)
    _arm(state, now, out)


def _ask_for_all(state: State, now: Instant, out: Outbox) -> None:
    state.reconciled_at = now
    _ask(state, (id_ for one in state.instances.values() for id_ in one.live_tasks), out)
    out.launches.append(Reconcile(()))
    _arm(state, now, out)


def _ask(state: State, task_ids: Iterable[TaskId], out: Outbox) -> None:
    known = []
    for task_id in task_ids:
        instance = state.instance_of(task_id)
        if instance is not None:
            known.append((task_id, instance.agent_id))
    if known:
        out.launches.append(Reconcile(tuple(known)))


def _arm(state: State, now: Instant, out: Outbox) -> None:
    due = state.reconciled_at + state.config.reconcile_s
    if state.unheard:
        due = min(due, now + _FIRST_REPEAT_S * 2.0 ** min(state.repeats, 16))
    out.timers.append(SetTimer(ReconcileDue(), Instant(due)))
