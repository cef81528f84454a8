"""A layer's archive becomes a directory, safely.

Nothing is written outside the directory, whatever names and links the archive has; an archive with
device nodes is refused. Whiteouts become what overlay understands: a 0/0 character device, an
opaque attribute.
"""

import errno
import lzma
import os
import shutil
import stat
import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO, Self

import zstandard

from comity.runtime.images.errors import ImageInvalid

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_AUFS = ".wh..wh."
"""How names of AUFS's own begin, which stand for no file (OCI image specification, layer.md)."""
_OVERLAYS_OPAQUE = "trusted.overlay.opaque"
_XATTR = "SCHILY.xattr."
_DISKS_OWN = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_DAMAGE = (tarfile.TarError, zstandard.ZstdError, lzma.LZMAError, EOFError, zlib.error)
_PIECE = 1 << 20
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
            _place_all(tar, root)
    except OSError as error:
        if error.errno in _DISKS_OWN:
            raise
        why = error.strerror or error
        raise ImageInvalid(f"a layer cannot be unpacked: {why}") from error
    except (*_DAMAGE, ValueError, OverflowError) as error:
        raise ImageInvalid(f"a layer cannot be unpacked: {error}") from error


def _opened(file: BinaryIO) -> tarfile.TarFile:
    is_zstd = file.read(len(_ZSTD)) == _ZSTD
    file.seek(0)
    try:
        if is_zstd:
            reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
            return _Whole.open(fileobj=reader, mode="r|")
        return _Whole.open(fileobj=file, mode="r:*")
    except tarfile.ReadError as error:
        raise ImageInvalid(
            "a layer cannot be unpacked: it is no tar archive, plain or compressed"
        ) from error


class _Header(tarfile.TarInfo):
    """A header, of which a damaged one ends the archive with an error, wherever it is.

    Python's own takes what comes before it for the whole.
    """

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> Self:
        """Return the next header."""
        try:
            return super().fromtarfile(tarfile_)
        except (tarfile.InvalidHeaderError, tarfile.TruncatedHeaderError) as error:  # type: ignore[attr-defined]
            raise tarfile.ReadError(str(error)) from error


class _Whole(tarfile.TarFile):
    tarinfo = _Header


def _place_all(tar: tarfile.TarFile, root: Path) -> None:
    directories: dict[Path, float] = {}
    for entry in tar:
        target = _place(tar, entry, root)
        if target is not None and entry.isdir():
            directories[target] = entry.mtime
    while tar.fileobj is not None and tar.fileobj.read(_PIECE):
        pass  # what checks compressed data comes at its end
    for target, mtime in directories.items():  # now that nothing more comes into them
        if target.is_dir() and not target.is_symlink():
            os.utime(target, (mtime, mtime))


def _place(tar: tarfile.TarFile, entry: tarfile.TarInfo, root: Path) -> Path | None:
    """Make one entry; return where, if it has a mode and an owner of its own."""
    name = os.path.normpath(entry.name)
    if name.strip("/") in ("", "."):
        target = root
        if not entry.isdir():
            raise ImageInvalid("a layer has an entry for its root that is no directory")
    else:
        target = inside(root, name)
        if target.name.startswith(_WHITEOUT):
            _hide(target)
            return None
        if not _make(tar, entry, target, root):
            return None
    os.lchown(target, entry.uid, entry.gid)
    if not entry.issym():
        target.chmod(entry.mode & 0o7777)
        os.utime(target, (entry.mtime, entry.mtime))
    _attribute(entry, target)
    return target


def _hide(mark: Path) -> None:
    """Hide what layers below have, never what this one has, whichever of them comes first."""
    if mark.name == _OPAQUE:
        os.setxattr(mark.parent, _OVERLAYS_OPAQUE, b"y")
        return
    if mark.name.startswith(_AUFS):
        return
    hidden = mark.parent / mark.name[len(_WHITEOUT) :]
    if hidden.name in ("", ".", "..") or hidden.parent != mark.parent:
        raise ImageInvalid(f"a layer has a whiteout of nothing: {mark.name}")
    if hidden.is_dir() and not hidden.is_symlink():
        os.setxattr(hidden, _OVERLAYS_OPAQUE, b"y")
    elif not os.path.lexists(hidden):
        os.mknod(hidden, stat.S_IFCHR, os.makedev(0, 0))


def _attribute(entry: tarfile.TarInfo, target: Path) -> None:
    """Give a file its capabilities and attributes of users; overlay's own are not the image's."""
    for key, value in entry.pax_headers.items():
        name = key.removeprefix(_XATTR)
        if name == key or not (name == "security.capability" or name.startswith("user.")):
            continue
        try:
            data = value.encode("utf-8", "surrogateescape")
            os.setxattr(target, name, data, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EPERM):
                raise


def _make(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path, root: Path) -> bool:
    """Create one entry in the place of an earlier one; False for a link, which has no owner."""
    if entry.isdir():
        _make_directory(target)
        return True
    if entry.islnk():
        linked = inside(root, os.path.normpath(entry.linkname))
        if linked == target or not os.path.lexists(linked) or stat.S_ISDIR(linked.lstat().st_mode):
            raise ImageInvalid(
                f"a layer has a hard link to what is no file of it: {entry.name} to "
                f"{entry.linkname}"
            )
    _remove(target)
    if entry.isreg():
        _write(tar, entry, target)
    elif entry.issym():
        target.symlink_to(entry.linkname)
    elif entry.islnk():
        os.link(linked, target, follow_symlinks=False)
        return False
    elif entry.isfifo():
        os.mkfifo(target)
    else:
        raise ImageInvalid(f"a layer has a device node: {entry.name}")
    return True


def _make_directory(target: Path) -> None:
    try:
        target.mkdir()
    except FileExistsError:
        mode = target.lstat().st_mode
        if stat.S_ISDIR(mode):
            return
        target.unlink()
        target.mkdir()
        if stat.S_ISCHR(mode):  # a whiteout of what layers below have there
            os.setxattr(target, _OVERLAYS_OPAQUE, b"y")


def _remove(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target)
    else:
        target.unlink(missing_ok=True)


def _write(tar: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    source = tar.extractfile(entry)
    assert source is not None
    with target.open("wb") as file:
        while data := source.read(_PIECE):
            if entry.issparse() and not data.strip(b"\0"):
                file.seek(len(data), os.SEEK_CUR)
            else:
                file.write(data)
        file.truncate()


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
