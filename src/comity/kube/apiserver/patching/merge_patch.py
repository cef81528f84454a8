"""JSON merge patch (RFC 7396)."""

from typing import Any

from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import bad_request


def apply(obj: Json, patch: Any) -> Json:
    """Return `obj` merged with `patch`.

    Raises:
        ApiError: 400, the patch is no object.
    """
    if not isinstance(patch, dict):
        raise bad_request("a merge patch must be a JSON object")
    merged: Json = merge(obj, patch)
    return merged


def merge(target: Any, patch: Any) -> Any:
    """Merge any two values as the RFC says."""
    if not isinstance(patch, dict):
        return patch
    out = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            out.pop(key, None)
        else:
            out[key] = merge(out.get(key), value)
    return out
