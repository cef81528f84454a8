"""OCI bundles: the configuration that a runtime starts a container from (OCI runtime-spec)."""

import os
from pathlib import Path
from typing import Any

from comity.core.containers import Spec
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.images.store import Image

SANDBOX = "/mnt/mesos/sandbox"
_CAPABILITIES = [
    f"CAP_{name}"
    for name in [
        "CHOWN",
        "DAC_OVERRIDE",
        "FSETID",
        "FOWNER",
        "MKNOD",
        "NET_RAW",
        "SETGID",
        "SETUID",
        "SETFCAP",
        "SETPCAP",
        "NET_BIND_SERVICE",
        "SYS_CHROOT",
        "KILL",
        "AUDIT_WRITE",
    ]
]
_MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"]
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def arguments(spec: Spec, image: Image) -> list[str]:
    """Return the command line: the container's, completed by the image's.

    Raises:
        ContainerRefused: neither has one.
    """
    if spec.shell:
        found = ["/bin/sh", "-c", spec.command or ""]
    elif spec.command:
        # With a command, Mesos's arguments start with argv[0].
        found = [spec.command, *spec.arguments[1:]]
    elif spec.arguments:
        found = [*image.entrypoint, *spec.arguments]
    else:
        found = [*image.entrypoint, *image.command]
    if not found:
        raise ContainerRefused(f"image '{spec.image}' names no command, and none was given")
    return found


def environment(spec: Spec, image: Image) -> list[str]:
    """Return the variables: the image's, then the container's."""
    merged = dict(one.partition("=")[::2] for one in image.environment)
    given = dict(spec.environment)
    if "PATH" in merged:
        given.pop("PATH", None)
    return [f"{name}={value}" for name, value in {**merged, **given}.items()]


def user(text: str, root: Path) -> dict[str, Any]:
    """Return the uid and gid of `user[:group]`, looked up in the image's own files.

    Raises:
        ContainerRefused: there is no such user or group in the image.
    """
    name, _, group = (text or "0").partition(":")
    uid, gid = _look_up(name, root / "etc/passwd", "user")
    if group:
        gid, _ = _look_up(group, root / "etc/group", "group")
    return {"uid": uid, "gid": gid}


def _look_up(name: str, file: Path, what: str) -> tuple[int, int]:
    """Return the id in the third field of a name's line, and that in the fourth if it is one."""
    lines: list[str] = []
    if file.is_file() and not file.is_symlink():
        lines = file.read_text(errors="replace").splitlines()
    for line in lines:
        fields = line.split(":")
        if len(fields) > 2 and name in (fields[0], fields[2]):
            second = fields[3] if len(fields) > 3 and fields[3].isdigit() else "0"
            return int(fields[2]), int(second)
    if name.isdigit():
        return int(name), 0
    raise ContainerRefused(f"{what} '{name}' is not in the image")


def configuration(spec: Spec, image: Image, root: Path, cgroup: str) -> dict[str, Any]:
    """Return config.json for a container on the host's network."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "terminal": False,
            "user": user(spec.user or image.user, root),
            "args": arguments(spec, image),
            "env": environment(spec, image),
            "cwd": spec.working_directory or image.working_directory or "/",
            "capabilities": {
                kind: _CAPABILITIES for kind in ("bounding", "effective", "permitted")
            },
            "noNewPrivileges": True,
        },
        "root": {"path": str(root)},
        "mounts": _mounts(spec),
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount", "ipc")],
            "cgroupsPath": cgroup,
            "resources": _resources(spec),
            "maskedPaths": _MASKED,
            "readonlyPaths": _READ_ONLY,
        },
    }


def _mounts(spec: Spec) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        _mount("/proc", "proc", "proc"),
        _mount("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
        _mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666"),
        _mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),  # noqa: S108
        _mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
        _mount(SANDBOX, "bind", str(spec.sandbox), "rbind", "rw"),
    ]
    names = [f"/etc/{name}" for name in ("resolv.conf", "hosts")]
    mounts += [_mount(one, "bind", one, "rbind", "ro") for one in names if os.path.exists(one)]
    for one in spec.mounts + spec.volumes:
        if not os.path.exists(one.source):
            raise ContainerRefused(f"volume source {one.source} does not exist on this machine")
        mode = "ro" if one.read_only else "rw"
        target = os.path.join(SANDBOX, one.target)
        mounts.append(_mount(target, "bind", one.source, "rbind", mode))
    return mounts


def _mount(target: str, kind: str, source: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": kind, "source": source, "options": list(options)}


def _resources(spec: Spec) -> dict[str, Any]:
    found: dict[str, Any] = {"cpu": {"shares": max(2, int(spec.cpus * 1024))}}
    if spec.cpu_quota is not None:
        found["cpu"] |= {"period": 100_000, "quota": max(1000, int(spec.cpu_quota * 100_000))}
    if spec.mem_bytes:
        found["memory"] = {"limit": spec.mem_bytes}
    return found
