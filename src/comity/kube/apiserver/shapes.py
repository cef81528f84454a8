"""Checks bodies against the published schemas, field by field.

Each definition is compiled once into closures. A walk returns the body without nulls and without
unknown fields, and notes in `Findings` what it left out and which required fields are missing. A
value of the wrong type is refused at once, as a Go server refuses it while decoding.
"""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from comity.resources import quantities
from comity.wire.kubernetes import Json, schemas, timestamps
from comity.wire.kubernetes.status import FieldError, bad_request

Path = tuple[Any, str] | None
"""Where we are: the path above, and our last step (`.spec`, `[0]`)."""


@dataclass(slots=True)
class Findings:
    """What a walk noticed."""

    unknown: list[str] = field(default_factory=list)
    missing: list[FieldError] = field(default_factory=list)


class _Mismatch(Exception):
    def __init__(self, path: Path, value: object, wanted: str) -> None:
        super().__init__(wanted)
        self.path, self.value, self.wanted = path, value, wanted


Walk = Callable[[Any, Path, Findings], Any]


def conform(definition: str, body: Json, what: str) -> tuple[Json, Findings]:
    """Return `body` as its kind has it, and the findings. `what` names the kind in a refusal.

    Raises:
        ApiError: 400, a value has the wrong type.
    """
    findings = Findings()
    try:
        result: Json = _walker(definition)(body, None, findings)
    except _Mismatch as error:
        at = show(error.path)
        raise bad_request(
            f"{what}: json: cannot unmarshal {_json_type(error.value)} into Go struct field "
            f"{at} of type {error.wanted}"
        ) from None
    return result, findings


def show(path: Path) -> str:
    """Return a path as people read it: `spec.containers[0].name`."""
    parts: list[str] = []
    while path is not None:
        path, part = path
        parts.append(part)
    return "".join(reversed(parts)).removeprefix(".")


def _json_type(value: object) -> str:
    names = {bool: "bool", str: "string", int: "number", float: "number", list: "array"}
    return names.get(type(value), "object")


@cache
def _walker(name: str) -> Walk:
    """Compile a definition, on first use: definitions refer to each other in circles."""
    if name == schemas.QUANTITY:
        return _quantity
    if name == schemas.INT_OR_STRING:
        return _int_or_string
    return _compile(schemas.definition(name))


def _compile(schema: Json) -> Walk:
    reference = schema.get("$ref")
    if reference is not None:
        return lambda value, path, found: _walker(reference)(value, path, found)
    kind = schema.get("type")
    if kind == "object":
        return _compile_object(schema)
    if kind == "array":
        return _array(_compile(schema["items"]))
    return _SCALARS[(kind or "", schema.get("format", ""))]


def _compile_object(schema: Json) -> Walk:
    if "properties" in schema:
        fields = {key: _compile(each) for key, each in schema["properties"].items()}
        return _struct(fields, tuple(schema.get("required", ())))
    if "additionalProperties" in schema:
        return _map(_compile(schema["additionalProperties"]))
    return _free


def _struct(fields: dict[str, Walk], required: tuple[str, ...]) -> Walk:
    def walk(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is not dict:
            raise _Mismatch(path, value, "object")
        out = {}
        for key, each in value.items():
            if each is None:
                continue
            inner = fields.get(key)
            if inner is None:
                found.unknown.append(show((path, f".{key}")))
            else:
                out[key] = inner(each, (path, f".{key}"), found)
        for key in required:
            if key not in out:
                found.missing.append(FieldError.required(show((path, f".{key}"))))
        return out

    return walk


def _map(inner: Walk) -> Walk:
    def walk(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is not dict:
            raise _Mismatch(path, value, "map[string]")
        return {
            key: inner(each, (path, f".{key}"), found)
            for key, each in value.items()
            if each is not None
        }

    return walk


def _array(inner: Walk) -> Walk:
    def walk(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is not list:
            raise _Mismatch(path, value, "array")
        return [inner(each, (path, f"[{i}]"), found) for i, each in enumerate(value)]

    return walk


def _free(value: Any, path: Path, found: Findings) -> Any:
    if type(value) is not dict:
        raise _Mismatch(path, value, "object")
    return value


def _string(value: Any, path: Path, found: Findings) -> Any:
    if type(value) is not str:
        raise _Mismatch(path, value, "string")
    return value


def _boolean(value: Any, path: Path, found: Findings) -> Any:
    if type(value) is not bool:
        raise _Mismatch(path, value, "bool")
    return value


def _integer(bits: int) -> Walk:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def walk(value: Any, path: Path, found: Findings) -> Any:
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise _Mismatch(path, value, f"int{bits}")
        return value

    return walk


def _number(value: Any, path: Path, found: Findings) -> Any:
    if type(value) not in (int, float):
        raise _Mismatch(path, value, "float64")
    return value


def _time(value: Any, path: Path, found: Findings) -> Any:
    if type(value) is not str:
        raise _Mismatch(path, value, "Time")
    try:
        timestamps.parse(value)
    except ValueError:
        raise _Mismatch(path, value, "Time") from None
    return value


def _bytes(value: Any, path: Path, found: Findings) -> Any:
    if type(value) is not str:
        raise _Mismatch(path, value, "[]uint8")
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise bad_request(f"{show(path)}: illegal base64 data") from None
    return value


def _quantity(value: Any, path: Path, found: Findings) -> Any:
    if type(value) not in (str, int, float):
        raise _Mismatch(path, value, "Quantity")
    try:
        quantities.parse(value)
    except ValueError:
        raise bad_request(
            f"{show(path)}: {value!r}: quantities must match the regular expression "
            "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
        ) from None
    return value if type(value) is str else str(value)


def _int_or_string(value: Any, path: Path, found: Findings) -> Any:
    if type(value) not in (str, int):
        raise _Mismatch(path, value, "IntOrString")
    return value


_SCALARS: dict[tuple[str, str], Walk] = {
    ("string", ""): _string,
    ("string", "byte"): _bytes,
    ("string", "date-time"): _time,
    ("boolean", ""): _boolean,
    ("integer", "int32"): _integer(32),
    ("integer", "int64"): _integer(64),
    ("integer", ""): _integer(64),
    ("number", ""): _number,
}
