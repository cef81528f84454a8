"""Quota: what top-level roles are guaranteed, and what they may have at most.

A role consumes its reservations, allocated or not, and what it and the roles below it hold of
unreserved scalars. So that guarantees can be satisfied later, as much as they still lack is held
back from everybody else (the headroom).
"""

from collections.abc import Mapping
from typing import NamedTuple

from comity.policy.allocator.portions import (
    Portion,
    Quantities,
    add,
    metered_part,
    portion_of,
    shortfall,
    within,
)
from comity.policy.allocator.terms import Minimum
from comity.policy.allocator.tree import Node, RoleTree
from comity.resources.amounts import Resources


class Quota(NamedTuple):
    """What a role is guaranteed, and what it is limited to; names that are missing are not."""

    guarantees: Mapping[str, int]
    limits: Mapping[str, int]


NO_QUOTA = Quota({}, {})


def top_of(role: str) -> str:
    """Return the top-level role that a role is, or is below."""
    return role.partition("/")[0]


class Quotas:
    """The quotas of all roles, and what one cycle may give by them."""

    def __init__(self, tree: RoleTree) -> None:
        self._tree = tree
        self._quotas: dict[str, Quota] = {}
        self._reserved: dict[str, Quantities] = {}
        """All reservations, by top-level role."""
        self._metered: Quantities = {}
        """All unreserved scalars that are not revocable."""
        # What follows holds during one cycle.
        self._consumed: dict[str, Quantities] = {}
        self._required: Quantities = {}
        self._available: Quantities = {}
        self._minimums: list[Minimum] = []
        self.hungry = 0
        """The clients of roles whose guarantees are not satisfied."""
        self.sated = 0
        """The clients that can get nothing unreserved worth an offer, by their limits."""

    def set(self, role: str, quota: Quota) -> None:
        """Set a role's quota; an empty one removes it."""
        if quota.guarantees or quota.limits:
            self._quotas[role] = quota
        else:
            self._quotas.pop(role, None)

    @property
    def in_force(self) -> bool:
        """Whether any role has a quota."""
        return bool(self._quotas)

    def of(self, role: str) -> Quota:
        """Return the quota of a top-level role."""
        return self._quotas.get(role, NO_QUOTA)

    def count(self, total: Resources, sign: int) -> None:
        """Count an agent's resources in, or out."""
        for kind, amount in total:
            if isinstance(amount, int):
                counted = ((kind.name, amount),)
                if kind.reservations:
                    add(self._reserved.setdefault(top_of(kind.role), {}), counted, sign)
                elif not kind.revocable:
                    add(self._metered, counted, sign)

    def consumed(self, role: str) -> Quantities:
        """Return what a top-level role consumes."""
        total = dict(self._reserved.get(role, {}))
        node = self._tree.root.children.get(role)
        if node is not None:
            add(total, tuple(node.allocated.items()))
            add(total, tuple(node.unmetered.items()), -1)
        return {name: amount for name, amount in total.items() if amount}

    # one cycle

    def begin(self, minimums: list[Minimum]) -> None:
        """Work out what is consumed, held back and available now."""
        self._minimums = minimums
        self._consumed = {role: self.consumed(role) for role in self._quotas}
        self._required = {}
        self.hungry = self.sated = 0
        for role, quota in self._quotas.items():
            add(self._required, tuple(shortfall(quota.guarantees, self._consumed[role]).items()))
            node = self._tree.root.children.get(role)
            if node is not None:
                self._classify(node)
        self._available = dict(self._metered)
        for node in self._tree.root.children.values():
            add(self._available, tuple(node.allocated.items()), -1)
            add(self._available, tuple(node.unmetered.items()))

    def _classify(self, top: Node) -> None:
        """Note whether a role lacks what it is guaranteed, and whether it is at its limit."""
        quota, consumed = self._quotas[top.name], self._consumed[top.name]
        self.hungry &= ~top.mask
        self.sated &= ~top.mask
        if shortfall(quota.guarantees, consumed):
            self.hungry |= top.mask
        if quota.limits and not _has_room(quota.limits, consumed, self._minimums):
            self.sated |= top.mask

    def guaranteed(self, top: Node, portion: Portion) -> Portion | None:
        """Return what a role with unsatisfied guarantees gets of a portion; None when no use."""
        quota, consumed = self._quotas[top.name], self._consumed[top.name]
        metered = metered_part(portion)
        offering = within(metered, shortfall(quota.guarantees, consumed), others=False)
        if not offering:
            return None
        after = dict(consumed)
        add(after, portion_of(offering).quantities)
        more = self._allowed(metered - offering, quota, after)
        rest = portion.resources - metered
        return portion_of(rest + offering + more)

    def fair(self, top: Node, portion: Portion) -> Portion:
        """Return what a role gets of a portion: within its limits and the headroom."""
        metered = metered_part(portion)
        allowed = self._allowed(metered, self.of(top.name), self._consumed.get(top.name, {}))
        if allowed == metered:
            return portion
        return portion_of(portion.resources - metered + allowed)

    def limited(self, top: Node, portion: Portion) -> Portion:
        """Return what a role's limits alone leave of a portion."""
        metered = metered_part(portion)
        consumed = self._consumed.get(top.name, {})
        allowed = _within_limits(metered, self.of(top.name), consumed)
        return portion if allowed == metered else portion_of(portion.resources - metered + allowed)

    def _allowed(self, metered: Resources, quota: Quota, consumed: Quantities) -> Resources:
        metered = _within_limits(metered, quota, consumed)
        if self._required:
            surplus = {
                name: self._available.get(name, 0) - amount
                for name, amount in self._required.items()
            }
            metered = within(metered, surplus, others=True)
        return metered

    def given(self, top: Node, portion: Portion) -> None:
        """Count what a role was given in this cycle."""
        add(self._available, portion.metered, -1)
        consumed = self._consumed.get(top.name)
        if consumed is None:
            return
        guarantees = self._quotas[top.name].guarantees
        before = shortfall(guarantees, consumed)
        add(consumed, portion.metered)
        after = shortfall(guarantees, consumed)
        for name, amount in before.items():
            self._required[name] -= amount - after.get(name, 0)
            if not self._required[name]:
                del self._required[name]
        self._classify(top)


def _within_limits(metered: Resources, quota: Quota, consumed: Quantities) -> Resources:
    if not quota.limits:
        return metered
    room = {name: limit - consumed.get(name, 0) for name, limit in quota.limits.items()}
    return within(metered, room, others=True)


def _has_room(limits: Mapping[str, int], consumed: Quantities, minimums: list[Minimum]) -> bool:
    """Whether an offer worth making could still be within limits."""
    for minimum in minimums:
        if not minimum:
            return True
        for one in minimum:
            if all(n not in limits or consumed.get(n, 0) + a <= limits[n] for n, a in one):
                return True
    return False
