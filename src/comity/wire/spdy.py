"""SPDY/3.1 frames, without I/O: as much as Kubernetes' clients speak, plain or in WebSockets.

Written after SPDY Protocol Draft 3.1. A server of streams: the client opens them, both sides write.
Flow control is not done, as in the library that kubectl uses (moby/spdystream).
"""

import struct
import zlib

from msgspec import Struct

from comity.core.errors import ComityError

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 1, 2, 3, 4, 6, 7
_FIN = 1
_FRAME_MAX = 4 << 20
_HEADERS_MAX = 64 << 10

CANCEL = 5
"""The status of a stream's reset that ends it at once."""

_COUNTED = [
    "options",
    "head",
    "post",
    "put",
    "delete",
    "trace",
    "accept",
    "accept-charset",
    "accept-encoding",
    "accept-language",
    "accept-ranges",
    "age",
    "allow",
    "authorization",
    "cache-control",
    "connection",
    "content-base",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "date",
    "etag",
    "expect",
    "expires",
    "from",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "last-modified",
    "location",
    "max-forwards",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "referer",
    "retry-after",
    "server",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "via",
    "warning",
    "www-authenticate",
    "method",
    "get",
    "status",
]
_COUNTED += ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
_REST = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 "
    "Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,"
    "application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age="
    "gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)
DICTIONARY = (
    b"".join(struct.pack("!I", len(name)) + name.encode() for name in _COUNTED) + _REST.encode()
)
"""What the compression of headers starts from (section 2.6.10.1)."""


class SpdyError(ComityError):
    """The peer does not speak SPDY/3.1."""


class Opened(Struct, frozen=True):
    """The peer opened a stream."""

    stream: int
    headers: dict[str, str]
    is_last: bool


class Data(Struct, frozen=True):
    """A piece of a stream; `is_last`: the peer writes no more there."""

    stream: int
    data: bytes
    is_last: bool


class Reset(Struct, frozen=True):
    """The peer ended a stream at once."""

    stream: int


class Pinged(Struct, frozen=True):
    """To be answered by the same bytes."""

    frame: bytes


class GoneAway(Struct, frozen=True):
    """The peer opens no more streams."""


Event = Opened | Data | Reset | Pinged | GoneAway


class Session:
    """One connection's frames; headers of all streams share one compression."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._unpack = zlib.decompressobj(zdict=DICTIONARY)
        self._pack = zlib.compressobj(zdict=DICTIONARY)

    # reading

    def feed(self, data: bytes) -> list[Event]:
        """Return what the frames completed by `data` say.

        Raises:
            SpdyError: they are not frames of this protocol.
        """
        self._held += data
        found: list[Event] = []
        while len(self._held) >= 8:
            size = int.from_bytes(self._held[5:8], "big")
            if size > _FRAME_MAX:
                raise SpdyError(f"a frame of {size} bytes")
            if len(self._held) < 8 + size:
                break
            frame = bytes(self._held[: 8 + size])
            del self._held[: 8 + size]
            event = self._control(frame) if frame[0] & 0x80 else _data(frame)
            if event is not None:
                found.append(event)
        return found

    def _control(self, frame: bytes) -> Event | None:
        version, kind = struct.unpack_from("!HH", frame)
        if version & 0x7FFF != _VERSION:
            raise SpdyError(f"version {version & 0x7FFF} of SPDY; only {_VERSION} is spoken here")
        body = frame[8:]
        try:
            if kind == _SYN_STREAM:
                stream = int.from_bytes(body[:4], "big") & 0x7FFFFFFF
                return Opened(stream, self._headers(body[10:]), bool(frame[4] & _FIN))
            if kind == _RST_STREAM:
                return Reset(struct.unpack_from("!I", body)[0] & 0x7FFFFFFF)
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise SpdyError(f"a malformed frame of type {kind}: {error}") from error
        if kind == _PING:
            return Pinged(frame)
        return GoneAway() if kind == _GOAWAY else None

    def _headers(self, packed: bytes) -> dict[str, str]:
        block = self._unpack.decompress(packed, _HEADERS_MAX)
        if self._unpack.unconsumed_tail:
            raise SpdyError("headers are too long")
        count, at = struct.unpack_from("!I", block)[0], 4
        found: dict[str, str] = {}
        for _ in range(min(count, 1000)):
            name, at = _text(block, at)
            found[name.lower()], at = _text(block, at)
        return found

    # writing

    def reply(self, stream: int) -> bytes:
        """Return the frame that accepts a stream."""
        block = self._pack.compress(struct.pack("!I", 0)) + self._pack.flush(zlib.Z_SYNC_FLUSH)
        return _frame(_SYN_REPLY, struct.pack("!I", stream) + block)


def data(stream: int, body: bytes, *, is_last: bool = False) -> bytes:
    """Return a frame with a piece of a stream."""
    flags = _FIN if is_last else 0
    return struct.pack("!II", stream, flags << 24 | len(body)) + body


def reset(stream: int, status: int = CANCEL) -> bytes:
    """Return the frame that ends a stream at once."""
    return _frame(_RST_STREAM, struct.pack("!II", stream, status))


def nothing() -> bytes:
    """Return a frame that says nothing and asks for nothing: SETTINGS without any."""
    return _frame(_SETTINGS, bytes(4))


def _frame(kind: int, body: bytes) -> bytes:
    return struct.pack("!HHI", 0x8000 | _VERSION, kind, len(body)) + body


def _data(frame: bytes) -> Data:
    return Data(int.from_bytes(frame[:4], "big"), frame[8:], bool(frame[4] & _FIN))


def _text(block: bytes, at: int) -> tuple[str, int]:
    size = struct.unpack_from("!I", block, at)[0]
    if at + 4 + size > len(block):
        raise SpdyError("a header goes beyond its frame")
    return block[at + 4 : at + 4 + size].decode("latin-1"), at + 4 + size
