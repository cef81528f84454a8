"""Users and their passwords, as scrypt hashes in the store."""

import base64
import hashlib
import hmac
import re
from typing import Any

import msgspec

UID = re.compile(r"[A-Za-z0-9._%+@-]{1,128}")
"""What a user id may look like; DC/OS also takes e-mail addresses."""

PASSWORD_BYTES_MAX = 1024

_COST, _BLOCK, _LANES = 1 << 14, 8, 1
"""scrypt's parameters: about 50 ms and 16 MB each."""


class User(msgspec.Struct, frozen=True):
    """One user."""

    uid: str
    salt: str
    """Base64."""
    hash: str
    """Base64 of scrypt(password, salt)."""
    description: str = ""

    def shown(self) -> dict[str, Any]:
        """Return what others may read of the user."""
        return {
            "uid": self.uid,
            "url": f"/acs/api/v1/users/{self.uid}",
            "description": self.description,
            "is_remote": False,
            "is_service": False,
            "provider_type": "internal",
            "provider_id": "",
        }


_user = msgspec.json.Decoder(User)


def make(uid: str, password: str, salt: bytes, description: str = "") -> User:
    """Return a user with a hashed password. It takes a while: call it on a thread."""
    digest = _scrypt(password, salt)
    return User(
        uid, base64.b64encode(salt).decode(), base64.b64encode(digest).decode(), description
    )


def knows_password(user: User, password: str) -> bool:
    """Whether this is the user's password. It takes a while: call it on a thread."""
    digest = _scrypt(password, base64.b64decode(user.salt))
    return hmac.compare_digest(digest, base64.b64decode(user.hash))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=_COST, r=_BLOCK, p=_LANES, dklen=32)


def encode(user: User) -> bytes:
    """Return a user as stored."""
    return msgspec.json.encode(user)


def decode(data: bytes) -> User:
    """Read a stored user."""
    return _user.decode(data)
