"""For what callers of a master have to prove who they are (mesos docs/authentication.md)."""

from typing import NamedTuple

from comity.master.config import MasterConfig
from comity.wire.mesos import link

_OPEN = frozenset({"/health", "/version", "/redirect"})
"""Paths that tell nothing and change nothing."""

_READWRITE = frozenset(
    {
        "/api/v1",
        "/create-volumes",
        "/destroy-volumes",
        "/logging/toggle",
        "/machine/down",
        "/machine/up",
        "/maintenance/schedule",
        "/quota",
        "/reserve",
        "/teardown",
        "/unreserve",
        "/weights",
    }
)


class Wanted(NamedTuple):
    """A realm, and whether it has to be proved who calls."""

    realm: str
    is_required: bool


def realm_of(path: str, config: MasterConfig) -> Wanted:
    """Return the realm of a path whose prefix is gone; a path that is not known is read-only."""
    if path in _OPEN:
        return Wanted("mesos-master-readonly", is_required=False)
    if path == "/api/v1/scheduler":
        return Wanted("mesos-master-scheduler", _or(config.authenticate_http_frameworks))
    if path == link.PATH:
        return Wanted("mesos-master-agent", is_required=True)
    if path in _READWRITE or path.startswith("/quota/"):
        return Wanted("mesos-master-readwrite", _or(config.authenticate_http_readwrite))
    return Wanted("mesos-master-readonly", _or(config.authenticate_http_readonly))


def _or(given: bool | None) -> bool:
    return True if given is None else given
