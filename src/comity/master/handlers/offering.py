"""Offers made of allocations, and the OFFERS events that carry them, spliced from fragments.

Most of an offer is the agent's and the same from cycle to cycle, so an agent keeps its offers'
text with only the two ids (and the role) left out, and an event is joined from such fragments. It
is byte for byte what encoding the whole message gives; a test compares them.
"""

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
_JSON_HEAD = b',{"id":{"value":"'
_EVENT = scheduler.EventOffers(offers=scheduler.OffersBody())
_PROTOBUF_EVENT = codec.encode(_EVENT, Format.PROTOBUF)[:-1]  # without the length of the body
_ID, _FRAMEWORK_ID, _VALUE, _OFFERS = 1, 2, 1, 1
"""Numbers of fields: Offer.id, Offer.framework_id, OfferID.value, Event.Offers.offers."""


def make_offers(state: State, given: list[Allocation], now: Instant, out: Outbox) -> None:
    """Make offers of allocations, one event per framework."""
    prefix, first = f"{state.id}-O", state.next_offer
    writers: dict[FrameworkId, OfferWriter] = {}
    for number, one in enumerate(given, first):
        agent, framework_id = state.agents[one.agent_id], one.framework_id
        writer = writers.get(framework_id)
        if writer is None:
            writer = OfferWriter(state, state.frameworks[framework_id])
            writers[framework_id] = writer
        offer_id = OfferId(prefix + str(number))
        offer = Offer(offer_id, framework_id, agent.id, one.role, one.resources)
        state.offers[offer_id] = writer.framework.offers[offer_id] = agent.offers[offer_id] = offer
        writer.add(agent, offer)
    state.next_offer += len(given)
    timeout_s = state.config.offer_timeout_s
    if given and timeout_s is not None:
        due = OffersDue(first, state.next_offer)
        out.timers.append(SetTimer(due, Instant(now + timeout_s)))
    for writer in writers.values():
        framework = writer.framework
        state.count("master/messages_resource_offers", writer.count)
        framework.count("offers/sent", writer.count)
        sending.encoded_to_framework(framework, scheduler.EventOffers, writer.event(), out)


class OfferWriter:
    """Writes offers as one framework wants to read them."""

    def __init__(self, state: State, framework: Framework) -> None:
        self.framework = framework
        self.count = 0
        self._pieces: list[bytes] = []
        self._state = state
        self._knows_maintenance = bool(state.maintenance.unavailability)
        self._is_protobuf = framework.format is Format.PROTOBUF
        self._has_roles = "MULTI_ROLE" in framework.capabilities
        self._is_by_role = self._is_protobuf and self._has_roles
        is_refined = "RESERVATION_REFINEMENT" in framework.capabilities
        self._variant = f"{self._is_protobuf} {is_refined} {self._has_roles} "
        if self._is_protobuf:
            self._framework_id = _embedded_id(_FRAMEWORK_ID, framework.id)
        else:
            text = codec.encode(framework.id)
            self._framework_id = b'"},"framework_id":{"value":%b},' % text

    def add(self, agent: Agent, offer: Offer) -> None:
        """Write one more."""
        self.count += 1
        if (self._knows_maintenance or agent.executors) and self._is_special(agent):
            self._add_special(agent, offer)
            return
        kept = agent.fragments
        variant = self._variant + offer.role if self._is_by_role else self._variant
        if (
            kept is None
            or kept.variant != variant
            or kept.resources is not offer.resources
            or kept.info is not agent.info
        ):
            kept = self._keep(agent, offer, variant)
        if self._is_protobuf:
            body = _embedded_id(_ID, offer.id) + self._framework_id + kept.parts[0]
            self._pieces.append(protobuf.embedded(_OFFERS, body))
        elif self._has_roles:
            role = b'"allocation_info":{"role":%b}' % codec.encode(offer.role)
            rest = role.join(kept.parts)
            self._pieces += (_JSON_HEAD, offer.id.encode(), self._framework_id, rest)
        else:
            self._pieces += (_JSON_HEAD, offer.id.encode(), self._framework_id, kept.parts[0])

    def event(self) -> bytes:
        """Return the event that carries them all."""
        if self._is_protobuf:
            return _PROTOBUF_EVENT + protobuf.sized(b"".join(self._pieces))
        self._pieces[0] = self._pieces[0][1:]  # no comma before the first
        return b'{"type":"OFFERS","offers":{"offers":[%b]}}' % b"".join(self._pieces)

    def _add_special(self, agent: Agent, offer: Offer) -> None:
        away = unavailability_of(self._state, agent)
        whole = written(self.framework, agent, offer, offer.role if self._has_roles else None)
        text = codec.encode(codec.replace(whole, unavailability=away), self.framework.format)
        self._pieces.append(protobuf.embedded(_OFFERS, text) if self._is_protobuf else b"," + text)

    def _is_special(self, agent: Agent) -> bool:
        """Whether an offer says more than the agent's fragments: executors, maintenance."""
        if any(key[0] == self.framework.id for key in agent.executors):
            return True
        return self._knows_maintenance and unavailability_of(self._state, agent) is not None

    def _keep(self, agent: Agent, offer: Offer, variant: str) -> OfferFragments:
        """Write an offer after its ids; JSON with roles: in pieces between which the role goes."""
        role = (offer.role if self._is_by_role else "") if self._has_roles else None
        format = self.framework.format
        whole = written(self.framework, agent, offer, role)
        blank = codec.replace(whole, id=_NO_ID, framework_id=_NO_ID, executor_ids=())
        rest = codec.encode(blank, format)[_HEADS[format] :]
        parts = rest.split(_ROLE) if role == "" else [rest]
        agent.fragments = OfferFragments(agent.info, offer.resources, variant, parts)
        return agent.fragments


def _embedded_id(number: int, value: str) -> bytes:
    return protobuf.embedded(number, protobuf.embedded(_VALUE, value.encode()))
