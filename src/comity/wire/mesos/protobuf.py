"""The same messages in protobuf's binary encoding (proto2), from the same declarations as JSON.

A field's number, and for enumerated values their table, stand in its annotation:
`Annotated[type, NUMBER]`, `Annotated[type, NUMBER, TABLE]`. Fields without are JSON's only. What a
type needs is worked out once, into closures; a union of calls or events is one message upstream,
whose `type` says which of its fields is set.

Read: unknown fields and unknown enumerated values are passed over, packed and unpacked lists are
taken, of a field that occurs twice the last counts. Written: everything that is set, defaults too.
"""

import enum
import functools
import math
import struct
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from comity.core.errors import ComityError
from comity.wire.mesos.base import UNLIMITED

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEPTH_MAX = 100
_DOUBLE = struct.Struct("<d")
_MASK = (1 << 64) - 1

Writer = Callable[[list[bytes], Any], None]
"""Appends a field's encoding, tag and all."""
Reader = Callable[[Any, int], Any]
"""Turns what the wire holds (an int, or bytes) at a depth of nesting into a value."""


class Malformed(ComityError):
    """The bytes are no such message; the text says why."""


class Unknown(ComityError):
    """The message's `type` is one that this API does not have."""


class Union(msgspec.Struct, frozen=True):
    """A union of calls or events: the number of its `type` field, and the numbers of types."""

    arms: Any
    type_number: int
    types: dict[str, int]


# varints


def _varint(number: int) -> bytes:
    if number < 0x80:
        return bytes((number,))
    parts = bytearray()
    while number >= 0x80:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while True:
        try:
            byte = data[at]
        except IndexError:
            raise Malformed("the message is cut off") from None
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number & _MASK, at
        shift += 7
        if shift > 63:
            raise Malformed("a number is longer than ten bytes")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >> 63 else number


# what fields are


class _Field(msgspec.Struct, frozen=True):
    """A field as its annotation declares it."""

    name: str
    number: int
    kind: Any
    """The type of one value."""
    table: dict[str, int] | None
    is_list: bool
    is_map: bool


