"""Connections that have switched protocols: bytes both ways, for who serves and who calls."""

import asyncio
import ctypes
import os
import socket
import ssl as tls
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast
from urllib.parse import urlsplit

from comity.runtime.http import keepalive
from comity.runtime.http.client import HttpError
from comity.runtime.http.messages import Headers, Response
from comity.runtime.tls import calling

_HELD_MAX = 1 << 20
_HEAD_MAX = 64 << 10
_WRITE_MAX = 1 << 20
_LOOK_S = 2.0
"""Between two looks whether a peer that is not read from is still there."""
_CLONE_NEWNET = 0x40000000


class Duplex(asyncio.Protocol):
    """Bytes both ways. Who reads slowly slows the peer down."""

    def __init__(self, early: bytes = b"") -> None:
        self._transport: asyncio.Transport | None = None
        self._pieces: deque[bytes] = deque([early] if early else [])
        self._size = len(early)
        self._ended = False
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._has_left = asyncio.Event()
        self._look: asyncio.TimerHandle | None = None
        self.nudge = b""
        """What says nothing in the connection's protocol: it is sent to a peer that is not read
        from. The end of one that was killed stands behind what it wrote, but its kernel answers."""

    @property
    def is_open(self) -> bool:
        """Whether the peer can still be written to."""
        return self._transport is not None and not self._transport.is_closing()

    async def read(self) -> bytes:
        """Return what has come; nothing when the peer sends no more."""
        while not self._pieces and not self._ended:
            self._news.clear()
            await self._news.wait()
        if not self._pieces:
            return b""
        piece = self._pieces.popleft()
        was_full = self._size > _HELD_MAX
        self._size -= len(piece)
        if was_full and self._size <= _HELD_MAX and self._transport is not None:
            self._transport.resume_reading()
            self._stop_looking()
        return piece

    def unread(self, data: bytes) -> None:
        """Put back what is somebody else's to read."""
        if data:
            self._pieces.appendleft(data)
            self._size += len(data)

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer; one that has gone is noticed by reading."""
        if self._transport is not None:
            self._transport.write(data)

    async def drained(self) -> None:
        """Wait until the peer has taken most of what is queued, or is gone."""
        await self._writable.wait()

    async def left(self) -> None:
        """Wait until the peer has closed its end, whether or not all it sent has been read."""
        await self._has_left.wait()

    def close_writing(self) -> None:
        """Send no more, and go on reading, where the connection can do that (TLS cannot)."""
        if self._transport is None:
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._transport.close()

    def close(self) -> None:
        """Close after what is queued."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_WRITE_MAX)
        keepalive.watch(transport)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        self._news.set()
        if self._size > _HELD_MAX and self._transport is not None:
            self._transport.pause_reading()
            if self._look is None:
                self._look_later()

    def _look_later(self) -> None:
        self._look = asyncio.get_running_loop().call_later(_LOOK_S, self._look_now)

    def _look_now(self) -> None:
        if self._transport is None or keepalive.has_left(self._transport):
            self._has_left.set()
            return
        if not self._transport.get_write_buffer_size():
            self._transport.write(self.nudge)
        self._look_later()

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def eof_received(self) -> bool:
        self._ended = True
        self._has_left.set()
        self._news.set()
        # Half-closed: we may still have something to say. TLS knows no such thing.
        return self._transport is not None and self._transport.can_write_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._ended = True
        self._has_left.set()
        self._stop_looking()
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


class Upgrade(Response):
    """An answer that switches protocols; the connection is then given to `run`, and closed after.

    For requests that ask for WebSocket or SPDY; the server answers others as if they had not asked.
    """

    __slots__ = ("run",)

    def __init__(self, headers: Headers, run: Callable[[Duplex], Awaitable[None]]) -> None:
        super().__init__(101, b"", "", headers)
        self.run = run


