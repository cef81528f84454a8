"""Connections that have switched to SPDY/3.1, as Kubernetes' clients do before WebSockets came.

The subprotocol is asked for and answered in X-Stream-Protocol-Version (apimachinery's httpstream).
Newer clients put the same frames into WebSockets; `Frames` is what both have in common.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from comity.runtime.http.duplex import Duplex, Upgrade
from comity.runtime.http.messages import Headers, Request, Response
from comity.wire import spdy as wire

VERSION_HEADER = "X-Stream-Protocol-Version"
_NAME = "SPDY/3.1"
_CLOSE_WAIT_S = 5.0


class Frames(Protocol):
    """Frames both ways, in pieces of any size."""

    async def receive(self) -> bytes | None:
        """Return what has come; None when the peer has gone."""
        ...

    async def send(self, data: bytes) -> None:
        """Send, as fast as the peer reads."""
        ...

    async def close(self) -> None:
        """End the connection when the peer has everything."""
        ...


class Plain:
    """Frames on a connection of their own."""

    def __init__(self, duplex: Duplex) -> None:
        self._duplex = duplex
        duplex.nudge = wire.nothing()

    async def receive(self) -> bytes | None:
        """Return what has come; None when the peer has gone."""
        return await self._duplex.read() or None

    async def send(self, data: bytes) -> None:
        """Send, as fast as the peer reads."""
        self._duplex.write(data)
        await self._duplex.drained()

    async def close(self) -> None:
        """Wait a little for the peer to leave first, so that it gets everything."""
        try:
            async with asyncio.timeout(_CLOSE_WAIT_S):
                while await self._duplex.read():
                    continue
        except TimeoutError:
            self._duplex.abort()


def is_wanted(request: Request) -> bool:
    """Whether a request asks for SPDY/3.1."""
    return request.headers.get("upgrade", "").lower() == _NAME.lower()


def accept(
    request: Request, protocols: Sequence[str], run: Callable[[Plain, str], Awaitable[None]]
) -> Response:
    """Answer a request for SPDY in the client's first subprotocol that is among ours."""
    given = request.headers.get(VERSION_HEADER.lower(), "").split(",")
    names = [name.strip() for name in given if name.strip()]
    if not names:
        text = f"unable to upgrade: {VERSION_HEADER} is required\n"
        return Response(400, text.encode(), "text/plain")
    chosen = next((name for name in names if name in protocols), None)
    if chosen is None:
        listed = f"client supports {names}, server accepts {list(protocols)}"
        text = f"unable to upgrade: unable to negotiate protocol: {listed}\n"
        return Response(403, text.encode(), "text/plain", _accepted(protocols))

    async def serve(duplex: Duplex) -> None:
        await run(Plain(duplex), chosen)

    headers = (("Upgrade", _NAME), ("Connection", "Upgrade"), (VERSION_HEADER, chosen))
    return Upgrade(headers, serve)


def _accepted(protocols: Sequence[str]) -> Headers:
    return tuple(("X-Accepted-Stream-Protocol-Versions", name) for name in protocols)
