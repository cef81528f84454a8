"""Offers made of allocations, and the OFFERS events that carry them, spliced from fragments.

Most of an offer is the agent's and the same from cycle to cycle, so an agent keeps its offers'
text with only the two ids (and the role) left out, and an event is joined from such fragments. It
is byte for byte what encoding the whole message gives; a test compares them.
"""

import functools

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import FrameworkId, OfferId
from comity.core.instants import Instant
from comity.master.handlers import sending
from comity.master.inputs import OffersDue
from comity.master.offer_views import unavailability_of, written
from comity.master.state import Agent, Framework, Offer, OfferFragments, State
from comity.policy.allocator import Allocation
from comity.wire.mesos import codec, protobuf, scheduler, v1
from comity.wire.mesos.codec import Format

_NO_ID = v1.Id(value="")
_HEADS = {
    Format.JSON: len(b'{"id":{"value":""},"framework_id":{"value":""},'),
    Format.PROTOBUF: len(b"\x0a\x02\x0a\x00\x12\x02\x0a\x00"),
}
"""Length of an offer's two ids, when they are empty."""
_ROLE = b'"allocation_info":{"role":""}'
"""Where a role goes. Within a JSON string its quotes would be escaped: it occurs nowhere else."""
_EVENT = scheduler.EventOffers(offers=scheduler.OffersBody())
_PROTOBUF_EVENT = codec.encode(_EVENT, Format.PROTOBUF)[:-1]  # without the length of the body
_ID, _FRAMEWORK_ID, _VALUE, _OFFERS = 1, 2, 1, 1
"""Numbers of fields: Offer.id, Offer.framework_id, OfferID.value, Event.Offers.offers."""

FRAGMENTS_MAX = 8
"""Variants kept per agent: formats, refined reservations or not, in protobuf roles."""


def make_offers(state: State, given: list[Allocation], now: Instant, out: Outbox) -> None:
    """Make offers of allocations, one event per framework."""
    first = state.next_offer
    texts: dict[FrameworkId, list[bytes]] = {}
    for agent_id, framework_id, role, bundle in given:
        framework, agent = state.frameworks[framework_id], state.agents[agent_id]
        offer_id = OfferId(f"{state.id}-O{state.next_offer}")
        state.next_offer += 1
        offer = Offer(offer_id, framework_id, agent_id, role, bundle)
        state.offers[offer_id] = framework.offers[offer_id] = agent.offers[offer_id] = offer
        offers = texts.get(framework_id)
        if offers is None:
            offers = texts[framework_id] = []
        offers.append(encoded(state, framework, agent, offer))
    timeout_s = state.config.offer_timeout_s
    if given and timeout_s is not None:
        due = OffersDue(first, state.next_offer)
        out.timers.append(SetTimer(due, Instant(now + timeout_s)))
    for framework_id, offers in texts.items():
        state.count("master/messages_resource_offers", len(offers))
        framework = state.frameworks[framework_id]
        framework.count("offers/sent", len(offers))
        event = event_of(offers, framework.format)
        sending.encoded_to_framework(framework, scheduler.EventOffers, event, out)


def event_of(offers: list[bytes], format: Format) -> bytes:
    """Return the event that carries encoded offers."""
    if format is Format.PROTOBUF:
        body = b"".join([protobuf.embedded(_OFFERS, offer) for offer in offers])
        return _PROTOBUF_EVENT + protobuf.sized(body)
    return b'{"type":"OFFERS","offers":{"offers":[%b]}}' % b",".join(offers)


def encoded(state: State, framework: Framework, agent: Agent, offer: Offer) -> bytes:
    """Return an offer as its framework wants to read it."""
    shown = offer.role if "MULTI_ROLE" in framework.capabilities else None
    away = unavailability_of(state, agent)
    if away is not None or _has_executors(agent, framework):
        whole = codec.replace(written(framework, agent, offer, shown), unavailability=away)
        return codec.encode(whole, framework.format)
    if framework.format is Format.PROTOBUF:
        [rest] = _parts(framework, agent, offer, shown)
        ids = (_embedded_id(_ID, offer.id), _embedded_id(_FRAMEWORK_ID, framework.id))
        return b"".join((*ids, rest))
    parts = _parts(framework, agent, offer, None if shown is None else "")
    head = b'{"id":{"value":"%b"},"framework_id":{"value":%b},' % (
        offer.id.encode(),
        _quoted(framework.id),
    )
    if shown is None:
        return head + parts[0]
    return head + (b'"allocation_info":{"role":%b}' % _quoted(shown)).join(parts)


def _parts(framework: Framework, agent: Agent, offer: Offer, role: str | None) -> list[bytes]:
    """Return an offer after its ids; where the role is empty, in pieces between which it goes."""
    kept = agent.fragments
    if kept is None or kept.resources is not offer.resources or kept.info is not agent.info:
        kept = agent.fragments = OfferFragments(agent.info, offer.resources)
    is_protobuf = framework.format is Format.PROTOBUF
    key = (is_protobuf, "RESERVATION_REFINEMENT" in framework.capabilities, role)
    parts = kept.variants.get(key)
    if parts is None:
        whole = codec.replace(
            written(framework, agent, offer, role), id=_NO_ID, framework_id=_NO_ID, executor_ids=()
        )
        rest = codec.encode(whole, framework.format)[_HEADS[framework.format] :]
        if len(kept.variants) == FRAGMENTS_MAX:
            kept.variants.clear()
        parts = kept.variants[key] = rest.split(_ROLE) if role == "" else [rest]
    return parts


def _has_executors(agent: Agent, framework: Framework) -> bool:
    return bool(agent.executors) and any(key[0] == framework.id for key in agent.executors)


@functools.lru_cache(10_000)
def _quoted(text: str) -> bytes:
    return codec.encode(text)


def _embedded_id(number: int, value: str) -> bytes:
    text = value.encode()
    return protobuf.embedded(number, protobuf.embedded(_VALUE, text))
