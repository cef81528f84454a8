"""Taking offers back."""

from collections.abc import Iterable

from comity.core.effects import Outbox
from comity.master.handlers import inverse_offers, sending
from comity.master.state import Agent, Framework, Offer, State
from comity.wire.mesos import scheduler, v1


def forget_offer(state: State, offer: Offer) -> None:
    """Drop an offer whose resources have found another use."""
    del state.offers[offer.id]
    framework = state.frameworks.get(offer.framework_id)
    if framework is not None:
        framework.offers.pop(offer.id, None)
    agent = state.agents.get(offer.agent_id)
    if agent is not None:
        agent.offers.pop(offer.id, None)


def withdraw_offers(state: State, offers: Iterable[Offer], out: Outbox, *, tell: bool) -> None:
    """Drop offers and free their resources; `tell` sends RESCIND to their frameworks."""
    for offer in offers:
        forget_offer(state, offer)
        state.allocator.released(offer.agent_id, offer.framework_id, offer.role, offer.resources)
        framework = state.frameworks.get(offer.framework_id)
        if tell and framework is not None:
            rescind = scheduler.RescindBody(offer_id=v1.Id(value=offer.id))
            framework.count("offers/rescinded")
            sending.to_framework(framework, scheduler.EventRescind(rescind=rescind), out)


def withdraw_from_agent(state: State, agent: Agent, out: Outbox) -> None:
    """Rescind all offers and inverse offers of an agent."""
    withdraw_offers(state, list(agent.offers.values()), out, tell=True)
    asked = state.maintenance.inverse_offers.get(agent.id, {}).values()
    inverse_offers.withdraw(state, asked, out, tell=True)


def withdraw_from_framework(state: State, framework: Framework, out: Outbox) -> None:
    """Drop all offers and inverse offers of a framework that does not listen any more."""
    withdraw_offers(state, list(framework.offers.values()), out, tell=False)
    held = [
        offers[framework.id]
        for offers in state.maintenance.inverse_offers.values()
        if framework.id in offers
    ]
    inverse_offers.withdraw(state, held, out, tell=False)
