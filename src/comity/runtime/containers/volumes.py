"""Persistent volumes: directories that outlive the containers which use them.

Mesos's layout: `<work dir>/volumes/roles/<role>/<persistence id>`. A volume that is destroyed is
put aside at once, so that a new one of the same name is empty, and deleted in a thread.
"""

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path

from comity.core.containers import Spec
from comity.runtime.containers.errors import ContainerRefused

_ROLES = "roles"
_TRASH = "trash."


def keep(root: Path, wanted: Iterable[Path]) -> None:
    """Let exactly the wanted directories be there; they lie below `root`/roles."""
    paths = set(wanted)
    trash = list(root.glob(f"{_TRASH}*"))
    there = list((root / _ROLES).glob("*/*"))
    trash += [_put_aside(root, found) for found in there if found not in paths]
    for path in paths:
        path.mkdir(parents=True, exist_ok=True)
    for each in trash:
        threading.Thread(target=shutil.rmtree, args=(each, True), daemon=True).start()


def empty(disk: Path) -> None:
    """Delete what is in a mounted disk, but not the disk's own directory."""
    aside = Path(tempfile.mkdtemp(prefix=_TRASH, dir=disk))
    for found in disk.iterdir():
        if found != aside:
            found.rename(aside / found.name)
    threading.Thread(target=shutil.rmtree, args=(aside, True), daemon=True).start()


def _put_aside(root: Path, volume: Path) -> Path:
    aside = Path(tempfile.mkdtemp(prefix=_TRASH, dir=root))
    volume.rename(aside / volume.name)
    with contextlib.suppress(OSError):
        volume.parent.rmdir()  # a role's last one
    return aside


def link(spec: Spec) -> None:
    """Let a plain process find its volumes in its sandbox; its user owns new ones.

    Raises:
        ContainerRefused: a volume's path leads out of the sandbox, or is taken.
    """
    for volume in spec.volumes:
        place = Path(os.path.normpath(spec.sandbox / volume.target))
        if spec.sandbox not in place.parents:
            raise ContainerRefused(
                f"volume path {volume.target!r} leads out of the sandbox; use a relative one"
            )
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if place.is_symlink():
                place.unlink()
            place.symlink_to(volume.source)
        except OSError as error:
            raise ContainerRefused(f"cannot link volume {volume.target!r}: {error}") from error
