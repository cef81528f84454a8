"""Login tokens: JSON Web Tokens signed with HMAC-SHA256 (RFC 7519, RFC 7515)."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

from comity.core.instants import Instant

_HEADER = {"alg": "HS256", "typ": "JWT"}


def issue(uid: str, key: bytes, expires: Instant) -> str:
    """Return a token that says who its bearer is, until `expires`."""
    claims = {"uid": uid, "exp": int(expires)}
    signed = f"{_encode(msgspec.json.encode(_HEADER))}.{_encode(msgspec.json.encode(claims))}"
    return f"{signed}.{_encode(_sign(signed, key))}"


def verify(token: str, key: bytes, now: Instant) -> str | None:
    """Return who a token is from; None when it is not ours, was altered, or has expired."""
    signed, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decode(signature), _sign(signed, key)):
            return None
        header, _, claims_text = signed.partition(".")
        claims: Any = msgspec.json.decode(_decode(claims_text))
        algorithm = msgspec.json.decode(_decode(header)).get("alg")
    except (ValueError, binascii.Error, msgspec.DecodeError, AttributeError):
        return None
    if algorithm != "HS256" or not isinstance(claims, dict):
        return None
    uid, expires = claims.get("uid"), claims.get("exp")
    if not isinstance(uid, str) or not isinstance(expires, int | float) or expires <= now:
        return None
    return uid


def given(authorization: str, cookies: str) -> str:
    """Return the token that a request carries, in a header or in the cookie; maybe empty."""
    scheme, _, rest = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if authorization.strip().lower().startswith("token="):
        return authorization.strip()[6:].strip().strip('"')
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == AUTH_COOKIE:
            return value
    return ""


AUTH_COOKIE = "dcos-acs-auth-cookie"
INFO_COOKIE = "dcos-acs-info-cookie"


def _sign(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
