"""Protobuf's encoding read: a function per type, written as Python source once and compiled.

A function takes the bytes, where the message begins and ends, and how deep others may be nested in
it. What cannot be read is passed over: unknown fields, values of another wire type, enumerated
values without a name. Of a field that occurs twice the last counts; two messages are one, merged.
"""

import enum
import functools
import math
import struct
import threading
from collections.abc import Callable
from typing import Any

from comity.wire.mesos.base import UNLIMITED
from comity.wire.mesos.declared import (
    BYTES,
    FIXED64,
    VARINT,
    Field,
    entry,
    fields,
)
from comity.wire.mesos.records import CUT, Malformed, after, merged, more, odd_tag, packed

Reader = Callable[[bytes, int, int, int], Any]

_MASK = (1 << 64) - 1
_ABSENT = object()


def _odd_double(number: float) -> float:
    if math.isnan(number):
        raise Malformed("not a number")
    return math.copysign(UNLIMITED, number) if math.isinf(number) else number


def _missing(**required: Any) -> None:
    absent = [name for name, value in required.items() if value is _ABSENT]
    raise Malformed(f"Missing required fields: {', '.join(absent)}")


# compiling

_namespace: dict[str, Any] = {
    "ABSENT": _ABSENT,
    "CUT": CUT,
    "Malformed": Malformed,
    "double": struct.Struct("<d").unpack_from,
    "merged": merged,
    "missing": _missing,
    "more": more,
    "odd_double": _odd_double,
    "odd_tag": odd_tag,
    "after": after,
    "packed": packed,
}
_names: dict[Any, str] = {}
_compiling = threading.Lock()  # big answers are encoded beside the loop


@functools.cache
def reader(kind: Any) -> Reader:
    """Return the function that reads messages of a type."""
    with _compiling:
        found: Reader = _namespace[_compiled(kind)]
    return found


def _compiled(kind: Any) -> str:
    name = _names.get(kind)
    if name is None:
        name = _names[kind] = f"read_{len(_names)}"  # first, since types may nest
        declared = fields(kind)
        _namespace[f"{name}_kind"] = kind
        given = ", ".join(f"{one.name}={_result(one)}" for one in declared)
        _define(name, declared, f"{name}_kind({given})")
    return name


def _result(field: Field) -> str:
    if field.is_list:
        return f"tuple({_local(field)}) if {_local(field)} else ()"
    if field.is_map:
        return f"{_local(field)} if {_local(field)} else {{}}"
    return _local(field)


def _local(field: Field) -> str:
    return f"v{field.number}"


def _define(name: str, declared: tuple[Field, ...], result: str) -> None:
    messages = [one for one in declared if one.is_message and not (one.is_list or one.is_map)]
    lines = [
        "if depth < 0:",
        "    raise Malformed('the message is nested too deeply')",
        *(f"{_local(one)} = {_initial(name, one)}" for one in declared),
    ]
    if messages:
        lines += ["start = at", "again = False"]
        _namespace[f"{name}_tags"] = frozenset(one.tag for one in messages)
    lines += ["while at < end:", *_indented(_loop(declared))]
    lines += ["if at != end:", "    raise Malformed(CUT)"]
    if messages:
        whole = f"merged(data, start, end, {name}_tags)"
        lines += [
            "if again:",
            f"    data = {whole}",
            f"    return {name}(data, 0, len(data), depth)",
        ]
    required = [one for one in declared if one.is_required]
    if required:
        absent = " or ".join(f"{_local(one)} is ABSENT" for one in required)
        given = ", ".join(f"{one.name}={_local(one)}" for one in required)
        lines += [f"if {absent}:", f"    missing({given})"]
    lines += [
        line
        for one in messages
        if one.default is not None
        for line in (
            f"if {_local(one)} is None:",
            f"    {_local(one)} = {name}_default{one.number}",
        )
    ]
    source = "\n".join(
        [f"def {name}(data, at, end, depth):", *_indented([*lines, f"return {result}"])]
    )
    exec(compile(source, f"<protobuf {name}>", "exec"), _namespace)  # noqa: S102 - ours only


