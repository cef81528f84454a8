"""Resources that tasks and executors ask for."""

from collections.abc import Iterable, Sequence

from comity.master.handlers.validation.faults import Invalid
from comity.resources import ranges
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import resources, v1


def read(written: tuple[v1.Resource, ...], role: str, what: str) -> Resources:
    """Return the bundle, all of it of one kind of use and for the role of the offer."""
    try:
        bundle = resources.read(written)
    except resources.ResourceInvalid as error:
        raise Invalid(f"{what} uses invalid resources: {error}") from error
    if bundle.milli_of("gpus") % 1000:
        raise Invalid(
            f"{what} uses invalid resources: Invalid 'gpus' resource: The 'gpus' resource must be "
            "an unsigned integer"
        )
    check_volumes(written, f"{what} uses duplicate persistence ID")
    roles = resources.allocation_roles(written)
    if len(roles) > 1:
        raise Invalid(
            f"Invalid {what.lower()} resources: The resources have multiple allocation roles "
            f"({', '.join(sorted(roles))}) but only one allocation role is allowed"
        )
    if roles - {role}:
        raise Invalid(f"{what} uses resources allocated to role '{min(roles)}', not '{role}'")
    check_revocable(bundle, f"{what} mixes revocable and non-revocable resources")
    return bundle


def check_volumes(written: Iterable[v1.Resource], what: str) -> None:
    """Refuse a persistent volume that is named twice, unless it is shared."""
    seen: set[tuple[str, str]] = set()
    for one in written:
        if one.disk is None or one.disk.persistence is None or one.shared is not None:
            continue
        role = one.reservations[-1].role if one.reservations else one.role
        key = (role or "*", one.disk.persistence.id)
        if key in seen:
            raise Invalid(f"{what}: Persistence ID '{key[1]}' is not unique")
        seen.add(key)


def check_revocable(bundle: Resources, what: str) -> None:
    """Refuse a resource of which some may be taken away and some may not."""
    kinds = {(kind.name, kind.revocable) for kind, _ in bundle}
    for name, revocable in sorted(kinds):
        if not revocable and (name, True) in kinds:
            raise Invalid(f"{what}: Cannot use both revocable and non-revocable '{name}'")


def check_overlap(bundles: Sequence[Resources], what: str) -> None:
    """Refuse ports and items that two of the bundles claim: they cannot be shared."""
    for index, one in enumerate(bundles):
        for other in bundles[index + 1 :]:
            name = _shared(one, other)
            if name is not None:
                raise Invalid(f"There are overlapping resources in {what}: some of the same {name}")


def _shared(one: Resources, other: Resources) -> str | None:
    for kind, amount in one:
        for second, held in other:
            if kind.name != second.name:
                continue
            if isinstance(amount, tuple) and isinstance(held, tuple):
                if ranges.overlaps(amount, held):
                    return kind.name
            elif isinstance(amount, frozenset) and isinstance(held, frozenset) and amount & held:
                return kind.name
    return None


def total(bundles: Iterable[Resources]) -> Resources:
    """Return the sum of bundles."""
    found = NOTHING
    for one in bundles:
        found = found + one
    return found


def shown(bundle: Resources) -> str:
    """Return a bundle as messages show it."""
    return "; ".join(f"{kind.name}:{_text(amount)}" for kind, amount in bundle) or "nothing"


def _text(amount: object) -> str:
    if isinstance(amount, int):
        return f"{amount / 1000:g}"
    if isinstance(amount, tuple):
        return "[" + ", ".join(f"{begin}-{end}" for begin, end in amount) + "]"
    assert isinstance(amount, frozenset)
    return "{" + ", ".join(sorted(amount)) + "}"
