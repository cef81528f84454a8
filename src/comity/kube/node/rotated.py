"""A log with its older parts (`stdout.2`, `stdout.1`, `stdout`) as one file that only grows.

The agent moves a log's beginning to `.1` while it is read and written (runtime/rotation.py); while
it does, there is a file `.new`. Offsets here count from where reading began and are never used
twice; what has been deleted meanwhile is passed over.
"""

import time
from pathlib import Path
from typing import NamedTuple

_TRIES = 50
_PAUSE_S = 0.01


class Part(NamedTuple):
    """One of the files, and the offsets that it holds."""

    path: Path
    start: int
    size: int


class RotatedFile:
    """One log."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._new = Path(f"{path}.new")
        self._base = 0
        """The offset at which the newest part begins."""
        self._known: int | None = None
        """The inode of the part before it, when it was looked at last."""

    def parts(self) -> list[Part]:
        """Return the parts, oldest first."""
        listed: list[tuple[int, int, Path]] = []
        while (found := _stat(older := Path(f"{self._path}.{len(listed) + 1}"))) is not None:
            listed.append((*found, older))
        inodes = [inode for inode, _, _ in listed]
        fresh = inodes.index(self._known) if self._known in inodes else len(listed)
        self._base += sum(size for _, size, _ in listed[:fresh])
        if listed:
            self._known = inodes[0]
        newest = _stat(self._path)
        parts = [Part(self._path, self._base, newest[1] if newest is not None else 0)]
        for _, size, older in listed:
            parts.append(Part(older, parts[-1].start - size, size))
        return parts[::-1]

    def size(self) -> int:
        """Return the offset at which the log ends."""
        for _ in range(_TRIES):
            if not self._new.exists():
                newest = self.parts()[-1]
                if not self._new.exists():
                    return newest.start + newest.size
            time.sleep(_PAUSE_S)
        return self._base

    def read(self, offset: int, length: int) -> tuple[int, bytes]:
        """Return some bytes and the offset that they are at, beyond what has been deleted."""
        for _ in range(_TRIES):
            if not self._new.exists():
                parts = self.parts()
                before = (self._base, self._known)
                at, data = _read(parts, offset, length)
                self.parts()
                if not self._new.exists() and (self._base, self._known) == before:
                    return at, data
            time.sleep(_PAUSE_S)
        return offset, b""


def _read(parts: list[Part], offset: int, length: int) -> tuple[int, bytes]:
    """Read on from one part to the next: they mostly end within a line."""
    offset = max(offset, parts[0].start)
    found = b""
    for part, end in zip(parts, [*(each.start for each in parts[1:]), None], strict=True):
        at = offset + len(found)
        if (end is not None and end <= at) or len(found) == length:
            continue
        try:
            with part.path.open("rb") as file:
                file.seek(at - part.start)
                found += file.read(length - len(found))
        except FileNotFoundError:
            break
    return offset, found


def _stat(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size
