"""What a handler sees and gives back: requests, responses and endless streams."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qs, unquote

Headers = tuple[tuple[str, str], ...]

_FEED_MAX = 1 << 20

_REASONS = {status.value: status.phrase for status in HTTPStatus}


def reason_phrase(status: int) -> str:
    """Return the standard phrase of a status code (`Not Found`), or `Unknown`."""
    return _REASONS.get(status, "Unknown")


class Feed:
    """A request's body as it comes, for handlers that answer before its end.

    Iterate it for pieces. Who reads slowly slows the sender down: past `_FEED_MAX` bytes the
    connection is not read from.
    """

    def __init__(self, throttle: Callable[[bool], None]) -> None:
        self._throttle = throttle
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._news = asyncio.Event()
        self.is_whole = False
        """Whether the body came to its end; False when the connection broke first."""

    def put(self, piece: bytes) -> None:
        """Add what has come (the server does)."""
        self._pieces.append(piece)
        self._size += len(piece)
        self._news.set()
        if self._size > _FEED_MAX:
            self._throttle(True)

    def end(self, *, whole: bool) -> None:
        """There is no more (the server says so)."""
        self.is_whole = self.is_whole or (whole and not self._ended)
        self._ended = True
        self._news.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                was_full = self._size > _FEED_MAX
                self._size -= len(piece)
                if was_full and self._size <= _FEED_MAX:
                    self._throttle(False)
                yield piece
            if self._ended:
                return
            self._news.clear()
            await self._news.wait()


class Request:
    """One HTTP request, body included. Header names are lower-case.

    A body of RecordIO is not waited for: it comes by `feed`, and `body` is empty.
    """

    __slots__ = (
        "_query",
        "body",
        "claims",
        "feed",
        "headers",
        "method",
        "path",
        "peer",
        "principal",
        "raw_path",
        "raw_query",
    )

    def __init__(
        self, method: str, target: str, headers: dict[str, str], body: bytes = b"", peer: str = ""
    ) -> None:
        raw_path, _, raw_query = target.partition("?")
        self.method = method
        self.raw_path = raw_path
        self.raw_query = raw_query
        self.path = unquote(raw_path) if "%" in raw_path else raw_path
        self.headers = headers
        self.body = body
        self.feed: Feed | None = None
        self.peer = peer
        self.principal: str | None = None
        self.claims: dict[str, str] = {}
        """What the caller's token says; empty when it showed none."""
        self._query: dict[str, list[str]] | None = None

    @property
    def query(self) -> dict[str, list[str]]:
        """The query's values by name, in order of appearance; `?flag` alone is an empty string."""
        if self._query is None:
            self._query = parse_qs(self.raw_query, keep_blank_values=True) if self.raw_query else {}
        return self._query

    def arg(self, name: str, default: str | None = None) -> str | None:
        """Return the first query value called `name`."""
        values = self.query.get(name)
        return values[0] if values else default

    @property
    def content_type(self) -> str:
        """The media type of the body without parameters, lower-case; empty when not given."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


class Response:
    """A whole response. `content_type` empty sends no Content-Type.

    A long body may be given in `blocks`, which are sent one by one as the client takes them.
    """

    __slots__ = ("blocks", "body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        content_type: str = "application/json",
        headers: Headers = (),
        *,
        blocks: Sequence[bytes] = (),
    ) -> None:
        self.blocks = blocks
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, in any case."""
        wanted = name.lower()
        for key, value in self.headers:
            if key.lower() == wanted:
                return value
        return None


class Sink(Protocol):
    """The connection under a stream, as far as the stream needs it."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the peer."""
        ...

    def backlog(self) -> int:
        """Return the bytes queued and not yet taken by the peer."""
        ...

    async def drained(self) -> None:
        """Wait until the peer has caught up, or is gone."""
        ...

    def finish(self, *, abort: bool) -> None:
        """End the response; `abort` drops the connection with what it has queued."""
        ...


class Stream:
    """A response without end: each `send` is one chunk. Return one from a handler.

    Bytes sent before the connection has taken the stream are kept and go first. A reader that lags
    by more than `high_water` bytes is cut: the stream closes, and `send` answers False. What was
    sent before the connection was there comes on top of that: a long snapshot is not yet a lag.
    """

    __slots__ = (
        "_aborted",
        "_callbacks",
        "_early",
        "_sink",
        "closed",
        "content_type",
        "headers",
        "high_water",
        "status",
    )

    def __init__(
        self,
        content_type: str = "application/json",
        headers: Headers = (),
        *,
        status: int = 200,
        high_water: int = 16 << 20,
    ) -> None:
        self.content_type = content_type
        self.headers = headers
        self.status = status
        self.high_water = high_water
        self.closed = False
        self._aborted = False
        self._sink: Sink | None = None
        self._early: list[bytes] = []
        self._callbacks: list[Callable[[], None]] = []

    def send(self, data: bytes) -> bool:
        """Queue one chunk. False: the stream is closed or was cut just now."""
        if self.closed or not data:
            return not self.closed
        if self._sink is None:
            self._early.append(data)
            return True
        if self._sink.backlog() > self.high_water:
            self._end(abort=True)
            return False
        self._sink.write(b"%x\r\n%b\r\n" % (len(data), data))
        return True

    async def drained(self) -> None:
        """Wait until the reader has caught up; producers of bulk data await it after each send."""
        if self._sink is not None:
            await self._sink.drained()

    def close(self) -> None:
        """End the response after what was sent."""
        if not self.closed:
            self._end(abort=False)

    def abort(self) -> None:
        """Drop the connection, so that the reader knows that the response is not whole."""
        if not self.closed:
            self._aborted = True
            self._end(abort=True)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Call `callback` once when the stream ends, whoever ended it."""
        if self.closed:
            callback()
        else:
            self._callbacks.append(callback)

    def attach(self, sink: Sink) -> None:
        """Give the stream its connection (the server does)."""
        self._sink = sink
        early, self._early = self._early, []
        self.high_water += sum(map(len, early))
        for data in early:
            sink.write(b"%x\r\n%b\r\n" % (len(data), data))
        if self.closed:
            sink.finish(abort=self._aborted)

    def detach(self) -> None:
        """The peer has gone (the server says so)."""
        self._sink = None
        if not self.closed:
            self._end(abort=False)

    def _end(self, *, abort: bool) -> None:
        self.closed = True
        if self._sink is not None:
            self._sink.finish(abort=abort)
            self._sink = None
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()
