"""Which objects belong to an owner: those it controls, and orphans that its selector picks."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from comity.kube.controllers.actions import Action, Patch
from comity.kube.controllers.objects import (
    controller_of,
    controller_reference,
    is_deleting,
    key_of,
    labels_of,
    owners,
    uid_of,
)

Json = dict[str, Any]
Picks = Callable[[Json], bool]
"""Whether labels are selected."""


def claimed(owner: Json, items: Iterable[Json], picks: Picks) -> list[Json]:
    """Return what the owner counts as its own now, what it is about to adopt included."""
    uid = uid_of(owner)
    found = []
    for item in items:
        holder = controller_of(item)
        adoptable = holder is None and not is_deleting(owner) and not is_deleting(item)
        if (adoptable or (holder or {}).get("uid") == uid) and picks(labels_of(item)):
            found.append(item)
    return found


def claims(plural: str, owner: Json, items: Iterable[Json], picks: Picks) -> Iterator[Action]:
    """Yield what makes ownership and labels agree again: adoptions and releases."""
    uid = uid_of(owner)
    for item in items:
        if is_deleting(item):
            continue
        holder = controller_of(item)
        selected = picks(labels_of(item))
        if holder is None and selected and not is_deleting(owner):
            yield _with_owners(plural, item, [*owners(item), controller_reference(owner)])
        elif holder is not None and holder["uid"] == uid and not selected:
            yield _with_owners(plural, item, [o for o in owners(item) if o["uid"] != uid])


def _with_owners(plural: str, item: Json, references: list[Json]) -> Patch:
    change = {"metadata": {"uid": uid_of(item), "ownerReferences": references}}
    return Patch(plural, key_of(item), change)
