"""What an operator can set for the package service."""

from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.core.programs import own_command


class Config(Struct, frozen=True):
    """The whole configuration of one package service."""

    master: str = "http://127.0.0.1:5050"
    """Where the Mesos master is; frameworks of uninstalled packages are torn down there."""
    marathon: str = "http://127.0.0.1:8080"
    """Where Marathon is; it runs what packages render to."""
    ip: str = "127.0.0.1"
    """Address to listen on. Beyond loopback, `credentials` must be given."""
    port: int = 7070
    """Port to listen on; 0 takes a free one."""
    work_dir: Path = Path("/var/lib/comity/cosmos")
    """Holds `cosmos.sqlite`: the list of repositories, nothing else."""
    service_data_dir: Path = Path("/var/lib/comity/services")
    """Where a service that needs it keeps what outlives its tasks (`comity.service-data-dir`).
    It has to be the same disk whichever agent the service runs on."""
    comity_command: str = ""
    """How a task calls `comity` (`comity.command` in templates); empty: as this process does."""
    credentials: Path | None = None
    """Who may call us."""
    credential: Path | None = None
    """Who we are to Marathon and to the master."""
    cache_s: float = 60.0
    """How long the answer of a repository is used; 0 asks it every time."""
    repository_bytes_max: int = 256 << 20
    """A repository that answers with more than this is refused."""

    def platform(self) -> dict[str, Any]:
        """Return what templates may know of the cluster, as `comity` in their context."""
        return {
            "command": self.comity_command or own_command(),
            "master": self.master,
            "service-data-dir": str(self.service_data_dir.absolute()),
        }
