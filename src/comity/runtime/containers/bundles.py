"""OCI bundles: the configuration that a runtime starts a container from (OCI runtime-spec)."""

import os
import resource
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.core.containers import Device, Isolation, RLimit, Spec
from comity.runtime.cgroups import CONTROLLERS
from comity.runtime.containers import capabilities, mounts, seccomp, users
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.images.store import Image

SANDBOX = mounts.SANDBOX
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked for when neither the container nor its image says."""
_KERNELS_OWN = """
/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats
/proc/sched_debug /proc/scsi /proc/timer_list /proc/timer_stats /sys/devices/virtual/powercap
/sys/firmware
"""
_MASKED = _KERNELS_OWN.split()
_READ_ONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
_NAMESPACED = ("kernel.msg", "kernel.sem", "kernel.shm", "fs.mqueue.")
"""Kernel settings of an IPC namespace; those of a network namespace begin with `net.`."""
_DEVICES = (("c", 1, 3), ("c", 1, 5), ("c", 1, 7), ("c", 1, 8), ("c", 1, 9), ("c", 5, 0))
"""null, zero, full, random, urandom and tty, which the runtime makes by itself."""


class Place(Struct, frozen=True):
    """Where a container's parts are on the machine."""

    root: Path
    cgroup: str
    """Relative to each hierarchy."""
    sources: Mapping[str, str] = {}
    """What was made for the mounts that have no source of their own, by their targets."""
    namespaces: Mapping[str, str] = {}
    """Files of the namespaces that it joins, by their OCI names."""
    files: Mapping[str, str] = {}
    """What it finds in /etc: hosts, hostname and resolv.conf."""
    shm: str = ""
    """The pod's /dev/shm."""
    controllers: Collection[str] = CONTROLLERS
    """What limits can be held by here: a runtime fails for others."""
    hides_cgroups: bool = False
    """Whether it takes a namespace to see but its own: a mount of version 2 shows all of them."""


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


def environment(spec: Spec, image: Image, home: str) -> list[str]:
    """Return the variables: the image's, then the container's; HOME is the user's."""
    image_own = dict(one.partition("=")[::2] for one in image.environment)
    found = {"HOME": home, "PATH": DEFAULT_PATH, **image_own, **spec.environment}
    return [f"{name}={value}" for name, value in found.items()]


def configuration(spec: Spec, image: Image, place: Place) -> dict[str, Any]:
    """Return config.json.

    Raises:
        ContainerRefused: it asks for what the image or this machine does not have.
    """
    own = spec.isolation
    who = users.of(spec, image.user, place.root)
    check_user(own, who.uid)
    identity: dict[str, Any] = {"uid": who.uid, "gid": who.gid}
    if who.groups:
        identity["additionalGids"] = list(who.groups)
    process: dict[str, Any] = {
        "terminal": spec.io == "TTY",
        "user": identity,
        "args": arguments(spec, image),
        "env": environment(spec, image, who.home),
        "cwd": spec.working_directory or image.working_directory or spec.default_directory,
        "capabilities": capabilities.sets(own),
        "noNewPrivileges": own.no_new_privileges,
    }
    if spec.io == "TTY":
        process["consoleSize"] = {"height": spec.window[0], "width": spec.window[1]}
    if own.rlimits:
        process["rlimits"] = [rlimit(one) for one in own.rlimits]
    if own.oom_score_adj is not None:
        process["oomScoreAdj"] = oom_score(own.oom_score_adj)
    found: dict[str, Any] = {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": str(place.root), "readonly": own.read_only},
        "mounts": mounts.of_container(spec, place.sources, place.files, place.shm),
        "linux": _linux(spec, place),
    }
    if own.hostname and "uts" not in place.namespaces:
        found["hostname"] = own.hostname
    return found


def check_user(own: Isolation, uid: int) -> None:
    """Refuse root where a container must not run as root.

    Raises:
        ContainerRefused: it would.
    """
    if own.non_root and uid == 0:
        raise ContainerRefused(
            "the container must not run as root (runAsNonRoot), and its user is root: set one"
        )


def _linux(spec: Spec, place: Place) -> dict[str, Any]:
    own = spec.isolation
    devices = [_device(one) for one in own.devices]
    found: dict[str, Any] = {
        "namespaces": _namespaces(own, place),
        "cgroupsPath": place.cgroup,
        "resources": {**_limits(spec, place.controllers), "devices": _rules(spec, devices)},
    }
    if own.devices:
        found["devices"] = devices
    if own.sysctls:
        check_sysctls(own, has_network="network" in place.namespaces)
        found["sysctl"] = own.sysctls
    if not (own.privileged or own.unmasked):
        found["maskedPaths"] = _MASKED
        found["readonlyPaths"] = _READ_ONLY
    if not own.privileged and own.seccomp != "unconfined":
        if fault := seccomp.fault():
            raise ContainerRefused(
                f"the default seccomp profile cannot be had on this agent: {fault}; ask for an "
                "unconfined one"
            )
        found["seccomp"] = seccomp.profile(capabilities.bounding(own))
    return found


