"""Pod directories: `<sandbox>/pods/<uid>/volumes/<name>`, and messages of ended containers.

The files of a volume change together, as a kubelet's do: each version is a hidden directory, the
symbolic link `..data` points at the present one and is replaced by a rename, and the names that
people see are links through it.
"""

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Mapping
from pathlib import Path

from comity.core.errors import ComityError
from comity.kube.node.outbox import VolumeFile, VolumePlan
from comity.kube.node.state import Json

_MESSAGE_MAX = 4096
_LOG_TAIL_MAX = 2048
_LOG_TAIL_LINES = 80


class DiskError(ComityError):
    """A volume cannot be made: the text goes into the pod's event."""


class PodDisk:
    """The pods' directories below the executor's sandbox."""

    def __init__(self, sandbox: Path, pods: Mapping[str, str]) -> None:
        self._sandbox = sandbox
        self.pods = pods
        """The pod of each container."""

    def directory(self, uid: str) -> Path:
        """Return the directory of a pod."""
        return self._sandbox / "pods" / uid

    def write(self, uid: str, plans: tuple[VolumePlan, ...]) -> None:
        """Make the pod's volumes be as planned. May be repeated.

        Raises:
            DiskError: one cannot be.
        """
        for plan in plans:
            path = self.directory(uid) / "volumes" / plan.name
            try:
                if plan.host_path:
                    _check_host_path(Path(plan.host_path), plan.host_path_type)
                elif plan.files is None:
                    path.mkdir(parents=True, exist_ok=True)
                    path.chmod(0o777)
                    _own(path, plan.group)
                else:
                    write_version(path, plan.files, plan.group)
            except OSError as error:
                raise DiskError(f'volume "{plan.name}": {error}') from error

    def remove(self, uid: str) -> None:
        """Delete a pod's directory, if it has one."""
        shutil.rmtree(self.directory(uid), ignore_errors=True)

    def prepare(self, volumes: list[Json], message_path: str) -> None:
        """Make what a container's mounts need: sub-paths of volumes, the message file.

        Raises:
            DiskError: it cannot be made.
        """
        own = str(self._sandbox / "pods") + "/"
        try:
            if message_path:
                Path(message_path).parent.mkdir(parents=True, exist_ok=True)
                Path(message_path).touch(mode=0o666)
                Path(message_path).chmod(0o666)
            for volume in volumes:
                shown = volume.get("host_path") or volume["source"]["host_path"]["path"]
                path = Path(shown)
                if shown.startswith(own) and not path.exists():
                    path.mkdir(parents=True)
        except OSError as error:
            raise DiskError(f"mount: {error}") from error

    def message(self, message_path: str, container_id: str, *, from_log: bool) -> str:
        """Return the termination message: the file's, else with `from_log` the log's end."""
        text = _head(Path(message_path), _MESSAGE_MAX) if message_path else ""
        if text or not from_log:
            return text
        logs = self.logs(container_id)
        tail = _tail(logs / "stdout", _LOG_TAIL_MAX) + _tail(logs / "stderr", _LOG_TAIL_MAX)
        return "".join(tail.splitlines(keepends=True)[-_LOG_TAIL_LINES:])[-_LOG_TAIL_MAX:]

    def logs(self, container_id: str, inside: str = "") -> Path:
        """Return the sandbox of a container, or of a debug container `inside` it."""
        pod = self._sandbox / "containers" / self.pods.get(container_id, "none")
        path = pod / "containers" / container_id
        return path / "containers" / inside if inside else path


def _own(path: Path, group: int | None) -> None:
    """Give a directory to a group, and what is made in it, too; only root can."""
    if group is not None and os.geteuid() == 0:
        os.chown(path, -1, group)
        path.chmod(path.stat().st_mode | stat.S_ISGID | stat.S_IRWXG)


def write_version(path: Path, files: tuple[VolumeFile, ...], group: int | None = None) -> None:
    """Replace what the volume at `path` holds by `files`, all at once; `group` may read them."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    version = path / f"..{secrets.token_hex(8)}"
    version.mkdir(mode=0o755)
    for file in files:
        target = version / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(file.mode)
        if group is not None and os.geteuid() == 0:
            os.chown(target, -1, group)
            target.chmod(file.mode | stat.S_IRGRP)
    old = _target(path / "..data")
    pending = path / "..data_tmp"
    pending.unlink(missing_ok=True)
    pending.symlink_to(version.name)
    pending.rename(path / "..data")
    _link_names(path, {file.path.split("/")[0] for file in files})
    if old:
        shutil.rmtree(path / old, ignore_errors=True)


def _link_names(path: Path, names: set[str]) -> None:
    for each in path.iterdir():
        if each.is_symlink() and not each.name.startswith("..") and each.name not in names:
            each.unlink()
    for name in sorted(names):
        if not (path / name).is_symlink():
            (path / name).symlink_to(f"..data/{name}")


def _target(link: Path) -> str:
    return os.readlink(link) if link.is_symlink() else ""


_TYPES: dict[str, Callable[[int], bool]] = {
    "Directory": stat.S_ISDIR,
    "DirectoryOrCreate": stat.S_ISDIR,
    "File": stat.S_ISREG,
    "FileOrCreate": stat.S_ISREG,
    "Socket": stat.S_ISSOCK,
    "CharDevice": stat.S_ISCHR,
    "BlockDevice": stat.S_ISBLK,
}


def _check_host_path(path: Path, kind: str) -> None:
    if not kind:
        return
    if kind not in _TYPES:
        raise DiskError(f"hostPath type {kind} is none of {', '.join(_TYPES)}")
    if not path.exists() and kind == "DirectoryOrCreate":
        path.mkdir(mode=0o755, parents=True)
    elif not path.exists() and kind == "FileOrCreate":
        path.touch(mode=0o644)
    if not path.exists() or not _TYPES[kind](path.stat().st_mode):
        raise DiskError(f"hostPath type check failed: {path} is not a {kind}")


def _head(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""  # no file, no message


def _tail(path: Path, size: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read(size).decode(errors="replace")
    except OSError:
        return ""
