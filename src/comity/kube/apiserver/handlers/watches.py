"""Watches begin, are told how far they are, and end."""

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, Send, SetTimer
from comity.core.instants import Instant
from comity.kube.apiserver import watching
from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.handlers import table
from comity.kube.apiserver.inputs import BookmarksDue, WatchClosed, WatchOpened, WatchTimedOut
from comity.kube.apiserver.state import Collection, State, Watcher
from comity.wire.kubernetes.status import expired

BOOKMARK_S = 60.0


@table.on(WatchOpened)
def on_watch_opened(state: State, item: WatchOpened, now: Instant, out: Outbox) -> None:
    """Open a watch: from now with the present state first, or from a revision on."""
    collection = state.collections[item.resource]
    state.stream_count += 1
    stream = f"watch-{state.stream_count}"
    watcher = Watcher(stream, item.selection, item.form, item.wants_bookmarks)
    kind = item.form.content_type
    out.sends.append(OpenStream(to=item.to, stream=stream, content_type=kind))
    if item.since is not None and item.since < collection.floor:
        text = f"too old resource version: {item.since} ({collection.floor})"
        status = expired(text).status()
        out.sends.append(Send(stream, encode({"type": "ERROR", "object": status}) + b"\n"))
        out.sends.append(CloseStream(stream))
        return
    if item.since is None or item.with_initial_events:
        _send_present(state, collection, watcher, now, out)
    else:
        _send_since(collection, watcher, item.since, now, out)
    if item.with_initial_events:
        data = watching.bookmark(item.resource, state.revision, item.form, is_initial_end=True)
        out.sends.append(Send(stream, data))
    collection.watchers[stream] = watcher
    state.streams[stream] = collection
    out.timers.append(SetTimer(WatchTimedOut(stream), Instant(now + item.timeout_s)))


def _send_present(
    state: State, collection: Collection, watcher: Watcher, now: Instant, out: Outbox
) -> None:
    for key, stored in collection.items(watcher.selection.namespace):
        if watcher.selection.matches(key[0], stored.obj):
            data = watching.line(collection.resource, "ADDED", stored, watcher, now)
            watcher.is_first = False
            out.sends.append(Send(watcher.stream, data))


def _send_since(
    collection: Collection, watcher: Watcher, since: int, now: Instant, out: Outbox
) -> None:
    for event in collection.history:
        if event.revision > since:
            data = watching.line_for(collection.resource, watcher, event, now, {})
            if data is not None:
                out.sends.append(Send(watcher.stream, data))


@table.on(WatchClosed)
def on_watch_closed(state: State, item: WatchClosed, now: Instant, out: Outbox) -> None:
    """Forget a watcher who has gone."""
    _forget(state, item.stream)
    out.timers.append(CancelTimer(WatchTimedOut(item.stream)))


def _forget(state: State, stream: str) -> Watcher | None:
    collection = state.streams.pop(stream, None)
    return collection.watchers.pop(stream, None) if collection is not None else None


@table.on(WatchTimedOut)
def on_watch_timed_out(state: State, item: WatchTimedOut, now: Instant, out: Outbox) -> None:
    """End a watch that has lasted as long as it was asked for, with a last bookmark."""
    collection = state.streams.get(item.stream)
    watcher = _forget(state, item.stream)
    if collection is None or watcher is None:
        return
    if watcher.wants_bookmarks:
        _mark(state, collection, watcher, out)
    out.sends.append(CloseStream(item.stream))


@table.on(BookmarksDue)
def on_bookmarks_due(state: State, item: BookmarksDue, now: Instant, out: Outbox) -> None:
    """Tell watchers who want it how far they are, so that they can resume from there."""
    for collection in state.collections.values():
        for watcher in collection.watchers.values():
            if watcher.wants_bookmarks:
                _mark(state, collection, watcher, out)
    out.timers.append(SetTimer(item, Instant(now + BOOKMARK_S)))


def _mark(state: State, collection: Collection, watcher: Watcher, out: Outbox) -> None:
    data = watching.bookmark(
        collection.resource, state.revision, watcher.form, is_initial_end=False
    )
    out.sends.append(Send(watcher.stream, data))
