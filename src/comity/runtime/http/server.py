"""The HTTP/1.1 server under every API of ours: asyncio.Protocol and httptools, nothing else.

Rules it lives by, most of them because a Mesos client relies on them:
- pipelined requests are answered in order, one at a time; idle connections are never closed by us;
- a stream is chunked, one record per chunk, also when the client said `Connection: close`;
- a body over `max_body` is a 413 before it is read to the end; malformed HTTP is a 400;
- who asks for a WebSocket or SPDY gets it from handlers that answer `Upgrade`; others are ignored;
- a handler that raises is our bug: 500, logged with its trace, the connection goes on.
"""

import asyncio
import contextlib
import ipaddress
import logging
import socket
import ssl as tls
from collections import deque
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import httptools

from comity.core.errors import UserError
from comity.runtime.http import keepalive
from comity.runtime.http.duplex import Duplex, Upgrade
from comity.runtime.http.messages import Feed, Request, Response, Stream, reason_phrase
from comity.runtime.http.sniffing import Sniffing
from comity.runtime.tls import Settings, server_context

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response | Stream]]
Authenticate = Callable[[Request], Response | None]
"""Sets `request.principal` and returns None, or returns the refusal."""

_FED = "application/recordio"
"""Requests of this type are handled as their bodies come."""
_SWITCHED = ("websocket", "spdy/3.1")
"""Protocols that handlers may switch to."""
_LEAVING_S = 2.0
"""How long whoever serves a switched connection has to see that its peer has left."""
ASKING_FLAG = "--credentials FILE"
_EARLY_MAX = 1 << 20
_PIPELINE_MAX = 64
"""Requests of one connection that may wait; past it we stop reading from the peer."""


class Server:
    """Serves one handler on one address."""

    def __init__(
        self,
        handler: Handler,
        *,
        max_body: int = 64 << 20,
        ssl: tls.SSLContext | None = None,
        security: Settings | None = None,
        authenticate: Authenticate | None = None,
        asking_flag: str = ASKING_FLAG,
    ) -> None:
        self.handler = handler
        self.max_body = max_body
        self.authenticate = authenticate
        self.connections: set[_Connection] = set()
        self._asking_flag = asking_flag
        """What makes this program ask callers who they are."""
        self._ssl = server_context(security) if security is not None else ssl
        self._is_plain_too = security is not None and security.is_plain_too
        self._listener: asyncio.Server | Sniffing | None = None

    def check(self, host: str) -> None:
        """Refuse an address as `start` would, before other things are begun.

        Raises:
            UserError: it is beyond loopback, and nobody would be asked who they are.
        """
        check_address(host, asks=self.authenticate is not None, flag=self._asking_flag)

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and return the address in use (`port` 0 takes a free one).

        Raises:
            UserError: the address is beyond loopback and nobody would be asked who they are,
                or it cannot be bound.
        """
        self.check(host)
        loop = asyncio.get_running_loop()
        try:
            if self._ssl is not None and self._is_plain_too:
                self._listener = Sniffing(lambda: _Connection(self), self._ssl, host, port)
            else:
                self._listener = await loop.create_server(
                    lambda: _Connection(self), host, port, ssl=self._ssl, backlog=1024
                )
        except OSError as error:
            raise UserError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        name = self._listener.sockets[0].getsockname()
        return str(name[0]), int(name[1])

    async def start_at(self, path: Path) -> None:
        """Listen on a socket of the file system, which everybody may connect to.

        Raises:
            UserError: it cannot be made there.
        """
        loop = asyncio.get_running_loop()
        try:
            bound = _bound_at(path)
            self._listener = await loop.create_unix_server(
                lambda: _Connection(self), sock=bound, backlog=1024
            )
        except OSError as error:
            raise UserError(f"cannot listen on {path}: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Stop listening and drop every connection."""
        if self._listener is not None:
            self._listener.close()
        for connection in list(self.connections):
            connection.drop()
        if self._listener is not None:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._listener.wait_closed(), 2)
            self._listener = None


def _bound_at(path: Path) -> socket.socket:
    if path.is_socket():
        path.unlink()  # of a run before this
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(str(path))
        path.chmod(0o666)  # executors run as any user
    except OSError:
        bound.close()
        raise
    return bound


