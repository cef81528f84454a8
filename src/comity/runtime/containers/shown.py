"""What plain processes find elsewhere than on the machine: volumes, and files of their network.

A link in the sandbox cannot show a volume read-only, or at an absolute path; and who is on a
network of its own needs other name servers and another /etc/hosts. Such a process gets a mount
namespace of its own, a copy of the machine's with all that in it. Where something appears there
must be something already, as Mesos has it for tasks without an image.
"""

import os
from collections.abc import Mapping

from comity.core.containers import Mount, Spec
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.containers.mounts import SANDBOX

_SCRIPT = """
while [ "$1" != -- ]; do
  mount --bind "$1" "$2" || exit 126
  [ "$3" = rw ] || mount -o remount,bind,ro "$2" || exit 126
  shift 3
done
shift
exec "$@"
"""


def prefix(spec: Spec, files: Mapping[str, str]) -> list[str]:
    """Return the words before a command line that make its volumes be there as they should.

    `files` are those of its pod that take the place of the machine's in /etc.

    Raises:
        ContainerRefused: the agent may not mount, or there is no place for a volume.
    """
    words: list[str] = []
    for name, source in files.items():
        if os.path.exists(f"/etc/{name}"):
            words += [source, f"/etc/{name}", "rw"]
    for mount in (*spec.mounts, *spec.volumes):
        place = _place(mount)
        if place is None:
            continue
        if os.geteuid() != 0:
            raise ContainerRefused(
                f"volume {mount.target}: only an agent that runs as root can show it read-only or "
                "at an absolute path to a plain process; use a relative path and mode RW"
            )
        if not os.path.exists(place):
            raise ContainerRefused(
                f"volume {mount.target}: {place} does not exist on this machine, and a plain "
                "process has no root of its own; make it, or use a relative path"
            )
        words += [mount.source, place, "ro" if mount.read_only else "rw"]
    if not words:
        return []
    unshare = ("unshare", "--mount", "--propagation", "slave")
    return [*unshare, "/bin/sh", "-c", _SCRIPT, "sh", *words, "--"]


def _place(mount: Mount) -> str | None:
    """Return where a volume must be mounted; None for one that a link shows well enough."""
    if not mount.target.startswith("/") or mount.target.startswith(f"{SANDBOX}/"):
        # The link leads to the source, which is read-only for this process alone.
        return mount.source if mount.read_only else None
    place = os.path.normpath(mount.target)
    if place == os.path.normpath(mount.source) and not mount.read_only:
        return None
    return place
