"""The kernel's mounts by mount(2): overlays, binds and file systems in memory."""

import contextlib
import ctypes
import os
import re
from collections.abc import Iterable
from pathlib import Path

_MNT_DETACH = 2
_OPTIONS_MAX = 3500
"""The kernel takes a page of options: an image of many layers would not fit with its paths."""
_MS_BIND = 4096
_MS_NOSUID, _MS_NODEV = 2, 4
_libc = ctypes.CDLL(None, use_errno=True)


def overlay(lowers: Iterable[str], directory: Path) -> None:
    """Mount layers, topmost first, at `directory`/root; `upper` and `work` beside it take changes.

    Images may have a layer several times (an empty one), or none at all.

    Raises:
        OSError: the kernel refuses.
    """
    for name in ("upper", "work", "root"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    distinct = list(dict.fromkeys(lowers))  # the kernel refuses to have a layer twice
    if not distinct:
        (directory / "lower").mkdir(exist_ok=True)
        distinct = [f"{directory}/lower"]
    paths = [*distinct, f"{directory}/upper", f"{directory}/work"]
    with contextlib.ExitStack() as opened:
        if sum(map(len, paths)) > _OPTIONS_MAX or any(set(path) & set(":,\\") for path in paths):
            paths = [_short(path, opened) for path in paths]
        options = f"lowerdir={':'.join(paths[:-2])},upperdir={paths[-2]},workdir={paths[-1]}"
        _mount("overlay", directory / "root", "overlay", 0, options)


def _short(path: str, opened: contextlib.ExitStack) -> str:
    """Return another name of a directory, short and without separators, while it is open."""
    handle = os.open(path, os.O_PATH | os.O_DIRECTORY)
    opened.callback(os.close, handle)
    return f"/proc/self/fd/{handle}"


def memory(directory: Path, *, size_bytes: int | None = None, mode: int = 0o700) -> None:
    """Mount an empty file system in memory over a directory, which is made.

    Raises:
        OSError: the kernel refuses.
    """
    directory.mkdir(parents=True, exist_ok=True)
    options = f"mode={mode:o}" + (f",size={size_bytes}" if size_bytes is not None else "")
    _mount("tmpfs", directory, "tmpfs", _MS_NOSUID | _MS_NODEV, options)


def bind(source: str, target: Path) -> None:
    """Show a file at another place, which exists.

    Raises:
        OSError: the kernel refuses.
    """
    _mount(source, target, "none", _MS_BIND, "")


def _mount(source: str, target: Path, kind: str, flags: int, options: str) -> None:
    where = str(target).encode()
    done = _libc.mount(
        source.encode(), where, kind.encode(), ctypes.c_ulong(flags), options.encode()
    )
    if done != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{kind} mount: {os.strerror(number)}", str(target))


def unmount(path: Path) -> None:
    """Unmount, lazily: what still uses it keeps it until it ends. What is not mounted is fine."""
    _libc.umount2(str(path).encode(), _MNT_DETACH)


def has_mounts(path: Path) -> bool:
    """Whether something is mounted at a path or below it."""
    wanted = os.fsencode(path)
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        point = re.sub(rb"\\([0-7]{3})", lambda found: bytes((int(found[1], 8),)), line.split()[4])
        if point == wanted or point.startswith(wanted + b"/"):
            return True
    return False


def is_mounted(path: Path) -> bool:
    """Whether something is mounted at a path."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(path) for line in lines)
