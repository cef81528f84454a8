"""Refusals: what frameworks do not want of an agent for a while.

A refusal blocks an offer iff what was refused contains what would be offered, so an agent that
gains resources is offered again. Refusals of one agent that end together and are of the same
resources are one group with the bits of its clients: half of all pairs of agents and frameworks may
be filtered without an entry per pair.
"""

import math
from typing import NamedTuple

from comity.core.instants import Instant
from comity.resources.amounts import Resources

NEVER = Instant(math.inf)


class Refusal(NamedTuple):
    """What was refused, until when."""

    resources: Resources
    expires: Instant


EXACT_S = 4.0


def expiry(now: Instant, seconds: float) -> Instant:
    """Return when a refusal of `seconds` ends: never early; a long one up to a sixty-fourth late.

    Rounding lets refusals that were made one after another end together, as one group.
    """
    if seconds < EXACT_S:
        return Instant(now + seconds)
    grain = 2.0 ** math.floor(math.log2(seconds / 64))
    return Instant(math.ceil((now + seconds) / grain) * grain)


class _Group:
    __slots__ = ("expires", "mask", "resources")

    def __init__(self, resources: Resources, expires: Instant, mask: int) -> None:
        self.resources = resources
        self.expires = expires
        self.mask = mask


class Refusals:
    """The refusals of one agent, by the bits of clients."""

    __slots__ = ("_groups", "earliest")

    def __init__(self) -> None:
        self._groups: dict[Instant, list[_Group]] = {}
        self.earliest = NEVER
        """When the next of them ends."""

    def __bool__(self) -> bool:
        return bool(self._groups)

    def add(self, bit: int, refusal: Refusal) -> None:
        """Remember a refusal of the client with this bit."""
        groups = self._groups.setdefault(refusal.expires, [])
        for group in groups:
            if group.resources is refusal.resources or group.resources == refusal.resources:
                group.mask |= bit
                return
        groups.append(_Group(refusal.resources, refusal.expires, bit))
        self.earliest = min(self.earliest, refusal.expires)

    def expire(self, now: Instant) -> None:
        """Forget those that have ended."""
        if self.earliest <= now:
            self._groups = {at: groups for at, groups in self._groups.items() if at > now}
            self.earliest = min(self._groups, default=NEVER)

    def drop(self, bits: int) -> bool:
        """Forget all refusals of clients; return whether there were any."""
        had_any = False
        for at, groups in list(self._groups.items()):
            for group in groups:
                if group.mask & bits:
                    had_any = True
                    group.mask &= ~bits
            self._groups[at] = [group for group in groups if group.mask]
            if not self._groups[at]:
                del self._groups[at]
        if had_any:
            self.earliest = min(self._groups, default=NEVER)
        return had_any

    def blocked(self, resources: Resources) -> int:
        """Return the bits of the clients that refused this, or more."""
        mask = 0
        for groups in self._groups.values():
            for group in groups:
                if group.resources is resources or group.resources.contains(resources):
                    mask |= group.mask
        return mask

    def until(self, bit: int, resources: Resources) -> Instant | None:
        """Return until when a client is not offered this; None when nothing keeps it from it."""
        ends = [
            group.expires
            for groups in self._groups.values()
            for group in groups
            if group.mask & bit and group.resources.contains(resources)
        ]
        return max(ends, default=None)
