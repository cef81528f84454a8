"""Who may call us, and who we are: HTTP Basic from files in Mesos's credentials format.

A file holds `{"credentials": [{"principal": "...", "secret": "..."}]}` for callers, and one such
object `{"principal": "...", "secret": "..."}` for ourselves. Secrets stay in files; they are never
in argument lists or logs.
"""

import base64
import binascii
import hmac
from pathlib import Path
from typing import TypeVar

import msgspec

from comity.core.errors import UserError
from comity.runtime.http.messages import Headers, Request, Response
from comity.runtime.http.server import Authenticate

_T = TypeVar("_T")


class Credential(msgspec.Struct, frozen=True):
    """A principal and what proves it."""

    principal: str
    secret: str


class _CredentialsFile(msgspec.Struct, frozen=True):
    credentials: list[Credential]


def authenticator(path: Path | None, realm: str) -> Authenticate | None:
    """Return what asks callers for one of the credentials in `path`; None when there is no file."""
    if path is None:
        return None
    known = {entry.principal: entry.secret for entry in _read(path, _CredentialsFile).credentials}
    refusal = Response(
        401,
        b"Authentication is required: send HTTP Basic credentials.\n",
        "text/plain",
        (("WWW-Authenticate", f'Basic realm="{realm}"'),),
    )

    def authenticate(request: Request) -> Response | None:
        principal, secret = _parse_basic(request.headers.get("authorization", ""))
        expected = known.get(principal)
        if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
            return refusal
        request.principal = principal
        return None

    return authenticate


def own_headers(path: Path | None) -> Headers:
    """Return the Authorization header that our own calls carry; none when there is no file."""
    if path is None:
        return ()
    own = _read(path, Credential)
    token = base64.b64encode(f"{own.principal}:{own.secret}".encode()).decode()
    return (("Authorization", f"Basic {token}"),)


def _parse_basic(header: str) -> tuple[str, str]:
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(token, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    principal, _, secret = text.partition(":")
    return principal, secret


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"cannot read credentials from {path}: {error}") from error
