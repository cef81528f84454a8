"""Host and sandbox volumes of plain processes: links in the sandbox, as they see all files.

Image containers get theirs as bind mounts (`mounts`). Below `SANDBOX` a target is relative to the
sandbox, as in Mesos; what a link cannot show is mounted (`shown`).
"""

from pathlib import Path

from comity.core.containers import Mount, Spec
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.containers.mounts import SANDBOX

_HOST_IMAGE = "host"


def prepare(spec: Spec) -> None:
    """Make what volumes need before the container starts.

    Raises:
        ContainerRefused: a link cannot be made where a volume is to appear.
        OSError: another fault of the file system.
    """
    for mount in spec.mounts:
        if mount.make:
            Path(mount.source).mkdir(parents=True, exist_ok=True)
        if spec.image in (None, _HOST_IMAGE) and mount.target.startswith(f"{SANDBOX}/"):
            _link(spec.sandbox, mount)


def _link(sandbox: Path, mount: Mount) -> None:
    link = Path(sandbox, mount.target.removeprefix(f"{SANDBOX}/"))
    if ".." in link.relative_to(sandbox).parts:
        raise ContainerRefused(f"the volume '{mount.target}' would be outside of the sandbox")
    if link.is_symlink() or link == Path(mount.source):
        return
    if link.exists():
        raise ContainerRefused(f"the volume '{mount.target}' would hide something in the sandbox")
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(mount.source)
