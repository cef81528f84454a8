"""Users and groups of image containers, looked up in the image's own files."""

import errno
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from comity.core.containers import Spec
from comity.runtime.containers.errors import ContainerRefused

_LAST = (1 << 31) - 1
"""The greatest number of a user or group (as Docker has it)."""


class Identity(NamedTuple):
    """Who a container's first process is."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


def of(spec: Spec, image_user: str, root: Path) -> Identity:
    """Return who a container runs as: who it says, else the machine's user, else the image's.

    Raises:
        ContainerRefused: there is no such user.
    """
    groups = spec.isolation.groups
    if spec.user or not spec.machine_user:
        return find(spec.user or image_user, root, groups)
    try:
        known = pwd.getpwnam(spec.machine_user)
    except KeyError:
        raise ContainerRefused(
            f"user '{spec.machine_user}' does not exist on this machine: make it, or name one of "
            "the image in the command"
        ) from None
    return find(f"{known.pw_uid}:{known.pw_gid}", root, groups)


def find(text: str, root: Path, more: tuple[int, ...] = ()) -> Identity:
    """Return who `user[:group]` is, by names or numbers; `more` are further groups.

    Raises:
        ContainerRefused: there is no such user or group in the image.
    """
    name, _, group = (text or "0").partition(":")
    uid, gid, home, known = _user(name, root)
    groups: list[int] = []
    if group:
        gid = _group(group, root)
    else:
        groups = [number for number, members in _groups(root) if known in members]
    return Identity(uid, gid, tuple(dict.fromkeys((*groups, *more))), home)


def _user(name: str, root: Path) -> tuple[int, int, str, str]:
    """Return a user's uid, gid, home and name."""
    for fields in _lines(root, "etc/passwd"):
        if len(fields) > 3 and name in (fields[0], fields[2]):
            home = fields[5] if len(fields) > 5 else ""
            gid = int(fields[3]) if _is_number(fields[3]) else 0
            return int(fields[2]), gid, home or "/", fields[0]
    if _is_number(name):
        return _in_range("user", name), 0, "/", ""
    raise ContainerRefused(
        f"user '{name}' is not in the image; name one of its /etc/passwd, or give a number"
    )


def _group(name: str, root: Path) -> int:
    for fields in _lines(root, "etc/group"):
        if len(fields) > 2 and name in (fields[0], fields[2]):
            return int(fields[2])
    if _is_number(name):
        return _in_range("group", name)
    raise ContainerRefused(
        f"group '{name}' is not in the image; name one of its /etc/group, or give a number"
    )


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _in_range(kind: str, text: str) -> int:
    if len(text) > len(str(_LAST)) or int(text) > _LAST:
        raise ContainerRefused(f"{kind} {text[:20]} is no number of one: they go from 0 to {_LAST}")
    return int(text)


def _groups(root: Path) -> Iterator[tuple[int, list[str]]]:
    for fields in _lines(root, "etc/group"):
        if len(fields) > 3:
            yield int(fields[2]), fields[3].split(",")


def _lines(root: Path, name: str) -> Iterator[list[str]]:
    """Yield the fields of each line whose third is a number; of a file only, not of a pipe."""
    try:
        handle = os.open(resolve(root, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return
    with open(handle, errors="replace") as file:
        for line in file:
            fields = line.rstrip("\n").split(":")
            if len(fields) > 2 and _is_number(fields[2]) and int(fields[2][:11]) <= _LAST:
                yield fields


def resolve(root: Path, name: str) -> Path:
    """Return where a path of a container is on the machine; links in it never lead out of `root`.

    Raises:
        OSError: there are too many links.
    """
    found: list[str] = []
    left = [part for part in name.split("/") if part]
    for _ in range(255):
        if not left:
            return root.joinpath(*found)
        part = left.pop(0)
        if part in ("..", "."):
            found = found[:-1] if part == ".." else found
            continue
        place = root.joinpath(*found, part)
        if not place.is_symlink():
            found.append(part)
            continue
        target = os.readlink(place)
        if target.startswith("/"):
            found = []
        left = [each for each in target.split("/") if each] + left
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name)
