"""Allocation cycles: over all agents once a second, over changed ones as soon as the batch is done.

A burst of changes leads to one cycle: the first sets a timer that is due at once, which the driver
fires after the inputs that are already waiting.
"""

import math

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import FrameworkId, OfferId
from comity.core.instants import Instant
from comity.master.handlers import inverse_offers, sending
from comity.master.inputs import AllocationDue, DirtyAllocationDue, OffersDue
from comity.master.state import Agent, Framework, Offer, State
from comity.master.table import table
from comity.policy.allocator import Allocation
from comity.wire.mesos import resources, scheduler, v1

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
        _offer(state, state.allocator.allocate(now, everything=True), now, out)
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
        _offer(state, state.allocator.allocate(now, everything=False), now, out)


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


def _offer(state: State, given: list[Allocation], now: Instant, out: Outbox) -> None:
    """Make offers of allocations, one event per framework."""
    first = state.next_offer
    offers: dict[FrameworkId, list[v1.Offer]] = {}
    for allocation in given:
        framework = state.frameworks[allocation.framework_id]
        agent = state.agents[allocation.agent_id]
        offer = Offer(
            OfferId(f"{state.id}-O{state.next_offer}"),
            allocation.framework_id,
            allocation.agent_id,
            allocation.role,
            allocation.resources,
        )
        state.next_offer += 1
        state.offers[offer.id] = framework.offers[offer.id] = agent.offers[offer.id] = offer
        offers.setdefault(framework.id, []).append(_written(state, framework, agent, offer))
    timeout_s = state.config.offer_timeout_s
    if given and timeout_s is not None:
        due = OffersDue(first, state.next_offer)
        out.timers.append(SetTimer(due, Instant(now + timeout_s)))
    for framework_id, written in offers.items():
        state.count("master/messages_resource_offers", len(written))
        body = scheduler.OffersBody(offers=tuple(written))
        event = scheduler.EventOffers(offers=body)
        state.frameworks[framework_id].count("offers/sent", len(written))
        sending.to_framework(state.frameworks[framework_id], event, out)


def _written(state: State, framework: Framework, agent: Agent, offer: Offer) -> v1.Offer:
    """Return an offer as its framework wants to read it."""
    # Frameworks without MULTI_ROLE get no allocation_info anywhere (mesos.proto, Offer).
    shown = offer.role if "MULTI_ROLE" in framework.capabilities else None
    address = v1.Address(hostname=agent.info.hostname, ip=agent.ip, port=agent.info.port)
    return v1.Offer(
        id=v1.Id(value=offer.id),
        framework_id=v1.Id(value=framework.id),
        agent_id=v1.Id(value=agent.id),
        hostname=agent.info.hostname,
        url=v1.Url(scheme="http", address=address, path="/slave(1)"),
        domain=agent.info.domain,
        resources=resources.write(
            offer.resources, role=shown, refined="RESERVATION_REFINEMENT" in framework.capabilities
        ),
        attributes=agent.info.attributes,
        executor_ids=tuple(
            v1.Id(value=executor_id)
            for framework_id, executor_id in agent.executors
            if framework_id == framework.id
        ),
        allocation_info=v1.AllocationInfo(role=shown) if shown is not None else None,
        unavailability=inverse_offers.unavailability_of(state, agent),
    )
