"""JSON documents put together from parts that are encoded already.

A document may hold a `Spliced` wherever a list could be. Encoding the document gives a *skeleton*:
bytes with holes. Filling the holes gives *pieces*: bytes, and lists of bytes that belong together
with commas between them. Only `joined` copies: the rest costs little however long the lists are.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from comity.core.ascii import escaped

Piece = bytes | list[bytes]
"""Bytes as they are, or encoded items that are joined with commas."""

_HOLE = re.compile(rb"\x00(\d+)\x00")
"""What marks a hole. JSON has no such byte: control characters are escaped in strings."""


class Spliced:
    """A list of encoded items: `fill(context)` gives them, or their skeletons."""

    __slots__ = ("fill",)

    def __init__(self, fill: Callable[[Any], "Sequence[bytes] | Sequence[Skeleton]"]) -> None:
        self.fill = fill


Skeleton = tuple[bytes | Spliced, ...]


def skeleton(document: Any) -> Skeleton:
    """Return an encoded document with its holes."""
    holes: list[Spliced] = []

    def hook(value: Any) -> Any:
        if not isinstance(value, Spliced):
            raise NotImplementedError(f"cannot encode {type(value)}")
        holes.append(value)
        return msgspec.Raw(b"\x00%d\x00" % (len(holes) - 1))

    data = escaped(msgspec.json.Encoder(enc_hook=hook).encode(document))
    if not holes:
        return (data,)
    parts: list[bytes | Spliced] = []
    for number, part in enumerate(_HOLE.split(data)):
        parts.append(holes[int(part)] if number % 2 else part)
    return tuple(parts)


def pieces(parts: Skeleton, context: Any) -> list[Piece]:
    """Return a skeleton's bytes in pieces, its holes filled as things are now."""
    found: list[Piece] = []
    _fill(parts, context, found)
    return found


def _fill(parts: Skeleton, context: Any, found: list[Piece]) -> None:
    for part in parts:
        if isinstance(part, bytes):
            found.append(part)
            continue
        items = part.fill(context)
        found.append(b"[")
        if items and not isinstance(items[0], bytes):
            for number, item in enumerate(items):
                if number:
                    found.append(b",")
                _fill(item, context, found)  # type: ignore[arg-type]
        elif items:
            found.append(items)  # type: ignore[arg-type]
        found.append(b"]")


def joined(found: Iterable[Piece], *, size: int = 1 << 18, at_once: int = 500) -> Iterator[bytes]:
    """Yield the bytes in blocks of about `size`; the work between two of them is bounded."""
    block: list[bytes] = []
    length = 0
    for piece in found:
        if isinstance(piece, bytes):
            block.append(piece)
            length += len(piece)
        else:
            for start in range(0, len(piece), at_once):
                part = b",".join(piece[start : start + at_once])
                if start:
                    block.append(b",")
                block.append(part)
                length += len(part) + 1
                if length >= size:
                    yield b"".join(block)
                    block, length = [], 0
        if length >= size:
            yield b"".join(block)
            block, length = [], 0
    if block:
        yield b"".join(block)
