"""Reading untyped JSON with Marathon's own error texts (`error.expected.jsnumber` at `/cpus`).

A reader takes a value and its path, notes what is wrong in `Errors`, and returns what it could
read. All errors of a document are found in one pass. A `null` counts as an absent field, and
unknown fields are ignored, as Marathon's generated readers do.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

Errors = dict[str, list[str]]
Reader = Callable[[Any, str, Errors], Any]

_INT32_MAX = 2**31 - 1
_NUMBER_MAX = 1e15
"""No resource is larger; past it doubles cannot hold thousandths anyway."""


class Field(Struct, frozen=True):
    """A field of an object: how to read it, and what its absence means."""

    read: Reader
    required: bool = False
    default: Any = None
    """What an absent field becomes; None leaves it out."""


def note(errors: Errors, path: str, text: str) -> None:
    """Add an error to those of a path, once."""
    texts = errors.setdefault(path or "/", [])
    if text not in texts:
        texts.append(text)


def string(
    *, min_length: int = 0, max_length: int | None = None, matches: re.Pattern[str] | None = None
) -> Reader:
    """Return a reader of strings."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, str):
            note(errors, path, "error.expected.jsstring")
        elif len(value) < min_length:
            note(errors, path, "error.minLength")
        elif max_length is not None and len(value) > max_length:
            note(errors, path, "error.maxLength")
        elif matches is not None and matches.fullmatch(value) is None:
            note(errors, path, "error.pattern")
        return value

    return read


def checked(accepts: Callable[[str], bool]) -> Reader:
    """Return a reader of strings that a function accepts."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, str):
            note(errors, path, "error.expected.jsstring")
        elif not accepts(value):
            note(errors, path, "error.pattern")
        return value

    return read


def literal(*allowed: str) -> Reader:
    """Return a reader of one of a few strings."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, str):
            note(errors, path, "error.expected.jsstring")
        elif value not in allowed:
            note(errors, path, "error.unknown.enum.literal")
        return value

    return read


def caseless(*allowed: str) -> Reader:
    """Return a reader of one of a few strings, written in any case."""
    known = {one.lower(): one for one in allowed}

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, str):
            note(errors, path, "error.expected.jsstring")
        elif value.lower() not in known:
            note(errors, path, "error.unknown.enum.literal")
        else:
            return known[value.lower()]
        return value

    return read


def number(*, minimum: float | None = None, maximum: float | None = None) -> Reader:
    """Return a reader of numbers."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            note(errors, path, "error.expected.jsnumber")
            return value
        _within(value, (minimum, _NUMBER_MAX if maximum is None else maximum), path, errors)
        return float(value) if abs(value) <= _NUMBER_MAX else value

    return read


def integer(*, minimum: int | None = None, maximum: int = _INT32_MAX) -> Reader:
    """Return a reader of 32-bit integers; `2.0` is one."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | float):
            note(errors, path, "error.expected.jsnumber")
            return value
        if value != int(value) or abs(value) > _INT32_MAX:
            note(errors, path, "error.expected.int")
            return value
        _within(value, (minimum, maximum), path, errors)
        return int(value)

    return read


def boolean(value: Any, path: str, errors: Errors) -> Any:
    """Read true or false."""
    if not isinstance(value, bool):
        note(errors, path, "error.expected.jsboolean")
    return value


def anything(value: Any, path: str, errors: Errors) -> Any:
    """Accept any value: what it holds is judged elsewhere."""
    return value


def array(item: Reader, *, min_items: int = 0, max_items: int | None = None) -> Reader:
    """Return a reader of lists."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, list):
            note(errors, path, "error.expected.jsarray")
            return []
        if len(value) < min_items:
            note(errors, path, "error.minLength")
        elif max_items is not None and len(value) > max_items:
            note(errors, path, "error.maxLength")
        return [item(one, f"{path}({index})", errors) for index, one in enumerate(value)]

    return read


def mapping(item: Reader) -> Reader:
    """Return a reader of objects with free keys."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, dict):
            note(errors, path, "error.expected.jsobject")
            return {}
        return {key: item(one, f"{path}/{key}", errors) for key, one in value.items()}

    return read


def record(fields: Mapping[str, Field]) -> Reader:
    """Return a reader of objects with known fields."""

    def read(value: Any, path: str, errors: Errors) -> Any:
        if not isinstance(value, dict):
            note(errors, path, "error.expected.jsobject")
            return {}
        found: dict[str, Any] = {}
        for name, known in fields.items():
            given = value.get(name)
            if given is not None:
                found[name] = known.read(given, f"{path}/{name}", errors)
            elif known.required:
                note(errors, f"{path}/{name}", "error.path.missing")
            elif known.default is not None:
                found[name] = known.default
        return found

    return read


def optional(fields: Mapping[str, Field]) -> dict[str, Field]:
    """Return the same fields, none required and none with a default: those of an update."""
    return {name: Field(known.read) for name, known in fields.items()}


def _within(value: float, bounds: Sequence[float | None], path: str, errors: Errors) -> None:
    minimum, maximum = bounds
    if minimum is not None and value < minimum:
        note(errors, path, "error.min")
    elif maximum is not None and value > maximum:
        note(errors, path, "error.max")
