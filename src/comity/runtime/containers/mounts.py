"""What an image container finds mounted: the kernel's file systems, its sandbox and its volumes."""

import os
from collections.abc import Mapping
from typing import Any

from comity.core.containers import Mount, Spec
from comity.runtime.containers.errors import ContainerRefused

SANDBOX = "/mnt/mesos/sandbox"
_SHM_BYTES = 64 << 20
_ETC = ("resolv.conf", "hosts", "hostname")


def of_container(
    spec: Spec, sources: Mapping[str, str], files: Mapping[str, str], shm: str
) -> list[dict[str, Any]]:
    """Return a container's mounts; `sources` are those made for it by target, `files` its pod's.

    Raises:
        ContainerRefused: a volume's source is not there.
    """
    found = [*_system(spec, shm), _one(SANDBOX, "bind", str(spec.sandbox), "rbind", "rw")]
    for name in _ETC:
        source = files.get(name, f"/etc/{name}" if name != "hostname" else "")
        if source and os.path.exists(source):
            found.append(_one(f"/etc/{name}", "bind", source, "rbind", "ro"))
    volumes = sorted(spec.mounts + spec.volumes, key=lambda one: place(one.target).count("/"))
    hidden = {place(one.target) for one in volumes}
    found = [one for one in found if one["destination"] not in hidden]
    return [*found, *(_volume(one, sources) for one in volumes)]


def place(target: str) -> str:
    """Return where a volume appears: a relative target is one in the sandbox.

    Raises:
        ContainerRefused: it would lead out of the sandbox, or be the whole root.
    """
    found = os.path.normpath(os.path.join(SANDBOX, target))
    if not target.startswith("/") and not found.startswith(f"{SANDBOX}/"):
        raise ContainerRefused(f"volume path {target!r} leads out of the sandbox")
    if found in ("/", "/proc", "/dev", "/sys"):
        raise ContainerRefused(f"a volume cannot be mounted over {found}")
    return found


def _volume(one: Mount, sources: Mapping[str, str]) -> dict[str, Any]:
    mode = "ro" if one.read_only else "rw"
    target = place(one.target)
    if one.kind == "tmpfs":
        return _one(target, "tmpfs", "tmpfs", "nosuid", "nodev", mode, *one.options)
    source = sources.get(one.target, one.source)
    if not os.path.exists(source):
        raise ContainerRefused(f"volume source {source} does not exist on this machine")
    return _one(target, "bind", source, "rbind", mode, *(one.options or ("rprivate",)))


def _system(spec: Spec, pods_shm: str) -> list[dict[str, Any]]:
    own = spec.isolation
    size = own.shm_bytes or _SHM_BYTES
    quiet = ("nosuid", "noexec", "nodev")
    writable = "rw" if own.privileged else "ro"
    shm = _one("/dev/shm", "tmpfs", "shm", *quiet, "mode=1777", f"size={size}")  # noqa: S108
    if pods_shm and not own.private_ipc:
        shm = _one("/dev/shm", "bind", pods_shm, "rbind", "rw")  # noqa: S108
    elif own.share_ipc:
        shm = _one("/dev/shm", "bind", "/dev/shm", "rbind", "rw")  # noqa: S108
    return [
        _one("/proc", "proc", "proc", *quiet),
        _one("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _one("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666"),
        shm,
        _one("/dev/mqueue", "mqueue", "mqueue", *quiet),
        _one("/sys", "sysfs", "sysfs", *quiet, writable),
        _one("/sys/fs/cgroup", "cgroup", "cgroup", *quiet, "relatime", writable),
    ]


def _one(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}
