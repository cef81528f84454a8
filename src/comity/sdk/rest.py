"""JSON over HTTP, as every typed client here does it: one base URL, one error class.

Each API has its own shape of error body; `ApiError.message` is the sentence a person should see,
whichever shape it came in.
"""

from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from comity.core.errors import ComityError
from comity.runtime.http import Client, ClientStream, Headers, HttpError, Response, reason_phrase

JSON = "application/json"
Query = dict[str, str | list[str]]

__all__ = ["ApiError", "HttpError", "Query", "Rest", "quoted"]


class ApiError(ComityError):
    """A server answered with an error status."""

    def __init__(self, status: int, message: str, body: Any = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.body = body


def quoted(text: str) -> str:
    """Return `text` as part of a path; slashes stay, as Marathon's app ids need."""
    return quote(text, safe="/:@")


class Rest:
    """Calls to one API under one base URL."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self.base_url = base_url.rstrip("/")
        self.client = client
        self.headers = headers

    def url(self, path: str, query: Query | None = None) -> str:
        """Return the whole URL of a path of this API."""
        asked = f"?{urlencode(query, doseq=True)}" if query else ""
        return f"{self.base_url}{path}{asked}"

    async def raw(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: bytes = b"",
        headers: Headers = (),
        timeout_s: float = 30.0,
    ) -> Response:
        """Make a call and return the answer as it is, whatever its status."""
        return await self.client.request(
            method, self.url(path, query), body, (*self.headers, *headers), timeout_s=timeout_s
        )

    async def call(
        self,
        method: str,
        path: str,
        payload: Any = None,
        *,
        query: Query | None = None,
        timeout_s: float = 30.0,
    ) -> Any:
        """Send JSON, and return the decoded JSON of the answer (None when it is empty).

        Raises:
            ApiError: the answer's status is 400 or above.
            HttpError: there is no answer.
        """
        body = b"" if payload is None else msgspec.json.encode(payload)
        headers: Headers = (("Accept", JSON),)
        if body:
            headers = (*headers, ("Content-Type", JSON))
        answer = await self.raw(
            method, path, query=query, body=body, headers=headers, timeout_s=timeout_s
        )
        return decoded(answer)

    def stream(
        self, method: str, path: str, *, query: Query | None = None, accept: str = JSON
    ) -> ClientStream:
        """Return a call whose answer is read as it comes."""
        headers = (*self.headers, ("Accept", accept))
        return self.client.stream(method, self.url(path, query), headers=headers)


def decoded(answer: Response) -> Any:
    """Return the JSON of a good answer; raise ApiError for a bad one."""
    if answer.status >= 400:
        raise error_of(answer)
    if not answer.body:
        return None
    try:
        return msgspec.json.decode(answer.body)
    except msgspec.DecodeError as error:
        raise ApiError(answer.status, f"the answer is not JSON: {error}") from error


def error_of(answer: Response) -> ApiError:
    """Turn an error answer into ApiError, with the best sentence found in it."""
    body: Any = None
    message = ""
    if answer.content_type.partition(";")[0].endswith("json"):
        try:
            body = msgspec.json.decode(answer.body)
        except msgspec.DecodeError:
            body = None
    if isinstance(body, dict):
        message = _sentence(body)
    elif answer.content_type.startswith("text/plain"):
        message = answer.body.decode("utf-8", "replace").strip()
    return ApiError(
        answer.status, message or f"{answer.status} {reason_phrase(answer.status)}", body
    )


def _sentence(body: dict[str, Any]) -> str:
    message = body.get("message")
    text = message if isinstance(message, str) else str(body.get("description") or "")
    details = body.get("details")
    data = body.get("data")
    if details is None and isinstance(data, dict):  # Cosmos's place for them
        details = data.get("errors")
    if isinstance(details, str):
        return f"{text}: {details}" if text else details
    if isinstance(details, list):
        lines = [_detail(detail) for detail in details]
        return "\n  ".join([text, *filter(None, lines)])
    return text


def _detail(detail: Any) -> str:
    if not isinstance(detail, dict):
        return str(detail)
    if isinstance(instance := detail.get("instance"), dict):  # a JSON Schema violation
        return f"{instance.get('pointer') or '/'}: {detail.get('message')}"
    errors = detail.get("errors")
    texts = "; ".join(map(str, errors)) if isinstance(errors, list) else str(detail)
    return f"{detail.get('path', '')}: {texts}"
