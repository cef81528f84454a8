"""From Mesos's ContainerInfo to how a container is kept apart: each field works or is refused.

A container without an image is a plain process on the machine's own files and in its namespaces;
what needs more than that is refused, never ignored.
"""

from typing import NoReturn

import msgspec

from comity.agent import docker_options
from comity.agent.docker_options import Options, Unsupported
from comity.core.capabilities import NAMES
from comity.core.containers import RLIMITS, Isolation, RLimit
from comity.wire.mesos import v1
from comity.wire.mesos.containers import CapabilityInfo, LinuxInfo, MesosInfo
from comity.wire.mesos.containers import RLimit as Limit

_MB = 1 << 20


def options_of(
    container: v1.ContainerInfo | None, given: Isolation | None, *, has_root: bool
) -> Options:
    """Return what a container asks for; `given` is what our own callers say beside it.

    Raises:
        Unsupported: a field that cannot be had, and what to do instead.
    """
    found = Options(given or Isolation())
    if container is None:
        return found
    _check_kind(container)
    own = found.isolation
    if container.linux_info is not None:
        own = _of_linux(container.linux_info, own)
    if container.rlimit_info is not None:
        own = msgspec.structs.replace(
            own, rlimits=tuple(_rlimit(one) for one in container.rlimit_info.rlimits)
        )
    if container.hostname:
        own = msgspec.structs.replace(own, hostname=docker_options.hostname(container.hostname))
    found = msgspec.structs.replace(found, isolation=own)
    if container.type == "DOCKER" and container.docker is not None:
        found = docker_options.apply(container.docker, found)
    if not has_root:
        _check_plain(found)
    return found


def _check_kind(container: v1.ContainerInfo) -> None:
    mesos = container.mesos or MesosInfo()
    if mesos.image is not None and mesos.image.docker is None:
        kind = "Appc" if mesos.image.appc is not None else "unknown"
        raise Unsupported(f"images of kind {kind} are not supported; use one of kind DOCKER")


def _of_linux(info: LinuxInfo, own: Isolation) -> Isolation:
    changes: dict[str, object] = {}
    # `capability_info` is what `effective_capabilities` was called at first.
    effective = info.effective_capabilities or info.capability_info
    bounding = info.bounding_capabilities
    if effective is not None:
        changes["effective"] = _names(effective)
        changes["capabilities"] = _names(bounding if bounding is not None else effective)
        if not set(_names(effective)) <= set(_names(bounding or effective)):
            raise Unsupported("'effective_capabilities' must be among 'bounding_capabilities'")
    elif bounding is not None:
        changes["capabilities"] = _names(bounding)
    if info.seccomp is not None:
        changes["seccomp"] = _seccomp(info.seccomp.profile_name, info.seccomp.unconfined)
    if info.share_pid_namespace:
        changes["share_pid"] = True
    changes |= _ipc(info)
    return msgspec.structs.replace(own, **changes)


def _ipc(info: LinuxInfo) -> dict[str, object]:
    """Return what `ipc_mode` and `shm_size` ask for (Mesos: namespaces/ipc isolator)."""
    if info.shm_size is not None and info.ipc_mode != "PRIVATE":
        raise Unsupported("'shm_size' needs an 'ipc_mode' of PRIVATE")
    if info.ipc_mode == "PRIVATE":
        size = info.shm_size * _MB if info.shm_size is not None else None
        return {"private_ipc": True, "shm_bytes": size}
    return {"share_ipc": True} if info.ipc_mode == "SHARE_PARENT" else {}


def _names(info: CapabilityInfo) -> tuple[str, ...]:
    for name in info.capabilities:
        if name not in NAMES:
            raise Unsupported(f"capability {name!r} is unknown")
    return info.capabilities


def _seccomp(profile: str | None, unconfined: bool | None) -> str:
    if unconfined:
        if profile:
            raise Unsupported("'seccomp' must not be both 'unconfined' and have a 'profile_name'")
        return "unconfined"
    if profile and profile not in ("default", "default.json"):
        raise Unsupported(
            f"seccomp profile {profile!r} is not on this agent; use 'default' or 'unconfined'"
        )
    return ""


def _rlimit(one: Limit) -> RLimit:
    kind = (one.type or "").removeprefix("RLMT_")
    if kind not in RLIMITS:
        raise Unsupported(f"rlimit type {one.type!r} is unknown; use one such as RLMT_NOFILE")
    if (one.soft is None) != (one.hard is None):
        raise Unsupported(f"rlimit {one.type} must have both 'soft' and 'hard', or neither")
    if one.soft is not None and one.hard is not None and one.soft > one.hard:
        raise Unsupported(f"rlimit {one.type} must not have a 'soft' above its 'hard'")
    return RLimit(kind, one.soft, one.hard)


def _check_plain(found: Options) -> None:
    """Refuse what a plain process cannot have."""
    own = found.isolation
    fields = {
        "a hostname": own.hostname,
        "an ipc_mode of PRIVATE": own.private_ipc,
        "shm_size": own.shm_bytes,
        "privileged": own.privileged,
        "a read-only root": own.read_only,
        "sysctls": own.sysctls,
        "devices": own.devices,
    }
    for name, wanted in fields.items():
        if wanted:
            _needs_image(name)


def _needs_image(what: str) -> NoReturn:
    raise Unsupported(f"{what} needs a container of its own: give it an image")
