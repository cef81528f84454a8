"""From Mesos's volumes to mounts: host paths, sandbox paths, images and secrets."""

import base64
import os.path
from pathlib import Path
from typing import NamedTuple

from comity.agent.docker_options import Unsupported
from comity.agent.environments import IMAGE_SANDBOX
from comity.core.containers import Mount
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret
from comity.wire.mesos.containers import HostPath, Image

_PROPAGATIONS = {None: "", "UNKNOWN": "", "HOST_TO_CONTAINER": "rslave", "BIDIRECTIONAL": "rshared"}


class Around(NamedTuple):
    """The directories that sandbox paths are in, and whether there is a root of its own."""

    sandbox: Path
    parent: Path | None
    has_root: bool


def mounts_of(container: v1.ContainerInfo | None, around: Around) -> tuple[Mount, ...]:
    """Return what a container's volumes are.

    Raises:
        Unsupported: one of them cannot be had, and what to do instead.
    """
    if container is None:
        return ()
    found = []
    for volume in container.volumes:
        mount = _mount(volume, around)
        if not around.has_root:
            _check_plain(volume, mount)
        found.append(mount)
    return tuple(found)


def target_of(volume: v1.Volume) -> str:
    """Return where a volume is in an image container."""
    path = volume.container_path
    return path if path.startswith("/") else f"{IMAGE_SANDBOX}/{path}"


def _mount(volume: v1.Volume, around: Around) -> Mount:
    target = target_of(volume)
    read_only = volume.mode == "RO"
    if volume.image is not None:
        return Mount(_image(volume.image), target, read_only, kind="image")
    source = volume.source
    if source is not None and source.secret is not None:
        return Mount(_secret(source.secret), target, True, kind="secret")
    if source is not None and (source.docker_volume or source.csi_volume):
        kind = "DOCKER_VOLUME" if source.docker_volume else "CSI_VOLUME"
        raise Unsupported(
            f"volume {volume.container_path}: there are no drivers for {kind}; use a HOST_PATH"
        )
    if source is not None and source.sandbox_path is not None:
        root = around.sandbox
        if source.sandbox_path.type == "PARENT":
            root = around.parent if around.parent is not None else around.sandbox
        return Mount(_inside(root, source.sandbox_path.path), target, read_only, make=True)
    path = volume.host_path
    options: tuple[str, ...] = ()
    if source is not None and source.host_path is not None:
        path = source.host_path.path
        options = _propagation(source.host_path)
    if path is None:
        raise Unsupported(
            f"volume {volume.container_path} has no source: set 'host_path', 'image' or 'source'"
        )
    if path.startswith("/"):
        return Mount(path, target, read_only, options=options)
    # A relative one is in the sandbox, as with Mesos's own containerizer.
    return Mount(_inside(around.sandbox, path), target, read_only, make=True)


def _propagation(path: HostPath) -> tuple[str, ...]:
    mode = path.mount_propagation.mode if path.mount_propagation is not None else None
    found = _PROPAGATIONS.get(mode, "")
    return (found,) if found else ()


def _inside(root: Path, path: str) -> str:
    found = os.path.normpath(f"{root}/{path}")
    if not found.startswith(f"{root}/"):
        raise Unsupported(f"volume source {path!r} leads out of the sandbox")
    return found


def _image(image: Image) -> str:
    if image.docker is None:
        raise Unsupported("a volume's image must be of kind DOCKER")
    return image.docker.name


def _secret(secret: Secret) -> str:
    """Return a secret's content in base64, so that it can be stored as text."""
    if secret.value is None:
        if secret.reference is None:
            raise Unsupported("a secret has neither a value nor a reference")
        return ""  # found when the container starts (secret_references)
    return base64.b64encode(secret.value.data).decode()


def _check_plain(volume: v1.Volume, mount: Mount) -> None:
    """Refuse what a plain process, which sees the machine's own files, cannot be shown."""
    if mount.kind != "bind":
        path = volume.container_path
        raise Unsupported(f"volume {path} of kind {mount.kind} needs a container with an image")
