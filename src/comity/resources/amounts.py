"""Bundles of resources and their arithmetic.

A `Resources` maps each *kind* of resource (a name with its reservations and, for disk, which disk)
to an amount: an int in thousandths for scalars, ranges, or a set. Scalars compare at 0.001, as
Mesos does, by being integers. Bundles are immutable; zero amounts are never kept, so that equality
is equality of dicts. Who a resource is *allocated* to is not part of it: an offer or a task says.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from comity.core.errors import InvariantViolated
from comity.resources import ranges
from comity.resources.ranges import Ranges

Amount = int | Ranges | frozenset[str]


class Reservation(NamedTuple):
    """One step of a stack of reservations; a refined one has several."""

    role: str
    dynamic: bool = False
    principal: str = ""
    labels: tuple[tuple[str, str | None], ...] = ()


class Source(NamedTuple):
    """Where disk comes from, when it is not the agent's work directory."""

    type: str
    """PATH, MOUNT, RAW or BLOCK."""
    root: str = ""
    id: str = ""
    profile: str = ""
    vendor: str = ""


@dataclass(frozen=True, slots=True)
class Disk:
    """Which disk: a persistent volume, a source, or both.

    How a volume is used (its path in a container, who made it) is carried along, but two disks are
    equal whatever it says, as in Mesos (src/common/resources.cpp).
    """

    volume: str = ""
    """The persistence id; empty for disk that is no volume."""
    source: Source | None = None
    principal: str = field(default="", compare=False)
    container_path: str = field(default="", compare=False)
    mode: str = field(default="RW", compare=False)


class Kind(NamedTuple):
    """What makes two amounts addable."""

    name: str
    reservations: tuple[Reservation, ...] = ()
    disk: Disk | None = None
    revocable: bool = False

    @property
    def role(self) -> str:
        """The role that may use it; `*` when unreserved."""
        return self.reservations[-1].role if self.reservations else "*"

    @property
    def volume(self) -> str:
        """The persistence id of a persistent volume; empty for everything else."""
        return self.disk.volume if self.disk is not None else ""

    @property
    def is_dynamic(self) -> bool:
        """Whether its last reservation was made by an operation."""
        return bool(self.reservations) and self.reservations[-1].dynamic

    @property
    def is_indivisible(self) -> bool:
        """Whether all of it is used or nothing: a persistent volume, or a mounted disk."""
        disk = self.disk
        if disk is None:
            return False
        return bool(disk.volume) or (disk.source is not None and disk.source.type != "PATH")


