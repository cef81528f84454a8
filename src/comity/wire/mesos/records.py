"""Records of protobuf's wire format: tags, numbers, and where values end.

A message is a list of records, whatever its type; what the values mean is its type's business.
"""

from collections.abc import Iterator
from typing import Any

from comity.core.errors import ComityError
from comity.wire.mesos.declared import BYTES, FIXED32, FIXED64, GROUP, GROUP_END, VARINT

CUT = "the message is cut off"

_MASK = (1 << 64) - 1


class Malformed(ComityError):
    """The bytes are no such message; the text says why."""


def varint(number: int) -> bytes:
    """Return a number in groups of seven bits; negative ones take ten bytes."""
    if 0 <= number < 0x4000:
        return bytes((number & 0x7F | 0x80, number >> 7)) if number > 0x7F else bytes((number,))
    number &= _MASK
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def more(data: bytes, at: int, first: int) -> tuple[int, int]:
    """Return a number whose first byte says that others follow, and where it ends."""
    byte = data[at]
    if byte < 0x80:
        return first & 0x7F | byte << 7, at + 1
    number, shift = first & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK, at
        shift += 7
        if shift > 63:
            raise Malformed("a number is longer than ten bytes")


def odd_tag(tag: int) -> None:
    """Raise for tags that no message may have; others are unknown fields."""
    if tag < 8 or tag >> 32:
        raise Malformed(f"a field has the number {tag >> 3}")


def packed(data: bytes, at: int, end: int, wire: int) -> Iterator[Any]:
    """Yield the numbers of a list that is one field; of a double's, where it stands."""
    while at < end:
        if wire == FIXED64:
            yield at
            at += 8
        else:
            number, at = data[at], at + 1
            if number > 127:
                number, at = more(data, at, number)
            if at <= end:
                yield number
    if at != end:
        raise Malformed(CUT)


def records(data: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield the tag of every field, and where its value begins and ends."""
    while at < end:
        tag, at = more(data, at + 1, data[at]) if data[at] > 127 else (data[at], at + 1)
        odd_tag(tag)
        begin, at = at, after(data, at, tag, end)
        if at > end:
            raise Malformed(CUT)
        yield tag, begin, at


def after(data: bytes, at: int, tag: int, end: int) -> int:
    """Return where a field's value ends."""
    wire = tag & 7
    if wire in (FIXED64, FIXED32):
        return at + (8 if wire == FIXED64 else 4)
    if wire in (VARINT, BYTES):
        number, at = data[at], at + 1
        if number > 127:
            number, at = more(data, at, number)
        return at if wire == VARINT else at + number
    if wire == GROUP:
        return _after_group(data, at, tag, end)
    raise Malformed(f"field {tag >> 3} has the wire type {wire}, which is not used")


def _after_group(data: bytes, at: int, tag: int, end: int) -> int:
    """Return where a group ends: an old kind of message, which only unknown fields can be."""
    open_tags = [tag]
    while open_tags:
        if at >= end:
            raise Malformed(CUT)
        tag, at = more(data, at + 1, data[at]) if data[at] > 127 else (data[at], at + 1)
        odd_tag(tag)
        if tag & 7 == GROUP:
            open_tags.append(tag)
        elif tag & 7 == GROUP_END:
            if open_tags.pop() >> 3 != tag >> 3:
                raise Malformed("a group ends that has not begun")
        else:
            at = after(data, at, tag, end)
        if len(open_tags) > 100:
            raise Malformed("the message is nested too deeply")
    return at


def merged(data: bytes, at: int, end: int, tags: frozenset[int]) -> bytes:
    """Return a message with one field for each of `tags`, of messages that occur more often."""
    parts: list[bytes] = []
    found: dict[int, list[bytes]] = {}
    for tag, begin, stop in records(data, at, end):
        if tag in tags:
            size, inner = data[begin], begin + 1
            if size > 127:
                size, inner = more(data, inner, size)
            found.setdefault(tag, []).append(data[inner:stop])
        else:
            parts += (varint(tag), data[begin:stop])
    for tag, bodies in found.items():
        body = b"".join(bodies)
        parts += (varint(tag), varint(len(body)), body)
    return b"".join(parts)
