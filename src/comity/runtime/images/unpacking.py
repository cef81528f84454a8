"""A layer's archive becomes a directory, safely.

Nothing is written outside the directory, whatever names and links the archive has; an archive with
device nodes is refused. Whiteouts become what overlay understands: a 0/0 character device, an
opaque attribute.
"""

import errno
import os
import stat
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

import zstandard

from comity.runtime.images.errors import ImageInvalid

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_DISKS_OWN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_ZSTD = b"\x28\xb5\x2f\xfd"


def unpack(archive: Path, directory: Path) -> None:
    """Unpack a tar file: plain, or compressed by gzip, bzip2, xz or zstd.

    Raises:
        ImageInvalid: no such archive, or an entry that leads out of the directory or is a device.
        OSError: the disk is full or broken, which is no fault of the image.
    """
    root = Path(os.path.realpath(directory))
    try:
        with archive.open("rb") as file, _opened(file) as tar:
            for entry in tar:
                _place(tar, entry, root)
    except OSError as error:
        if error.errno in _DISKS_OWN:
            raise
        raise ImageInvalid(f"a layer cannot be unpacked: {error}") from error
    except (tarfile.TarError, zstandard.ZstdError, EOFError, zlib.error) as error:
        raise ImageInvalid(f"a layer cannot be unpacked: {error}") from error


def _opened(file: BinaryIO) -> tarfile.TarFile:
    is_zstd = file.read(len(_ZSTD)) == _ZSTD
    file.seek(0)
    if is_zstd:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        return tarfile.open(fileobj=reader, mode="r|")
    return tarfile.open(fileobj=file, mode="r:*")


def _place(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> None:
    name = os.path.normpath(entry.name)
    if name == ".":
        root.chmod(entry.mode & 0o7777)
        return
    target = inside(root, name)
    base = target.name
    if base == _OPAQUE:
        os.setxattr(target.parent, "trusted.overlay.opaque", b"y")
        return
    if base.startswith(_WHITEOUT):
        os.mknod(target.with_name(base[len(_WHITEOUT) :]), stat.S_IFCHR, os.makedev(0, 0))
        return
    if not _make(tar, entry, target, root):
        return
    os.lchown(target, entry.uid, entry.gid)
    if not entry.issym():
        target.chmod(entry.mode & 0o7777)
        os.utime(target, (entry.mtime, entry.mtime))


def _make(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path, root: Path) -> bool:
    """Create one entry; False for kinds that are left out."""
    if entry.isdir():
        if target.is_symlink():
            target.unlink()
        target.mkdir(exist_ok=True)
        return True
    if target.is_symlink() or target.is_file():
        target.unlink()
    if entry.isreg():
        source = tar.extractfile(entry)
        assert source is not None
        with target.open("wb") as file:
            while data := source.read(1 << 20):
                file.write(data)
    elif entry.issym():
        target.symlink_to(entry.linkname)
    elif entry.islnk():
        linked = inside(root, os.path.normpath(entry.linkname))
        os.link(linked, target, follow_symlinks=False)
        return False
    elif entry.isfifo():
        os.mkfifo(target)
    else:
        raise ImageInvalid(f"a layer has a device node: {entry.name}")
    return True


def inside(root: Path, name: str) -> Path:
    """Return where an entry goes, making its parents.

    Raises:
        ImageInvalid: the place is outside `root`, by its name or by way of a link.
    """
    if name.startswith(("/", "../")) or name == "..":
        name = name.lstrip("/")
        if name.startswith("..") or not name:
            raise ImageInvalid(f"a layer has an entry that leads out of it: {name}")
    parent = Path(os.path.realpath(root / os.path.dirname(name)))
    if not parent.is_relative_to(root):
        raise ImageInvalid(f"a layer has an entry that leads out of it by a link: {name}")
    parent.mkdir(parents=True, exist_ok=True)
    return parent / os.path.basename(name)