async def connect(
    host: str, port: int, *, ssl: tls.SSLContext | None = None, timeout_s: float = 30.0
) -> Duplex:
    """Open a connection.

    Raises:
        HttpError: nobody answers there.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            _, duplex = await loop.create_connection(Duplex, host, port, ssl=ssl)
    except TimeoutError as error:
        raise HttpError(f"no answer from {host}:{port} within {timeout_s:g} s") from error
    except (OSError, tls.SSLError) as error:
        raise HttpError(f"cannot connect to {host}:{port}: {error.strerror or error}") from error
    return duplex


async def switch(
    url: str, headers: Headers, *, timeout_s: float = 30.0
) -> tuple[Response, Duplex | None]:
    """Ask a server to switch protocols; without a Duplex it would not, and says why.

    Raises:
        HttpError: no connection, or no answer that can be read.
    """
    parts = urlsplit(url)
    is_tls = parts.scheme == "https"
    host, port = parts.hostname or "", parts.port or (443 if is_tls else 80)
    duplex = await connect(host, port, ssl=calling() if is_tls else None, timeout_s=timeout_s)
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}:{port}", "Connection: Upgrade"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines)
    if "\n" in head.replace("\r\n", ""):
        duplex.abort()
        raise HttpError("a header or the URL holds a line break")
    duplex.write(head.encode("latin-1") + b"\r\n\r\n")
    try:
        async with asyncio.timeout(timeout_s):
            answer = await _answer(duplex)
    except TimeoutError as error:
        duplex.abort()
        raise HttpError(f"{url}: no answer within {timeout_s:g} s") from error
    except BaseException:
        duplex.abort()
        raise
    if answer.status == 101:
        return answer, duplex
    duplex.close()
    return answer, None


async def _answer(duplex: Duplex) -> Response:
    held = b""
    while b"\r\n\r\n" not in held:
        piece = await duplex.read()
        if not piece or len(held) > _HEAD_MAX:
            raise HttpError("the connection broke before an answer")
        held += piece
    head, rest = held.split(b"\r\n\r\n", 1)
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise HttpError(f"not an HTTP answer: {first!r}")
    pairs = (line.partition(":") for line in lines)
    answer = Response(
        int(words[1]), b"", "", tuple((name, value.strip()) for name, _, value in pairs)
    )
    answer.content_type = answer.header("content-type") or ""
    if answer.status == 101:
        duplex.unread(rest)
        return answer
    length = answer.header("content-length") or "0"
    wanted = min(int(length), _HEAD_MAX) if length.isdigit() else 0
    while len(rest) < wanted and (piece := await duplex.read()):
        rest += piece
    answer.body = rest[:wanted]
    return answer


async def join(one: Duplex, other: Duplex) -> None:
    """Pass bytes both ways until either connection ends; then both are closed.

    Cancelled, both are closed at once, since nobody may be there to take what is queued.
    """

    async def pass_on(source: Duplex, target: Duplex) -> None:
        while data := await source.read():
            target.write(data)
            await target.drained()

    jobs = {
        asyncio.create_task(pass_on(one, other)),
        asyncio.create_task(pass_on(other, one)),
    }
    try:
        await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        one.abort()
        other.abort()
        raise
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        one.close()
        other.close()


async def connect_as(pid: int, port: int, *, timeout_s: float = 30.0) -> Duplex:
    """Connect to a port of the loopback interface that a process has: in its network namespace.

    Raises:
        HttpError: nobody listens there, or the process has gone.
    """
    loop = asyncio.get_running_loop()
    made: asyncio.Future[socket.socket] = loop.create_future()

    def settle(found: socket.socket | OSError) -> None:
        if isinstance(found, OSError):
            if not made.done():
                made.set_exception(found)
        elif made.done():
            found.close()
        else:
            made.set_result(found)

    def work() -> None:
        try:
            found: socket.socket | OSError = _socket_as(pid, port, timeout_s)
        except OSError as error:
            found = error
        loop.call_soon_threadsafe(settle, found)

    # A thread of its own: it ends in the namespace that it has entered.
    threading.Thread(target=work, daemon=True).start()
    try:
        connected = await made
        _, duplex = await loop.create_connection(Duplex, sock=connected)
    except OSError as error:
        raise HttpError(f"cannot connect to port {port}: {error.strerror or error}") from error
    return duplex


def _socket_as(pid: int, port: int, timeout_s: float) -> socket.socket:
    theirs = f"/proc/{pid}/ns/net"
    if os.stat(theirs).st_ino != os.stat("/proc/self/ns/net").st_ino:
        with open(theirs) as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                number = ctypes.get_errno()
                raise OSError(number, f"entering the pod's network: {os.strerror(number)}")
    try:
        found = socket.create_connection(("127.0.0.1", port), timeout_s)
    except ConnectionRefusedError:
        found = socket.create_connection(("::1", port), timeout_s)
    found.setblocking(False)
    return found
