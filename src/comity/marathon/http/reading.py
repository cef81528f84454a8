"""Bodies and flags of requests, read; and answers made."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from comity.runtime.http import Request, Response, Stream
from comity.wire.marathon.errors import Refused, malformed, mistyped, plain
from comity.wire.marathon.reads import Errors, Reader

Answer = Response | Stream
Handler = Callable[..., Awaitable[Answer]]


def json_of(body: Any) -> Response:
    """Return a 200 with a JSON body."""
    return Response(200, msgspec.json.encode(body))


def refusal_of(error: Refused) -> Response:
    """Return a refusal as a response."""
    return Response(error.status, error.body)


def flag(request: Request, name: str, *, default: bool = False) -> bool:
    """Return an argument that is `true` or anything else."""
    given = request.arg(name)
    return default if given is None else given.lower() == "true"


def body_of(request: Request, read: Reader, extra: dict[str, Any] | None = None) -> Any:
    """Return what a reader makes of a request's body.

    Raises:
        Refused: 415, 400 for what is no JSON, 422 for wrong types.
    """
    if request.content_type not in ("", "application/json"):
        raise plain(415, "Unsupported Media Type")
    try:
        value = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise malformed(str(error)) from error
    if extra is not None and isinstance(value, dict):
        value = value | extra
    errors: Errors = {}
    found = read(value, "", errors)
    if errors:
        raise mistyped(errors)
    return found
