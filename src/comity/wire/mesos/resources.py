"""Between `v1.Resource` lists and `Resources` bundles.

On the wire a reservation is written in one of two formats (mesos.proto, Resource): `role` plus
`reservation` for frameworks without RESERVATION_REFINEMENT, `reservations` for those with it. Both
are read; which one is written is the caller's choice.
"""

import functools
import itertools
from collections.abc import Iterable
from typing import Any

from msgspec import structs

from comity.resources import operations, ranges
from comity.resources.amounts import Amount, Disk, Kind, Reservation, Resources, Source, milli
from comity.resources.operations import Conversion
from comity.wire.mesos import v1


class ResourceInvalid(ValueError):
    """A resource that contradicts itself; the text says how."""


def read(resources: Iterable[v1.Resource]) -> Resources:
    """Return the bundle that a list of resources describes.

    Raises:
        ResourceInvalid: a value that does not fit its type, or is negative or infinite.
    """
    return _read(tuple(resources))


@functools.lru_cache(maxsize=8192)
def _read(resources: tuple[v1.Resource, ...]) -> Resources:
    """Read a list; tasks of one kind share a bundle, which is immutable."""
    amounts: dict[Kind, Amount] = {}
    for resource in resources:
        kind = _read_kind(resource)
        amount = _read_amount(resource)
        held = amounts.get(kind)
        if held is None:
            amounts[kind] = amount
        else:
            if type(held) is not type(amount):
                raise ResourceInvalid(f"{resource.name}: one name with two types of value")
            joined = Resources({kind: held}) + Resources({kind: amount})
            amounts.update(joined)
    return Resources(amounts)


def conversion_of(operation: v1.Operation) -> Conversion | None:
    """Return what an operation does to resources; None for one that leaves them as they are.

    Raises:
        ResourceInvalid: it names resources that contradict themselves.
    """
    if operation.reserve is not None:
        made = read(operation.reserve.resources)
        if operation.reserve.source:
            return operations.rereserving(read(operation.reserve.source), made)
        return operations.reserving(made)
    if operation.unreserve is not None:
        return operations.unreserving(read(operation.unreserve.resources))
    if operation.create is not None:
        return operations.creating(read(operation.create.volumes))
    if operation.destroy is not None:
        return operations.destroying(read(operation.destroy.volumes))
    if operation.grow_volume is not None:
        grow = operation.grow_volume
        return operations.growing(read((grow.volume,)), read((grow.addition,)))
    if operation.shrink_volume is not None:
        shrink = operation.shrink_volume
        return operations.shrinking(read((shrink.volume,)), milli(shrink.subtract.value))
    return None


def allocation_roles(resources: Iterable[v1.Resource]) -> frozenset[str]:
    """Return the roles that the resources say they are allocated to."""
    return _allocation_roles(tuple(resources))


@functools.lru_cache(maxsize=8192)
def _allocation_roles(resources: tuple[v1.Resource, ...]) -> frozenset[str]:
    infos = (resource.allocation_info for resource in resources)
    return frozenset(info.role for info in infos if info is not None and info.role)


def write(
    resources: Resources, *, role: str | None = None, refined: bool = False
) -> tuple[v1.Resource, ...]:
    """Return the wire form of a bundle.

    Args:
        resources: what to write.
        role: the role it is allocated to; None writes no `allocation_info`.
        refined: write `reservations` rather than `role` and `reservation`.
    """
    allocation = v1.AllocationInfo(role=role) if role is not None else None
    return tuple(_write_one(kind, amount, allocation, refined) for kind, amount in resources)


def write_for_endpoints(resources: Resources) -> tuple[v1.Resource, ...]:
    """Return the wire form of a bundle as reads of operators have it.

    That is `reservations`, and beside them what older clients know: `role`, `reservation` (Mesos:
    convertResourceFormat to ENDPOINT). A refined reservation cannot be said in the old way.
    """
    return tuple(_for_endpoints(one) for one in write(resources, refined=True))


def _for_endpoints(one: v1.Resource) -> v1.Resource:
    if not one.reservations:
        return structs.replace(one, role="*")
    if len(one.reservations) > 1:
        return one
    [reservation] = one.reservations
    if reservation.type != "DYNAMIC":
        return structs.replace(one, role=reservation.role)
    old = v1.ReservationInfo(principal=reservation.principal, labels=reservation.labels)
    return structs.replace(one, role=reservation.role, reservation=old)


def _read_kind(resource: v1.Resource) -> Kind:
    if resource.reservations:
        stack = tuple(_read_reservation(one, one.role) for one in resource.reservations)
        _check_refinements(stack)
    elif resource.reservation is not None:
        stack = (_read_reservation(resource.reservation, resource.role, dynamic=True),)
    elif resource.role is not None and resource.role != "*":
        stack = (Reservation(resource.role),)
    else:
        stack = ()
    disk = _read_disk(resource.disk) if resource.disk is not None else None
    return Kind(resource.name, stack, disk, resource.revocable is not None)


