"""JSON Web Tokens signed with HMAC-SHA256 (RFC 7519, RFC 7515)."""

import base64
import binascii
import hashlib
import hmac
from typing import Any

import msgspec

_HEADER = {"alg": "HS256", "typ": "JWT"}

Claims = dict[str, Any]


def issue(claims: Claims, key: bytes) -> str:
    """Return a token that says so."""
    signed = f"{_encode(msgspec.json.encode(_HEADER))}.{_encode(msgspec.json.encode(claims))}"
    return f"{signed}.{_encode(_sign(signed, key))}"


def claims_of(token: str, key: bytes) -> Claims | None:
    """Return what a token says; None when it is not ours, or was altered."""
    signed, _, signature = token.rpartition(".")
    try:
        if not hmac.compare_digest(_decode(signature), _sign(signed, key)):
            return None
        header, _, claims_text = signed.partition(".")
        claims: Any = msgspec.json.decode(_decode(claims_text))
        algorithm = msgspec.json.decode(_decode(header)).get("alg")
    except (ValueError, binascii.Error, msgspec.DecodeError, AttributeError):
        return None
    return claims if algorithm == "HS256" and isinstance(claims, dict) else None


def _sign(text: str, key: bytes) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
