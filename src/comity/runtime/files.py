"""Files that an API shows under virtual paths: browse, read, download; never outside their roots.

Behaviour of Mesos's /files endpoints (src/files/files.cpp): a path is 404 unless it lies under an
attached one; reads are capped at 16 pages; offset -1 asks for the size alone.
"""

import grp
import os
import pwd
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comity.core.errors import ComityError

READ_MAX = 16 * 4096


class NoSuchFile(ComityError):
    """Nothing is attached there, or the path leads out of what is."""


class BadRead(ComityError):
    """An offset or a length that makes no sense."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or directory, by its virtual path."""

    path: str
    found: os.stat_result

    @property
    def owner(self) -> str:
        """The owner's name, or number if nobody has it."""
        return _user(self.found.st_uid)

    @property
    def group(self) -> str:
        """The group's name, or number if none has it."""
        return _group(self.found.st_gid)

    def document(self) -> dict[str, Any]:
        """Return the entry as /files/browse shows it."""
        return {
            "gid": self.group,
            "mode": stat.filemode(self.found.st_mode),
            "mtime": float(int(self.found.st_mtime)),
            "nlink": self.found.st_nlink,
            "path": self.path,
            "size": self.found.st_size,
            "uid": self.owner,
        }


class Files:
    """Virtual paths and the real ones that they stand for."""

    def __init__(self) -> None:
        self._roots: dict[str, Callable[[], Path]] = {}

    def attach(self, virtual: str, real: Path) -> None:
        """Show a file or directory under a virtual path."""
        self.attach_lookup(virtual, lambda: real)

    def attach_lookup(self, virtual: str, real: Callable[[], Path]) -> None:
        """Show a directory whose place is known only later."""
        self._roots[virtual.rstrip("/")] = real

    def attached(self) -> dict[str, str]:
        """Return what is attached, for /files/debug."""
        return {virtual: str(real()) for virtual, real in sorted(self._roots.items())}

    def resolve(self, path: str) -> Path:
        """Return the real path; links that lead out of the root count as not there.

        Raises:
            NoSuchFile: as its name says.
        """
        path = path.rstrip("/")
        virtual = path
        while virtual not in self._roots:
            if "/" not in virtual.strip("/") and virtual not in self._roots:
                raise NoSuchFile(path)
            virtual = virtual.rpartition("/")[0]
        root = Path(os.path.realpath(self._roots[virtual]()))
        if "\0" in path:
            raise NoSuchFile(path)
        real = Path(os.path.realpath(root / path[len(virtual) :].lstrip("/")))
        if not real.is_relative_to(root) or not real.exists():
            raise NoSuchFile(path)
        return real

    def browse(self, path: str) -> list[Entry]:
        """Return what a directory holds, by name.

        Raises:
            NoSuchFile: not there, or no directory.
        """
        real = self.resolve(path)
        if not real.is_dir():
            raise NoSuchFile(path)
        return [
            Entry(f"{path.rstrip('/')}/{found.name}", found.stat(follow_symlinks=False))
            for found in sorted(os.scandir(real), key=lambda one: one.name)
        ]

    def read(self, path: str, offset: int, length: int | None) -> tuple[bytes, int]:
        """Return bytes and the offset they start at; for offset -1 nothing, and the size.

        Raises:
            NoSuchFile: not there, or no regular file.
            BadRead: a negative length, or an offset below -1.
        """
        if offset < -1 or (length is not None and length < -1):
            raise BadRead("offset and length must be -1 or more")
        real = self.resolve(path)
        if not real.is_file():
            raise NoSuchFile(path)
        with real.open("rb") as file:
            if offset == -1:
                return b"", file.seek(0, os.SEEK_END)
            file.seek(offset)
            wanted = READ_MAX if length in (None, -1) else min(length or 0, READ_MAX)
            return file.read(wanted), offset


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
