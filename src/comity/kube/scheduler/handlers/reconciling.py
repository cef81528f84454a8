"""Reconciliation: what the master knows of the tasks of bound pods.

Every bound pod has a task, or is to have one, and what the master says of it settles which. A
master that has just failed over says nothing of tasks whose agents are not back yet, so what it
has said nothing of is asked for again, at growing intervals (Mesos's `docs/reconciliation.md`). So
is a launch of which nothing was heard, and a pod that was bound by a call whose answer was lost.
"""

from collections.abc import Iterable

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import table
from comity.kube.scheduler.inputs import ReconcileDue
from comity.kube.scheduler.outbox import CallMaster
from comity.kube.scheduler.pods import has_ended, is_deleting, node_of
from comity.kube.scheduler.state import State, task_id_of

_FIRST_S = 1.0
_LONGEST_S = 60.0
_ALL_S = 600.0


def begin(state: State, now: Instant, out: Outbox) -> None:
    """Ask for all tasks of a new subscription."""
    state.repeats = 0
    state.heard.clear()
    state.launched_at.clear()  # what was asked before is answered no more
    state.unheard = {uid: None for uid in state.pods if _has_task(state, uid)}
    state.reconcile_at = now
    _ask_for_all(state, now, out)


def expect(state: State, uid: str, now: Instant, out: Outbox) -> None:
    """Ask soon for a bound pod's task, unless something is heard of it before."""
    if uid in state.heard or uid in state.unheard or not _has_task(state, uid):
        return
    if not state.unheard:
        state.repeats = 0
    state.unheard[uid] = None
    _arm(state, now, out)


def launched(state: State, uid: str, now: Instant, out: Outbox) -> None:
    """Expect to hear of a task that was just launched."""
    state.heard.discard(uid)
    state.launched_at[uid] = now
    expect(state, uid, now, out)


def heard(state: State, uid: str) -> None:
    """Ask no more for a task of which the master has said something."""
    state.unheard.pop(uid, None)
    if uid in state.pods:
        state.heard.add(uid)


def forget(state: State, uid: str) -> None:
    """Ask no more for the task of a pod that is gone, or is to be launched again."""
    state.unheard.pop(uid, None)
    state.heard.discard(uid)
    state.launched_at.pop(uid, None)


@table.on(ReconcileDue)
def on_reconcile_due(state: State, item: ReconcileDue, now: Instant, out: Outbox) -> None:
    """Ask again; while unsubscribed the next subscription does it."""
    if not state.is_subscribed:
        return
    if now >= state.reconciled_at + _ALL_S:
        _ask_for_all(state, now, out)
        return
    state.unheard = {uid: None for uid in state.unheard if _has_task(state, uid)}
    if state.unheard:
        state.repeats += 1
        _ask(state, state.unheard, out)
    _arm(state, now, out)


def _has_task(state: State, uid: str) -> bool:
    """Whether the master should know a pod's task."""
    pod = state.pods.get(uid)
    if pod is None or not node_of(pod) or uid in state.binding or uid in state.lost:
        return False
    # The end of a pod that is being deleted too may have been seen by nobody who removes it.
    return not has_ended(pod) or is_deleting(pod)


def _ask_for_all(state: State, now: Instant, out: Outbox) -> None:
    state.reconciled_at = now
    _ask(state, (uid for uid in state.pods if _has_task(state, uid)), out)
    out.launches.append(CallMaster("reconcile"))  # of tasks whose pods are gone
    _arm(state, now, out)


def _ask(state: State, uids: Iterable[str], out: Outbox) -> None:
    asked = []
    for uid in uids:
        pod = state.pods[uid]
        node = state.nodes.get(node_of(pod))
        if node is not None and node.agent_id:
            asked.append((task_id_of(pod), node.agent_id))
    if asked:
        out.launches.append(CallMaster("reconcile", task_ids=tuple(asked)))


def _arm(state: State, now: Instant, out: Outbox) -> None:
    """Set the timer to when it is due next; what is set earlier stays."""
    if not state.is_subscribed:
        return
    due = state.reconciled_at + _ALL_S
    if state.unheard:
        due = min(due, now + min(_LONGEST_S, _FIRST_S * 2.0 ** min(state.repeats, 16)))
    if not now < state.reconcile_at <= due:
        state.reconcile_at = Instant(due)
        out.timers.append(SetTimer(ReconcileDue(), Instant(due)))
