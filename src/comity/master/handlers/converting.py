"""Which operations on resources are valid, and what they do.

The rules and their order are those of Mesos's src/master/validation.cpp, namespace operation. The
same checks serve a framework that accepts offers and an operator who changes free resources.
"""

from collections.abc import Iterable
from itertools import takewhile

from comity.master.handlers import resizing
from comity.master.handlers.resizing import Asker, OperationInvalid
from comity.policy import roles
from comity.resources.amounts import NOTHING, Kind, Resources
from comity.resources.operations import Conversion
from comity.wire.mesos import resources, v1

RESIZING = frozenset({"GROW_VOLUME", "SHRINK_VOLUME"})
"""What these make can be used with the next offer only (Mesos: `resizedResources`)."""

CONVERTING = frozenset({"RESERVE", "UNRESERVE", "CREATE", "DESTROY"}) | RESIZING


def conversion_of(operation: v1.Operation, asker: Asker, total: Resources) -> Conversion:
    """Return what a valid operation does on an agent that has `total`.

    Raises:
        OperationInvalid: it must not be performed.
    """
    if getattr(operation, (operation.type or "").lower(), None) is None:
        raise OperationInvalid(f"{operation.type} names no resources")
    resizing.check(operation)
    try:
        conversion = resources.conversion_of(operation)
    except resources.ResourceInvalid as error:
        raise OperationInvalid(f"Invalid resources: {error}") from error
    if conversion is None or not (conversion.consumed or conversion.made):
        raise OperationInvalid(f"{operation.type} names no resources")
    _check_allocation(_named_by(operation), asker)
    if operation.reserve is not None:
        _check_reserve(operation.reserve, conversion, asker)
    elif operation.unreserve is not None:
        _check_unreserve(conversion.consumed)
    elif operation.create is not None:
        _check_create(operation.create.volumes, conversion.made, asker)
        _check_unique(operation.create.volumes, conversion.made, total)
    elif operation.destroy is not None:
        _check_destroy(conversion.consumed, total)
    consumed = conversion.consumed.spelled_as(total)
    return Conversion(consumed, conversion.made)


def _named_by(operation: v1.Operation) -> tuple[v1.Resource, ...]:
    if operation.reserve is not None:
        return (*operation.reserve.source, *operation.reserve.resources)
    if operation.unreserve is not None:
        return operation.unreserve.resources
    if operation.grow_volume is not None:
        return (operation.grow_volume.volume, operation.grow_volume.addition)
    if operation.shrink_volume is not None:
        return (operation.shrink_volume.volume,)
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


def _check_reserve(reserve: v1.Reserve, conversion: Conversion, asker: Asker) -> None:
    if reserve.source:
        _check_source(conversion)
    for kind, _ in conversion.made:
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


def _check_source(conversion: Conversion) -> None:
    """What is reserved otherwise must be the same, but for its dynamic reservations."""
    source, target = conversion
    if not source:
        raise OperationInvalid("Invalid source: it names no resources")
    stacks = []
    for name, bundle in (("source", source), ("resources", target)):
        found = {kind.reservations for kind, _ in bundle}
        if len(found) > 1:
            raise OperationInvalid(f"Invalid {name}: Mixed reservations are not supported")
        stacks.append(found.pop())
    if without_stack(source) != without_stack(target):
        raise OperationInvalid(
            "Source and target resources should refer to identical resource quantities: "
            f"{shown(without_stack(source))} vs. {shown(without_stack(target))}"
        )
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(*stacks, strict=False)))
    if not all(one.dynamic for one in stacks[0][common:]):
        raise OperationInvalid("Invalid source: a static reservation cannot be taken away")
    if not all(one.dynamic for one in stacks[1][common:]):
        raise OperationInvalid("Invalid resources: a static reservation cannot be made")


def without_stack(bundle: Resources) -> Resources:
    """Return a bundle as if nothing of it were reserved; volumes stay."""
    total = NOTHING
    for kind, amount in bundle:
        total = total + Resources({kind._replace(reservations=()): amount})
    return total


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
        if volume.shared is not None:
            raise OperationInvalid("Shared persistent volumes are not supported")
        resizing.check_volume(volume)
    resizing.check_kinds(made)
    for kind, _ in made:
        assert kind.disk is not None
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
