"""Allocation cycles: over all agents once a second, over changed ones as soon as the batch is done.

A burst of changes leads to one cycle: the first sets a timer that is due at once, which the driver
fires after the inputs that are already waiting.
"""

import math

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.master.handlers import inverse_offers
from comity.master.handlers.offering import make_offers
from comity.master.inputs import AllocationDue, DirtyAllocationDue
from comity.master.state import State
from comity.master.table import table

PAUSE_S = 600.0
PAUSE_SHARE = 0.8


def want_cycle(state: State, now: Instant, out: Outbox) -> None:
    """Let the agents that changed be offered soon."""
    if not state.dirty_cycle_set and state.allocator.has_work:
        state.dirty_cycle_set = True
        out.timers.append(SetTimer(DirtyAllocationDue(), now))


@table.on(AllocationDue)
def on_allocation_due(state: State, item: AllocationDue, now: Instant, out: Outbox) -> None:
    """Offer what is free everywhere; filters may have expired."""
    if not _is_paused(state, now):
        make_offers(state, state.allocator.allocate(now, everything=True), now, out)
    inverse_offers.make(state, now, out)
    state.next_cycle_at = Instant(now + state.config.allocation_interval_s)
    out.timers.append(SetTimer(item, state.next_cycle_at))


@table.on(DirtyAllocationDue)
def on_dirty_allocation_due(
    state: State, item: DirtyAllocationDue, now: Instant, out: Outbox
) -> None:
    """Offer what became free."""
    state.dirty_cycle_set = False
    if not _is_paused(state, now):
        make_offers(state, state.allocator.allocate(now, everything=False), now, out)


def pause(state: State, now: Instant) -> None:
    """Begin a failover without offers, when quotas are to be kept.

    With a part of the agents only, guarantees could not be told from what is free (Mesos: allocator
    recovery). It ends when enough agents are back, or after a while.
    """
    if state.quotas and state.recovered_agents:
        state.paused_until = Instant(now + PAUSE_S)
        state.paused_agents = math.ceil(len(state.recovered_agents) * PAUSE_SHARE)


def _is_paused(state: State, now: Instant) -> bool:
    if state.paused_until is None:
        return False
    if now >= state.paused_until or len(state.agents) >= state.paused_agents:
        state.paused_until = None
    return state.paused_until is not None
