"""Which operations on resources are valid, and what they do.

The rules and their order are those of Mesos's src/master/validation.cpp, namespace operation. The
same checks serve a framework that accepts offers and an operator who changes free resources.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from comity.master.handlers import ids
from comity.policy import roles
from comity.resources.amounts import Kind, Resources
from comity.resources.operations import Conversion
from comity.wire.mesos import resources, v1

CONVERTING = frozenset({"RESERVE", "UNRESERVE", "CREATE", "DESTROY"})


class OperationInvalid(ValueError):
    """An operation that must not be performed; the text says why."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for an operation: a framework in a role, or an operator (no role)."""

    principal: str | None = None
    role: str | None = None


def conversion_of(operation: v1.Operation, asker: Asker, total: Resources) -> Conversion:
    """Return what a valid operation does on an agent that has `total`.

    Raises:
        OperationInvalid: it must not be performed.
    """
    try:
        conversion = resources.conversion_of(operation)
    except resources.ResourceInvalid as error:
        raise OperationInvalid(f"Invalid resources: {error}") from error
    if conversion is None or not (conversion.consumed or conversion.made):
        raise OperationInvalid(f"{operation.type} names no resources")
    _check_allocation(_named_by(operation), asker)
    if operation.reserve is not None:
        _check_reserve(operation.reserve, conversion.made, asker)
    elif operation.unreserve is not None:
        _check_unreserve(conversion.consumed)
    elif operation.create is not None:
        _check_create(operation.create.volumes, conversion.made, asker)
        _check_unique(operation.create.volumes, conversion.made, total)
    else:
        _check_destroy(conversion.consumed, total)
    consumed = conversion.consumed.spelled_as(total)
    return Conversion(consumed, conversion.made)


def _named_by(operation: v1.Operation) -> tuple[v1.Resource, ...]:
    for one in (operation.reserve, operation.unreserve):
        if one is not None:
            return one.resources
    for other in (operation.create, operation.destroy):
        if other is not None:
            return other.volumes
    return ()


def _check_allocation(named: Iterable[v1.Resource], asker: Asker) -> None:
    found = resources.allocation_roles(named)
    if asker.role is None and found:
        raise OperationInvalid(
            "The resources say that they are allocated, but operators only change resources "
            "that are not"
        )
    if asker.role is not None and found - {asker.role}:
        raise OperationInvalid(
            f"Resources allocated to role '{min(found - {asker.role})}' in an offer for role "
            f"'{asker.role}'"
        )


def _check_reserve(reserve: v1.Reserve, made: Resources, asker: Asker) -> None:
    if reserve.source:
        raise OperationInvalid("'source' is not supported: UNRESERVE first, then RESERVE")
    for kind, _ in made:
        if not kind.is_dynamic:
            raise OperationInvalid(f"Resource {kind.name} is not dynamically reserved")
        if kind.volume:
            raise OperationInvalid(f"Persistent volume {kind.volume} cannot be reserved")
        fault = roles.fault_of(kind.role)
        if fault is not None:
            raise OperationInvalid(f"Invalid resources: {fault}")
        if asker.role is not None and kind.role != asker.role:
            raise OperationInvalid(
                f"A reserve operation was attempted for a resource with role '{kind.role}', "
                f"but the resource was allocated to role '{asker.role}'"
            )
        _check_principal(kind.reservations[-1].principal, asker, "reservation")


def _check_principal(found: str, asker: Asker, what: str) -> None:
    """Who has a principal must name it, and no other."""
    if asker.principal is None or found == asker.principal:
        return
    if not found:
        raise OperationInvalid(
            f"The {what} has no principal set; it must be that of the caller, '{asker.principal}'"
        )
    raise OperationInvalid(
        f"The {what} has principal '{found}', but the caller is '{asker.principal}'"
    )


def _check_unreserve(consumed: Resources) -> None:
    for kind, _ in consumed:
        if not kind.is_dynamic:
            raise OperationInvalid(f"Resource {kind.name} is not dynamically reserved")
        if kind.volume:
            raise OperationInvalid(
                f"Persistent volume {kind.volume} cannot be unreserved: destroy it first"
            )


def _check_create(volumes: Iterable[v1.Resource], made: Resources, asker: Asker) -> None:
    for volume in volumes:
        disk = volume.disk
        if volume.shared is not None:
            raise OperationInvalid("Shared persistent volumes are not supported")
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
    for kind, _ in made:
        assert kind.disk is not None
        if kind.name != "disk":
            raise OperationInvalid(f"Not a persistent volume: {kind.name} is no disk")
        if not kind.reservations:
            raise OperationInvalid("Persistent volumes cannot be made of unreserved resources")
        if kind.revocable:
            raise OperationInvalid("Persistent volumes cannot be made of revocable resources")
        _check_principal(kind.disk.principal, asker, "volume")


def _check_unique(named: tuple[v1.Resource, ...], made: Resources, total: Resources) -> None:
    """An id is that of one volume of a role: on the agent, and in the operation itself."""
    held = {(kind.role, kind.volume) for kind, _ in total if kind.volume}
    for kind, _ in made:
        if (kind.role, kind.volume) in held:
            raise OperationInvalid(f"Persistence ID '{kind.volume}' is used already")
    kinds = {(kind.role, kind.volume) for kind, _ in made}
    if len(kinds) < len(named):
        raise OperationInvalid("Two volumes of the operation have the same persistence ID")


def _check_destroy(consumed: Resources, total: Resources) -> None:
    for kind, _ in consumed:
        if not kind.volume:
            raise OperationInvalid("Not a persistent volume: 'disk.persistence' is not set")
    if not total.contains(consumed):
        raise OperationInvalid("Persistent volumes not found")


def shown(bundle: Resources) -> str:
    """Return a bundle as an error message shows it."""

    def name(kind: Kind) -> str:
        volume = f"[{kind.volume}]" if kind.volume else ""
        return f"{kind.name}({kind.role}){volume}" if kind.reservations else kind.name

    def value(amount: object) -> str:
        return f"{amount / 1000:g}" if isinstance(amount, int) else str(amount)

    return "; ".join(f"{name(kind)}:{value(amount)}" for kind, amount in bundle) or "nothing"
