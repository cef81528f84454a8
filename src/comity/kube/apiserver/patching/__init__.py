"""The three patch formats, as pure functions from an object and a patch to a new object.

None of them changes its arguments: what a result shares with them is never written to.
"""

from collections.abc import Callable
from typing import Any

from comity.kube.apiserver.patching import json_patch, merge_patch, strategic
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import unsupported_media

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"

_FORMATS: dict[str, Callable[[Json, Any, str], Json]] = {
    JSON_PATCH: lambda obj, patch, definition: json_patch.apply(obj, patch),
    MERGE_PATCH: lambda obj, patch, definition: merge_patch.apply(obj, patch),
    STRATEGIC_MERGE_PATCH: strategic.apply,
}


def check_media_type(media_type: str) -> None:
    """Refuse a patch format that we do not read.

    Raises:
        ApiError: 415.
    """
    if media_type.startswith("application/apply-patch"):
        raise unsupported_media(
            "server-side apply is not served yet: use client-side apply "
            "(kubectl apply without --server-side)"
        )
    if media_type not in _FORMATS:
        known = ", ".join(_FORMATS)
        raise unsupported_media(
            "the body of the request was in an unknown format - "
            f"accepted media types include: {known}"
        )


def apply(media_type: str, obj: Json, patch: Any, definition: str) -> Json:
    """Return `obj` with `patch` applied; `definition` names the schema with the merge keys.

    Raises:
        ApiError: 415 for the format, 400 or 422 for a patch that cannot be applied.
    """
    check_media_type(media_type)
    return _FORMATS[media_type](obj, patch, definition)