def _initial(name: str, field: Field) -> str:
    if field.is_required and not (field.is_list or field.is_map):
        return "ABSENT"
    if field.is_list or field.is_map or field.default is None:
        return "None"
    _namespace[f"{name}_default{field.number}"] = field.default
    return "None" if field.is_message else f"{name}_default{field.number}"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _loop(declared: tuple[Field, ...]) -> list[str]:
    """Return the lines that read one field, whatever it is."""
    by_wire: dict[int, list[tuple[int, list[str]]]] = {VARINT: [], FIXED64: [], BYTES: []}
    for field in declared:
        by_wire[field.wire].append((field.tag, _value(field)))
        if field.is_list and field.wire != BYTES:
            by_wire[BYTES].append((field.number << 3 | BYTES, _packed_values(field)))
    number = ["n = data[at]", "at += 1", "if n > 127:", "    n, at = more(data, at, n)"]
    return [
        "tag = data[at]",
        "at += 1",
        "if tag > 127:",
        "    tag, at = more(data, at, tag)",
        "wire = tag & 7",
        f"if wire == {BYTES}:",
        *_indented([*number, "begin = at", "at += n"]),
        *_indented(["if at > end:", "    raise Malformed(CUT)"]),
        *_indented(_dispatch(sorted(by_wire[BYTES]))),
        f"elif wire == {VARINT}:",
        *_indented([*number, *_dispatch(sorted(by_wire[VARINT]))]),
        f"elif wire == {FIXED64}:",
        *_indented(["begin = at", "at += 8", "if at > end:", "    raise Malformed(CUT)"]),
        *_indented(_dispatch(sorted(by_wire[FIXED64]))),
        "else:",
        "    odd_tag(tag)",
        "    at = after(data, at, tag, end)",
    ]


def _dispatch(cases: list[tuple[int, list[str]]]) -> list[str]:
    """Return a tree of comparisons that leads to the lines of the tag, or to none."""
    if len(cases) > 4:
        middle = len(cases) // 2
        below, above = _dispatch(cases[:middle]), _dispatch(cases[middle:])
        return [f"if tag < {cases[middle][0]}:", *_indented(below), "else:", *_indented(above)]
    lines = []
    for position, (tag, body) in enumerate(cases):
        lines += [f"{'elif' if position else 'if'} tag == {tag}:", *_indented(body)]
    return [*lines, "else:", "    odd_tag(tag)"] if lines else ["odd_tag(tag)"]


def _packed_values(field: Field) -> list[str]:
    one = "begin" if field.wire == FIXED64 else "n"
    return [f"for {one} in packed(data, begin, at, {field.wire}):", *_indented(_value(field))]


def _value(field: Field) -> list[str]:
    """Return the lines that take one value: the number `n`, or what is from `begin` to `at`."""
    local = _local(field)
    if field.is_map:
        read = _entry(field)
        return [
            f"if {local} is None:",
            f"    {local} = {{}}",
            f"key, value = {read}(data, begin, at, depth - 1)",
            f"{local}[key] = value",
        ]
    lines, value = _scalar(field)
    if field.is_list:
        taken = [f"if {local} is None:", f"    {local} = [{value}]", "else:"]
        taken += [f"    {local}.append({value})"]
    elif field.is_message:
        absent = "ABSENT" if field.is_required else "None"
        return [f"if {local} is {absent}:", f"    {local} = {value}", "else:", "    again = True"]
    else:
        taken = [f"{local} = {value}"]
    if field.table is not None:
        return [*lines, "if word is not None:", *_indented(taken)]
    return [*lines, *taken]


def _scalar(field: Field) -> tuple[list[str], str]:
    """Return what to do first, and the expression of the value."""
    if field.table is not None:
        return [f"word = {_words(field)}.get(n)"], "word"
    if field.kind is str:
        return [], "data[begin:at].decode()"
    if field.kind is bytes:
        return [], "data[begin:at]"
    if field.kind is bool:
        return [], "n != 0"
    if field.kind is int:
        return ["if n >> 63:", f"    n -= {1 << 64}"], "n"
    if field.kind is float:
        odd = ["if not -1e308 <= x <= 1e308:", "    x = odd_double(x)"]
        return ["x = double(data, begin)[0]", *odd], "x"
    return [], f"{_compiled(field.kind)}(data, begin, at, depth - 1)"


def _words(field: Field) -> str:
    """Return the name of the table of a field's values by their numbers."""
    assert field.table is not None
    words: dict[int, Any] = {number & _MASK: word for word, number in field.table.items()}
    if isinstance(field.kind, type) and issubclass(field.kind, enum.Enum):
        members = field.kind._value2member_map_
        words = {number: members.get(word) for number, word in words.items()}
    name = f"words_{len(_namespace)}"
    _namespace[name] = words
    return name


def _entry(field: Field) -> str:
    name = f"entry_{len(_namespace)}"
    _namespace[name] = None
    declared = entry(field)
    _define(name, declared, f"{_local(declared[0])}, {_local(declared[1])}")
    return name
