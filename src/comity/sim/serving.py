"""HTTP on simulated connections: requests, answers, streams; and the server's end of it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from comity.core.effects import CloseStream, OpenStream, Reply, Send
from comity.sim.network import Connection


class Request(NamedTuple):
    """A POST."""

    path: str
    headers: dict[str, str]
    body: bytes


class Answer(NamedTuple):
    """A whole response, or with status 200 and `opens` the head of an endless one."""

    status: int
    headers: dict[str, str]
    body: bytes = b""
    opens: bool = False


class Chunk(NamedTuple):
    """A piece of an endless response."""

    data: bytes


class Server:
    """Settles the requests of one process, and keeps the streams that it opened."""

    def __init__(self, put: Callable[[Any], None], stream_closed: Callable[[str], Any]) -> None:
        self._put = put
        self._stream_closed = stream_closed
        self._tokens = 0
        self._asked: dict[int, Connection] = {}
        self._streams: dict[str, Connection] = {}

    def ask(self, connection: Connection, make: Callable[[int], Any]) -> None:
        """Queue the input that `make(token)` builds."""
        self._tokens += 1
        self._asked[self._tokens] = connection
        self._put(make(self._tokens))

    def answer(self, reply: Reply) -> None:
        """Send a response."""
        connection = self._asked.pop(reply.to, None)
        if connection is not None:
            answer = Answer(reply.status, dict(reply.headers), reply.body)
            connection.send(answer, to_server=False)

    def send(self, effect: OpenStream | Send | CloseStream) -> None:
        """Open, feed or end a stream."""
        if isinstance(effect, OpenStream):
            self._open(effect)
        elif isinstance(effect, CloseStream):
            connection = self._streams.pop(effect.stream, None)
            if connection is not None:
                connection.close(by_client=False)
        elif effect.stream in self._streams:
            self._streams[effect.stream].send(Chunk(effect.data), to_server=False)

    def _open(self, effect: OpenStream) -> None:
        connection = self._asked.pop(effect.to)
        self._streams[effect.stream] = connection
        if connection.server.is_open:
            connection.send(Answer(200, dict(effect.headers), opens=True), to_server=False)
        else:
            self.broken(connection)

    def broken(self, connection: Connection) -> None:
        """Tell the machine of the stream whose connection is over."""
        for name in [name for name, one in self._streams.items() if one is connection]:
            del self._streams[name]
            self._put(self._stream_closed(name))
