"""Formats: what a body is in, and what an answer shall be.

Answers are JSON (or the same text as YAML, of which JSON is a part), as the object itself, as a
Table, or as its metadata only. Protobuf bodies have their place here: `decode_body` is where they
will be read; until then they are refused by name.
"""

import json
from collections import Counter
from typing import Any

import msgspec
from msgspec import Struct

from comity.wire.kubernetes.status import ApiError, bad_request, not_acceptable, unsupported_media

JSON = "application/json"
YAML = "application/yaml"
PROTOBUF = "application/vnd.kubernetes.protobuf"


class Form(Struct, frozen=True):
    """How an object is shown: `kind` is `object`, `table` or `metadata`."""

    kind: str = "object"
    version: str = "v1"
    """The meta.k8s.io version of a table or of partial metadata."""
    media_type: str = JSON
    include: str = "Metadata"
    """What a table's rows carry: `None`, `Metadata` or `Object`."""

    @property
    def content_type(self) -> str:
        """Return the Content-Type that says which form this is."""
        return self.media_type


OBJECT = Form()

_AS = {
    "Table": "table",
    "PartialObjectMetadata": "metadata",
    "PartialObjectMetadataList": "metadata",
}


def negotiate(accept: str, *, include: str = "Metadata") -> Form:
    """Return the first form of an Accept header that we have.

    Raises:
        ApiError: 406, we have none of them.
    """
    if not accept:
        return OBJECT
    for entry in accept.split(","):
        form = _form(entry, include)
        if form is not None:
            return form
    raise not_acceptable(
        "only the following media types are accepted: application/json, application/yaml"
    )


def _form(entry: str, include: str) -> Form | None:
    media_type, *rest = (part.strip() for part in entry.split(";"))
    media_type = media_type.lower()
    parameters = dict(part.partition("=")[::2] for part in rest)
    if media_type in ("*/*", "application/*", ""):
        media_type = JSON
    if media_type not in (JSON, YAML):
        return None
    wanted = parameters.get("as")
    if wanted is None:
        return Form(media_type=media_type)
    version = parameters.get("v", "v1")
    if (
        parameters.get("g") != "meta.k8s.io"
        or wanted not in _AS
        or version not in ("v1", "v1beta1")
    ):
        return None
    return Form(_AS[wanted], version, media_type, include)


def decode_body(body: bytes, media_type: str, *, is_strict: bool) -> tuple[Any, list[str]]:
    """Return a request's body, and the fields that it names twice when `is_strict`.

    Raises:
        ApiError: 415 for a format that we do not read, 400 for a malformed body.
    """
    if media_type == PROTOBUF:
        raise unsupported_media(
            "protobuf bodies are not read yet, only application/json: use `kubectl create "
            "-f FILE` or `kubectl apply -f FILE`, which send JSON (`kubectl create ... "
            "--dry-run=client -o yaml` writes such a file)"
        )
    if media_type not in ("", JSON, YAML, "*/*"):
        raise unsupported_media(
            f"the body of the request was in an unknown format ({media_type}) - "
            "accepted media types include: application/json"
        )
    return decode_json(body, media_type, is_strict=is_strict)


def decode_json(body: bytes, media_type: str, *, is_strict: bool) -> tuple[Any, list[str]]:
    """Return parsed JSON, and the keys that it names twice when `is_strict`.

    Raises:
        ApiError: 400, malformed.
    """
    try:
        value = msgspec.json.decode(body)
        return value, _duplicates(body) if is_strict else []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        hint = "; of YAML only its JSON part is read here" if media_type == YAML else ""
        raise bad_request(f"the body is malformed: {error}{hint}") from None


def _duplicates(body: bytes) -> list[str]:
    found: list[str] = []

    def pairs(each: list[tuple[str, Any]]) -> dict[str, Any]:
        out = dict(each)
        if len(out) != len(each):
            counts = Counter(key for key, _ in each)
            found.extend(key for key, count in counts.items() if count > 1)
        return out

    json.loads(body, object_pairs_hook=pairs)
    return found


def encode(value: Any) -> bytes:
    """Return a value's JSON."""
    return msgspec.json.encode(value)


def refusal(error: ApiError) -> tuple[int, bytes]:
    """Return the HTTP status and the body of a refusal."""
    return error.code, encode(error.status())
