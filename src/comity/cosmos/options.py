"""A package's options: defaults out of its schema, merged with what the person gave.

Besides draft 4, a schema may hold our one extension: `"x-comity-generate": "token"` on a string
property. When nobody gave that option, cosmos fills it with a fresh random token at install time
and keeps it with the installation's options, so that an update of the service does not change it.
"""

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]

GENERATE = "x-comity-generate"


def defaults(schema: Json | None) -> Json:
    """Return the default of every property: its `default`, else those of what is inside it."""
    return _defaults((schema or {}).get("properties"))


def _defaults(properties: Any) -> Json:
    found: Json = {}
    if not isinstance(properties, dict):
        return found
    for name, schema in properties.items():
        if not isinstance(schema, dict):
            continue
        if "default" in schema:
            found[name] = schema["default"]
        elif inner := _defaults(schema.get("properties")):
            found[name] = inner
    return found


def merge(base: Json, over: Json) -> Json:
    """Return `base` with `over` laid on it: objects merge, anything else replaces."""
    merged = dict(base)
    for name, value in over.items():
        held = merged.get(name)
        if isinstance(held, dict) and isinstance(value, dict):
            merged[name] = merge(held, value)
        else:
            merged[name] = value
    return merged


def generated(schema: Json | None, given: Json, token: Callable[[], str]) -> Json:
    """Return `given` with a token for each option that asks for one and was not given."""
    properties = (schema or {}).get("properties")
    filled = dict(given)
    if not isinstance(properties, dict):
        return filled
    for name, sub in properties.items():
        if not isinstance(sub, dict):
            continue
        if sub.get(GENERATE) == "token":
            if not filled.get(name):
                filled[name] = token()
        elif isinstance(sub.get("properties"), dict) and isinstance(filled.get(name, {}), dict):
            inner = generated(sub, filled.get(name, {}), token)
            if inner:
                filled[name] = inner
    return filled


def only_generated(schema: Json | None, stored: Json) -> Json:
    """Return those stored options that cosmos generated, in their places."""
    properties = (schema or {}).get("properties")
    kept: Json = {}
    if not isinstance(properties, dict):
        return kept
    for name, sub in properties.items():
        if not isinstance(sub, dict) or name not in stored:
            continue
        if GENERATE in sub:
            kept[name] = stored[name]
        elif isinstance(stored[name], dict) and (inner := only_generated(sub, stored[name])):
            kept[name] = inner
    return kept
