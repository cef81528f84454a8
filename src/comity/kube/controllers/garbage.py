"""Garbage: what was made for an object goes when the object goes, as its deletion asked for.

Background: the object goes at once, its dependents follow. Foreground: the finalizer
`foregroundDeletion` keeps it until the dependents that block its deletion are gone. Orphan: the
finalizer `orphan` keeps it until they no longer name it as their owner.
"""

from collections.abc import Iterator
from typing import Any

from comity.core.instants import Instant
from comity.kube.controllers.actions import Action, Delete, DeleteOrphan, Patch
from comity.kube.controllers.objects import has_ended, instant, is_deleting, key_of, owners, uid_of
from comity.kube.controllers.view import Place, View

Json = dict[str, Any]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

ENDED_PODS_MAX = 1000
"""Pods that have ended and belong to nobody who deletes them; the oldest beyond this go."""

UNBOUND_S = 60.0
"""How long a pod may be bound to a node that does not exist before it is deleted."""


def reconcile(place: Place, view: View) -> Iterator[Action]:
    """Yield what deletion means for one object, as an owner and as a dependent."""
    item = view.get(place.plural, place.key)
    if item is None:
        return
    finalizers = item["metadata"].get("finalizers") or []
    if is_deleting(item) and FOREGROUND in finalizers:
        yield from _foreground(place, item, finalizers, view)
    elif is_deleting(item) and ORPHAN in finalizers:
        yield from _orphan(place, item, finalizers, view)
    references = owners(item)
    if not references or is_deleting(item):
        return
    if not any(view.knows(owner["uid"]) for owner in references):
        yield DeleteOrphan(place.plural, place.key, uid_of(item))


def _foreground(place: Place, item: Json, finalizers: list[str], view: View) -> Iterator[Action]:
    blocked = False
    for plural, dependent in view.dependents(uid_of(item)):
        mine = next(each for each in owners(dependent) if each["uid"] == uid_of(item))
        blocked = blocked or bool(mine.get("blockOwnerDeletion"))
        if not is_deleting(dependent):
            yield Delete(plural, key_of(dependent), uid_of(dependent), propagation="Foreground")
    if not blocked:
        yield _without_finalizer(place, item, finalizers, FOREGROUND)


def _orphan(place: Place, item: Json, finalizers: list[str], view: View) -> Iterator[Action]:
    uid = uid_of(item)
    for plural, dependent in view.dependents(uid):
        kept = [each for each in owners(dependent) if each["uid"] != uid]
        change = {"metadata": {"uid": uid_of(dependent), "ownerReferences": kept}}
        yield Patch(plural, key_of(dependent), change)
    yield _without_finalizer(place, item, finalizers, ORPHAN)


def _without_finalizer(place: Place, item: Json, finalizers: list[str], name: str) -> Patch:
    kept = [each for each in finalizers if each != name]
    change = {"metadata": {"uid": uid_of(item), "finalizers": kept or None}}
    return Patch(place.plural, place.key, change)


def old_pods(view: View, now: Instant) -> Iterator[Action]:
    """Yield the deletion of pods that nobody else would delete. Called every now and then."""
    nodes = {node["metadata"]["name"] for node in view.all("nodes")}
    ended = []
    for pod in view.all("pods"):
        node = pod["spec"].get("nodeName")
        created = instant(pod["metadata"].get("creationTimestamp")) or now
        if node and node not in nodes and now - created > UNBOUND_S:
            yield Delete("pods", key_of(pod), uid_of(pod), grace_s=0)
        elif has_ended(pod) and not is_deleting(pod):
            ended.append((created, key_of(pod), uid_of(pod)))
    ended.sort()
    for _, key, uid in ended[: max(0, len(ended) - ENDED_PODS_MAX)]:
        yield Delete("pods", key, uid, grace_s=0)
