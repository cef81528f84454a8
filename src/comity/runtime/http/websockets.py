"""WebSockets over connections that have switched to them."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from comity.runtime.http.duplex import Duplex, Upgrade
from comity.runtime.http.messages import Headers, Request, Response
from comity.wire import websocket

_CLOSE_WAIT_S = 5.0


class WebSocket:
    """One server's end: whole messages both ways. Pings are answered while it is read."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        duplex.nudge = websocket.encode(websocket.PONG, b"")
        self._decoder = websocket.Decoder(is_server=True)
        self._messages: deque[bytes] = deque()
        self._is_closing = False

    async def receive(self) -> bytes | None:
        """Return the next message; None when the peer has closed, gone, or broken the protocol."""
        while not self._messages:
            data = await self._duplex.read()
            if not data or not self._take(data):
                return None
        return self._messages.popleft()

    def _take(self, data: bytes) -> bool:
        try:
            found = self._decoder.feed(data)
        except websocket.WebSocketError as error:
            self._close(error.code, str(error))
            return False
        for message in found:
            if message.kind == websocket.PING:
                self._duplex.write(websocket.encode(websocket.PONG, message.data))
            elif message.kind == websocket.CLOSE:
                self._close(websocket.NORMAL)
                return False
            elif message.kind != websocket.PONG:
                self._messages.append(message.data)
        return True

    async def send(self, data: bytes) -> None:
        """Send a binary message, as fast as the peer reads."""
        if not self._is_closing:
            self._duplex.write(websocket.encode(websocket.BINARY, data))
            await self._duplex.drained()

    def _close(self, code: int, reason: str = "") -> None:
        if not self._is_closing:
            self._is_closing = True
            self._duplex.write(websocket.encode_close(code, reason))

    async def close(self, code: int = websocket.NORMAL, reason: str = "") -> None:
        """Say goodbye, and wait a little for the peer to, so that it gets everything."""
        if self._is_closing:
            return
        self._close(code, reason)
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                while await self._duplex.read():
                    continue
        except TimeoutError:
            self._duplex.abort()


def is_wanted(request: Request) -> bool:
    """Whether a request asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket"


def offered(request: Request) -> list[str]:
    """Return the subprotocols that a client can speak, best first."""
    names = request.headers.get("sec-websocket-protocol", "").split(",")
    return [name.strip() for name in names if name.strip()]


def accept(
    request: Request, protocols: Sequence[str], run: Callable[[WebSocket, str], Awaitable[None]]
) -> Response:
    """Answer a request for a WebSocket in the client's first subprotocol that is among ours."""
    key = request.headers.get("sec-websocket-key", "")
    if request.headers.get("sec-websocket-version") != websocket.VERSION or not key:
        need: Headers = (("Sec-WebSocket-Version", websocket.VERSION),)
        return Response(426, b"This needs a WebSocket of version 13.\n", "text/plain", need)
    chosen = next((name for name in offered(request) if name in protocols), None)
    if chosen is None:
        text = f"None of the subprotocols is spoken here: {', '.join(protocols)} are.\n"
        return Response(400, text.encode(), "text/plain")

    async def serve(duplex: Duplex) -> None:
        await run(WebSocket(duplex), chosen)

    headers = (
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Accept", websocket.accept_of(key)),
        ("Sec-WebSocket-Protocol", chosen),
    )
    return Upgrade(headers, serve)
