"""Connections into a pod, and what has come from a client for them until the pod reads it."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable

from comity.runtime.http import Duplex


class Held:
    """How much waits for all connections of one client: past a limit the client waits, too.

    Each stream has no limit of its own, as neither SPDY's client nor we do flow control: a
    connection that the pod does not read must not soon hold up the others of its client.
    """

    def __init__(self, size_max: int = 64 << 20) -> None:
        self._max = size_max
        self._size = 0
        self._room = asyncio.Event()
        self._room.set()

    def add(self, size: int) -> None:
        """Count what came, or with a negative size what went."""
        self._size += size
        if self._size > self._max:
            self._room.clear()
        else:
            self._room.set()

    async def room(self) -> None:
        """Wait until there is room for more."""
        await self._room.wait()


class Pieces:
    """What waits for one connection."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self._waiting: deque[bytes] = deque()
        self._is_over = False
        self._news = asyncio.Event()

    def put(self, data: bytes) -> None:
        """Add to it; what comes after its end is dropped."""
        if data and not self._is_over:
            self._waiting.append(data)
            self._held.add(len(data))
            self._news.set()

    def end(self) -> None:
        """Say that no more comes."""
        self._is_over = True
        self._news.set()

    def drop(self) -> None:
        """Forget what is there: nobody is going to read it."""
        self.end()
        self._held.add(-sum(map(len, self._waiting)))
        self._waiting.clear()

    async def get(self) -> bytes:
        """Return the next piece; nothing at the end."""
        while not self._waiting:
            if self._is_over:
                return b""
            self._news.clear()
            await self._news.wait()
        data = self._waiting.popleft()
        self._held.add(-len(data))
        return data


async def joined(
    dialled: Awaitable[Duplex], pieces: Pieces, send: Callable[[bytes], Awaitable[None]]
) -> None:
    """Pass bytes between a client and a connection until the pod ends that.

    Raises:
        HttpError: there is no connection to be had.
    """
    duplex = await dialled
    writing = asyncio.create_task(_write(duplex, pieces))
    try:
        while data := await duplex.read():
            await send(data)
    finally:
        writing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writing
        duplex.close()


async def _write(duplex: Duplex, pieces: Pieces) -> None:
    while data := await pieces.get():
        duplex.write(data)
        await duplex.drained()
    duplex.close_writing()
