"""Credentials for registries, as `docker login` writes them (`config.json`)."""

import base64
import binascii
import json
from pathlib import Path
from typing import Any, NamedTuple

from comity.core.errors import UserError

HUB = "docker.io"
_HUB_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class Login(NamedTuple):
    """Who we are to a registry; its secret is in no message."""

    user: str
    password: str

    @property
    def basic(self) -> str:
        """Return the header `Authorization` for HTTP Basic."""
        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return f"Basic {token}"

    def __repr__(self) -> str:
        return f"Login({self.user!r})"


Logins = dict[str, Login]
"""By the registry's host, with its port if it has one."""


def host_of(name: str) -> str:
    """Return the host that an entry is about: entries may be URLs, Docker Hub has several names."""
    bare = name.split("://")[-1].partition("/")[0].lower()
    return HUB if bare in _HUB_NAMES else bare


def parse(data: bytes | str) -> Logins:
    """Return the logins of a docker `config.json`, or of the older `.dockercfg`.

    Raises:
        UserError: it is none; what it holds is not shown.
    """
    try:
        document = json.loads(data)
        entries = document.get("auths", document)
        return {host_of(name): _login(entry) for name, entry in entries.items() if entry}
    except (ValueError, AttributeError, TypeError, KeyError, binascii.Error) as error:
        raise UserError(
            "the registry credentials are no docker config: write "
            '{"auths": {"registry:5000": {"auth": "<base64 of user:password>"}}}'
        ) from error


def _login(entry: dict[str, Any]) -> Login:
    if entry.get("auth"):
        text = base64.b64decode(entry["auth"], validate=True).decode()
        user, _, password = text.partition(":")
        return Login(user, password)
    return Login(entry["username"], entry["password"])


def read(given: str) -> Logins:
    """Return the logins of a flag: a path, `file://…`, or the JSON itself (as --docker_config).

    Raises:
        UserError: it cannot be read.
    """
    if not given:
        return {}
    if given.lstrip().startswith("{"):
        return parse(given)
    path = Path(given.removeprefix("file://"))
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise UserError(
            f"cannot read registry credentials from {path}: {error.strerror}"
        ) from error
