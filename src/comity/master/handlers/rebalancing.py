"""Offers that stand in the way of a new quota or weight, or stand too long, are taken back.

The operator API validates and stores quotas and weights; it calls this to let them take effect.
"""

from collections.abc import Iterable, Mapping

from comity.core.effects import Outbox
from comity.core.ids import OfferId
from comity.core.instants import Instant
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_offers
from comity.master.inputs import OffersDue
from comity.master.state import Offer, State
from comity.master.table import table

Quantities = Mapping[str, int]
"""Thousandths of scalars, by name."""


def set_quota(
    state: State, role: str, guarantees: Quantities, limits: Quantities, out: Outbox
) -> None:
    """Let a role's quota take effect; the caller calls `want_cycle` when all are set.

    As in Mesos, offers to the role are rescinded until it is within its limits, then offers to
    others until what they held would satisfy its guarantees.
    """
    state.allocator.set_quota(role, guarantees, limits)
    for offer in list(state.offers.values()):
        over = _above(state.allocator.consumed(role), limits)
        if not over:
            break
        if is_within(offer.role, role) and _holds(offer, over):
            withdraw_offers(state, [offer], out, tell=True)
    held = state.allocator.consumed(role)
    lacking = {n: a - held.get(n, 0) for n, a in guarantees.items() if a > held.get(n, 0)}
    for offer in list(state.offers.values()):
        if not lacking:
            break
        if not is_within(offer.role, role) and _holds(offer, lacking):
            withdraw_offers(state, [offer], out, tell=True)
            freed = _metered(offer)
            lacking = {n: a - freed.get(n, 0) for n, a in lacking.items() if a > freed.get(n, 0)}


def set_weights(state: State, weights: Mapping[str, float], out: Outbox) -> None:
    """Let weights take effect; when one is of a role in use, all offers are rescinded, as in Mesos.

    The caller calls `want_cycle`.
    """
    for role, weight in weights.items():
        state.allocator.set_weight(role, weight)
    used = {
        role
        for framework in state.frameworks.values()
        for own in framework.roles
        for role in _with_ancestors(own)
    }
    if not used.isdisjoint(weights):
        withdraw_offers(state, list(state.offers.values()), out, tell=True)


def consumed(state: State, role: str) -> dict[str, int]:
    """Return what a top-level role consumes of its quota; what is only offered does not count."""
    total = state.allocator.consumed(role)
    for offer in state.offers.values():
        if is_within(offer.role, role):
            for name, amount in _metered(offer).items():
                total[name] = total.get(name, 0) - amount
    return {name: amount for name, amount in total.items() if amount}


@table.on(OffersDue)
def on_offers_due(state: State, item: OffersDue, now: Instant, out: Outbox) -> None:
    """Rescind those offers of a cycle that nobody has used or declined."""
    names = (OfferId(f"{state.id}-O{number}") for number in range(item.first, item.end))
    unused = [state.offers[name] for name in names if name in state.offers]
    withdraw_offers(state, unused, out, tell=True)
    want_cycle(state, now, out)


def is_within(role: str, ancestor: str) -> bool:
    """Whether a role is another, or below it."""
    return role == ancestor or role.startswith(ancestor + "/")


def _with_ancestors(role: str) -> Iterable[str]:
    parts = role.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts) + 1))


def _above(amounts: Quantities, ceiling: Quantities) -> dict[str, int]:
    """Return by how much amounts exceed a ceiling, where it has one."""
    return {n: a - ceiling[n] for n, a in amounts.items() if n in ceiling and a > ceiling[n]}


def _metered(offer: Offer) -> dict[str, int]:
    """Return the scalars of an offer that count against quota only while they are held."""
    total: dict[str, int] = {}
    for kind, amount in offer.resources:
        if isinstance(amount, int) and not kind.reservations and not kind.revocable:
            total[kind.name] = total.get(kind.name, 0) + amount
    return total


def _holds(offer: Offer, names: Iterable[str]) -> bool:
    metered = _metered(offer)
    return any(name in metered for name in names)
