"""Who may call us, and who we are: HTTP Basic from files in Mesos's credentials formats.

A file for callers holds `{"credentials": [{"principal": "...", "secret": "..."}]}`, or a line
`principal secret` for each; one for ourselves holds one such object or line. Secrets stay in
files; they are never in argument lists or logs.
"""

import base64
import binascii
import hmac
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from comity.core.errors import UserError
from comity.runtime.http.messages import Headers, Request, Response
from comity.runtime.http.server import Authenticate


class Credential(msgspec.Struct, frozen=True):
    """A principal and what proves it."""

    principal: str
    secret: str


class _CredentialsFile(msgspec.Struct, frozen=True):
    credentials: list[Credential]


class Realm(NamedTuple):
    """What a caller is told that it must prove itself for."""

    name: str
    is_open: bool = False
    """Whether callers that prove nothing are let in."""
    takes_tokens: bool = False
    """Whether a token (`Authorization: Bearer …`) proves something here."""


Verify = Callable[[str], dict[str, str] | None]
"""Returns what a token says, or None when it proves nothing."""


class Guard:
    """Asks callers who they are. Sets `request.principal`, or what a token says as `claims`."""

    def __init__(self, known: dict[str, str] | None, verify: Verify | None = None) -> None:
        self._known = known
        self._verify = verify

    def refusal(self, request: Request, realm: Realm) -> Response | None:
        """Return why a caller is not let in, or None.

        A proof that is wrong is refused in open realms, too: who shows one means it.
        """
        if self._known is None and self._verify is None:
            return None
        scheme, _, proof = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._verify is not None and realm.takes_tokens:
            claims = self._verify(proof.strip())
            if claims is None:
                return _refusal(realm, is_token=True)
            request.claims = claims
            return None
        if scheme and self._known is not None:
            principal, secret = _parse_basic(scheme, proof)
            expected = self._known.get(principal)
            if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
                return _refusal(realm)
            request.principal = principal
            return None
        return None if realm.is_open else _refusal(realm, is_token=self._known is None)


def _refusal(realm: Realm, *, is_token: bool = False) -> Response:
    what = "a token" if is_token else "HTTP Basic credentials"
    scheme = "Bearer" if is_token else "Basic"
    return Response(
        401,
        f"Authentication is required for {realm.name}: send {what}.\n".encode(),
        "text/plain",
        (("WWW-Authenticate", f'{scheme} realm="{realm.name}"'),),
    )


def known_principals(path: Path | None) -> dict[str, str] | None:
    """Return the secrets of callers by principal; None when there is no file.

    Raises:
        UserError: the file cannot be read.
    """
    if path is None:
        return None
    return {one.principal: one.secret for one in _credentials(path)}


def authenticator(path: Path | None, realm: str) -> Authenticate | None:
    """Return what asks callers for one of the credentials in `path`; None when there is no file."""
    if path is None:
        return None
    guard, wanted = Guard(known_principals(path)), Realm(realm)
    return lambda request: guard.refusal(request, wanted)


def admit(request: Request) -> Response | None:
    """Let a request through to a handler that asks callers itself, realm by realm."""
    return None


def own_headers(path: Path | None) -> Headers:
    """Return the Authorization header that our own calls carry; none when there is no file."""
    if path is None:
        return ()
    own = _credentials(path)[0]
    token = base64.b64encode(f"{own.principal}:{own.secret}".encode()).decode()
    return (("Authorization", f"Basic {token}"),)


def _parse_basic(scheme: str, token: str) -> tuple[str, str]:
    if scheme.lower() != "basic":
        return "", ""
    try:
        text = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    principal, _, secret = text.partition(":")
    return principal, secret


def _credentials(path: Path) -> list[Credential]:
    try:
        data = path.read_bytes()
        if data.lstrip().startswith(b"{"):
            return _from_json(data)
        found = [_from_line(line) for line in data.decode().splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise UserError(f"cannot read credentials from {path}: {error}") from error
    if not found or None in found:
        raise UserError(
            f"cannot read credentials from {path}: neither JSON nor lines 'principal secret'"
        )
    return [one for one in found if one is not None]


def _from_json(data: bytes) -> list[Credential]:
    if "credentials" in msgspec.json.decode(data):
        return msgspec.json.decode(data, type=_CredentialsFile).credentials
    return [msgspec.json.decode(data, type=Credential)]


def _from_line(line: str) -> Credential | None:
    words = line.split()
    return Credential(words[0], words[1]) if len(words) == 2 else None
