"""Strategic merge patch: merge patch that knows which lists are maps.

The schema says per list whether its items merge by a key (`x-kubernetes-patch-merge-key` with
strategy `merge`), and which objects keep only the keys named by the patch (`retainKeys`).
Directives in the patch: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>`, `$retainKeys`.
"""

from typing import Any

from comity.wire.kubernetes import Json, schemas
from comity.wire.kubernetes.status import bad_request

_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"


def apply(obj: Json, patch: Any, definition: str) -> Json:
    """Return `obj` merged with `patch`, by the schema called `definition`.

    Raises:
        ApiError: 400, the patch is no object, or an item lacks its merge key.
    """
    if not isinstance(patch, dict):
        raise bad_request("a strategic merge patch must be a JSON object")
    return _merge_object(obj, patch, schemas.definition(definition))


def _merge_object(target: Json, patch: Json, schema: Json) -> Json:
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {key: value for key, value in patch.items() if key != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"unknown patch type: {directive!r}")
    out = _retained(target, patch)
    properties = schema.get("properties") or {}
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_primitives(out, key.removeprefix(_DELETE_FROM), value)
        elif not key.startswith("$"):
            field = properties.get(key) or schema.get("additionalProperties") or {}
            _merge_field(out, key, value, field)
    for key, value in patch.items():
        if key.startswith(_ORDER):
            name = key.removeprefix(_ORDER)
            _reorder(out, name, value, _merge_key(properties.get(name) or {}))
    return out


def _retained(target: Json, patch: Json) -> Json:
    kept = patch.get(_RETAIN)
    if kept is None:
        return dict(target)
    if not isinstance(kept, list):
        raise bad_request(f"{_RETAIN} must be a list of field names")
    return {key: value for key, value in target.items() if key in kept}


def _merge_field(out: Json, key: str, value: Any, field: Json) -> None:
    if value is None:
        out.pop(key, None)
        return
    held = out.get(key)
    if isinstance(value, dict):
        if value.get(_DIRECTIVE) == "delete":
            out.pop(key, None)
            return
        schema = schemas.resolve(field)
        base = held if isinstance(held, dict) else {}
        out[key] = _merge_object(base, value, schema)
    elif isinstance(value, list):
        out[key] = _merge_list(held if isinstance(held, list) else [], value, field)
    else:
        out[key] = value


def _merge_key(field: Json) -> str | None:
    """Return the key by which a list's items merge; empty for a set of primitives."""
    if "merge" not in field.get("x-kubernetes-patch-strategy", "").split(","):
        return None
    return str(field.get("x-kubernetes-patch-merge-key", ""))


def _merge_list(held: list[Any], patch: list[Any], field: Json) -> list[Any]:
    key = _merge_key(field)
    is_replaced = any(
        isinstance(each, dict) and each.get(_DIRECTIVE) == "replace" for each in patch
    )
    if key is None or is_replaced:
        return [_clean(each) for each in patch if each != {_DIRECTIVE: "replace"}]
    if not key:
        return held + [each for each in patch if each not in held]
    return _merge_items(held, patch, key, schemas.resolve(field["items"]))


def _clean(value: Any) -> Any:
    """Drop nulls and directives from what is taken as a whole."""
    if isinstance(value, dict):
        return {k: _clean(v) for k, v in value.items() if v is not None and not k.startswith("$")}
    return value


def _merge_items(held: list[Any], patch: list[Any], key: str, schema: Json) -> list[Any]:
    out = list(held)
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise bad_request(f"an item of the patch does not contain its merge key: {key}")
        same = [i for i, each in enumerate(out) if _key_of(each, key) == item[key]]
        if item.get(_DIRECTIVE) == "delete":
            out = [each for i, each in enumerate(out) if i not in same]
        elif same:
            out[same[0]] = _merge_object(out[same[0]], item, schema)
        else:
            out.append(_merge_object({}, item, schema))
    return out


def _key_of(item: Any, key: str) -> Any:
    return item.get(key) if isinstance(item, dict) else None


def _delete_primitives(out: Json, name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request(f"{_DELETE_FROM}{name} must be a list")
    if isinstance(out.get(name), list):
        out[name] = [each for each in out[name] if each not in values]


def _reorder(out: Json, name: str, order: Any, key: str | None) -> None:
    """Put the listed items into the listed order; others stay right after their predecessor."""
    items = out.get(name)
    if not isinstance(items, list) or not isinstance(order, list) or key is None:
        return
    wanted = [_key_of(each, key) if key else each for each in order]
    listed = [each for each in items if (_key_of(each, key) if key else each) in wanted]
    listed.sort(key=lambda each: wanted.index(_key_of(each, key) if key else each))
    slots = iter(listed)
    out[name] = [
        next(slots) if (_key_of(each, key) if key else each) in wanted else each for each in items
    ]