class Resources:
    """An immutable bundle of resources."""

    __slots__ = ("_amounts", "_hash")

    def __init__(self, amounts: Mapping[Kind, Amount] | None = None) -> None:
        self._hash: int
        self._amounts: dict[Kind, Amount] = {k: v for k, v in (amounts or {}).items() if v}

    @classmethod
    def scalars(cls, **amounts: float) -> "Resources":
        """Return unreserved scalars: `Resources.scalars(cpus=1, mem=128)`."""
        return cls({Kind(name): milli(value) for name, value in amounts.items()})

    # reading

    def __bool__(self) -> bool:
        return bool(self._amounts)

    def __iter__(self) -> Iterator[tuple[Kind, Amount]]:
        return iter(self._amounts.items())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._amounts == other._amounts

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:  # tasks of one kind share a bundle, which is asked often
            self._hash = hash(frozenset(self._amounts.items()))
            return self._hash

    def __repr__(self) -> str:
        return f"Resources({self._amounts!r})"

    def milli_of(self, name: str) -> int:
        """Return the thousandths of a scalar, over all its kinds."""
        return sum(v for k, v in self._amounts.items() if k.name == name and isinstance(v, int))

    def scalar(self, name: str) -> float:
        """Return a scalar's amount, over all its kinds."""
        return self.milli_of(name) / 1000

    def ranges_of(self, name: str) -> Ranges:
        """Return the integers of a ranges resource, over all its kinds."""
        found: Ranges = ()
        for kind, amount in self._amounts.items():
            if kind.name == name and isinstance(amount, tuple):
                found = ranges.add(found, amount)
        return found

    def names(self) -> list[str]:
        """Return the names of its resources, each once, in order of appearance."""
        return list(dict.fromkeys(kind.name for kind in self._amounts))

    # algebra

    def __add__(self, other: "Resources") -> "Resources":
        if not other._amounts:
            return self
        if not self._amounts:
            return other
        total = dict(self._amounts)
        for kind, amount in other._amounts.items():
            held = total.get(kind)
            total[kind] = amount if held is None else _add(held, amount)
        return _trusted(total)

    def __sub__(self, other: "Resources") -> "Resources":
        """Return what is left.

        Raises:
            InvariantViolated: `other` is not contained; check with `contains` first.
        """
        rest = dict(self._amounts)
        for kind, amount in other._amounts.items():
            held = rest.get(kind)
            if held is None or not _has(kind, held, amount):
                raise InvariantViolated(f"{kind.name}: {amount} is not in {held}")
            _keep(rest, kind, _subtract(held, amount))
        return _trusted(rest)

    def minus_what_there_is(self, other: "Resources") -> "Resources":
        """Return what is left after taking as much of `other` as there is."""
        rest = dict(self._amounts)
        for kind, amount in other._amounts.items():
            held = rest.get(kind)
            if held is not None:
                _keep(rest, kind, _subtract_clamped(held, amount))
        return _trusted(rest)

    def contains(self, other: "Resources") -> bool:
        """Whether `other` could be subtracted."""
        mine = self._amounts
        for kind, amount in other._amounts.items():
            held = mine.get(kind)
            if held is None or not _has(kind, held, amount):
                return False
        return True

    def spelled_as(self, other: "Resources") -> "Resources":
        """Return the same bundle with the kinds of `other`, where they say how a disk is used."""
        if not any(kind.disk for kind in self._amounts):
            return self
        theirs = {kind: kind for kind in other._amounts}
        return _trusted({theirs.get(k, k): v for k, v in self._amounts.items()})

    def select(self, wanted: Callable[[Kind], bool]) -> "Resources":
        """Return the part whose kinds are wanted."""
        return _trusted({k: v for k, v in self._amounts.items() if wanted(k)})

    def usable_by(self, role: str) -> "Resources":
        """Return what may be offered to `role`: unreserved, or reserved for it or an ancestor."""
        return _trusted(
            {
                kind: amount
                for kind, amount in self._amounts.items()
                if kind.role == "*" or kind.role == role or role.startswith(kind.role + "/")
            }
        )

    def without_reservations(self) -> "Resources":
        """Return the same amounts as if nothing were reserved: what totals are counted in."""
        total = Resources()
        for kind, amount in self._amounts.items():
            total = total + Resources({Kind(kind.name, revocable=kind.revocable): amount})
        return total


NOTHING = Resources()


def total_of(bundles: Iterable[Resources]) -> Resources:
    """Return the sum of many bundles, in one pass."""
    total: dict[Kind, Amount] = {}
    for bundle in bundles:
        for kind, amount in bundle:
            held = total.get(kind)
            total[kind] = amount if held is None else _add(held, amount)
    return _trusted(total)


def milli(value: float) -> int:
    """Return a scalar as thousandths, rounded as Mesos does."""
    return round(value * 1000)


def _trusted(amounts: dict[Kind, Amount]) -> Resources:
    made = Resources.__new__(Resources)
    made._amounts = amounts
    return made


def _keep(amounts: dict[Kind, Amount], kind: Kind, left: Amount) -> None:
    if left:
        amounts[kind] = left
    else:
        del amounts[kind]


def _subtract_clamped(left: Amount, right: Amount) -> Amount:
    if isinstance(left, int) and isinstance(right, int):
        return max(0, left - right)
    return _subtract(left, right)


def _add(left: Amount, right: Amount) -> Amount:
    if isinstance(left, int) and isinstance(right, int):
        return left + right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return ranges.add(left, right)
    if isinstance(left, frozenset) and isinstance(right, frozenset):
        return left | right
    raise InvariantViolated("one name with two types of value")


def _subtract(left: Amount, right: Amount) -> Amount:
    if isinstance(left, int) and isinstance(right, int):
        return left - right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return ranges.subtract(left, right)
    if isinstance(left, frozenset) and isinstance(right, frozenset):
        return left - right
    raise InvariantViolated("one name with two types of value")


def _has(kind: Kind, held: Amount, amount: Amount) -> bool:
    return held == amount if kind.is_indivisible else _contains(held, amount)


def _contains(left: Amount, right: Amount) -> bool:
    if isinstance(left, int) and isinstance(right, int):
        return left >= right
    if isinstance(left, tuple) and isinstance(right, tuple):
        return ranges.contains(left, right)
    if isinstance(left, frozenset) and isinstance(right, frozenset):
        return left >= right
    return False
