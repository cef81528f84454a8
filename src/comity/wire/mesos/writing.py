"""Protobuf's encoding of messages, written as Python source once per type and compiled.

Fields come in the order of their numbers, as the official libraries write them. A type's function
takes a message and returns its bytes; what it needs stands in one namespace for all of them, under
names that tell the tag: `P10` is the table of prefixes (tag and length) of field 1.
"""

import enum
import functools
import re
import struct
import threading
from collections.abc import Callable
from typing import Any

from comity.wire.mesos.declared import BYTES, Field, entry, fields
from comity.wire.mesos.records import varint

Writer = Callable[[Any], bytes]

_SMALL = 128  # lengths and numbers below take one byte
_FEW = 4  # fields up to here are added one to another, more are joined

_PART = re.compile(r"^( *)\+ (.*)$")

_namespace: dict[str, Any] = {"varint": varint}
_names: dict[tuple[Any, bytes], str] = {}
_compiling = threading.Lock()  # big answers are encoded beside the loop


@functools.cache
def writer(kind: Any, type_number: int = 0, type_value: int = 0) -> Writer:
    """Return the function that encodes messages of a type.

    An arm of a union has no field for its type: its number and value are given here.
    """
    constant = varint(type_number << 3) + varint(type_value) if type_number else b""
    with _compiling:
        found: Writer = _namespace[_compiled(kind, type_number, constant)]
    return found


def _compiled(kind: Any, type_number: int = 0, constant: bytes = b"") -> str:
    name = _names.get((kind, constant))
    if name is None:
        name = _names[kind, constant] = f"write_{len(_names)}"  # first, since types may nest
        lines = []
        for field in fields(kind):
            if constant and type_number < field.number:
                lines.append(f"+ {constant!r}")
                constant = b""
            lines += _field(field, f"m.{field.name}")
        if constant:
            lines.append(f"+ {constant!r}")
        few = len(fields(kind)) <= _FEW and not any(
            one.is_list or one.is_map for one in fields(kind)
        )
        _define(name, "m", lines, joined=not few)
    return name


def _define(name: str, parameters: str, lines: list[str], *, joined: bool) -> None:
    """Compile a function; a line `+ expression` adds to what it returns."""
    add = r"\1w(\2)" if joined else r"\1parts += \2"
    body = [_PART.sub(add, line) for line in lines]
    if joined:
        body = ["parts = []", "w = parts.append", *body, "return b''.join(parts)"]
    else:
        body = ["parts = b''", *body, "return parts"]
    source = f"def {name}({parameters}):\n" + "".join(f"    {line}\n" for line in body)
    exec(compile(source, f"<protobuf {name}>", "exec"), _namespace)  # noqa: S102 - ours only


def _field(field: Field, source: str) -> list[str]:
    if field.is_map:
        name = f"entry_{len(_namespace)}"
        _namespace[name] = None
        key, value = entry(field)
        _define(name, "key, value", [*_value(key, "key"), *_value(value, "value")], joined=False)
        lines = [f"data = {name}(key, value)", *_delimited(field)]
        return [f"if {source}:", *_in(f"for key, value in {source}.items():", lines, deeper=1)]
    if field.is_list:
        return _in(f"for v in {source}:", _value(field, "v"))
    if field.is_required:
        return [f"v = {source}", *_value(field, "v")]
    return [f"v = {source}", *_in("if v is not None:", _value(field, "v"))]


def _in(head: str, lines: list[str], *, deeper: int = 0) -> list[str]:
    pad = "    " * deeper
    return [pad + head, *(f"{pad}    {line}" for line in lines)]


def _value(field: Field, v: str) -> list[str]:
    """Return the lines that write one value, which is in the variable `v`."""
    if field.table is not None:
        word = f"{v}._value_" if _is_enum(field.kind) else v
        return [f"+ {_enumerated(field)}.get({word}, b'')"]
    if field.kind is str:
        return [f"data = {v}.encode()", *_delimited(field)]
    if field.kind is bytes:
        return [f"data = {v}", *_delimited(field)]
    if field.kind is bool:
        yes, no = (varint(field.tag) + varint(one) for one in (1, 0))
        return [f"+ {yes!r} if {v} else {no!r}"]
    if field.kind is int:
        small = _table(f"I{field.tag}", varint(field.tag))
        return [f"+ {small}[{v}] if 0 <= {v} < {_SMALL} else {varint(field.tag)!r} + varint({v})"]
    if field.kind is float:
        tag = varint(field.tag)
        _namespace[f"D{field.tag}"] = struct.Struct(f"<{len(tag)}sd").pack
        return [f"+ D{field.tag}({tag!r}, {v})"]
    return [f"data = {_compiled(field.kind)}({v})", *_delimited(field)]


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, enum.Enum)


def _delimited(field: Field) -> list[str]:
    """Return the lines that write `data`, with its length in front."""
    tag = field.number << 3 | BYTES
    prefixes = _table(f"P{tag}", varint(tag))
    return [
        "n = len(data)",
        f"+ {prefixes}[n] if n < {_SMALL} else {varint(tag)!r} + varint(n)",
        "+ data",
    ]


def _table(name: str, tag: bytes) -> str:
    """Return the name of the table of a tag followed by each number that takes one byte."""
    if name not in _namespace:
        _namespace[name] = tuple(tag + bytes((n,)) for n in range(_SMALL))
    return name


def _enumerated(field: Field) -> str:
    """Return the name of the table of a field's words; JSON takes words that are not in it."""
    assert field.table is not None
    name = f"E{field.number}_{id(field.table)}"
    if name not in _namespace:
        tag = varint(field.tag)
        _namespace[name] = {word: tag + varint(number) for word, number in field.table.items()}
    return name
