"""Marking apps to be looked at: many touches in a batch become one look."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.marathon.inputs import Settle
from comity.marathon.state import State


def touch(state: State, app_id: str, now: Instant, out: Outbox) -> None:
    """Have an app looked at once the inputs of this batch are handled."""
    state.dirty[app_id] = None
    schedule_look(state, now, out)


def touch_all(state: State, now: Instant, out: Outbox) -> None:
    """Have every app and pod looked at, and offers asked for or refused even without any."""
    for app_id in (*state.apps, *state.pods, *state.by_app, *state.locks):
        state.dirty[app_id] = None
    schedule_look(state, now, out)


def schedule_look(state: State, now: Instant, out: Outbox) -> None:
    """Set the timer of the next look, unless it is set."""
    if not state.settling:
        state.settling = True
        out.timers.append(SetTimer(Settle(), now))
