"""What a machine may ask of its shell, grouped so that the order of doing is in the type.

A shell makes `writes` durable first; then it settles `replies`, delivers `sends` in order, arms
`timers` and starts `launches`. The result of every launch comes back as an input.
"""

from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from comity.core.instants import Instant

Headers = tuple[tuple[str, str], ...]


class Write(Struct, frozen=True, gc=False):
    """Set a key of the component's store, or delete it (`value` None)."""

    key: str
    value: bytes | None


class Reply(Struct, frozen=True, gc=False, kw_only=True):
    """Answer the HTTP request that was asked under the token `to`."""

    to: int
    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Headers = ()


class OpenStream(Struct, frozen=True, gc=False, kw_only=True):
    """Answer the request `to` with an endless chunked 200, known as `stream` from here on."""

    to: int
    stream: str
    content_type: str = "application/json"
    headers: Headers = ()


class Send(Struct, frozen=True, gc=False):
    """Write one chunk to an open stream; a stream that is gone ignores it."""

    stream: str
    data: bytes


class CloseStream(Struct, frozen=True, gc=False):
    """End a stream after what was sent to it."""

    stream: str


class SetTimer(Struct, frozen=True):
    """Give `item` back as an input at `at`. Setting an equal item again moves it."""

    item: Any
    at: Instant


class CancelTimer(Struct, frozen=True):
    """Forget the timer of `item`. One that has just fired may still arrive: handlers must cope."""

    item: Any


@dataclass(slots=True)
class Outbox:
    """What one batch of inputs asks for. `launches` are the component's own effect types."""

    writes: list[Write] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    sends: list[OpenStream | Send | CloseStream] = field(default_factory=list)
    timers: list[SetTimer | CancelTimer] = field(default_factory=list)
    launches: list[Any] = field(default_factory=list)
