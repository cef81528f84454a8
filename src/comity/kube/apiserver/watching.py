"""Watch events: who hears of a change, and the bytes they get.

A change is encoded once per form (object, table, metadata); every watcher of that form gets the
same bytes. A change by which an object enters a selection is ADDED to that watcher, one by which it
leaves is DELETED, with the state that was selected.
"""

from comity.core.effects import Outbox, Send
from comity.core.instants import Instant
from comity.kube.apiserver import forms
from comity.kube.apiserver.codecs import Form, encode
from comity.kube.apiserver.state import Collection, Event, Stored, Watcher
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource

INITIAL_EVENTS_END = "k8s.io/initial-events-end"

Cache = dict[tuple[str, Form, bool, bool], bytes]
"""A change's bytes by event type, form, whether columns are included, whether the old state is."""


def tell(collection: Collection, event: Event, now: Instant, out: Outbox) -> None:
    """Send a change to every watcher whom it concerns."""
    cache: Cache = {}
    for watcher in collection.watchers.values():
        data = line_for(collection.resource, watcher, event, now, cache)
        if data is not None:
            out.sends.append(Send(watcher.stream, data))


def line_for(
    resource: Resource, watcher: Watcher, event: Event, now: Instant, cache: Cache
) -> bytes | None:
    """Return the line that a change is to a watcher; None when it does not concern them."""
    kind = _kind_for(watcher, event)
    if kind is None:
        return None
    is_leaving = kind == "DELETED" and event.kind != "DELETED"
    entry = (kind, watcher.form, watcher.is_first, is_leaving)
    data = cache.get(entry)
    if data is None:
        stored = _left(event) if is_leaving else event.new
        data = cache[entry] = line(resource, kind, stored, watcher, now)
    watcher.is_first = False
    return data


def line(resource: Resource, kind: str, stored: Stored, watcher: Watcher, now: Instant) -> bytes:
    """Return one event as a watcher's line."""
    shown = forms.show_one(resource, stored, watcher.form, now, with_columns=watcher.is_first)
    return b'{"type":"%b","object":%b}\n' % (kind.encode(), shown)


def bookmark(resource: Resource, revision: int, form: Form, *, is_initial_end: bool) -> bytes:
    """Return a bookmark: how far the watcher is."""
    metadata: Json = {"resourceVersion": str(revision), "creationTimestamp": None}
    if is_initial_end:
        metadata["annotations"] = {INITIAL_EVENTS_END: "true"}
    obj: Json = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
    if form.kind == "metadata":
        obj |= {"kind": "PartialObjectMetadata", "apiVersion": f"meta.k8s.io/{form.version}"}
    elif form.kind == "table":
        obj = {
            "kind": "Table",
            "apiVersion": f"meta.k8s.io/{form.version}",
            "metadata": metadata,
            "columnDefinitions": None,
            "rows": [],
        }
        if is_initial_end:
            # kubectl reads the annotation from the row's object.
            row = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            obj["rows"] = [{"cells": [], "object": row | {"metadata": metadata}}]
    return encode({"type": "BOOKMARK", "object": obj}) + b"\n"


def _kind_for(watcher: Watcher, event: Event) -> str | None:
    selection = watcher.selection
    if selection.namespace and event.key[0] != selection.namespace:
        return None
    if selection.is_everything:
        return event.kind
    was = event.old is not None and selection.matches(event.key[0], event.old.obj)
    if event.kind == "DELETED":
        return "DELETED" if was else None
    is_now = selection.matches(event.key[0], event.new.obj)
    if is_now:
        return "MODIFIED" if was else "ADDED"
    return "DELETED" if was else None


def _left(event: Event) -> Stored:
    assert event.old is not None, "only what was selected can leave"
    metadata = event.old.obj["metadata"] | {"resourceVersion": str(event.revision)}
    obj = event.old.obj | {"metadata": metadata}
    return Stored(event.revision, obj, encode(obj))
