"""The same messages in protobuf's binary encoding (proto2), from the same declarations as JSON.

What a type needs is worked out once, into a compiled function (`writing`, `parsing`). A union of
calls or events is one message upstream, whose `type` says which of its fields is set.
"""

import typing
from typing import Any

from comity.core.errors import ComityError
from comity.wire.mesos.declared import BYTES, VARINT
from comity.wire.mesos.parsing import reader
from comity.wire.mesos.records import Malformed, more, records, varint
from comity.wire.mesos.writing import writer

__all__ = ["Malformed", "Union", "Unknown", "decode", "embedded", "encode", "sized"]

_DEPTH_MAX = 100


class Unknown(ComityError):
    """The message's `type` is one that this API does not have."""


class Union:
    """A union of calls or events: the number of its `type` field, and the numbers of types."""

    def __init__(self, arms: Any, type_number: int, types: dict[str, int]) -> None:
        self.type_number = type_number
        self.types = types
        self.arms = typing.get_args(arms) or (arms,)
        self.arm_of_number = {types[one.__struct_config__.tag]: one for one in self.arms}


def encode(message: Any, union: Union | None = None) -> bytes:
    """Return a message's bytes; `union` is what it is an arm of, if it is one."""
    kind: Any = type(message)
    if union is None:
        return writer(kind)(message)
    return writer(kind, union.type_number, union.types[kind.__struct_config__.tag])(message)


def sized(data: bytes) -> bytes:
    """Return bytes with their length in front, as strings and messages in messages have it."""
    return varint(len(data)) + data


def embedded(number: int, data: bytes) -> bytes:
    """Return the field of this number that holds a string or an encoded message."""
    return varint(number << 3 | BYTES) + sized(data)


def decode(kind: Any, data: bytes, union: Union | None = None) -> Any:
    """Return the message in `data`: of type `kind`, or the arm of `union` that its type names.

    Raises:
        Malformed: the bytes are no such message, or a required field is missing.
        Unknown: the union has no such type.
    """
    try:
        if union is not None:
            kind = _arm_of(union, data)
        return reader(kind)(data, 0, len(data), _DEPTH_MAX)
    except IndexError as error:
        raise Malformed("the message is cut off") from error
    except UnicodeDecodeError as error:
        raise Malformed(f"a text is not UTF-8: {error}") from error


def _arm_of(union: Union, data: bytes) -> Any:
    wanted = union.type_number << 3 | VARINT
    number: int | None = None
    for tag, begin, _ in records(data, 0, len(data)):
        if tag == wanted:
            number = data[begin]
            if number > 127:
                number, _ = more(data, begin + 1, number)
    if number is None:
        raise Malformed("Missing required fields: type")
    found = union.arm_of_number.get(number)
    if found is None:
        names = {of: name for name, of in union.types.items()}
        raise Unknown(f"Unknown type '{names.get(number, number)}'")
    return found
