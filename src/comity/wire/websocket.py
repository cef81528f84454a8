"""WebSocket frames, without I/O (RFC 6455). Extensions are not offered and not accepted."""

import base64
import hashlib
import struct

from msgspec import Struct

from comity.core.errors import ComityError

VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTROL_MAX = 125

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
NORMAL, GOING_AWAY, PROTOCOL_ERROR, TOO_BIG, FAILED = 1000, 1001, 1002, 1009, 1011
"""Codes of a close."""


class WebSocketError(ComityError):
    """The peer broke the protocol; `code` is what to close with."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Message(Struct, frozen=True):
    """A whole message, or a control frame: `kind` is TEXT, BINARY, CLOSE, PING or PONG."""

    kind: int
    data: bytes


def accept_of(key: str) -> str:
    """Return the Sec-WebSocket-Accept of a Sec-WebSocket-Key."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def encode(kind: int, data: bytes, mask: bytes = b"") -> bytes:
    """Return one unfragmented frame; clients must give a mask of four random bytes."""
    flag, size = 0x80 if mask else 0, len(data)
    if size < 126:
        head = struct.pack("!BB", 0x80 | kind, flag | size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | kind, flag | 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | kind, flag | 127, size)
    return head + mask + (masked(data, mask) if mask else data)


def encode_close(code: int, reason: str = "", mask: bytes = b"") -> bytes:
    """Return a close frame."""
    text = reason.encode()[: _CONTROL_MAX - 2].decode(errors="ignore").encode()
    return encode(CLOSE, struct.pack("!H", code) + text, mask)


def masked(data: bytes, mask: bytes) -> bytes:
    """Return data with a mask laid over it; twice is the data again."""
    size = len(data)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


class Decoder:
    """Finds messages in bytes that arrive in pieces of any size."""

    def __init__(self, *, is_server: bool, size_max: int = 16 << 20) -> None:
        self._is_server = is_server
        self._size_max = size_max
        self._held = bytearray()
        self._kind: int | None = None
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> list[Message]:
        """Return the messages completed by `data`, and control frames among them.

        Raises:
            WebSocketError: the peer broke the protocol, or a message is too long.
        """
        self._held += data
        found: list[Message] = []
        while (frame := self._frame()) is not None:
            message = self._message(*frame)
            if message is not None:
                found.append(message)
        return found

    def _frame(self) -> tuple[int, bool, bytes] | None:
        """Take the next whole frame: its opcode, whether it is a message's last, its data."""
        held = self._held
        if len(held) < 2:
            return None
        first, second = held[0], held[1]
        size, start = second & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            if len(held) < start:
                return None
            size = int.from_bytes(held[2:start], "big")
        is_masked = bool(second & 0x80)
        self._check(first, size, is_masked=is_masked)
        key = b""
        if is_masked:
            key = bytes(held[start : start + 4])
            start += 4
        if len(held) < start + size:
            return None
        data = bytes(held[start : start + size])
        del held[: start + size]
        return first & 0x0F, bool(first & 0x80), masked(data, key) if key else data

    def _check(self, first: int, size: int, *, is_masked: bool) -> None:
        opcode = first & 0x0F
        if first & 0x70 or opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            raise WebSocketError(PROTOCOL_ERROR, "reserved bits or an unknown opcode")
        if is_masked is not self._is_server:
            raise WebSocketError(PROTOCOL_ERROR, "frames of clients are masked, others are not")
        if opcode >= CLOSE and (size > _CONTROL_MAX or not first & 0x80):
            raise WebSocketError(PROTOCOL_ERROR, "a control frame is too long or in parts")
        if self._size + size > self._size_max:
            raise WebSocketError(TOO_BIG, f"a message is over {self._size_max} bytes")

    def _message(self, opcode: int, is_last: bool, data: bytes) -> Message | None:
        if opcode >= CLOSE:
            return Message(opcode, data)
        if (opcode == CONTINUATION) is (self._kind is None):
            raise WebSocketError(PROTOCOL_ERROR, "the parts of a message are out of order")
        if self._kind is None:
            self._kind = opcode
        self._parts.append(data)
        self._size += len(data)
        if not is_last:
            return None
        message = Message(self._kind, b"".join(self._parts))
        self._kind, self._parts, self._size = None, [], 0
        return message
