"""Marking apps to be looked at: many touches in a batch become one look."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.marathon.inputs import Settle
from comity.marathon.state import State


def touch(state: State, app_id: str, now: Instant, out: Outbox) -> None:
    """Have an app looked at once the inputs of this batch are handled."""
    state.dirty[app_id] = None
    if not state.settling:
        state.settling = True
        out.timers.append(SetTimer(Settle(), now))
