"""What each container of an agent was attached to, on the disk: `<work dir>/networks/<id>.json`.

A record is there before anything of its container is in the kernel or with a plugin, so that
whoever comes after a crash knows what to take back. Records that name plugins are synced: what
plugins keep (addresses, say) outlives the machine's end, and must be given back after it.
"""

import contextlib
import os
from pathlib import Path

import msgspec
from msgspec import Struct

from comity.core.networks import Attachment
from comity.runtime.networks.cni import Added
from comity.runtime.networks.leases import boot_id


class Record(Struct):
    """A container with networks of its own."""

    container: str
    netns: str
    identity: str
    """Tells this namespace from a later one at the same path; see `identity_of`."""
    plugins: list[Added] = []
    """What plugins were run with."""
    bridge: str = ""
    subnet: str = ""
    """The machine's bridge, if it is on that, and its addresses."""
    subnet6: str = ""
    has_none: bool = False
    """Whether it is on no network, by its own wish."""
    attachment: Attachment | None = None
    """None until it was through."""


class Records:
    """The records of one agent."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def all(self) -> dict[str, Record]:
        """Return every record that can be read, by container."""
        found = {}
        for path in self._directory.glob("*.json"):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                record = msgspec.json.decode(path.read_bytes(), type=Record)
                found[record.container] = record
        return found

    def save(self, record: Record) -> None:
        """Write a record.

        Raises:
            OSError: it cannot be written.
        """
        path = self._path(record.container)
        new = path.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(record))
            if record.plugins:
                file.flush()
                os.fsync(file.fileno())
        new.replace(path)

    def drop(self, container: str) -> None:
        """Remove a record; one that is not there is no fault."""
        self._path(container).unlink(missing_ok=True)

    def _path(self, container: str) -> Path:
        return self._directory / f"{container}.json"


def identity_of(netns: Path) -> str:
    """Return what no other namespace of this machine is called, also not after its end.

    Raises:
        OSError: there is no such file.
    """
    found = os.stat(netns)
    return f"{boot_id()}/{found.st_dev}/{found.st_ino}"
