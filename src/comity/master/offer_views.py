"""Offers and inverse offers as v1 messages: on the frameworks' streams, and in operators' reads."""

from collections.abc import Iterator

from comity.master.maintenance import InverseOffer, key_of_agent
from comity.master.state import Agent, Framework, Offer, State
from comity.wire.mesos import codec, resources, v1
from comity.wire.mesos.base import Unavailability


def unavailability_of(state: State, agent: Agent) -> Unavailability | None:
    """Return when an agent's machine is to be away, if it is scheduled."""
    known = state.maintenance.unavailability
    return known.get(key_of_agent(agent.info.hostname, agent.ip)) if known else None


def url_of(agent: Agent) -> v1.Url:
    """Return where an agent's API is."""
    info = agent.info
    address = v1.Address(hostname=info.hostname, ip=agent.ip, port=info.port)
    return v1.Url(scheme="http", address=address, path="/slave(1)")


def written(framework: Framework, agent: Agent, offer: Offer, role: str | None) -> v1.Offer:
    """Return an offer as a message.

    Frameworks without MULTI_ROLE get no allocation_info anywhere (mesos.proto, Offer): no role.
    """
    info = agent.info
    is_refined = "RESERVATION_REFINEMENT" in framework.capabilities
    return v1.Offer(
        id=v1.Id(value=offer.id),
        framework_id=v1.Id(value=framework.id),
        agent_id=v1.Id(value=agent.id),
        hostname=info.hostname,
        url=url_of(agent),
        domain=info.domain,
        resources=resources.write(offer.resources, role=role, refined=is_refined),
        attributes=info.attributes,
        executor_ids=tuple(
            v1.Id(value=executor_id)
            for framework_id, executor_id in agent.executors
            if framework_id == framework.id
        ),
        allocation_info=v1.AllocationInfo(role=role) if role is not None else None,
    )


def read_offer(state: State, framework: Framework, offer: Offer) -> v1.Offer:
    """Return an offer as operators read it: with its role, and without what changes beside it."""
    agent = state.agents[offer.agent_id]
    whole = written(framework, agent, offer, offer.role)
    return codec.replace(whole, executor_ids=(), unavailability=unavailability_of(state, agent))


def inverse(agent: Agent, offer: InverseOffer, unavailability: Unavailability) -> v1.InverseOffer:
    """Return an inverse offer as a message."""
    return v1.InverseOffer(
        id=v1.Id(value=offer.id),
        url=url_of(agent),
        framework_id=v1.Id(value=offer.framework_id),
        agent_id=v1.Id(value=agent.id),
        unavailability=unavailability,
    )


def inverse_offers_of(state: State, framework: Framework) -> Iterator[v1.InverseOffer]:
    """Return the inverse offers a framework has not answered."""
    for agent_id, held in state.maintenance.inverse_offers.items():
        agent = state.agents[agent_id]
        unavailability = unavailability_of(state, agent)
        if framework.id in held and unavailability is not None:
            yield inverse(agent, held[framework.id], unavailability)