def check_address(host: str, *, asks: bool, flag: str = ASKING_FLAG) -> None:
    """Refuse an address where callers have to be asked who they are, and are not.

    Raises:
        UserError: it is beyond loopback; `flag` is what would make the program ask.
    """
    if not asks and not is_loopback(host):
        raise UserError(
            f"refusing to listen on {host} without authentication: give {flag}, "
            "or listen on 127.0.0.1"
        )


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _serve(answer: Upgrade, duplex: Duplex) -> None:
    """Serve a switched connection until that is done, or its peer has left.

    Who serves may wait for something else than its peer, such as a program that does not read; it
    is cancelled when it has not seen for a while that the peer is gone.
    """
    serving = asyncio.ensure_future(answer.run(duplex))
    leaving = asyncio.create_task(duplex.left())
    try:
        await asyncio.wait({serving, leaving}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({serving}, timeout=_LEAVING_S)
    finally:
        for job in (serving, leaving):
            job.cancel()
        await asyncio.gather(serving, leaving, return_exceptions=True)
        if leaving.done() and not leaving.cancelled() and serving.cancelled():
            duplex.abort()
    if not serving.cancelled():
        serving.result()


class _Connection(asyncio.Protocol):
    """One client: parses requests into a queue, answers them one after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting: deque[Request | Response] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._stream: Stream | None = None
        self._stream_done: asyncio.Event | None = None
        self._peer = ""
        self._keep_alive = True
        self._closing = False
        self._switching = False
        self._early = b""
        """What came behind a request to switch protocols."""
        self._writable = asyncio.Event()
        self._writable.set()
        self._reset()

    def _reset(self) -> None:
        self._target = b""
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = 0
        self._too_large = False
        self._feed: Feed | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1 << 20)
        keepalive.watch(transport)
        peer = transport.get_extra_info("peername")
        self._peer = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""
        self._server.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._switching:
            self._early += data
            if len(self._early) > _EARLY_MAX:
                self.drop()
            return
        if self._closing:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Its request is in the queue already, and is the last of this connection.
            self._keep_alive = False
            self._switching = self._headers.get("upgrade", "").lower() in _SWITCHED
            self._closing = not self._switching
            self._early = data[upgrade.args[0] :]
        except httptools.HttpParserError as error:
            self._refuse(Response(400, f"Malformed HTTP request: {error}\n".encode(), "text/plain"))

    def eof_received(self) -> bool:
        if self._feed is not None:
            self._feed.end(whole=False)  # no more of it can come
        # A half-closed client that still waits for its answer (or reads a stream) keeps it.
        return bool(self._waiting or self._worker) and self._stream is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._transport = None
        self._closing = True
        self._writable.set()
        if self._feed is not None:
            self._feed.end(whole=False)
        if self._stream is not None:
            stream, self._stream = self._stream, None
            stream.detach()
        if self._stream_done is not None:
            self._stream_done.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # httptools callbacks

    def on_message_begin(self) -> None:
        self._reset()

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        held = self._headers.get(key)
        self._headers[key] = f"{held}, {text}" if held is not None else text

    def on_headers_complete(self) -> None:
        length = self._headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._server.max_body:
            self._too_large = True
        if self._headers.get("expect", "").lower() == "100-continue" and not self._too_large:
            self._put(b"HTTP/1.1 100 Continue\r\n\r\n")
        if self._headers.get("content-type", "").startswith(_FED):
            self._feed = Feed(self._throttle)
            request = self._request(b"")
            request.feed = self._feed
            self._enqueue(request)

    def _throttle(self, full: bool) -> None:
        """Let the peer wait while its body is not read."""
        if self._transport is None:
            return
        if full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def on_body(self, body: bytes) -> None:
        if self._feed is not None:
            self._feed.put(body)
            return
        self._size += len(body)
        if self._size > self._server.max_body:
            self._too_large = True
            self._body.clear()
        elif not self._too_large:
            self._body.append(body)

    def on_message_complete(self) -> None:
        if not self._parser.should_keep_alive():
            self._keep_alive = False
        if self._feed is not None:
            self._feed.end(whole=True)
            return
        if self._too_large:
            limit = self._server.max_body
            self._enqueue(
                Response(413, f"The body is over {limit} bytes.\n".encode(), "text/plain")
            )
            return
        self._enqueue(self._request(b"".join(self._body)))

    def _request(self, body: bytes) -> Request:
        method = self._parser.get_method().decode("latin-1")
        target = self._target.decode("latin-1")
        if target.startswith(("http://", "https://")):
            target = "/" + target.split("//", 1)[1].partition("/")[2]
        return Request(method, target, self._headers, body, self._peer)

    # answering

    def _refuse(self, response: Response) -> None:
        self._closing = True
        self._keep_alive = False
        self._enqueue(response)

    def _enqueue(self, item: Request | Response) -> None:
        self._waiting.append(item)
        if len(self._waiting) >= _PIPELINE_MAX and self._transport is not None:
            self._transport.pause_reading()
        if self._worker is None:
            self._worker = asyncio.create_task(self._answer_waiting())

    async def _answer_waiting(self) -> None:
        try:
            while self._waiting and self._transport is not None:
                item = self._waiting.popleft()
                if len(self._waiting) == _PIPELINE_MAX - 1:
                    self._transport.resume_reading()
                await self._answer(item)
        finally:
            self._worker = None
        if not self._keep_alive and not self._waiting:
            self.close()

    async def _answer(self, item: Request | Response) -> None:
        head_only = False
        if isinstance(item, Request):
            head_only = item.method == "HEAD"
            answer = await self._handle(item)
            if item.feed is not None and not item.feed.is_whole:
                self._keep_alive = False  # what is left of the body is not read any more
        else:
            answer = item
        if isinstance(answer, Upgrade):
            await self._switch(answer)
        elif isinstance(answer, Stream):
            await self._answer_stream(answer, head_only=head_only)
        else:
            self._put(_encode(answer, keep_alive=self._keep_alive, head_only=head_only))
            for block in answer.blocks if not head_only else ():
                self._put(block)
                await self.drained()

    async def _handle(self, request: Request) -> Response | Stream:
        try:
            if self._server.authenticate is not None:
                refusal = self._server.authenticate(request)
                if refusal is not None:
                    return refusal
            return await self._server.handler(request)
        except Exception:
            _log.exception("handler failed for %s %s", request.method, request.raw_path)
            return Response(500, b"Internal error; the server's log says where.\n", "text/plain")

    async def _switch(self, answer: Upgrade) -> None:
        """Give the connection to whoever serves the other protocol, and close it afterwards."""
        transport = self._transport
        if transport is None:
            return
        if not self._switching:
            self._put(_encode(Response(426, b"", ""), keep_alive=False, head_only=False))
            return
        lines = ["HTTP/1.1 101 Switching Protocols"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        transport.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        duplex = Duplex(self._early)
        transport.set_protocol(duplex)
        duplex.connection_made(transport)
        transport.resume_reading()
        try:
            await _serve(answer, duplex)
        except Exception:
            _log.exception("a connection that had switched protocols failed")
        finally:
            duplex.close()
            self._server.connections.discard(self)

    async def _answer_stream(self, stream: Stream, *, head_only: bool) -> None:
        if self._transport is None:
            stream.detach()
            return
        lines = [f"HTTP/1.1 {stream.status} {reason_phrase(stream.status)}"]
        if stream.content_type:
            lines.append(f"Content-Type: {stream.content_type}")
        lines += [f"{name}: {value}" for name, value in stream.headers]
        lines.append("Transfer-Encoding: chunked")
        if not self._keep_alive:
            lines.append("Connection: close")
        self._put(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        if head_only:
            stream.detach()
            return
        self._stream_done = asyncio.Event()
        self._stream = stream
        stream.attach(self)
        await self._stream_done.wait()
        self._stream_done = None

    # Sink

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer."""
        if self._transport is not None:
            self._transport.write(data)

    def backlog(self) -> int:
        """Bytes the peer has not taken."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    async def drained(self) -> None:
        """Wait until the peer has taken most of what is queued, or is gone."""
        await self._writable.wait()

    def finish(self, *, abort: bool) -> None:
        """End the stream in flight."""
        self._stream = None
        if abort:
            self.drop()
        else:
            self._put(b"0\r\n\r\n")
        if self._stream_done is not None:
            self._stream_done.set()

    def _put(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Close after what is queued."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Close at once, losing what is queued."""
        if self._transport is not None:
            self._transport.abort()


def _encode(response: Response, *, keep_alive: bool, head_only: bool) -> bytes:
    status = response.status
    lines = [f"HTTP/1.1 {status} {reason_phrase(status)}"]
    length = len(response.body) + sum(map(len, response.blocks))
    if response.content_type and (length or head_only):
        lines.append(f"Content-Type: {response.content_type}")
    lines += [f"{name}: {value}" for name, value in response.headers]
    if status != 204:
        lines.append(f"Content-Length: {length}")
    if not keep_alive:
        lines.append("Connection: close")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
    return head if head_only or status == 204 else head + response.body
