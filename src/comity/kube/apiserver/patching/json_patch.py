"""JSON patch (RFC 6902)."""

import copy
import re
from typing import Any

from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import ApiError, bad_request

_OPERATIONS_MAX = 10_000
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class _Refused(Exception):
    pass


def apply(obj: Json, patch: Any) -> Json:
    """Return a copy of `obj` after all operations.

    Raises:
        ApiError: 400 for a malformed patch, 413 for one too long, 422 for one that does not fit.
    """
    if not isinstance(patch, list) or not all(isinstance(each, dict) for each in patch):
        raise bad_request("a JSON patch must be a list of operations")
    if len(patch) > _OPERATIONS_MAX:
        raise ApiError(
            413,
            "RequestEntityTooLarge",
            f"a JSON patch may have {_OPERATIONS_MAX} operations, not {len(patch)}",
        )
    document: Any = copy.deepcopy(obj)
    try:
        for operation in patch:
            document = _apply_one(document, operation)
    except _Refused as error:
        text = f"the server rejected our request due to an error in our request: {error}"
        raise ApiError(422, "Invalid", text) from None
    if not isinstance(document, dict):
        raise bad_request("the patch left no object")
    return document


def _apply_one(document: Any, operation: Json) -> Any:
    name = operation.get("op")
    path = _pointer(operation.get("path"))
    if name in ("add", "replace", "test"):
        if "value" not in operation:
            raise _Refused(f"{name} at {operation.get('path')}: value is missing")
        value = copy.deepcopy(operation["value"])
        if name == "add":
            return _add(document, path, value)
        if name == "replace":
            return _replace(document, path, value)
        if not _is_same(_get(document, path), value):
            raise _Refused(f"testing path {operation['path']} failed")
        return document
    if name == "remove":
        return _remove(document, path)[0]
    if name in ("move", "copy"):
        return _carry(document, operation, path)
    raise _Refused(f"unexpected operation: {name!r}")


def _is_same(left: Any, right: Any) -> bool:
    """Compare as JSON: true is not 1."""
    if isinstance(left, bool) is not isinstance(right, bool):
        return False
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_is_same(left[k], right[k]) for k in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_is_same, left, right))
    return bool(left == right)


def _carry(document: Any, operation: Json, path: list[str]) -> Any:
    source = _pointer(operation.get("from"))
    if operation["op"] == "copy":
        return _add(document, path, copy.deepcopy(_get(document, source)))
    if path[: len(source)] == source and path != source:
        raise _Refused("cannot move a value into itself")
    document, value = _remove(document, source)
    return _add(document, path, value)


def _pointer(text: Any) -> list[str]:
    if not isinstance(text, str) or (text and not text.startswith("/")):
        raise _Refused(f"not a JSON pointer: {text!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:]]


def _index(key: str, length: int) -> int:
    if not _INDEX.fullmatch(key) or int(key) >= length:
        raise _Refused(f"no such list index: {key}")
    return int(key)


def _step(node: Any, key: str) -> Any:
    if isinstance(node, dict) and key in node:
        return node[key]
    if isinstance(node, list):
        return node[_index(key, len(node))]
    raise _Refused(f"no such path: {key!r} is missing")


def _get(document: Any, path: list[str]) -> Any:
    for key in path:
        document = _step(document, key)
    return document


def _add(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, key = _get(document, path[:-1]), path[-1]
    if isinstance(parent, dict):
        parent[key] = value
    elif isinstance(parent, list):
        at = len(parent) if key == "-" else _index(key, len(parent) + 1)
        parent.insert(at, value)
    else:
        raise _Refused(f"cannot add {key!r} to a scalar")
    return document


def _replace(document: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    parent, key = _get(document, path[:-1]), path[-1]
    _step(parent, key)
    parent[int(key) if isinstance(parent, list) else key] = value
    return document


def _remove(document: Any, path: list[str]) -> tuple[Any, Any]:
    if not path:
        raise _Refused("cannot remove the whole document")
    parent, key = _get(document, path[:-1]), path[-1]
    _step(parent, key)
    return document, parent.pop(int(key) if isinstance(parent, list) else key)
