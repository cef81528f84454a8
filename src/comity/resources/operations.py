"""What operations make of resources: reserving, unreserving, making and resizing volumes.

Every operation is a `Conversion`: a bundle that it uses up, and the bundle that stands in its place
afterwards. Quantities never change; reservations and volumes do (Mesos: src/common/resources.cpp).
"""

from collections.abc import Callable
from typing import NamedTuple

from comity.core.errors import InvariantViolated
from comity.resources.amounts import NOTHING, Disk, Kind, Resources


class Conversion(NamedTuple):
    """What an operation takes, and what it gives."""

    consumed: Resources
    made: Resources

    def applied_to(self, held: Resources) -> Resources:
        """Return what a bundle is afterwards.

        Raises:
            InvariantViolated: `held` has not what is consumed; ask `held.contains` first.
        """
        return held - self.consumed + self.made


def reserving(made: Resources) -> Conversion:
    """RESERVE: the last reservation of each resource is new."""
    return Conversion(_mapped(made, _unreserved), made)


def unreserving(consumed: Resources) -> Conversion:
    """UNRESERVE: the last reservation of each resource is taken away."""
    return Conversion(consumed, _mapped(consumed, _unreserved))


def creating(made: Resources) -> Conversion:
    """CREATE: disk becomes persistent volumes."""
    return Conversion(_mapped(made, _without_volume), made)


def destroying(consumed: Resources) -> Conversion:
    """DESTROY: persistent volumes become disk again."""
    return Conversion(consumed, _mapped(consumed, _without_volume))


def rereserving(source: Resources, made: Resources) -> Conversion:
    """RESERVE with a source: other reservations take the place of those there are."""
    return Conversion(source, made)


def growing(volume: Resources, addition: Resources) -> Conversion:
    """GROW_VOLUME: disk becomes part of a persistent volume."""
    grown = volume + _mapped(addition, lambda _: _only_kind(volume))
    return Conversion(volume + addition, grown)


def shrinking(volume: Resources, subtract: int) -> Conversion:
    """SHRINK_VOLUME: a part of a persistent volume, in thousandths, becomes disk again."""
    kind = _only_kind(volume)
    freed = Resources({_without_volume(kind): subtract})
    return Conversion(volume, volume.minus_what_there_is(Resources({kind: subtract})) + freed)


def _only_kind(bundle: Resources) -> Kind:
    [(kind, _)] = bundle
    return kind


def can_grow_by(volume: Kind, addition: Kind) -> bool:
    """Whether disk of a kind can become part of a persistent volume."""
    plain = _without_volume(volume)
    return plain == addition and not plain.is_indivisible


def checkpointed(total: Resources) -> Resources:
    """Return the part of an agent's resources that operations made, which must be kept."""
    return total.select(lambda kind: kind.is_dynamic or bool(kind.volume))


def with_checkpointed(total: Resources, kept: Resources) -> Resources:
    """Return what an agent has, given what it was configured with and what operations made of it.

    Raises:
        InvariantViolated: the agent no longer has what was kept.
    """
    for kind, amount in kept:
        plain = Resources({_as_configured(kind): amount})
        if not total.contains(plain):
            raise InvariantViolated(f"{amount} of {kind.name}, reserved or a volume, is gone")
        total = total - plain + Resources({kind: amount})
    return total


def _mapped(bundle: Resources, change: Callable[[Kind], Kind]) -> Resources:
    total = NOTHING
    for kind, amount in bundle:
        total = total + Resources({change(kind): amount})
    return total


def _unreserved(kind: Kind) -> Kind:
    return kind._replace(reservations=kind.reservations[:-1])


def _without_volume(kind: Kind) -> Kind:
    source = kind.disk.source if kind.disk is not None else None
    return kind._replace(disk=Disk(source=source) if source is not None else None)


def _as_configured(kind: Kind) -> Kind:
    static = tuple(one for one in kind.reservations if not one.dynamic)
    source = kind.disk.source if kind.disk is not None else None
    disk = Disk(source=source) if source is not None else None
    return kind._replace(reservations=static, disk=disk)