def _namespaces(own: Isolation, place: Place) -> list[dict[str, str]]:
    wanted, joined = {"mount": ""}, place.namespaces
    if place.hides_cgroups and not own.privileged:
        wanted["cgroup"] = ""
    if not own.share_pid:
        wanted["pid"] = ""
    if not own.share_ipc or "ipc" in joined:
        wanted["ipc"] = ""
    if own.hostname:
        wanted["uts"] = ""
    wanted |= {kind: path for kind, path in joined.items() if kind != "ipc" or not own.private_ipc}
    return [
        {"type": kind, "path": path} if path else {"type": kind} for kind, path in wanted.items()
    ]


def check_sysctls(own: Isolation, *, has_network: bool) -> None:
    """Refuse settings of the kernel that are the whole machine's.

    Raises:
        ContainerRefused: naming the first of them.
    """
    for name in own.sysctls:
        is_network = name.startswith("net.")
        if is_network and not has_network:
            raise ContainerRefused(
                f"sysctl {name} would change the machine's network; give the container its own"
            )
        if not is_network and (own.share_ipc or not name.startswith(_NAMESPACED)):
            raise ContainerRefused(
                f"sysctl {name} would change the whole machine; only net.*, kernel.msg*, "
                "kernel.sem, kernel.shm* and fs.mqueue.* belong to a container"
            )


def rlimit(one: RLimit) -> dict[str, Any]:
    """Return a limit as OCI spells it.

    Raises:
        ContainerRefused: it is above what this agent may give.
    """
    kind = f"RLIMIT_{one.kind}"
    number = getattr(resource, kind, None)
    ours = resource.getrlimit(number)[1] if number is not None else resource.RLIM_INFINITY
    top = (1 << 64) - 1
    soft, hard = (top if each is None else each for each in (one.soft, one.hard))
    may_raise = "SYS_RESOURCE" in capabilities.available()
    if not may_raise and ours != resource.RLIM_INFINITY and hard > ours:
        raise ContainerRefused(
            f"rlimit {one.kind} of {'infinity' if hard == top else hard} is above the agent's own "
            f"limit of {ours}, and it may not raise it (CAP_SYS_RESOURCE)"
        )
    return {"type": kind, "soft": soft, "hard": hard}


def oom_score(wanted: int) -> int:
    """Return the adjustment, not below our own where the kernel would refuse that."""
    if "SYS_RESOURCE" in capabilities.available():
        return wanted
    return max(wanted, int(Path("/proc/self/oom_score_adj").read_text()))


def _device(one: Device) -> dict[str, Any]:
    try:
        found = os.stat(one.path)
    except OSError as error:
        raise ContainerRefused(f"device {one.path}: {error.strerror}") from error
    kind = {stat.S_IFCHR: "c", stat.S_IFBLK: "b"}.get(stat.S_IFMT(found.st_mode))
    if kind is None:
        raise ContainerRefused(f"{one.path} is not a device; use a volume for files")
    return {
        "path": one.target,
        "type": kind,
        "major": os.major(found.st_rdev),
        "minor": os.minor(found.st_rdev),
        "fileMode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
    }


def _limits(spec: Spec, controllers: Collection[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if "cpu" in controllers:
        found["cpu"] = {"shares": max(2, int(spec.cpus * 1024))}
        if spec.cpu_quota is not None:
            quota = max(1000, int(spec.cpu_quota * 100_000))
            found["cpu"] |= {"period": 100_000, "quota": quota}
    if "memory" in controllers and spec.mem_bytes:
        # With swap counted in, or it would hide the limit.
        found["memory"] = {"limit": spec.mem_bytes, "swap": spec.mem_bytes}
    if "pids" in controllers and spec.isolation.pids_max is not None:
        found["pids"] = {"limit": spec.isolation.pids_max}
    return found


def _rules(spec: Spec, devices: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return which devices may be used."""
    if spec.isolation.privileged:
        return [{"allow": True, "access": "rwm"}]
    rules: list[dict[str, Any]] = [{"allow": False, "access": "rwm"}]
    rules += [{"allow": True, "type": kind, "access": "m"} for kind in ("c", "b")]
    rules += [_allowed(kind, major, minor) for kind, major, minor in _DEVICES]
    rules += [_allowed("c", 5, 2), {"allow": True, "type": "c", "major": 136, "access": "rwm"}]
    for one, asked in zip(devices, spec.isolation.devices, strict=True):
        rules.append(_allowed(one["type"], one["major"], one["minor"], asked.access))
    return rules


def _allowed(kind: str, major: int, minor: int, access: str = "rwm") -> dict[str, Any]:
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": access}
