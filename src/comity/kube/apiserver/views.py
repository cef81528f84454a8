"""Reads: one object, a list, a page of a list, a list as it was at a revision.

A list at an older revision is the present one with the history's changes since then undone, so the
pages of one list all show the same moment.
"""

import base64
import binascii

import msgspec
from msgspec import Struct

from comity.core.instants import Instant
from comity.kube.apiserver import forms, scales
from comity.kube.apiserver.codecs import Form, encode
from comity.kube.apiserver.inputs import Target
from comity.kube.apiserver.selectors import Selection
from comity.kube.apiserver.state import Collection, Key, State, Stored
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import ApiError, FieldError, bad_request, expired, invalid


class ListOptions(Struct, frozen=True, kw_only=True):
    """What a list asks for beyond its selection."""

    resource_version: str = ""
    match: str = ""
    limit: int = 0
    continuation: str = ""


class _Page(Struct):
    """Where a list goes on: the content of a continue token."""

    v: str
    rv: int
    start: list[str]


def one(state: State, target: Target, form: Form, now: Instant) -> bytes:
    """Return an object, or its scale.

    Raises:
        ApiError: 404.
    """
    collection = state.collections[target.resource]
    stored = collection.need((target.namespace, target.name))
    if target.subresource == "scale":
        return encode(scales.of(stored.obj))
    return forms.show_one(target.resource, stored, form, now)


def page(
    state: State, target: Target, what: tuple[Selection, ListOptions], form: Form, now: Instant
) -> bytes:
    """Return a list, or a page of it.

    Raises:
        ApiError: 410 when its revision is out of memory, 504 when it is yet to come, 400 and 422
            for options that make no sense.
    """
    selection, options = what
    collection = state.collections[target.resource]
    revision, start = _position(state, options)
    items = _at(collection, selection, revision, state.revision)
    if start is not None:
        items = [item for item in items if item[0] > start]
    metadata: Json = {"resourceVersion": str(revision)}
    if 0 < options.limit < len(items):
        rest = len(items) - options.limit
        items = items[: options.limit]
        metadata["continue"] = _token(revision, items[-1][0])
        if selection.is_everything:
            metadata["remainingItemCount"] = rest
    return forms.show_list(target.resource, [stored for _, stored in items], form, metadata, now)


def _position(state: State, options: ListOptions) -> tuple[int, Key | None]:
    """Return the revision to show, and the key after which a page begins."""
    version, match = options.resource_version, options.match
    if options.continuation:
        if version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        found = _read_token(options.continuation)
        return found.rv, (found.start[0], found.start[1])
    if match and not version:
        text = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        raise _invalid_options("resourceVersionMatch", text)
    if match == "Exact" and version == "0":
        text = 'resourceVersionMatch "Exact" is forbidden for resourceVersion "0"'
        raise _invalid_options("resourceVersionMatch", text)
    if match not in ("", "Exact", "NotOlderThan"):
        error = FieldError.unsupported("resourceVersionMatch", match, ("Exact", "NotOlderThan"))
        raise invalid("ListOptions", "meta.k8s.io", "", [error])
    wanted = parse_revision(version)
    check_not_ahead(state, wanted)
    is_exact = match == "Exact" and wanted is not None
    return (wanted or state.revision) if is_exact else state.revision, None


def _invalid_options(field: str, text: str) -> ApiError:
    return invalid("ListOptions", "meta.k8s.io", "", [FieldError.forbidden(field, text)])


def parse_revision(text: str) -> int | None:
    """Return a resource version as a number; None when none was given.

    Raises:
        ApiError: 400, it is no resource version.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise bad_request(f"Invalid value: {text!r}: must be a resource version")
    return int(text)


def check_not_ahead(state: State, wanted: int | None) -> None:
    """Refuse a revision that is yet to come.

    Raises:
        ApiError: 504.
    """
    if wanted is not None and wanted > state.revision:
        cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
        text = f"Too large resource version: {wanted}, current: {state.revision}"
        raise ApiError(504, "Timeout", text, {"causes": [cause], "retryAfterSeconds": 1})


def _at(
    collection: Collection, selection: Selection, revision: int, present: int
) -> list[tuple[Key, Stored]]:
    if revision < collection.floor and revision != present:
        raise expired("The provided continue parameter is too old to display a consistent list")
    undone: dict[Key, Stored | None] = {}
    for event in collection.history:
        if event.revision > revision:
            undone.setdefault(event.key, event.old)
    found = [
        (key, stored)
        for key, stored in collection.items(selection.namespace)
        if key not in undone and selection.matches(key[0], stored.obj)
    ]
    back = [
        (key, stored)
        for key, stored in undone.items()
        if stored is not None and selection.matches(key[0], stored.obj)
    ]
    return sorted(found + back, key=lambda item: item[0]) if back else found


def _token(revision: int, last: Key) -> str:
    data = encode(_Page("meta.k8s.io/v1", revision, list(last)))
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_token(text: str) -> _Page:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        found = msgspec.json.decode(data, type=_Page)
    except (binascii.Error, ValueError, msgspec.DecodeError) as error:
        raise bad_request("continue key is not valid") from error
    if len(found.start) != 2:
        raise bad_request("continue key is not valid")
    return found
