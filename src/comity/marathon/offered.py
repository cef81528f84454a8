"""An offer as the placement policy sees it: the node's values by name, and room per role."""

from collections.abc import Iterable

from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.marathon.state import Held
from comity.policy.placement import OfferedNode, Room, windows
from comity.policy.placement.constraints import text_of
from comity.wire.mesos import v1


def held(offer: v1.Offer, now: Instant, draining_s: float) -> Held:
    """Return an offer ready to be filled."""
    node = OfferedNode(
        values=node_values(offer),
        rooms=_rooms(offer.resources),
        unavailable=windows.is_away(offer, now, draining_s),
    )
    return Held(offer.id.value, AgentId(offer.agent_id.value), offer.hostname, node)


def node_values(offer: v1.Offer) -> dict[str, str]:
    """Return what constraints can be written against: host name, fault domain, attributes."""
    values = {one.name: _text(one) for one in offer.attributes}
    values["hostname"] = offer.hostname
    domain = offer.domain.fault_domain if offer.domain else None
    if domain is not None:
        values["@region"] = domain.region.name
        values["@zone"] = domain.zone.name
    return values


def _text(attribute: v1.Attribute) -> str:
    if attribute.text is not None:
        return attribute.text.value
    if attribute.scalar is not None:
        return text_of(attribute.scalar.value)
    if attribute.ranges is not None:
        spans = sorted((one.begin, one.end) for one in attribute.ranges.range)
        return f"[{','.join(f'{begin}-{end}' for begin, end in spans)}]"
    items = attribute.set.item if attribute.set is not None else ()
    return f"{{{','.join(sorted(items))}}}"


def _rooms(resources: Iterable[v1.Resource]) -> dict[str, Room]:
    """Return what may be used, by role. Volumes and dynamic reservations are for other apps."""
    rooms: dict[str, Room] = {}
    for one in resources:
        if one.disk is not None or one.reservation is not None or one.revocable is not None:
            continue
        role = one.role or "*"
        if one.reservations:
            last = one.reservations[-1]
            if last.type == "DYNAMIC" or last.role is None:
                continue
            role = last.role
        room = rooms.setdefault(role, Room())
        if one.scalar is not None:
            room.scalars[one.name] = room.scalars.get(one.name, 0.0) + one.scalar.value
        elif one.ranges is not None and one.name == "ports":
            room.ports.extend((span.begin, span.end) for span in one.ranges.range)
    return rooms
