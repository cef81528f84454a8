"""Making changes: the one place where a revision is drawn, bytes are encoded and watchers told."""

from comity.core.effects import Outbox, Write
from comity.core.instants import Instant
from comity.kube.apiserver import addresses, watching
from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.state import (
    HISTORY_AGE_S,
    HISTORY_EVENTS_MAX,
    HISTORY_EVENTS_MIN,
    REVISION_KEY,
    Collection,
    Event,
    Key,
    State,
    Stored,
    store_key,
)
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import ApiError

OBJECT_BYTES_MAX = 1_500_000


def render(state: State, obj: Json) -> Stored:
    """Return the object as its next version would be, without making the change."""
    revision = state.revision + 1
    metadata = obj["metadata"] | {"resourceVersion": str(revision)}
    obj = obj | {"metadata": metadata}
    data = encode(obj)
    if len(data) > OBJECT_BYTES_MAX:
        raise ApiError(
            413,
            "RequestEntityTooLarge",
            f"an object may have {OBJECT_BYTES_MAX} bytes, this one has {len(data)}",
        )
    return Stored(revision, obj, data)


def put(
    state: State, collection: Collection, key: Key, obj: Json, now: Instant, out: Outbox
) -> Stored:
    """Create or replace an object.

    Raises:
        ApiError: 413, it is too large; nothing has changed.
    """
    stored = render(state, obj)
    old = collection.get(key)
    collection.put(key, stored)
    kind = "ADDED" if old is None else "MODIFIED"
    event = Event(stored.revision, kind, key, stored, old, now)
    out.writes.append(Write(store_key(collection.resource, key), stored.data))
    _record(state, collection, event, now, out)
    addresses.note(state, collection.resource, key, old, stored)
    return stored


def remove(
    state: State, collection: Collection, key: Key, last: Json, now: Instant, out: Outbox
) -> Stored:
    """Delete an object; `last` is the state in which watchers see it leave."""
    old = collection.need(key)
    stored = render(state, last)
    collection.drop(key)
    event = Event(stored.revision, "DELETED", key, stored, old, now)
    out.writes.append(Write(store_key(collection.resource, key), None))
    _record(state, collection, event, now, out)
    addresses.note(state, collection.resource, key, old, None)
    return stored


def _record(state: State, collection: Collection, event: Event, now: Instant, out: Outbox) -> None:
    state.revision = event.revision
    out.writes.append(Write(REVISION_KEY, str(event.revision).encode()))
    collection.history.append(event)
    _trim(collection, now)
    watching.tell(collection, event, now, out)


def _trim(collection: Collection, now: Instant) -> None:
    history = collection.history
    while len(history) > HISTORY_EVENTS_MIN and (
        len(history) > HISTORY_EVENTS_MAX or now - history[0].at > HISTORY_AGE_S
    ):
        collection.floor = history.popleft().revision
