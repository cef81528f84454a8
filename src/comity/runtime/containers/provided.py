"""Volumes whose source is made for one container: other images, and secrets.

They are below its bundle, and go with it. Secrets are in memory, never on the disk.
"""

import base64
from pathlib import Path

from comity.core.containers import Spec
from comity.runtime.containers import kernel
from comity.runtime.images.store import ImageStore

_VOLUMES, _SECRETS = "volumes", "secrets"
_SECRETS_BYTES = 4 << 20


async def provide(spec: Spec, bundle: Path, images: ImageStore) -> dict[str, str]:
    """Make what a container's volumes need; return their sources by target.

    Raises:
        ImageRefused: an image is not to be had.
        OSError: another fault.
    """
    found: dict[str, str] = {}
    for number, mount in enumerate(spec.mounts):
        if mount.kind == "image":
            image = await images.get(mount.source)
            place = bundle / _VOLUMES / str(number)
            kernel.overlay(reversed(image.layers), place)
            found[mount.target] = str(place / "root")
        elif mount.kind == "secret":
            found[mount.target] = _secret(bundle / _SECRETS, number, mount.source)
    return found


def _secret(directory: Path, number: int, content: str) -> str:
    if not directory.exists():
        kernel.memory(directory, size_bytes=_SECRETS_BYTES, mode=0o711)
    file = directory / str(number)
    file.write_bytes(base64.b64decode(content))
    file.chmod(0o444)  # the container's user is not known here; nobody else finds the directory
    return str(file)


def withdraw(bundle: Path) -> None:
    """Unmount what `provide` mounted; deleting the bundle removes the rest."""
    for each in (bundle / _VOLUMES).glob("*/root"):
        kernel.unmount(each)
    if (bundle / _SECRETS).exists():
        kernel.unmount(bundle / _SECRETS)
