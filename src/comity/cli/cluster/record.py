"""`cluster.json`: what an `up` runs, for `status`, `down` and the next `up`.

It is replaced whole and atomically. A process is named by its id and its start time, so that an id
used again by the system is never taken for ours.
"""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from comity.core.errors import UserError

NAME = "cluster.json"


class Process(NamedTuple):
    """One process that cannot be confused with another."""

    pid: int
    started_ticks: int

    def is_alive(self) -> bool:
        """Say whether this very process still runs."""
        return self.pid > 0 and started_ticks(self.pid) == self.started_ticks


class Entry(NamedTuple):
    """A component as last seen by its supervisor."""

    name: str
    state: str
    url: str
    process: Process
    restarts: int
    since: float


class Record(NamedTuple):
    """The whole of `cluster.json`."""

    state: str
    options: dict[str, Any]
    agents: list[str]
    entries: list[Entry]


def started_ticks(pid: int) -> int:
    """Return when a process started, in the kernel's ticks since boot; 0 if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    fields = stat.rpartition(")")[2].split()
    return 0 if fields[0] in "ZX" else int(fields[19])


def save(work_dir: Path, record: Record) -> None:
    """Replace the record."""
    entries = [{**entry._asdict(), "process": entry.process._asdict()} for entry in record.entries]
    text = json.dumps({**record._asdict(), "entries": entries}, indent=1)
    temporary = work_dir / f".{NAME}.{os.getpid()}"
    try:
        temporary.write_text(text + "\n")
        temporary.replace(work_dir / NAME)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def load(work_dir: Path) -> Record | None:
    """Read the record; None when no `up` has got so far yet."""
    try:
        document = json.loads((work_dir / NAME).read_text())
        entries = [
            Entry(**{**entry, "process": Process(**entry["process"])})
            for entry in document["entries"]
        ]
        return Record(**{**document, "entries": entries})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(
            f"{work_dir / NAME} cannot be read ({error}); if it is damaged, remove it: `comity"
            " down` finds what runs without it"
        ) from error
