"""What messages declare about their protobuf encoding: numbers and tables, from annotations.

`name: Annotated[type, NUMBER] = default`, for enumerated values `Annotated[type, NUMBER, TABLE]`.
Fields without a number are JSON's only.
"""

import functools
import types
import typing
from typing import Any

import msgspec

VARINT, FIXED64, BYTES, GROUP, GROUP_END, FIXED32 = range(6)
"""How a value is delimited on the wire."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field as its annotation declares it."""

    name: str
    number: int
    kind: Any
    """The type of one value."""
    table: dict[str, int] | None = None
    is_list: bool = False
    is_map: bool = False
    is_required: bool = False
    default: Any = None
    """What an absent field is; lists and maps aside, which are empty."""

    @property
    def is_message(self) -> bool:
        """Whether one value is a message."""
        return isinstance(self.kind, type) and issubclass(self.kind, msgspec.Struct)

    @property
    def wire(self) -> int:
        """How one value is delimited."""
        if self.is_map:
            return BYTES
        if self.table is not None or self.kind in (int, bool):
            return VARINT
        return FIXED64 if self.kind is float else BYTES

    @property
    def tag(self) -> int:
        """What stands before one value."""
        return self.number << 3 | self.wire


@functools.cache
def fields(kind: Any) -> tuple[Field, ...]:
    """Return the numbered fields of a message, by number."""
    hints = typing.get_type_hints(kind, include_extras=True)
    found = [
        _field(one, hints[one.name])
        for one in msgspec.structs.fields(kind)
        if typing.get_origin(hints[one.name]) is typing.Annotated
    ]
    return tuple(sorted(found, key=lambda one: one.number))


def _field(info: Any, hint: Any) -> Field:
    bare, number, *table = typing.get_args(hint)
    origin = typing.get_origin(bare)
    if origin in (types.UnionType, typing.Union):
        [bare] = [one for one in typing.get_args(bare) if one is not type(None)]
        origin = typing.get_origin(bare)
    is_list, is_map = origin is tuple, origin is dict
    default = None
    if not (info.required or is_list or is_map):
        default = info.default
        if default is msgspec.NODEFAULT:
            default = info.default_factory()
    return Field(
        name=info.name,
        number=number,
        kind=typing.get_args(bare)[1 if is_map else 0] if is_list or is_map else bare,
        table=table[0] if table else None,
        is_list=is_list,
        is_map=is_map,
        is_required=info.required,
        default=default,
    )


def entry(field: Field) -> tuple[Field, Field]:
    """Return the two fields of what a map is on the wire: a list of keys with their values."""
    return (
        Field(name="key", number=1, kind=str, default=""),
        Field(name="value", number=2, kind=field.kind, table=field.table, is_required=True),
    )
