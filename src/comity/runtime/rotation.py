"""Logs of containers cut to size while they are written: `stdout.1` is newer than `stdout.2`.

The containers write their files themselves, so that nothing stands between a task and its log. What
is old is copied away and then cut from the file's beginning (fallocate(2), COLLAPSE_RANGE), which
loses nothing that is written meanwhile. The cut is at a block's border, mostly within a line: the
files one after the other are the log. `FILE.new` is there while that is under way.
"""

import contextlib
import ctypes
import errno
import os
import stat
from pathlib import Path

from comity.core.errors import ComityError

_COLLAPSE_RANGE = 8
_COPY_MAX = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


class CannotRotate(ComityError):
    """The file system cannot cut files at their beginning: ext4 and xfs can."""


def rotate(path: Path, size_max: int, files: int) -> bool:
    """Cut a log that is over its size, and keep so many old ones; whether it was cut.

    Raises:
        CannotRotate: this file system cannot do that.
        OSError: anything else that went wrong; nothing of the log is lost.
    """
    try:
        log = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # not there (yet), or a link that a task has put there
    try:
        found = os.fstat(log)
        # A task's own file, by another name, is not ours to cut.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1 or found.st_size <= size_max:
            return False
        block = max(found.st_blksize, 4096)
        length = (found.st_size - 1) // block * block
        if length <= 0:
            return False
        _cut(log, path, length)
    finally:
        os.close(log)
    _shift(path, files)
    return True


def _cut(log: int, path: Path, length: int) -> None:
    new = Path(f"{path}.new")
    new.unlink(missing_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(new, flags, 0o644)
    try:
        owner = os.fstat(log)
        with contextlib.suppress(PermissionError):
            os.fchown(copy, owner.st_uid, owner.st_gid)
        at = 0
        while at < length:
            sent = os.sendfile(copy, log, at, min(_COPY_MAX, length - at))
            if sent == 0:
                raise OSError(errno.EIO, "the log became shorter", str(path))
            at += sent
        if _libc.fallocate(log, _COLLAPSE_RANGE, 0, length) != 0:
            number = ctypes.get_errno()
            if number in (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS):
                raise CannotRotate(f"logs in {path.parent} cannot be rotated on this file system")
            raise OSError(number, os.strerror(number), str(path))
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    finally:
        os.close(copy)


def _shift(path: Path, files: int) -> None:
    for number in range(files - 1, 0, -1):
        with contextlib.suppress(FileNotFoundError):
            os.replace(f"{path}.{number}", f"{path}.{number + 1}")
    os.replace(f"{path}.new", f"{path}.1")
