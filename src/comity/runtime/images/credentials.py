"""Credentials for registries, as `docker login` writes them (`config.json`).

The file has them itself (`auths`), or names programs that do (`credsStore`, `credHelpers`).
"""

import base64
import binascii
import json
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from comity.core.errors import UserError
from comity.runtime.images import keychains

HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Login(NamedTuple):
    """Who we are to a registry; its secret is in no message."""

    user: str
    password: str
    identity: str = ""
    """A token that is shown to the registry's token service instead (`docker login` of some)."""

    @property
    def basic(self) -> str:
        """Return the header `Authorization` for HTTP Basic."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"Basic {token}"

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


Logins = dict[str, Login]
"""By the registry's host, with its port if it has one."""

_IDENTITY = "<token>"
"""What helpers say for the user when the secret is an identity token."""
_FETCHED_MAX = 1 << 20
_HUB_SERVER = "https://index.docker.io/v1/"


class Keyring(Struct, frozen=True):
    """What a docker config says of who we are."""

    logins: Logins = {}
    helpers: dict[str, str] = {}
    """Names of credential helpers, by host."""
    store: str = ""
    """The helper for all other hosts."""

    def find(self, host: str) -> Login | None:
        """Return who we are to a host; may run a program.

        Raises:
            ImageNotFound: that failed.
        """
        helper = self.helpers.get(host) or self.store
        known = keychains.ask(helper, _HUB_SERVER if host == HUB else host) if helper else None
        if known is None:
            return self.logins.get(host)
        user, secret = known
        return Login("", "", secret) if user == _IDENTITY else Login(user, secret)


def host_of(name: str) -> str:
    """Return the host that an entry is about: entries may be URLs, Docker Hub has several names."""
    bare = name.split("://")[-1].partition("/")[0].lower()
    return HUB if bare in _HUB_NAMES else bare


def parse(data: bytes | str) -> Keyring:
    """Return what is in a docker `config.json`, or of the older `.dockercfg`.

    Raises:
        UserError: it is none; what it holds is not shown.
    """
    try:
        document = json.loads(data)
        store, named = document.get("credsStore") or "", document.get("credHelpers") or {}
        is_old = not ("auths" in document or store or named)
        entries = document if is_old else document.get("auths") or {}
        found = Keyring(
            {host_of(name): _login(entry) for name, entry in entries.items() if entry},
            {host_of(name): helper for name, helper in named.items()},
            store,
        )
        if not all(map(keychains.is_name, (*found.helpers.values(), *([store] if store else ())))):
            raise ValueError("no name of a credential helper")
        return found
    except (ValueError, AttributeError, TypeError, KeyError, binascii.Error) as error:
        raise UserError(
            "the registry credentials are no docker config: write "
            '{"auths": {"registry:5000": {"auth": "<base64 of user:password>"}}}'
        ) from error


def _login(entry: dict[str, Any]) -> Login:
    if entry.get("identitytoken"):
        return Login("", "", entry["identitytoken"])
    if entry.get("auth"):
        text = base64.b64decode(entry["auth"], validate=True).decode()
        user, _, password = text.partition(":")
        return Login(user, password)
    return Login(entry["username"], entry["password"])


def read(given: str) -> Keyring:
    """Return what is in a flag: a path, `file://…`, or the JSON itself (as --docker_config).

    Raises:
        UserError: it cannot be read.
    """
    if not given:
        return Keyring()
    if given.lstrip().startswith("{"):
        return parse(given)
    path = Path(given.removeprefix("file://"))
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"cannot read registry credentials from {path}: {error.strerror}"
        ) from error


def fetched_into(sandbox: Path) -> str:
    """Return the docker config that a task fetched into its sandbox, empty when there is none.

    The old way of private images: `uris` of a docker.tar.gz (Marathon's docs, native-docker). Only
    files that are the sandbox's own: a link could lead to somebody else's.
    """
    for name in (".docker/config.json", ".dockercfg"):
        path = sandbox.resolve() / name
        if path.is_file() and path.resolve() == path and path.stat().st_size <= _FETCHED_MAX:
            return path.read_text(errors="replace")
    return ""
