"""Media types of the Mesos v1 endpoints: what a request is written in, and what its answer may be.

JSON and protobuf mean the same messages. JSON is preferred when both are accepted. What is wrong
with a request is said in plain text, as Mesos does (src/master/http.cpp, src/slave/http.cpp).
"""

from typing import Any

from comity.runtime.http.legacy import text
from comity.runtime.http.messages import Request, Response
from comity.wire.mesos import codec
from comity.wire.mesos.codec import Format

_BOTH = f"'{Format.PROTOBUF.value}' or '{Format.JSON.value}'"


RECORDIO = "application/recordio"


class Refused(Exception):
    """A request that is answered with an error before anybody looks at what it wants."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.response = text(status, sentence)


def content_format(request: Request) -> Format:
    """Return what a v1 call is written in.

    Raises:
        Refused: 400 without a Content-Type, 415 for another.
    """
    if not request.content_type:
        raise Refused(400, "Expecting 'Content-Type' to be present")
    if "message-content-type" in request.headers and request.content_type != RECORDIO:
        raise Refused(415, "'Message-Content-Type' is for streaming requests only")
    try:
        return Format(request.content_type)
    except ValueError:
        raise Refused(415, f"Expecting 'Content-Type' of {_BOTH}") from None


def accepted_format(request: Request) -> Format:
    """Return what the answer to a v1 call is written in.

    Raises:
        Refused: 406, neither is accepted.
    """
    if "message-accept" in request.headers:
        raise Refused(406, "'Message-Accept' is for calls with a streaming answer only")
    for format in Format:
        if accepts(request, format.value):
            return format
    raise Refused(406, f"Expecting 'Accept' to allow {_BOTH}")


def streamed_format(request: Request) -> tuple[str, Format, tuple[tuple[str, str], ...]]:
    """Return how a call is answered with an endless answer: media type, messages, headers.

    Who accepts RecordIO gets it under its own name, and says by Message-Accept what its messages
    are; for others the same bytes go by the name of the messages, as Mesos does for old clients.

    Raises:
        Refused: 406, neither is accepted.
    """
    if RECORDIO not in request.headers.get("accept", ""):
        format = accepted_format(request)
        return format.value, format, ()
    wanted = request.headers.get("message-accept", "").strip()
    for format in Format:
        if wanted in ("", "*/*") or format.value in wanted:
            return RECORDIO, format, (("Message-Content-Type", format.value),)
    raise Refused(406, f"Expecting 'Message-Accept' to allow {_BOTH}")


def message_format(request: Request) -> Format:
    """Return what the records of a RecordIO request are written in.

    Raises:
        Refused: 400 when it does not say, 415 for another.
    """
    named = request.headers.get("message-content-type", "").strip()
    if not named:
        raise Refused(400, "Expecting 'Message-Content-Type' to be set for streaming requests")
    try:
        return Format(named)
    except ValueError:
        raise Refused(415, f"Expecting 'Message-Content-Type' of {_BOTH}") from None


def accepts(request: Request, media_type: str) -> bool:
    """Whether a request's Accept header allows a media type; a missing one allows all."""
    header = request.headers.get("accept", "").strip()
    if not header:
        return True
    family = media_type.partition("/")[0] + "/*"
    for part in header.split(","):
        kind, _, parameters = part.partition(";")
        refused = parameters.replace(" ", "") in ("q=0", "q=0.0", "q=0.00", "q=0.000")
        if kind.strip().lower() in (media_type, family, "*/*") and not refused:
            return True
    return False


def decoded(kind: Any, request: Request) -> Any:
    """Return the call in a request's body.

    Raises:
        Refused: 400 for a body that is no such call, 501 for a type that there is not.
    """
    try:
        return codec.decode(kind, request.body, content_format(request))
    except codec.UnknownType as error:
        raise Refused(
            501, f"{error}: not supported; see docs/reference/compatibility.md"
        ) from error
    except codec.DecodeFailed as error:
        raise Refused(400, str(error)) from error


def in_format(response: Response, kind: Any, format: Format) -> Response:
    """Return an answer that was made as JSON, a message of type `kind`, in the accepted format."""
    if format is Format.JSON or not response.body or response.content_type != Format.JSON.value:
        return response
    message = codec.decode(kind, response.body)
    return Response(response.status, codec.encode(message, format), format.value, response.headers)
