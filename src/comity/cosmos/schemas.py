"""JSON Schema draft 4, as far as the config.json files of packages go.

Every keyword of the validation specification is here except `$ref` to other documents and
`format`, which draft 4 lets a validator leave out. An unknown keyword is ignored, as it must be.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Json = dict[str, Any]
Path = tuple[str | int, ...]


class Violation(NamedTuple):
    """One way in which a document breaks its schema."""

    pointer: str
    keyword: str
    message: str

    def as_json(self) -> Json:
        """Return the violation in the shape that Cosmos's clients print."""
        return {
            "level": "error",
            "instance": {"pointer": self.pointer},
            "domain": "validation",
            "keyword": self.keyword,
            "message": self.message,
        }


def violations(document: Any, schema: Json) -> list[Violation]:
    """Return every violation, in document order."""
    return list(_check(document, schema, (), schema))


def _check(value: Any, schema: Any, path: Path, root: Json) -> Iterator[Violation]:
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str):
        yield from _check(value, _resolve(reference, root), path, root)
        return
    for keyword, check in _SIMPLE.items():
        if keyword in schema:
            message = check(value, schema[keyword], schema)
            if message:
                yield _violation(path, keyword, message)
    yield from _combined(value, schema, path, root)
    if isinstance(value, dict):
        yield from _properties(value, schema, path, root)
    elif isinstance(value, list):
        yield from _items(value, schema, path, root)


def _violation(path: Path, keyword: str, message: str) -> Violation:
    keys = [str(key).replace("~", "~0").replace("/", "~1") for key in path]
    return Violation("".join(f"/{key}" for key in keys), keyword, message)


def _resolve(reference: str, root: Json) -> Any:
    if not reference.startswith("#"):
        return {}
    found: Any = root
    for key in reference[1:].split("/")[1:]:
        key = key.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or key not in found:
            return {}
        found = found[key]
    return found


def _properties(value: Json, schema: Json, path: Path, root: Json) -> Iterator[Violation]:
    named = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    rest = schema.get("additionalProperties", True)
    for key, item in value.items():
        known = key in named
        if known:
            yield from _check(item, named[key], (*path, key), root)
        for pattern, sub in patterns.items():
            if re.search(pattern, key):
                known = True
                yield from _check(item, sub, (*path, key), root)
        if known:
            continue
        if rest is False:
            allowed = ", ".join(sorted(named)) or "none"
            message = f"there is no option {key!r} here; the options are: {allowed}"
            yield _violation(path, "additionalProperties", message)
        else:
            yield from _check(item, rest, (*path, key), root)
    for key, needed in schema.get("dependencies", {}).items():
        if key not in value:
            continue
        if isinstance(needed, dict):
            yield from _check(value, needed, path, root)
        elif missing := [name for name in needed if name not in value]:
            yield _violation(path, "dependencies", f"{key!r} also needs {', '.join(missing)}")


def _items(value: list[Any], schema: Json, path: Path, root: Json) -> Iterator[Violation]:
    items = schema.get("items", {})
    if isinstance(items, dict):
        for index, item in enumerate(value):
            yield from _check(item, items, (*path, index), root)
        return
    rest = schema.get("additionalItems", True)
    for index, item in enumerate(value):
        if index < len(items):
            yield from _check(item, items[index], (*path, index), root)
        elif rest is False:
            yield _violation(path, "additionalItems", f"at most {len(items)} items are allowed")
            return
        else:
            yield from _check(item, rest, (*path, index), root)


def _combined(value: Any, schema: Json, path: Path, root: Json) -> Iterator[Violation]:
    for sub in schema.get("allOf", []):
        yield from _check(value, sub, path, root)
    for keyword in ("anyOf", "oneOf"):
        if keyword not in schema:
            continue
        matching = [sub for sub in schema[keyword] if not any(_check(value, sub, path, root))]
        if not matching:
            yield _violation(path, keyword, "the value matches none of the allowed schemas")
        elif keyword == "oneOf" and len(matching) > 1:
            yield _violation(path, keyword, "the value matches several schemas instead of one")
    if "not" in schema and not any(_check(value, schema["not"], path, root)):
        yield _violation(path, "not", "the value matches a schema that is forbidden")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": lambda value: _is_number(value) and isinstance(value, int),
}


def _type(value: Any, wanted: Any, _: Json) -> str:
    names = wanted if isinstance(wanted, list) else [wanted]
    if any(_TYPES.get(name, lambda _: True)(value) for name in names):
        return ""
    found = next(name for name in ("boolean", "integer", *_TYPES) if _TYPES[name](value))
    return f"expected {' or '.join(map(str, names))}, found {found}"


def _enum(value: Any, allowed: Any, _: Json) -> str:
    if any(value == item and isinstance(value, bool) is isinstance(item, bool) for item in allowed):
        return ""
    return f"{value!r} is not one of {', '.join(map(repr, allowed))}"


def _minimum(value: Any, limit: Any, schema: Json) -> str:
    if not _is_number(value):
        return ""
    if schema.get("exclusiveMinimum") is True:
        return "" if value > limit else f"{value} is not greater than {limit}"
    return "" if value >= limit else f"{value} is less than the minimum of {limit}"


def _maximum(value: Any, limit: Any, schema: Json) -> str:
    if not _is_number(value):
        return ""
    if schema.get("exclusiveMaximum") is True:
        return "" if value < limit else f"{value} is not less than {limit}"
    return "" if value <= limit else f"{value} is greater than the maximum of {limit}"


def _multiple_of(value: Any, step: Any, _: Json) -> str:
    if not _is_number(value) or abs(round(value / step) * step - value) < 1e-9:
        return ""
    return f"{value} is not a multiple of {step}"


def _pattern(value: Any, pattern: Any, _: Json) -> str:
    if not isinstance(value, str) or re.search(pattern, value):
        return ""
    return f"{value!r} does not match {pattern}"


def _required(value: Any, names: Any, _: Json) -> str:
    # Draft 3 had a boolean `required` inside each property; packages still carry it.
    if not isinstance(value, dict) or not isinstance(names, list):
        return ""
    missing = [name for name in names if name not in value]
    return f"missing: {', '.join(missing)}" if missing else ""


def _unique(value: Any, wanted: Any, _: Json) -> str:
    if not isinstance(value, list) or wanted is not True:
        return ""
    repeated = any(item in value[:index] for index, item in enumerate(value))
    return "the items are not unique" if repeated else ""


def _size(kind: type, *, least: bool, noun: str) -> Callable[[Any, Any, Json], str]:
    def check(value: Any, limit: Any, _: Json) -> str:
        if not isinstance(value, kind):
            return ""
        size = len(value)  # type: ignore[arg-type]
        if size >= limit if least else size <= limit:
            return ""
        return f"{size} {noun}, {'at least' if least else 'at most'} {limit} are allowed"

    return check


_SIMPLE: dict[str, Callable[[Any, Any, Json], str]] = {
    "type": _type,
    "enum": _enum,
    "minimum": _minimum,
    "maximum": _maximum,
    "multipleOf": _multiple_of,
    "pattern": _pattern,
    "required": _required,
    "uniqueItems": _unique,
    "minLength": _size(str, least=True, noun="characters"),
    "maxLength": _size(str, least=False, noun="characters"),
    "minItems": _size(list, least=True, noun="items"),
    "maxItems": _size(list, least=False, noun="items"),
    "minProperties": _size(dict, least=True, noun="properties"),
    "maxProperties": _size(dict, least=False, noun="properties"),
}
