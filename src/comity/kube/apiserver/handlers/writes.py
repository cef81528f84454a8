"""Creating, replacing and patching objects."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.apiserver import forms, objects, patching, storing
from comity.kube.apiserver.handlers import answer, table
from comity.kube.apiserver.inputs import ObjectPatched, ObjectPosted, ObjectPut, Options, Target
from comity.kube.apiserver.state import Collection, State, Stored
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import already_exists


@table.on(ObjectPosted)
def on_object_posted(state: State, item: ObjectPosted, now: Instant, out: Outbox) -> None:
    """Create an object."""
    target, options = item.target, item.options
    collection = state.collections[target.resource]
    key, obj, warnings = objects.create(state, target, item.body, options, now)
    if collection.get(key) is not None:
        raise already_exists(target.resource, key[1])
    if options.is_dry_run:
        stored = storing.render(state, obj)
    else:
        stored = storing.put(state, collection, key, obj, now, out)
    shown = forms.show_one(target.resource, stored, options.form, now)
    answer(out, item.to, shown, status=201, warnings=warnings)


@table.on(ObjectPut)
def on_object_put(state: State, item: ObjectPut, now: Instant, out: Outbox) -> None:
    """Replace an object, or its status."""
    target = item.target
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    objects.must_name_version(target.resource, item.body, target.name)
    _write(state, item.to, target, stored, item.body, item.options, now, out)


@table.on(ObjectPatched)
def on_object_patched(state: State, item: ObjectPatched, now: Instant, out: Outbox) -> None:
    """Patch an object, or its status: apply the patch to the present version and replace that."""
    target = item.target
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    patched = patching.apply(item.media_type, stored.obj, item.patch, target.resource.definition)
    _write(state, item.to, target, stored, patched, item.options, now, out)


def _write(  # the one place where a replacement meets dry-run, no-op and the last finalizer
    state: State,
    to: int,
    target: Target,
    stored: Stored,
    body: object,
    options: Options,
    now: Instant,
    out: Outbox,
) -> None:
    obj, warnings = objects.update(state, target, stored, body, options)
    collection = state.collections[target.resource]
    result = replace(state, collection, stored, obj, options, now, out)
    shown = forms.show_one(target.resource, result, options.form, now)
    answer(out, to, shown, warnings=warnings)


def replace(
    state: State,
    collection: Collection,
    stored: Stored,
    obj: Json,
    options: Options,
    now: Instant,
    out: Outbox,
) -> Stored:
    """Make `obj` the next version of `stored`, unless nothing changed; end a finished deletion."""
    if obj == stored.obj:
        return stored
    metadata = obj["metadata"]
    key = (metadata.get("namespace", ""), metadata["name"])
    if options.is_dry_run:
        return storing.render(state, obj)
    if is_deletion_over(obj):
        return storing.remove(state, collection, key, obj, now, out)
    return storing.put(state, collection, key, obj, now, out)


def is_deletion_over(obj: Json) -> bool:
    """Whether an object was only kept for finalizers or a grace period, and these are over."""
    metadata = obj["metadata"]
    if "deletionTimestamp" not in metadata or metadata.get("finalizers"):
        return False
    if obj["kind"] == "Namespace" and (obj.get("spec") or {}).get("finalizers"):
        return False
    return not metadata.get("deletionGracePeriodSeconds")