def _check_refinements(stack: tuple[Reservation, ...]) -> None:
    """Every reservation refines the one before it: for a role below its, made by an operation."""
    for outer, inner in itertools.pairwise(stack):
        if not inner.dynamic:
            raise ResourceInvalid("a refined reservation must be DYNAMIC")
        if not inner.role.startswith(outer.role + "/"):
            raise ResourceInvalid(f"role '{inner.role}' is not below role '{outer.role}'")


def _read_disk(info: v1.DiskInfo) -> Disk | None:
    source = _read_source(info.source) if info.source is not None else None
    if info.persistence is None:
        return Disk(source=source) if source is not None else None
    volume = info.volume
    return Disk(
        volume=info.persistence.id,
        source=source,
        principal=info.persistence.principal or "",
        container_path=volume.container_path if volume is not None else "",
        mode=(volume.mode if volume is not None else None) or "RW",
    )


def _read_source(info: v1.DiskSource) -> Source:
    place = info.path or info.mount
    return Source(
        type=info.type,
        root=(place.root if place is not None else None) or "",
        id=info.id or "",
        profile=info.profile or "",
        vendor=info.vendor or "",
    )


def _read_reservation(
    info: v1.ReservationInfo, role: str | None, *, dynamic: bool = False
) -> Reservation:
    if not role or role == "*":
        raise ResourceInvalid("a reservation needs a role other than '*'")
    labels = info.labels.labels if info.labels is not None else ()
    return Reservation(
        role,
        dynamic or info.type == "DYNAMIC",
        info.principal or "",
        tuple((label.key, label.value) for label in labels),
    )


def _read_amount(resource: v1.Resource) -> Amount:
    if resource.type == "SCALAR" and resource.scalar is not None:
        value = resource.scalar.value
        if not 0 <= value < 1e15:
            raise ResourceInvalid(f"{resource.name}: {value} is not a finite amount, zero or more")
        return milli(value)
    if resource.type == "RANGES" and resource.ranges is not None:
        try:
            return ranges.normalize((one.begin, one.end) for one in resource.ranges.range)
        except ValueError as error:
            raise ResourceInvalid(f"{resource.name}: {error}") from error
    if resource.type == "SET" and resource.set is not None:
        return frozenset(resource.set.item)
    raise ResourceInvalid(f"{resource.name}: a {resource.type} resource without its value")


def _write_one(
    kind: Kind, amount: Amount, allocation: v1.AllocationInfo | None, refined: bool
) -> v1.Resource:
    values = _write_amount(amount)
    revocable = v1.Empty() if kind.revocable else None
    disk = _write_disk(kind.disk) if kind.disk is not None else None
    if refined:
        return v1.Resource(
            name=kind.name,
            reservations=tuple(_write_reservation(one) for one in kind.reservations),
            allocation_info=allocation,
            revocable=revocable,
            disk=disk,
            **values,
        )
    last = kind.reservations[-1] if kind.reservations else None
    reservation = None
    if last is not None and last.dynamic:
        reservation = _write_reservation(last, role=False)
    return v1.Resource(
        name=kind.name,
        role=kind.role,
        reservation=reservation,
        allocation_info=allocation,
        revocable=revocable,
        disk=disk,
        **values,
    )


def _write_reservation(one: Reservation, *, role: bool = True) -> v1.ReservationInfo:
    labels = v1.Labels(labels=tuple(v1.Label(key=k, value=v) for k, v in one.labels))
    return v1.ReservationInfo(
        type=("DYNAMIC" if one.dynamic else "STATIC") if role else None,
        role=one.role if role else None,
        principal=one.principal or None,
        labels=labels if one.labels else None,
    )


def _write_disk(disk: Disk) -> v1.DiskInfo:
    source = _write_source(disk.source) if disk.source is not None else None
    if not disk.volume:
        return v1.DiskInfo(source=source)
    volume = v1.Volume(container_path=disk.container_path, mode=disk.mode)
    return v1.DiskInfo(
        persistence=v1.Persistence(id=disk.volume, principal=disk.principal or None),
        volume=volume if disk.container_path else None,
        source=source,
    )


def _write_source(source: Source) -> v1.DiskSource:
    path = v1.DiskSourcePath(root=source.root) if source.type == "PATH" and source.root else None
    mount = v1.DiskSourceMount(root=source.root) if source.type == "MOUNT" else None
    return v1.DiskSource(
        type=source.type,
        path=path,
        mount=mount,
        id=source.id or None,
        profile=source.profile or None,
        vendor=source.vendor or None,
    )


def _write_amount(amount: Amount) -> dict[str, Any]:
    if isinstance(amount, int):
        return {"type": "SCALAR", "scalar": v1.Scalar(value=amount / 1000)}
    if isinstance(amount, tuple):
        found = tuple(v1.Range(begin=begin, end=end) for begin, end in amount)
        return {"type": "RANGES", "ranges": v1.Ranges(range=found)}
    return {"type": "SET", "set": v1.SetOfItems(item=tuple(sorted(amount)))}
