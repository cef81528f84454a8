"""Inverse offers: frameworks are asked to leave agents whose machine is to be maintained.

They go to every framework that has something, or is offered something, on such an agent. Who has
answered is asked again when its filter is over (Mesos: the allocator's generateInverseOffers).
"""

from collections.abc import Iterable

from comity.core.effects import Outbox
from comity.core.ids import AgentId, FrameworkId, OfferId
from comity.core.instants import Instant
from comity.master import offer_views
from comity.master.handlers import sending
from comity.master.maintenance import InverseOffer
from comity.master.state import Agent, Framework, State
from comity.wire.mesos import scheduler, v1
from comity.wire.mesos.base import TimeInfo
from comity.wire.mesos.maintenance import InverseOfferStatus

REFUSE_DEFAULT_S = 5.0
REFUSE_MAX_S = 365 * 86400.0


def make(state: State, now: Instant, out: Outbox) -> None:
    """Ask everybody who is to be asked, with one event per framework."""
    if not state.maintenance.unavailability:
        return
    _withdraw_old(state, now, out)
    asked: dict[FrameworkId, list[v1.InverseOffer]] = {}
    for agent in state.agents.values():
        unavailability = offer_views.unavailability_of(state, agent)
        if unavailability is None or agent.link is None or agent.id in state.deactivated:
            continue
        for framework_id in sorted(_holders(agent)):
            framework = state.frameworks.get(framework_id)
            if framework is not None and _may_be_asked(state, framework, agent, now):
                offer = _record(state, framework, agent, now)
                written = offer_views.inverse(agent, offer, unavailability)
                asked.setdefault(framework_id, []).append(written)
    for framework_id, offers in asked.items():
        body = scheduler.InverseOffersBody(inverse_offers=tuple(offers))
        event = scheduler.EventInverseOffers(inverse_offers=body)
        sending.to_framework(state.frameworks[framework_id], event, out)


def _withdraw_old(state: State, now: Instant, out: Outbox) -> None:
    """Rescind those that were not answered in the time that offers have, too; they come anew."""
    timeout_s = state.config.offer_timeout_s
    if timeout_s is None:
        return
    made = state.maintenance.by_id.values()
    old = [one for one in made if one.made_at + timeout_s <= now]
    withdraw(state, old, out, tell=True)


def _holders(agent: Agent) -> set[FrameworkId]:
    holders = {key[0] for key, task in agent.tasks.items() if not task.state.is_terminal}
    holders |= {key[0] for key in agent.executors}
    return holders | {offer.framework_id for offer in agent.offers.values()}


def _may_be_asked(state: State, framework: Framework, agent: Agent, now: Instant) -> bool:
    if framework.stream is None:
        return False
    if framework.id in state.maintenance.inverse_offers.get(agent.id, {}):
        return False
    refused_until = state.maintenance.refusals.get(agent.id, {}).get(framework.id)
    return refused_until is None or refused_until <= now


def _record(state: State, framework: Framework, agent: Agent, now: Instant) -> InverseOffer:
    # The ids are of the same sequence as those of offers, as by Mesos.
    offer = InverseOffer(OfferId(f"{state.id}-O{state.next_offer}"), framework.id, agent.id, now)
    state.next_offer += 1
    maintenance = state.maintenance
    maintenance.by_id[offer.id] = offer
    maintenance.inverse_offers.setdefault(agent.id, {})[framework.id] = offer
    return offer


# answers


def accept(
    state: State,
    framework: Framework,
    call: scheduler.AcceptInverseOffers,
    now: Instant,
    out: Outbox,
) -> str | None:
    """Note that a framework will leave."""
    return _answer(state, framework, call.accept_inverse_offers, "ACCEPT", now)


def decline(
    state: State,
    framework: Framework,
    call: scheduler.DeclineInverseOffers,
    now: Instant,
    out: Outbox,
) -> str | None:
    """Note that a framework will not leave."""
    return _answer(state, framework, call.decline_inverse_offers, "DECLINE", now)


def _answer(
    state: State,
    framework: Framework,
    body: scheduler.InverseOffersAnswerBody,
    answer: str,
    now: Instant,
) -> str | None:
    if not body.inverse_offer_ids:
        return "No inverse offers specified"
    stale = []
    refused_until = Instant(now + _refusal_s(body.filters))
    for one in body.inverse_offer_ids:
        offer = state.maintenance.by_id.get(OfferId(one.value))
        if offer is None or offer.framework_id != framework.id:
            stale.append(one.value)
            continue
        forget(state, offer)
        maintenance = state.maintenance
        maintenance.answers.setdefault(offer.agent_id, {})[framework.id] = InverseOfferStatus(
            status=answer,
            framework_id=v1.Id(value=framework.id),
            timestamp=TimeInfo(nanoseconds=int(now * 1e9)),
        )
        maintenance.refusals.setdefault(offer.agent_id, {})[framework.id] = refused_until
    return f"No longer valid: inverse offers {', '.join(stale)}" if stale else None


def _refusal_s(filters: v1.Filters | None) -> float:
    seconds = REFUSE_DEFAULT_S if filters is None else filters.refuse_seconds
    return REFUSE_DEFAULT_S if not seconds >= 0 else min(seconds, REFUSE_MAX_S)


# ends


def forget(state: State, offer: InverseOffer) -> None:
    """Drop an inverse offer that was answered or withdrawn."""
    maintenance = state.maintenance
    del maintenance.by_id[offer.id]
    held = maintenance.inverse_offers[offer.agent_id]
    del held[offer.framework_id]
    if not held:
        del maintenance.inverse_offers[offer.agent_id]


def withdraw(state: State, offers: Iterable[InverseOffer], out: Outbox, *, tell: bool) -> None:
    """Drop inverse offers; `tell` sends RESCIND_INVERSE_OFFER to their frameworks."""
    for offer in list(offers):
        forget(state, offer)
        framework = state.frameworks.get(offer.framework_id)
        if tell and framework is not None:
            body = scheduler.RescindInverseOfferBody(inverse_offer_id=v1.Id(value=offer.id))
            event = scheduler.EventRescindInverseOffer(rescind_inverse_offer=body)
            sending.to_framework(framework, event, out)


def forget_answers(state: State, agent_id: AgentId) -> None:
    """Forget what was answered about an agent: it has another schedule, or is not here any more."""
    state.maintenance.answers.pop(agent_id, None)
    state.maintenance.refusals.pop(agent_id, None)
