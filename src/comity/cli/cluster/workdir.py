"""The work directory: one cluster's state, logs and lock.

A directory belongs to us when it holds the marker file. The lock is a flock on that marker, held
for the life of an `up` (or of a `down` that cleans up), so it is released by the kernel however
that ends.
"""

import fcntl
import json
import os
import shlex
from pathlib import Path

from comity.core.errors import UserError

DEFAULT = "~/.comity"
MARKER = "comity.json"
FORMAT = 1
_MARKER_SIZE = 128


class WorkDir:
    """A claimed work directory. Other processes see it as busy until `release`."""

    def __init__(self, path: Path, lock_fd: int) -> None:
        self.path = path
        self._lock_fd = lock_fd

    @property
    def logs(self) -> Path:
        """Where each component's log is."""
        return self.path / "logs"

    def directory(self, name: str) -> Path:
        """Return (and make, private to us) the directory of one component."""
        path = self.path / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def release(self) -> None:
        """Give the directory up; what runs from it is no longer ours to watch."""
        os.close(self._lock_fd)


def claim(path: Path, doing: str = "up") -> WorkDir:
    """Make or reuse the directory at `path` and lock it, to do what `doing` names.

    Refuses a directory that is not ours, one written by another version's format, and one that
    another `up` is using.
    """
    _make(path)
    marker = path / MARKER
    if not marker.exists():
        _refuse_foreign(path)
        _mark(marker)
    _check_format(marker)
    fd = _lock(marker)
    if fd is None:
        raise UserError(
            f"another `comity {doing_of(path)}` (process {holder(path)}) is running in {path};"
            f" `{command('status', path)}` shows it and `{command('down', path)}` stops it"
        )
    try:
        _write_holder(fd, doing)
        (path / "logs").mkdir(exist_ok=True)
    except OSError as error:
        os.close(fd)
        raise unwritable(path, error) from error
    return WorkDir(path, fd)


def command(verb: str, path: Path) -> str:
    """Return a command about the cluster in a directory, for somebody to type."""
    if path == Path(DEFAULT).expanduser():
        return f"comity {verb}"
    return f"comity {verb} --work-dir {shlex.quote(str(path))}"


def is_ours(path: Path) -> bool:
    """Say whether `path` is a work directory of a cluster."""
    return (path / MARKER).is_file()


def is_busy(path: Path) -> bool:
    """Say whether an `up` holds the directory now."""
    fd = _lock(path / MARKER)
    if fd is None:
        return True
    os.close(fd)
    return False


def holder(path: Path) -> int:
    """Return the process id of who claimed the directory last (0: nobody ever)."""
    pid = _claimed(path).get("pid", 0)
    return pid if isinstance(pid, int) else 0


def doing_of(path: Path) -> str:
    """Return the command that claimed the directory last."""
    return str(_claimed(path).get("doing", "up"))


def unwritable(path: Path, error: OSError) -> UserError:
    """Return the refusal of a directory in which a file could not be written."""
    return UserError(
        f"cannot write in the work directory {path}: {error.strerror}; make room or give it to"
        f" yourself (uid {os.geteuid()}), or give --work-dir another"
    )


def _claimed(path: Path) -> dict[str, object]:
    try:
        document = json.loads((path / MARKER).read_text())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _mark(marker: Path) -> None:
    """Make the directory ours; one that could not be marked stays as it was."""
    try:
        marker.write_text(json.dumps({"comity": "cluster", "format": FORMAT}) + "\n")
    except OSError as error:
        marker.unlink(missing_ok=True)
        raise unwritable(marker.parent, error) from error


def _make(path: Path) -> None:
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(
            f"the work directory {path} is a file; give --work-dir a directory"
        ) from None
    except OSError as error:
        raise UserError(f"cannot make the work directory {path}: {error.strerror}") from error
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise UserError(
            f"the work directory {path} is not yours to write (owner: uid {path.stat().st_uid},"
            f" you: uid {os.geteuid()}); give --work-dir another, or run as its owner"
        )


def _refuse_foreign(path: Path) -> None:
    stranger = next(iter(sorted(entry.name for entry in path.iterdir())), None)
    if stranger is not None:
        raise UserError(
            f"{path} is not a cluster's work directory and is not empty (it holds {stranger!r});"
            " give --work-dir an empty or new directory"
        )


def _check_format(marker: Path) -> None:
    try:
        document = json.loads(marker.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{marker} cannot be read as a cluster's marker: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        found = document.get("format") if isinstance(document, dict) else document
        raise UserError(
            f"{marker.parent} was written by another version of comity (format {found!r}, this one"
            f" reads {FORMAT}); give --work-dir another directory"
        )


def _lock(marker: Path) -> int | None:
    try:
        fd = os.open(marker, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise unwritable(marker.parent, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


def _write_holder(fd: int, doing: str) -> None:
    document = {"comity": "cluster", "format": FORMAT, "pid": os.getpid(), "doing": doing}
    # Always as long, and in one write: whoever is killed here leaves a marker that can be read.
    os.pwrite(fd, json.dumps(document).ljust(_MARKER_SIZE - 1).encode() + b"\n", 0)
    os.ftruncate(fd, _MARKER_SIZE)