@functools.cache
def _fields(kind: Any) -> tuple[_Field, ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    found = []
    for name in kind.__struct_fields__:
        if typing.get_origin(hints[name]) is not typing.Annotated:
            continue
        bare, number, *table = typing.get_args(hints[name])
        origin = typing.get_origin(bare)
        if origin in (types.UnionType, typing.Union):
            [bare] = [one for one in typing.get_args(bare) if one is not type(None)]
            origin = typing.get_origin(bare)
        is_list, is_map = origin is tuple, origin is dict
        one = typing.get_args(bare)[1 if is_map else 0] if is_list or is_map else bare
        found.append(_Field(name, number, one, table[0] if table else None, is_list, is_map))
    return tuple(found)


def sized(data: bytes) -> bytes:
    """Return bytes after their length: how strings and messages stand in a field."""
    return _varint(len(data)) + data


def embedded(number: int, data: bytes) -> bytes:
    """Return the field of this number that holds a string or an encoded message."""
    return _varint(number << 3 | _BYTES) + sized(data)


# writing


def encode(message: Any, union: Union | None = None) -> bytes:
    """Return a message's bytes; `union` is what it is an arm of, if it is one."""
    parts: list[bytes] = []
    if union is not None:
        number = union.types[type(message).__struct_config__.tag]
        parts.append(_varint(union.type_number << 3) + _varint(number))
    kind: Any = type(message)
    _encoder(kind)(parts, message)
    return b"".join(parts)


@functools.cache
def _encoder(kind: Any) -> Writer:
    writers = tuple((one.name, _field_writer(one)) for one in _fields(kind))

    def write(parts: list[bytes], message: Any) -> None:
        for name, writer in writers:
            value = getattr(message, name)
            if value is not None:
                writer(parts, value)

    return write


def _field_writer(field: _Field) -> Writer:
    if field.is_map:
        return _map_writer(field)
    write = _value_writer(field)
    if not field.is_list:
        return write

    def write_list(parts: list[bytes], values: Any) -> None:
        for value in values:
            write(parts, value)

    return write_list


def _map_writer(field: _Field) -> Writer:
    tag = _varint(field.number << 3 | _BYTES)
    write_key = _value_writer(_Field("key", 1, str, None, False, False))
    write_value = _value_writer(_Field("value", 2, field.kind, field.table, False, False))

    def write(parts: list[bytes], values: dict[str, Any]) -> None:
        for key, value in values.items():
            entry: list[bytes] = []
            write_key(entry, key)
            write_value(entry, value)
            data = b"".join(entry)
            parts += (tag, _varint(len(data)), data)

    return write


def _value_writer(field: _Field) -> Writer:
    kind, table = field.kind, field.table
    if table is not None:
        return _enum_writer(field, table)
    if kind is str or kind is bytes:
        return _bytes_writer(field)
    if kind is float:
        tag = _varint(field.number << 3 | _FIXED64)
        return lambda parts, value: parts.append(tag + _DOUBLE.pack(value))
    if kind is int or kind is bool:
        tag = _varint(field.number << 3 | _VARINT)
        return lambda parts, value: parts.append(tag + _varint(int(value) & _MASK))
    return _message_writer(field)


def _enum_writer(field: _Field, table: dict[str, int]) -> Writer:
    tag = _varint(field.number << 3 | _VARINT)
    encoded = {name: tag + _varint(number & _MASK) for name, number in table.items()}

    def write(parts: list[bytes], value: Any) -> None:
        name = value.value if isinstance(value, enum.Enum) else value
        known = encoded.get(name)
        if known is not None:  # JSON takes any word; what has no number cannot be said here
            parts.append(known)

    return write


def _bytes_writer(field: _Field) -> Writer:
    tag = _varint(field.number << 3 | _BYTES)
    is_text = field.kind is str

    def write(parts: list[bytes], value: Any) -> None:
        data = value.encode("utf-8", "surrogatepass") if is_text else value
        parts += (tag, _varint(len(data)), data)

    return write


def _message_writer(field: _Field) -> Writer:
    tag = _varint(field.number << 3 | _BYTES)
    kind = field.kind
    found: list[Writer] = []

    def write(parts: list[bytes], value: Any) -> None:
        if not found:  # late, since messages may hold themselves
            found.append(_encoder(kind))
        inner: list[bytes] = []
        found[0](inner, value)
        data = b"".join(inner)
        parts += (tag, _varint(len(data)), data)

    return write


# reading


def decode(kind: Any, data: bytes, union: Union | None = None) -> Any:
    """Return the message in `data`: of type `kind`, or the arm of `union` that its type names.

    Raises:
        Malformed: the bytes are no such message, or a required field is missing.
        Unknown: the union has no such type.
    """
    if union is not None:
        kind = _arm_of(union, data)
    return _decoder(kind)(data, 0)


def _arm_of(union: Union, data: bytes) -> Any:
    number: int | None = None
    for field, wire, value in _records(data):
        if field == union.type_number and wire == _VARINT:
            number = typing.cast("int", value)
    if number is None:
        raise Malformed("Missing required fields: type")
    found = _arms(union).get(number)
    if found is None:
        names = {of: name for name, of in union.types.items()}
        raise Unknown(f"Unknown type '{names.get(number, number)}'")
    return found


_arms_of_unions: dict[int, dict[int, Any]] = {}


def _arms(union: Union) -> dict[int, Any]:
    """Return the arms of a union by the numbers of their types."""
    found = _arms_of_unions.get(id(union.types))
    if found is None:
        arms = typing.get_args(union.arms) or (union.arms,)
        found = {union.types[one.__struct_config__.tag]: one for one in arms}
        _arms_of_unions[id(union.types)] = found
    return found


def _records(data: bytes) -> typing.Iterator[tuple[int, int, int | bytes]]:
    """Yield (field number, wire type, value) of every field; a value is an int or bytes."""
    at, end = 0, len(data)
    while at < end:
        tag, at = _read_varint(data, at)
        number, wire = tag >> 3, tag & 7
        value: int | bytes
        if wire == _VARINT:
            value, at = _read_varint(data, at)
        elif wire == _BYTES:
            size, at = _read_varint(data, at)
            value = data[at : at + size]
            at += size
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
            value = data[at : at + size]
            at += size
        else:
            raise Malformed(f"field {number} has the wire type {wire}, which is not used")
        if at > end:
            raise Malformed("the message is cut off")
        if number == 0:
            raise Malformed("a field has the number 0")
        yield number, wire, value


@functools.cache
def _decoder(kind: Any) -> Reader:
    fields = {one.number: one for one in _fields(kind)}
    readers = {number: _value_reader(one) for number, one in fields.items()}
    wires = {number: _wire_of(one) for number, one in fields.items()}

    def read(data: bytes, depth: int) -> Any:
        if depth > _DEPTH_MAX:
            raise Malformed("the message is nested too deeply")
        found: dict[str, Any] = {}
        for number, wire, value in _records(data):
            field = fields.get(number)
            if field is not None:
                _take(found, field, (wire, wires[number], value), readers[number], depth)
        for field in fields.values():
            if field.is_list and field.name in found:
                found[field.name] = tuple(found[field.name])
        return _made(kind, found)

    return read


def _take(
    found: dict[str, Any],
    field: _Field,
    what: tuple[int, int, int | bytes],
    reader: Reader,
    depth: int,
) -> None:
    """Add one field's value to those found; a packed list is one field with many values."""
    wire, expected, value = what
    if wire != expected:
        if not (field.is_list and wire == _BYTES):
            return
        for one in _packed(typing.cast("bytes", value), expected):
            _take(found, field, (expected, expected, one), reader, depth)
        return
    read = reader(value, depth + 1)
    if field.is_map:
        key, inner = read
        found.setdefault(field.name, {})[key] = inner
    elif read is None:
        return  # an enumerated value that has no name here
    elif field.is_list:
        found.setdefault(field.name, []).append(read)
    else:
        found[field.name] = read


def _packed(data: bytes, wire: int) -> typing.Iterator[int | bytes]:
    at = 0
    while at < len(data):
        value: int | bytes
        if wire == _VARINT:
            value, at = _read_varint(data, at)
        else:
            value = data[at : at + 8]
            at += 8
        yield value


def _made(kind: Any, found: dict[str, Any]) -> Any:
    try:
        return kind(**found)
    except TypeError as error:
        raise Malformed(f"Missing required fields: {error}") from error


def _wire_of(field: _Field) -> int:
    if not field.is_map and (field.table is not None or field.kind in (int, bool)):
        return _VARINT
    return _FIXED64 if field.kind is float and not field.is_map else _BYTES


def _value_reader(field: _Field) -> Reader:
    kind, table = field.kind, field.table
    if field.is_map:
        return _map_reader(field)
    if table is not None:
        names: dict[int, Any] = {number: name for name, number in table.items()}
        if isinstance(kind, type) and issubclass(kind, enum.Enum):
            known = kind._value2member_map_
            names = {number: known.get(name) for number, name in names.items()}
        return lambda value, depth: names.get(_signed(value))
    if kind is str:
        return _read_text
    if kind is bytes:
        return lambda value, depth: bytes(value)
    if kind is bool:
        return lambda value, depth: bool(value)
    if kind is int:
        return lambda value, depth: _signed(value)
    if kind is float:
        return _read_double
    return lambda value, depth: _decoder(kind)(value, depth)


def _read_text(value: Any, depth: int) -> str:
    try:
        return str(value, "utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"a text is not UTF-8: {error}") from error


def _read_double(value: Any, depth: int) -> float:
    if len(value) != _DOUBLE.size:
        raise Malformed("the message is cut off")
    number = float(_DOUBLE.unpack(value)[0])
    if math.isnan(number):
        raise Malformed("not a number")
    return max(-UNLIMITED, min(number, UNLIMITED))


def _map_reader(field: _Field) -> Reader:
    read_value = _value_reader(_Field("value", 2, field.kind, field.table, False, False))
    expected = _wire_of(_Field("value", 2, field.kind, field.table, False, False))

    def read(data: Any, depth: int) -> tuple[str, Any]:
        key = ""
        inner: Any = None
        for number, wire, value in _records(data):
            if number == 1 and wire == _BYTES:
                key = _read_text(value, depth)
            elif number == 2 and wire == expected:
                inner = read_value(value, depth + 1)
        if inner is None:
            raise Malformed(f"Missing required fields: the value of '{key}'")
        return key, inner

    return read
