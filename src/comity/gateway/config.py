"""What an operator can set for the front door."""

from pathlib import Path

from msgspec import Struct


class Config(Struct, frozen=True):
    """The whole configuration of one gateway."""

    master: str = "http://127.0.0.1:5050"
    """Where the Mesos master is."""
    marathon: str = "http://127.0.0.1:8080"
    """Where Marathon is."""
    cosmos: str = "http://127.0.0.1:7070"
    """Where the package service is."""
    ip: str = "127.0.0.1"
    """Address to listen on. Beyond loopback, `auth` must be on."""
    port: int = 8000
    """Port to listen on; 0 takes a free one."""
    work_dir: Path = Path("/var/lib/comity/gateway")
    """Holds `gateway.sqlite` (users, the signing key, the cluster's id) and `admin-password`."""
    auth: bool = False
    """Ask callers for a token, except on the routes that say otherwise."""
    credential: Path | None = None
    """Who we are to the master, Marathon and cosmos when they ask."""
    directory_s: float = 1.0
    """How long the list of services and agents is used before it is read again. A service is
    reachable this long after it runs; 0 reads it for each request."""
    token_s: float = 5 * 86400.0
    """How long a login lasts: five days, as in DC/OS."""
