"""The HTTP/1.1 client under every SDK: keep-alive connections, whole answers or streams.

A call that finds its kept connection closed by the server before any byte of an answer came is
sent once more on a new connection. Nothing else is retried here: callers know what is idempotent.
A body that is made while it is sent goes out on a connection of its own, and can be sent only once.
"""

import asyncio
import contextlib
import ssl as tls
from collections.abc import AsyncIterable, AsyncIterator
from types import TracebackType
from typing import Any, cast
from urllib.parse import urlsplit

import httptools

from comity.core.errors import ComityError
from comity.runtime.http import keepalive
from comity.runtime.http.messages import Headers, Response
from comity.runtime.tls import calling

_IDLE_MAX = 32
"""Idle connections kept per server."""

_BUFFERED_MAX = 4 << 20
"""Bytes of a streamed answer that may wait for their reader; past it we stop reading."""


class HttpError(ComityError):
    """The server could not be reached, or the connection broke: there is no (whole) answer."""


class _Stale(Exception):
    """A kept connection turned out closed before any byte of an answer."""


Origin = tuple[str, str, int]


def _split(url: str) -> tuple[Origin, str]:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise HttpError(f"not an HTTP URL: {url}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    target = parts.path or "/"
    return (
        parts.scheme,
        parts.hostname,
        port,
    ), f"{target}?{parts.query}" if parts.query else target


class _Exchange(asyncio.Protocol):
    """One connection; carries one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.error: Exception | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._begin()

    def _begin(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.chunks: list[bytes] = []
        self.complete = False
        self.keep_alive = True
        self.started = False
        self.streaming = False
        self._buffered = 0
        self._changed: asyncio.Future[None] | None = None

    def begin(self, data: bytes) -> None:
        """Send a request on this connection."""
        if self.transport is None or self.transport.is_closing():
            raise _Stale
        self._begin()
        self.transport.write(data)

    async def pour(self, pieces: AsyncIterable[bytes]) -> None:
        """Send the body of a request in chunks, no faster than the server reads."""
        async for piece in pieces:
            if self.transport is None:
                return
            if piece:
                self.transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            await self._writable.wait()
        if self.transport is not None:
            self.transport.write(b"0\r\n\r\n")

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def change(self) -> None:
        """Wait until something arrived, or the connection broke."""
        if self.complete or self.error is not None:
            return
        self._changed = asyncio.get_running_loop().create_future()
        await self._changed

    def _notify(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        keepalive.watch(transport)

    def data_received(self, data: bytes) -> None:
        self.started = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.error = HttpError(f"malformed HTTP response: {error}")
            self.drop()
        self._notify()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._writable.set()
        if not self.complete:
            if self.status and self._ends_with_connection():
                self.complete = True
            elif self.error is None:
                self.error = (
                    _Stale()
                    if not self.started
                    else HttpError(f"connection lost: {exc or 'closed'}")
                )
        self._notify()

    def _ends_with_connection(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return "content-length" not in names and "transfer-encoding" not in names

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self.headers.clear()
        else:
            self.status = status
            self.keep_alive = self._parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.chunks.append(body)
        self._buffered += len(body)
        if self.streaming and self._buffered > _BUFFERED_MAX and self.transport is not None:
            self.transport.pause_reading()

    def take(self) -> bytes:
        """Return what has arrived of the body, and let more come."""
        data = b"".join(self.chunks)
        self.chunks.clear()
        if self._buffered > _BUFFERED_MAX and self.transport is not None:
            self.transport.resume_reading()
        self._buffered = 0
        return data

    def on_message_complete(self) -> None:
        if self.status:
            self.keep_alive = self.keep_alive and self._parser.should_keep_alive()
            self.complete = True

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Client:
    """Calls HTTP servers, keeping connections alive between calls."""

    def __init__(self, *, ssl: tls.SSLContext | None = None, headers: Headers = ()) -> None:
        self._ssl = ssl
        self._headers = headers
        self._idle: dict[Origin, list[_Exchange]] = {}
        self._closed = False

    async def request(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Headers = (),
        *,
        timeout_s: float | None = 30.0,
    ) -> Response:
        """Make one call and return its whole answer, whatever its status.

        Raises:
            HttpError: no connection, a broken one, or no whole answer within `timeout_s`.
        """
        origin, target = _split(url)
        data = self._encode(method, origin, target, body, headers)
        try:
            async with asyncio.timeout(timeout_s):
                exchange = await self._send(origin, data, method)
                try:
                    while not exchange.complete:
                        await exchange.change()
                        _raise_broken(exchange, url)
                except BaseException:
                    exchange.drop()
                    raise
        except TimeoutError as error:
            raise HttpError(f"{method} {url}: no answer within {timeout_s:g} s") from error
        self._release(origin, exchange)
        answer = Response(exchange.status, b"".join(exchange.chunks), "", tuple(exchange.headers))
        answer.content_type = answer.header("content-type") or ""
        return answer

    def stream(
        self,
        method: str,
        url: str,
        body: bytes | AsyncIterable[bytes] = b"",
        headers: Headers = (),
        *,
        timeout_s: float | None = 30.0,
    ) -> "ClientStream":
        """Return a call whose answer is read as it comes: `async with client.stream(…) as s`.

        A body in pieces is sent as they come; an error that it raises breaks the connection, so
        that the server does not take what it got for the whole.
        """
        return ClientStream(self, (method, url, body, headers), timeout_s)

    async def close(self) -> None:
        """Drop the idle connections; calls under way end by themselves."""
        self._closed = True
        for exchanges in self._idle.values():
            for exchange in exchanges:
                exchange.drop()
        self._idle.clear()
        await asyncio.sleep(0)

    def _encode(
        self, method: str, origin: Origin, target: str, body: bytes | None, headers: Headers
    ) -> bytes:
        scheme, host, port = origin
        given = {name.lower() for name, _ in headers}
        shown = f"[{host}]" if ":" in host else host
        default = port == (443 if scheme == "https" else 80)
        lines = [f"{method} {target} HTTP/1.1"]
        if "host" not in given:
            lines.append(f"Host: {shown}" if default else f"Host: {shown}:{port}")
        lines += [f"{name}: {value}" for name, value in self._headers if name.lower() not in given]
        lines += [f"{name}: {value}" for name, value in headers]
        if body is None:
            lines.append("Transfer-Encoding: chunked")
        elif body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}")
        head = "\r\n".join(lines)
        if "\n" in head.replace("\r\n", ""):
            raise HttpError("a header or the URL holds a line break")
        return head.encode("latin-1") + b"\r\n\r\n" + (body or b"")

    async def _send(self, origin: Origin, data: bytes, method: str) -> _Exchange:
        """Send on a kept connection or a new one; return once an answer's head has come."""
        while True:
            exchange, kept = await self._connect(origin)
            try:
                exchange.begin(data)
                await _head(exchange)
            except _Stale:
                if not kept:
                    raise HttpError(
                        f"{_name(origin)} closed the connection without an answer"
                    ) from None
                continue
            except BaseException:
                exchange.drop()
                raise
            if method == "HEAD":
                exchange.complete = True
                exchange.keep_alive = False
            return exchange

    async def _connect(self, origin: Origin) -> tuple[_Exchange, bool]:
        idle = self._idle.get(origin)
        while idle:
            exchange = idle.pop()
            if exchange.transport is not None and not exchange.transport.is_closing():
                return exchange, True
        return await self._open(origin), False

    async def _open(self, origin: Origin) -> _Exchange:
        scheme, host, port = origin
        context = None
        if scheme == "https":
            context = self._ssl or calling()
        try:
            _, exchange = await asyncio.get_running_loop().create_connection(
                _Exchange, host, port, ssl=context
            )
        except (OSError, tls.SSLError) as error:
            raise HttpError(
                f"cannot connect to {_name(origin)}: {error.strerror or error}"
            ) from error
        return exchange

    def _release(self, origin: Origin, exchange: _Exchange) -> None:
        idle = self._idle.setdefault(origin, [])
        if exchange.keep_alive and not self._closed and len(idle) < _IDLE_MAX:
            idle.append(exchange)
        else:
            exchange.drop()


class ClientStream:
    """An answer read as it comes. Iterating gives the bytes of its body in pieces of any size."""

    def __init__(
        self,
        client: Client,
        call: tuple[str, str, bytes | AsyncIterable[bytes], Headers],
        timeout_s: float | None,
    ) -> None:
        self.status = 0
        self.headers: Headers = ()
        self._client = client
        self._call = call
        self._timeout_s = timeout_s
        self._exchange: _Exchange | None = None
        self._pouring: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "ClientStream":
        method, url, body, headers = self._call
        origin, target = _split(url)
        whole = body if isinstance(body, bytes) else None
        data = self._client._encode(method, origin, target, whole, headers)
        try:
            async with asyncio.timeout(self._timeout_s):
                if isinstance(body, bytes):
                    self._exchange = await self._client._send(origin, data, method)
                else:
                    self._exchange = await self._begin(origin, data, body)
        except TimeoutError as error:
            raise HttpError(f"{method} {url}: no answer within {self._timeout_s:g} s") from error
        self._exchange.streaming = True
        self.status = self._exchange.status
        self.headers = tuple(self._exchange.headers)
        return self

    async def _begin(self, origin: Origin, data: bytes, pieces: AsyncIterable[bytes]) -> _Exchange:
        """Send a body in pieces on a connection of its own; return once an answer's head came."""
        exchange = await self._client._open(origin)
        exchange.begin(data)
        self._pouring = asyncio.create_task(_pour(exchange, pieces))
        try:
            await _head(exchange)
        except _Stale:
            await self._end_pouring()
            raise HttpError(f"{_name(origin)} closed the connection without an answer") from None
        except BaseException:
            exchange.drop()
            await self._end_pouring()
            raise
        return exchange

    async def _end_pouring(self) -> None:
        if self._pouring is not None:
            self._pouring.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pouring

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        if self._pouring is not None:
            await self._end_pouring()
            exchange.drop()  # its request may not be whole, so nothing else can follow it
            return
        if exchange.complete and not exchange.chunks:
            # The whole answer came and was read: the connection serves another call.
            self._client._release(_split(self._call[1])[0], exchange)
        else:
            exchange.drop()

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield what has arrived, until the answer ends.

        Raises:
            HttpError: the connection broke in the middle.
        """
        exchange = self._exchange
        assert exchange is not None, "iterate inside `async with`"
        while True:
            if exchange.chunks:
                yield exchange.take()
            elif exchange.complete:
                return
            else:
                _raise_broken(exchange, self._call[1])
                await exchange.change()

    async def read(self) -> bytes:
        """Return the rest of the body."""
        return b"".join([chunk async for chunk in self])


async def _head(exchange: _Exchange) -> None:
    while not exchange.status:
        await exchange.change()
        if exchange.error is not None:
            raise exchange.error


async def _pour(exchange: _Exchange, pieces: AsyncIterable[bytes]) -> None:
    try:
        await exchange.pour(pieces)
    except HttpError:
        exchange.drop()  # the answer's reader learns it from the connection
    except BaseException:
        exchange.drop()
        raise


def _raise_broken(exchange: _Exchange, url: str) -> None:
    if exchange.error is not None and not exchange.complete:
        raise HttpError(f"{url}: {exchange.error}") from exchange.error


def _name(origin: Origin) -> str:
    return f"{origin[1]}:{origin[2]}"
