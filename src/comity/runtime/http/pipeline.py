"""Ordered calls on one connection: each is written at once, answers are matched in order.

The Mesos v1 APIs order calls per connection only. A scheduler that acknowledges a thousand updates
must neither wait for a round trip between two of them nor let them overtake one another.
"""

import asyncio
import ssl as tls
from collections import deque
from typing import Any, cast

import httptools

from comity.runtime.http.client import HttpError
from comity.runtime.http.messages import Headers, Response


class Pipeline(asyncio.Protocol):
    """One connection to `host:port`; when it breaks, every call in flight fails with it."""

    def __init__(self, host: str, port: int) -> None:
        self._name = f"{host}:{port}"
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._waiting: deque[asyncio.Future[Response]] = deque()
        self._begin()

    def _begin(self) -> None:
        self._headers: list[tuple[str, str]] = []
        self._chunks: list[bytes] = []

    @classmethod
    async def connect(
        cls, host: str, port: int, *, ssl: tls.SSLContext | None = None
    ) -> "Pipeline":
        """Open the connection.

        Raises:
            HttpError: nobody listens there.
        """
        loop = asyncio.get_running_loop()
        try:
            _, pipeline = await loop.create_connection(lambda: cls(host, port), host, port, ssl=ssl)
        except (OSError, tls.SSLError) as error:
            raise HttpError(
                f"cannot connect to {host}:{port}: {error.strerror or error}"
            ) from error
        return pipeline

    @property
    def is_open(self) -> bool:
        """Whether calls can still be made."""
        return self._transport is not None and not self._transport.is_closing()

    def post(self, target: str, body: bytes, headers: Headers = ()) -> "asyncio.Future[Response]":
        """Send a POST now; the future is its answer, or an HttpError when the connection breaks."""
        answer: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        if self._transport is None or self._transport.is_closing():
            answer.set_exception(HttpError(f"the connection to {self._name} is closed"))
            return answer
        lines = [f"POST {target} HTTP/1.1", f"Host: {self._name}", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        self._waiting.append(answer)
        self._transport.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        return answer

    async def settled(self, timeout_s: float) -> None:
        """Wait until the calls made so far are answered, but no longer than `timeout_s`."""
        if self._waiting:
            await asyncio.wait(set(self._waiting), timeout=timeout_s)

    def close(self) -> None:
        """Drop the connection; calls in flight fail."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, deque()
        for answer in waiting:
            if not answer.done():
                answer.set_exception(HttpError(f"{self._name} closed the connection"))

    def on_message_begin(self) -> None:
        self._begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self._chunks.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status < 200 or not self._waiting:
            return
        answer = self._waiting.popleft()
        if not answer.done():
            response = Response(status, b"".join(self._chunks), "", tuple(self._headers))
            response.content_type = response.header("content-type") or ""
            answer.set_result(response)
