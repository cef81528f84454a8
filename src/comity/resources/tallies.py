"""Sums of bundles that come and go.

Plain subtraction is wrong where two bundles hold the same integers, as tasks on two agents that
both use port 31000: the sum has the port until both are gone. A tally counts such amounts.
"""

from comity.resources.amounts import NOTHING, Amount, Kind, Resources


class Tally:
    """A sum that bundles are added to and taken from."""

    __slots__ = ("_others", "_scalars", "_total")

    def __init__(self) -> None:
        self._scalars: dict[Kind, int] = {}
        self._others: dict[tuple[Kind, Amount], int] = {}
        self._total: Resources | None = NOTHING

    @property
    def total(self) -> Resources:
        """Return the sum."""
        if self._total is None:
            total = Resources(self._scalars)
            for kind, amount in self._others:
                total = total + Resources({kind: amount})
            self._total = total
        return self._total

    def add(self, bundle: Resources) -> None:
        """Count a bundle in."""
        self._count(bundle, 1)

    def remove(self, bundle: Resources) -> None:
        """Count out a bundle that was counted in."""
        self._count(bundle, -1)

    def _count(self, bundle: Resources, sign: int) -> None:
        self._total = None
        for kind, amount in bundle:
            if isinstance(amount, int):
                self._scalars[kind] = self._scalars.get(kind, 0) + sign * amount
                continue
            left = self._others.get((kind, amount), 0) + sign
            if left:
                self._others[kind, amount] = left
            else:
                del self._others[kind, amount]
