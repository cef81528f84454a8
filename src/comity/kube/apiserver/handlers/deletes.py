"""Deleting objects: grace periods, finalizers, propagation."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.apiserver import forms, objects, storing, strategies
from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.handlers import answer, table
from comity.kube.apiserver.handlers.writes import is_deletion_over
from comity.kube.apiserver.inputs import CollectionDeleted, Deletion, ObjectDeleted, Options
from comity.kube.apiserver.state import Collection, State, Stored
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import details_of, forbidden, success

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

_FINISHED = ("Succeeded", "Failed")
_KEPT_NAMESPACES = ("default", "kube-system", "kube-public")


@table.on(ObjectDeleted)
def on_object_deleted(state: State, item: ObjectDeleted, now: Instant, out: Outbox) -> None:
    """Delete an object, or begin to."""
    target = item.target
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    last, is_gone = delete(state, collection, stored, item.deletion, item.options, now, out)
    if is_gone and target.resource.kind != "Pod":
        details = details_of(target.resource, target.name)
        answer(out, item.to, encode(success(details | {"uid": stored.obj["metadata"]["uid"]})))
    else:
        answer(out, item.to, forms.show_one(target.resource, last, item.options.form, now))


@table.on(CollectionDeleted)
def on_collection_deleted(state: State, item: CollectionDeleted, now: Instant, out: Outbox) -> None:
    """Delete everything that is selected."""
    resource = item.target.resource
    collection = state.collections[resource]
    selected = [
        stored
        for key, stored in collection.items(item.target.namespace)
        if item.selection.matches(key[0], stored.obj)
    ]
    for stored in selected:
        delete(state, collection, stored, item.deletion, item.options, now, out)
    metadata = {"resourceVersion": str(state.revision)}
    answer(out, item.to, forms.show_list(resource, selected, item.options.form, metadata, now))


def delete(
    state: State,
    collection: Collection,
    stored: Stored,
    deletion: Deletion,
    options: Options,
    now: Instant,
    out: Outbox,
) -> tuple[Stored, bool]:
    """Delete an object or begin to; return its last version, and whether it is gone.

    Raises:
        ApiError: 409, a precondition fails; 403, the object must stay.
    """
    resource, old = collection.resource, stored.obj
    objects.check_preconditions(resource, old, deletion.uid, deletion.resource_version)
    _refuse_kept(resource, old)
    obj = _with_propagation(resource, old, deletion)
    grace_s = _grace_s(resource, old, deletion)
    begun = old["metadata"].get("deletionGracePeriodSeconds")
    if begun is None or grace_s < begun:
        obj = strategies.mark_deleted(resource, obj, now, grace_s)
    key = (old["metadata"].get("namespace", ""), old["metadata"]["name"])
    is_gone = is_deletion_over(obj)
    if options.is_dry_run:
        return storing.render(state, obj), is_gone
    if is_gone:
        return storing.remove(state, collection, key, obj, now, out), True
    if obj == old:
        return stored, False
    return storing.put(state, collection, key, obj, now, out), False


def _refuse_kept(resource: Resource, old: Json) -> None:
    name = old["metadata"]["name"]
    if resource.kind == "Namespace" and name in _KEPT_NAMESPACES:
        raise forbidden(resource, name, "this namespace may not be deleted")


def _grace_s(resource: Resource, old: Json, deletion: Deletion) -> int:
    """Return the seconds that an object has left; only a pod that may run has any."""
    if resource.kind != "Pod":
        return 0
    spec, status = old.get("spec") or {}, old.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in _FINISHED:
        return 0
    if deletion.grace_s is not None:
        return max(deletion.grace_s, 0)
    held = old["metadata"].get("deletionGracePeriodSeconds")
    if held is not None:
        return int(held)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def _with_propagation(resource: Resource, old: Json, deletion: Deletion) -> Json:
    """Return the object with the finalizer that its dependents' fate calls for."""
    propagation = deletion.propagation
    if propagation is None and resource.kind == "ReplicationController":
        propagation = "Orphan"  # what core/v1 has always done
    if propagation is None:
        return old
    metadata = old["metadata"]
    held = metadata.get("finalizers") or []
    finalizers = [each for each in held if each not in (FOREGROUND, ORPHAN)]
    if propagation == "Foreground":
        finalizers.append(FOREGROUND)
    elif propagation == "Orphan":
        finalizers.append(ORPHAN)
    if finalizers == held:
        return old
    metadata = {name: each for name, each in metadata.items() if name != "finalizers"}
    if finalizers:
        metadata["finalizers"] = finalizers
    return old | {"metadata": metadata}
