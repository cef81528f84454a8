"""The event stream: who reads it, and what is sent to them (`core/event/Events.scala`).

An event costs nothing while nobody reads. A reader that falls too far behind is cut off by the
HTTP layer, and comes back as `EventsClosed`.
"""

from typing import Any

import msgspec

from comity.core.effects import OpenStream, Outbox, Send, SetTimer
from comity.core.instants import Instant
from comity.marathon.handlers import table
from comity.marathon.inputs import EventsClosed, EventsOpened, HeartbeatDue
from comity.marathon.state import EventReader, State
from comity.wire.marathon import timestamps

_NO_CACHE = (("Cache-Control", "no-cache"),)


def emit(state: State, now: Instant, out: Outbox, kind: str, **fields: Any) -> None:
    """Send an event to the readers that want its type."""
    readers = [name for name, one in state.readers.items() if not one.types or kind in one.types]
    if not readers:
        return
    payload = {**fields, "eventType": kind, "timestamp": timestamps.render(now)}
    data = b"event: %b\r\ndata: %b\r\n\r\n" % (kind.encode(), msgspec.json.encode(payload))
    out.sends.extend(Send(name, data) for name in readers)


@table.on(EventsOpened)
def on_events_opened(state: State, item: EventsOpened, now: Instant, out: Outbox) -> None:
    """Open a stream; its first event says that it is attached."""
    state.readers_opened += 1
    name = f"events-{state.readers_opened}"
    if not state.readers:
        out.timers.append(SetTimer(HeartbeatDue(), Instant(now + state.config.heartbeat_s)))
    state.readers[name] = EventReader(item.peer, item.types)
    out.sends.append(
        OpenStream(to=item.to, stream=name, content_type="text/event-stream", headers=_NO_CACHE)
    )
    out.sends.append(Send(name, b"\r\n"))  # so that clients see the head at once
    emit(state, now, out, "event_stream_attached", remoteAddress=item.peer)


@table.on(EventsClosed)
def on_events_closed(state: State, item: EventsClosed, now: Instant, out: Outbox) -> None:
    """Forget a reader."""
    reader = state.readers.pop(item.stream, None)
    if reader is not None:
        emit(state, now, out, "event_stream_detached", remoteAddress=reader.peer)


@table.on(HeartbeatDue)
def on_heartbeat_due(state: State, item: HeartbeatDue, now: Instant, out: Outbox) -> None:
    """Send an empty line, while there is anyone to read it."""
    if state.readers:
        out.sends.extend(Send(name, b"\r\n") for name in state.readers)
        out.timers.append(SetTimer(item, Instant(now + state.config.heartbeat_s)))
