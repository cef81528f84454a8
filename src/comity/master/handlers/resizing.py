"""Which persistent volumes are valid, and how they may grow and shrink.

The rules and their order are those of Mesos's src/master/validation.cpp. Volumes are of the agent's
own disk: there are no resource providers.
"""

from dataclasses import dataclass

from comity.master.handlers import ids
from comity.resources import operations
from comity.resources.amounts import Kind, Resources, milli
from comity.wire.mesos import resources, v1


class OperationInvalid(ValueError):
    """An operation that must not be performed; the text says why."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an operation: a framework in a role, or an operator (no role)."""

    principal: str | None = None
    role: str | None = None


def check(operation: v1.Operation) -> None:
    """Check an operation, if it is GROW_VOLUME or SHRINK_VOLUME.

    Raises:
        OperationInvalid: it must not be performed.
    """
    if operation.grow_volume is not None:
        _check_grow(operation.grow_volume)
    elif operation.shrink_volume is not None:
        _check_shrink(operation.shrink_volume)


def _check_grow(grow: v1.GrowVolume) -> None:
    volume = _read(grow.volume, "GrowVolume.volume")
    addition = _read(grow.addition, "GrowVolume.addition")
    if grow.addition.scalar is None or milli(grow.addition.scalar.value) <= 0:
        raise OperationInvalid("The size of 'GrowVolume.addition' field must be greater than zero")
    kind = _volume_kind(grow.volume, volume, "GrowVolume.volume")
    if grow.volume.shared is not None:
        raise OperationInvalid("Growing a shared persistent volume is not supported")
    [(added, _)] = addition
    if not operations.can_grow_by(kind, added):
        raise OperationInvalid(
            "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields"
        )


def _check_shrink(shrink: v1.ShrinkVolume) -> None:
    volume = _read(shrink.volume, "ShrinkVolume.volume")
    subtract = milli(shrink.subtract.value)
    if subtract <= 0:
        raise OperationInvalid("Value of 'ShrinkVolume.subtract' must be greater than zero")
    scalar = shrink.volume.scalar
    if scalar is None or milli(scalar.value) <= subtract:
        raise OperationInvalid(
            "Value of 'ShrinkVolume.subtract' must be smaller than the size of "
            "'ShrinkVolume.volume'"
        )
    disk = shrink.volume.disk
    if disk is not None and disk.source is not None and disk.source.type == "MOUNT":
        raise OperationInvalid("Shrinking a volume on a MOUNT disk is not supported")
    _volume_kind(shrink.volume, volume, "ShrinkVolume.volume")
    if shrink.volume.shared is not None:
        raise OperationInvalid("Shrinking a shared persistent volume is not supported")


def _read(one: v1.Resource, field: str) -> Resources:
    try:
        return resources.read((one,))
    except resources.ResourceInvalid as error:
        raise OperationInvalid(f"Invalid resource in the '{field}' field: {error}") from error


def _volume_kind(one: v1.Resource, bundle: Resources, field: str) -> Kind:
    """Return the kind of a resource that must be a persistent volume."""
    try:
        check_volume(one)
        check_kinds(bundle)
    except OperationInvalid as fault:
        text = f"Invalid persistent volume in the '{field}' field: {fault}"
        raise OperationInvalid(text) from fault
    kinds = [kind for kind, _ in bundle]
    if not kinds:
        raise OperationInvalid(f"Invalid persistent volume in the '{field}' field: it is empty")
    return kinds[0]


def check_volume(volume: v1.Resource) -> None:
    """Check what a persistent volume says of its disk.

    Raises:
        OperationInvalid: it is none, or no valid one.
    """
    disk = volume.disk
    if disk is None or disk.persistence is None:
        raise OperationInvalid("Not a persistent volume: 'disk.persistence' is not set")
    if disk.volume is None or not disk.volume.container_path:
        raise OperationInvalid("Not a persistent volume: 'disk.volume' is not set")
    if disk.volume.host_path is not None:
        raise OperationInvalid("A persistent volume must not set 'disk.volume.host_path'")
    if disk.volume.mode != "RW":
        raise OperationInvalid("A persistent volume must be created with mode RW")
    fault = ids.fault_of(disk.persistence.id, "Persistence ID")
    if fault is not None:
        raise OperationInvalid(fault)


def check_kinds(bundle: Resources) -> None:
    """Check what persistent volumes are made of.

    Raises:
        OperationInvalid: none can be made of that.
    """
    for kind, _ in bundle:
        if kind.name != "disk":
            raise OperationInvalid(f"Not a persistent volume: {kind.name} is no disk")
        if not kind.reservations:
            raise OperationInvalid("Persistent volumes cannot be made of unreserved resources")
        if kind.revocable:
            raise OperationInvalid("Persistent volumes cannot be made of revocable resources")
