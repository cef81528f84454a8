"""Channels between a client and a container: in a WebSocket, or as streams of SPDY.

The subprotocols are Kubernetes's (client-go: remotecommand). In a WebSocket the first byte of each
message is the channel, and in version 5 the client can end its input (KEP-4006). In SPDY each
channel is a stream, named by the header `streamType`; version 4 tells the end as a Status, those
before it as plain text; resizing came with version 3.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from comity.kube.node.state import Json
from comity.runtime.http import Request, Response, spdy, websockets
from comity.runtime.http.spdy import Frames
from comity.runtime.http.websockets import WebSocket
from comity.wire import spdy as wire

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
CLOSED_STDIN = (CLOSE, bytes((STDIN,)))

_IN_WEBSOCKETS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_IN_SPDY = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
_WITH_STATUS = _IN_SPDY[:1]
_WITH_RESIZE = _IN_SPDY[:2]
_TYPES = {"stdin": STDIN, "stdout": STDOUT, "stderr": STDERR, "error": ERROR, "resize": RESIZE}
_OPENING_S = 30.0
"""How long a client may take to open its streams, as at a kubelet."""
_SIZE_MAX = 4096


class Caller(Protocol):
    """A client's end of the channels."""

    async def receive(self) -> tuple[int, bytes] | None:
        """Return what comes next, and its channel; None when the client has gone."""
        ...

    async def send(self, channel: int, data: bytes) -> None:
        """Send on a channel, as fast as the client reads."""
        ...

    async def finish(self, status: Json) -> None:
        """Tell how it ended, and end the connection."""
        ...


Serve = Callable[[Caller], Awaitable[None]]


def accept(request: Request, serve: Serve) -> Response:
    """Answer a request for channels in the protocol that it asks for."""
    if not spdy.is_wanted(request):

        async def run(socket: WebSocket, protocol: str) -> None:
            await serve(_InWebSocket(socket))

        return websockets.accept(request, _IN_WEBSOCKETS, run)

    async def run_spdy(frames: Frames, protocol: str) -> None:
        caller = _InSpdy(frames, protocol)
        if await caller.has_opened(_expected(request, protocol)):
            await serve(caller)

    return spdy.accept(request, _IN_SPDY, run_spdy)


def flag(request: Request, name: str) -> bool:
    """Return a yes or no of a request's query."""
    return (request.arg(name) or "").lower() in ("true", "1")


def _expected(request: Request, protocol: str) -> set[int]:
    """Return the channels that a client is going to open."""
    found = {_TYPES[name] for name in ("stdin", "stdout", "stderr") if flag(request, name)}
    if flag(request, "tty"):
        found.discard(STDERR)
        if protocol in _WITH_RESIZE:
            found.add(RESIZE)
    return found | {ERROR}


class _InWebSocket:
    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    async def receive(self) -> tuple[int, bytes] | None:
        while (message := await self._socket.receive()) is not None:
            if message:
                return message[0], message[1:]
        return None

    async def send(self, channel: int, data: bytes) -> None:
        await self._socket.send(bytes((channel,)) + data)

    async def finish(self, status: Json) -> None:
        await self.send(ERROR, msgspec.json.encode(status))
        await self._socket.close()


class _InSpdy:
    def __init__(self, frames: Frames, protocol: str) -> None:
        self._frames = frames
        self._protocol = protocol
        self._session = wire.Session()
        self._streams: dict[int, int] = {}
        """The stream of each channel."""
        self._channels: dict[int, int] = {}
        self._heard: deque[tuple[int, bytes]] = deque()
        self._sizes = b""

    async def has_opened(self, expected: set[int]) -> bool:
        """Wait until these channels are there; whether they came in time."""
        try:
            async with asyncio.timeout(_OPENING_S):
                while not expected <= self._streams.keys():
                    if not await self._hear():
                        return False
        except TimeoutError:
            return False
        return True

    async def receive(self) -> tuple[int, bytes] | None:
        while not self._heard:
            if not await self._hear():
                return None
        return self._heard.popleft()

    async def send(self, channel: int, data: bytes) -> None:
        stream = self._streams.get(channel)
        if stream is not None:
            await self._frames.send(wire.data(stream, data))

    async def finish(self, status: Json) -> None:
        for channel in (STDOUT, STDERR):
            if channel in self._streams:
                await self._frames.send(wire.data(self._streams[channel], b"", is_last=True))
        told = b""
        if self._protocol in _WITH_STATUS:
            told = msgspec.json.encode(status)
        elif status.get("status") != "Success":
            told = str(status.get("message", "")).encode()
        await self._frames.send(wire.data(self._streams[ERROR], told, is_last=True))
        await self._frames.close()

    async def _hear(self) -> bool:
        """Take what comes next; whether the client is still there."""
        data = await self._frames.receive()
        if data is None:
            return False
        try:
            events = self._session.feed(data)
        except wire.SpdyError:
            return False
        for event in events:
            await self._take(event)
        return True

    async def _take(self, event: wire.Event) -> None:
        match event:
            case wire.Opened():
                await self._open(event)
            case wire.Data():
                self._note(self._channels.get(event.stream), event.data, is_last=event.is_last)
            case wire.Reset():
                self._note(self._channels.get(event.stream), b"", is_last=True)
            case wire.Pinged():
                await self._frames.send(event.frame)
            case wire.GoneAway():
                pass  # it opens no more streams, which it need not

    async def _open(self, event: wire.Opened) -> None:
        channel = _TYPES.get(event.headers.get("streamtype", ""))
        if channel is None or channel in self._streams:
            await self._frames.send(wire.reset(event.stream))
            return
        self._streams[channel] = event.stream
        self._channels[event.stream] = channel
        await self._frames.send(self._session.reply(event.stream))
        if event.is_last:
            self._note(channel, b"", is_last=True)

    def _note(self, channel: int | None, data: bytes, *, is_last: bool) -> None:
        if channel == STDIN:
            if data:
                self._heard.append((STDIN, data))
            if is_last:
                self._heard.append(CLOSED_STDIN)
        elif channel == RESIZE:
            *sizes, rest = (self._sizes + data).split(b"}")
            self._sizes = rest[:_SIZE_MAX]
            self._heard.extend((RESIZE, size + b"}") for size in sizes)
