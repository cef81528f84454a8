"""Users, logins and the cluster's own identity, kept in the gateway's store."""

import asyncio
import os
import secrets
import uuid
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from comity.core.effects import Write
from comity.core.instants import Instant
from comity.gateway import tokens, users
from comity.gateway.users import User

_USER = "user/"
_KEY = "signing-key"
_CLUSTER = "cluster-id"

HASHES_AT_ONCE = 2
"""Password hashes computed at the same time: each takes a core and 16 MB."""


Save = Callable[[Sequence[Write]], Awaitable[None]]
"""Makes writes durable, all or none."""


class Accounts:
    """Everything that says who somebody is."""

    def __init__(self, held: dict[str, bytes], save: Save, token_s: float) -> None:
        self._save = save
        self._token_s = token_s
        self._users = {
            key.removeprefix(_USER): users.decode(value)
            for key, value in held.items()
            if key.startswith(_USER)
        }
        self._key = held.get(_KEY, b"")
        self.cluster_id = held.get(_CLUSTER, b"").decode()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)

    async def prepare(self, password_file: Path) -> None:
        """On the first start, make the signing key, the cluster's id and the user `admin`."""
        if self._key:
            return
        password = secrets.token_urlsafe(18)
        _write_secret(password_file, password + "\n")
        admin = await self._hash("admin", password, "Administrator")
        self._key = secrets.token_bytes(32)
        self.cluster_id = str(uuid.uuid4())
        await self._save(
            [
                Write(_USER + "admin", users.encode(admin)),
                Write(_CLUSTER, self.cluster_id.encode()),
                Write(_KEY, self._key),
            ]
        )
        self._users["admin"] = admin

    async def _hash(self, uid: str, password: str, description: str = "") -> User:
        async with self._hashing:
            salt = secrets.token_bytes(16)
            return await asyncio.to_thread(users.make, uid, password, salt, description)

    def all(self) -> list[User]:
        """Return the users by id."""
        return [self._users[uid] for uid in sorted(self._users)]

    def get(self, uid: str) -> User | None:
        """Return one user."""
        return self._users.get(uid)

    async def set(self, uid: str, password: str, description: str) -> None:
        """Add a user, or change its password."""
        user = await self._hash(uid, password, description)
        await self._save([Write(_USER + uid, users.encode(user))])
        self._users[uid] = user

    async def remove(self, uid: str) -> None:
        """Forget a user; tokens it holds are refused from now on."""
        await self._save([Write(_USER + uid, None)])
        self._users.pop(uid, None)

    async def login(self, uid: str, password: str, now: Instant) -> str | None:
        """Return a token for the right password."""
        user = self._users.get(uid)
        async with self._hashing:
            if user is None:
                # As long as for a known user, so that the answer's time does not tell.
                await asyncio.to_thread(users.make, uid, password, b"nobody")
                return None
            if not await asyncio.to_thread(users.knows_password, user, password):
                return None
        return tokens.issue(uid, self._key, Instant(now + self._token_s))

    def who(self, token: str, now: Instant) -> str | None:
        """Return the user that a token is from, if it is good and the user still exists."""
        uid = tokens.verify(token, self._key, now) if token else None
        return uid if uid in self._users else None


def _write_secret(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        os.fchmod(file.fileno(), 0o600)  # the file may have been there, readable to others
        file.write(text)
