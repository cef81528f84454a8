"""`kubectl port-forward`: streams of SPDY, in a WebSocket or plain; each pair is one connection.

kubectl opens two streams for each connection that it accepts: `error`, which only we write, and
`data` (kubelet's port forwarding, requests told apart by `requestid`). Where the story goes next:
`channelled` for clients that put ports into channels of a WebSocket.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from comity.kube.node.http import channelled
from comity.kube.node.http.pieces import Held, Pieces, joined
from comity.runtime.http import Duplex, HttpError, Request, Response, websockets
from comity.runtime.http import spdy as connections
from comity.runtime.http.spdy import Frames
from comity.runtime.http.websockets import WebSocket
from comity.wire import spdy, websocket

PROTOCOL = "portforward.k8s.io"
IN_WEBSOCKETS = f"SPDY/3.1+{PROTOCOL}"

Dial = Callable[[int], Awaitable[Duplex]]
"""Connects to a port of the pod."""


def accept(request: Request, dial: Dial) -> Response:
    """Answer a request to forward ports."""

    async def plain(frames: Frames, protocol: str) -> None:
        with contextlib.suppress(spdy.SpdyError):  # the connection ends
            await _Forwarding(frames, dial).serve()

    async def in_websocket(socket: WebSocket, protocol: str) -> None:
        try:
            await _Forwarding(socket, dial).serve()
        except spdy.SpdyError as error:
            await socket.close(websocket.PROTOCOL_ERROR, str(error))

    if connections.is_wanted(request):
        return connections.accept(request, (PROTOCOL,), plain)
    if channelled.is_wanted(request):
        return channelled.accept(request, dial)
    return websockets.accept(request, (IN_WEBSOCKETS,), in_websocket)


class _Connection:
    """One connection to a port of the pod, and what has come for it."""

    def __init__(self, port: int, held: Held) -> None:
        self.port = port
        self.error: int | None = None
        """The stream that tells why it failed."""
        self.pieces = Pieces(held)
        self.job: asyncio.Task[None] | None = None


class _Forwarding:
    """All connections of one client."""

    def __init__(self, frames: Frames, dial: Dial) -> None:
        self._frames = frames
        self._dial = dial
        self._session = spdy.Session()
        self._held = Held()
        self._by_request: dict[str, _Connection] = {}
        self._by_stream: dict[int, _Connection] = {}

    async def serve(self) -> None:
        """Serve until the client leaves.

        Raises:
            SpdyError: it does not speak the protocol.
        """
        try:
            while (message := await self._frames.receive()) is not None:
                for event in self._session.feed(message):
                    await self._take(event)
                await self._held.room()
        finally:
            jobs = [each.job for each in self._by_request.values() if each.job is not None]
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._open(event)
            case spdy.Data():
                connection = self._by_stream.get(event.stream)
                if connection is not None:
                    connection.pieces.put(event.data)
                    if event.is_last:
                        connection.pieces.end()
            case spdy.Reset():
                connection = self._by_stream.pop(event.stream, None)
                if connection is not None and connection.job is not None:
                    connection.job.cancel()
            case spdy.Pinged():
                await self._frames.send(event.frame)
            case spdy.GoneAway():
                pass  # its connections go on until it leaves

    async def _open(self, event: spdy.Opened) -> None:
        port, kind = event.headers.get("port", ""), event.headers.get("streamtype", "")
        if not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            await self._frames.send(spdy.reset(event.stream))
            return
        request = event.headers.get("requestid") or _pair(event.stream, kind)
        connection = self._by_request.setdefault(request, _Connection(int(port), self._held))
        await self._frames.send(self._session.reply(event.stream))
        if kind == "error":
            connection.error = event.stream
        elif kind == "data" and connection.job is None:
            self._by_stream[event.stream] = connection
            work = self._serve(request, connection, event.stream)
            connection.job = asyncio.create_task(work)

    async def _serve(self, request: str, connection: _Connection, stream: int) -> None:
        try:
            await self._connect(connection, stream)
        finally:
            connection.pieces.drop()
            self._by_stream.pop(stream, None)
            self._by_request.pop(request, None)

    async def _connect(self, connection: _Connection, stream: int) -> None:
        async def send(data: bytes) -> None:
            await self._frames.send(spdy.data(stream, data))

        try:
            await joined(self._dial(connection.port), connection.pieces, send)
        except HttpError as error:
            text = f"an error occurred forwarding {connection.port}: {error}"
            if connection.error is not None:
                last = spdy.data(connection.error, text.encode(), is_last=True)
                await self._frames.send(last)
            await self._frames.send(spdy.reset(stream))
            return
        await self._frames.send(spdy.data(stream, b"", is_last=True))
        if connection.error is not None:
            await self._frames.send(spdy.data(connection.error, b"", is_last=True))


def _pair(stream: int, kind: str) -> str:
    """Return what two streams have in common that name no request: the second is the data."""
    return f"of stream {stream - 2 if kind == 'data' else stream}"
