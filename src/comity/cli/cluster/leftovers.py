"""What of a cluster is still there, by the look of the machine and not of any record.

An `up` that was killed may have recorded less than it started, and a clean-up may have failed or
been an older version's: nothing is called stopped that can be seen here.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from comity.cli.cluster.record import Process, started_ticks
from comity.runtime.cgroups import agent_name

SETTLE_S = 5.0
_PAUSE_S = 0.1
_CGROUPS = Path("/sys/fs/cgroup")
_TOLD = (b"MESOS_DIRECTORY=", b"MESOS_SANDBOX=")


class Left(NamedTuple):
    """One thing that stays: what it is, and how a person ends it."""

    what: str
    remedy: str


def find(path: Path) -> list[Left]:
    """Return what runs from, or is mounted in, a work directory."""
    found = {process.pid: "component" for process in components(path)}
    found |= {process.pid: "launcher of tasks" for process in launchers(path)}
    for process in tasks(path):
        found.setdefault(process.pid, "task")
    left = [
        Left(f"process {pid} ({_command(pid)}), a {kind}", f"kill -9 {pid}")
        for pid, kind in found.items()
    ]
    left += [Left(f"the mount {place}", f"umount {place}") for place in _mounts(path)]
    return left


def settle(path: Path) -> list[Left]:
    """Return what is there after what is ending has had its time."""
    deadline = time.monotonic() + SETTLE_S
    while (left := find(path)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    return left


def agents(path: Path) -> list[Path]:
    """Return the directories of all agents that ever were in a work directory."""
    return sorted(path.glob("agent[0-9]*"))


def components(path: Path) -> list[Process]:
    """Return the processes of components that work in the directory, recorded or not."""
    found = []
    for pid in _pids():
        words = _words(pid)
        module, place = _after(words, "-m"), _after(words, "--work-dir")
        if module.startswith("comity.") and place and _is_below(place, path):
            found.append(Process(pid, started_ticks(pid)))
    return found


def launchers(path: Path) -> list[Process]:
    """Return the processes that hold the tasks of the directory's agents."""
    found = []
    for lock in path.glob("agent[0-9]*/launcher/lock"):
        with contextlib.suppress(OSError, ValueError):
            if _is_locked(lock):
                pid = int(lock.read_text())
                found.append(Process(pid, started_ticks(pid)))
    return found


def tasks(path: Path) -> list[Process]:
    """Return the processes of tasks and executors, of which a launcher may not know any more."""
    pids = {*_told(path), *_in_cgroups(path)}
    found = [Process(pid, started_ticks(pid)) for pid in sorted(pids)]
    return [process for process in found if process.is_alive()]


def _is_locked(lock: Path) -> bool:
    fd = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


def _pids() -> Iterator[int]:
    for name in filter(str.isdigit, os.listdir("/proc")):
        if int(name) != os.getpid():
            yield int(name)


def _words(pid: int) -> list[str]:
    # Processes end while we look, and others' cannot be read: neither is ours to end.
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return command.decode(errors="replace").removesuffix("\0").split("\0")
    return []


def _after(words: list[str], flag: str) -> str:
    """Return what follows a flag, empty when nothing does."""
    return dict(pairwise(words)).get(flag, "")


def _command(pid: int) -> str:
    text = " ".join(_words(pid))
    return text if len(text) <= 100 else f"{text[:97]}..."


def _told(path: Path) -> Iterator[int]:
    """Yield the processes that an agent of the directory has told where their sandbox is."""
    places = [os.fsencode(f"{place}/") for place in {path, path.resolve()}]
    wanted = tuple(name + place for name in _TOLD for place in places)
    for pid in _pids():
        with contextlib.suppress(OSError):
            variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            if any(each.startswith(wanted) for each in variables):
                yield pid


def _in_cgroups(path: Path) -> Iterator[int]:
    for directory in agents(path):
        name = agent_name(directory)
        for root in {*_CGROUPS.glob(f"comity/{name}"), *_CGROUPS.glob(f"*/comity/{name}")}:
            for procs in root.glob("**/cgroup.procs"):
                with contextlib.suppress(OSError):
                    yield from filter(None, map(int, procs.read_text().split()))


def _mounts(path: Path) -> list[str]:
    places = [f"{directory.resolve()}/" for directory in agents(path)]
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [line.split()[4].replace("\\040", " ") for line in lines]
    return [each for each in targets if any(each.startswith(place) for place in places)]


def _is_below(place: str, path: Path) -> bool:
    return Path(place).is_relative_to(path) or Path(place).is_relative_to(path.resolve())
