"""Bundles with what the allocator asks of them again and again: their quantities, counted once."""

import functools
from collections.abc import Mapping
from typing import NamedTuple

from comity.resources.amounts import Amount, Kind, Resources

Quantities = dict[str, int]
"""Thousandths of scalars by name, over all kinds of the name."""


class Portion(NamedTuple):
    """A bundle and its scalars."""

    resources: Resources
    quantities: tuple[tuple[str, int], ...]
    """All its scalars."""
    unmetered: tuple[tuple[str, int], ...]
    """Its scalars that do not count against quota when they are given: reserved, revocable."""
    is_plain: bool
    """Whether it is all unreserved, of no volume, and not revocable: everybody sees it alike."""

    @property
    def metered(self) -> tuple[tuple[str, int], ...]:
        """Return its scalars that count against quota when they are given."""
        if not self.unmetered:
            return self.quantities
        others = dict(self.unmetered)
        return tuple((n, a - others.get(n, 0)) for n, a in self.quantities if a > others.get(n, 0))


@functools.lru_cache(maxsize=8192)
def portion_of(resources: Resources) -> Portion:
    """Count a bundle; tasks of one kind share theirs."""
    quantities: Quantities = {}
    others: Quantities = {}
    is_plain = True
    for kind, amount in resources:
        name, reservations, disk, is_revocable = kind
        if isinstance(amount, int):
            quantities[name] = quantities.get(name, 0) + amount
        if reservations or is_revocable:
            is_plain = False
            if isinstance(amount, int):
                others[name] = others.get(name, 0) + amount
        elif disk is not None:
            is_plain = False
    return Portion(resources, tuple(quantities.items()), tuple(others.items()), is_plain)


EMPTY = portion_of(Resources())


def is_metered(kind: Kind) -> bool:
    """Whether scalars of a kind count against quota when they are given."""
    return not kind.reservations and not kind.revocable


def metered_part(portion: Portion) -> Resources:
    """Return the scalars of a portion that count against quota."""
    names = {name for name, _ in portion.metered}
    return portion.resources.select(lambda kind: kind.name in names and is_metered(kind))


def add(into: Quantities, amounts: tuple[tuple[str, int], ...], sign: int = 1) -> None:
    """Add quantities to others in place."""
    for name, amount in amounts:
        into[name] = into.get(name, 0) + sign * amount


def shortfall(wanted: Mapping[str, int], have: Mapping[str, int]) -> Quantities:
    """Return what is missing of `wanted`, without what is not."""
    return {n: wanted[n] - have.get(n, 0) for n in wanted if wanted[n] > have.get(n, 0)}


def within(resources: Resources, ceiling: Mapping[str, int], *, others: bool) -> Resources:
    """Return as much of scalars as a ceiling allows; `others`: names that it does not have, whole.

    Disk that is used whole or not at all is left out when it does not fit (Mesos: shrinkResources).
    """
    left = dict(ceiling)
    kept: dict[Kind, Amount] = {}
    for kind, amount in resources:
        assert isinstance(amount, int)
        if kind.name not in left:
            if others:
                kept[kind] = amount
            continue
        fits = min(amount, left[kind.name])
        if fits > 0 and (fits == amount or not kind.is_indivisible):
            kept[kind] = fits
            left[kind.name] -= fits
    return Resources(kept)
