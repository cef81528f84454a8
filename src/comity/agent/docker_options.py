"""DockerInfo: what Docker's command line would be told, understood by our own runtime.

`parameters` are options of `docker run` without their dashes. Those that make sense without a
Docker engine work; any other is refused by name.
"""

import re
from collections.abc import Callable

import msgspec
from msgspec import Struct

from comity.core.capabilities import NAMES
from comity.core.containers import RLIMITS, Device, Isolation, Mount, RLimit
from comity.core.errors import ComityError
from comity.wire.mesos.containers import DockerInfo


class Unsupported(ComityError):
    """Something that a container asks for cannot be had: what, and what to do instead."""


class Options(Struct, frozen=True):
    """What a container asks for besides its command, image and resources."""

    isolation: Isolation = Isolation()
    mounts: tuple[Mount, ...] = ()
    environment: dict[str, str] = {}
    user: str | None = None
    working_directory: str | None = None
    entrypoint: str | None = None


_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_WITHOUT_EFFECT = frozenset(("label", "l", "log-driver", "log-opt", "rm", "interactive", "i"))
"""What says nothing about how a container runs here: its output is in its sandbox, always."""
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?")


def apply(docker: DockerInfo, found: Options) -> Options:
    """Return the options with what a DockerInfo asks for.

    Raises:
        Unsupported: naming the field or the parameter.
    """
    if docker.volume_driver:
        raise Unsupported(f"volume driver {docker.volume_driver!r}: there are no volume drivers")
    if docker.privileged:
        found = _isolated(found, privileged=True)
    for one in docker.parameters:
        key = one.key.lstrip("-")
        if key in _WITHOUT_EFFECT:
            continue
        handler = _HANDLERS.get(key)
        if handler is None:
            raise Unsupported(
                f"docker parameter {one.key!r} is not supported; those that are: "
                f"{', '.join(sorted(_HANDLERS))}"
            )
        found = handler(found, one.value)
    return found


def size(text: str, what: str) -> int:
    """Return the bytes of a text such as 64m."""
    matched = re.fullmatch(r"(\d+)([bkmg]?)b?", text.lower())
    if matched is None:
        raise Unsupported(f"{what}: {text!r} is not a size; write one such as 64m")
    return int(matched[1]) * _UNITS[matched[2]]


def hostname(text: str) -> str:
    """Return a host name that the kernel and others will take."""
    if not _HOSTNAME.fullmatch(text):
        raise Unsupported(f"{text!r} is not a host name")
    return text


def capability(text: str) -> str:
    """Return a capability's name without CAP_."""
    name = text.upper().removeprefix("CAP_")
    if name != "ALL" and name not in NAMES:
        raise Unsupported(f"capability {text!r} is unknown")
    return name


def _isolated(found: Options, **changes: object) -> Options:
    own = msgspec.structs.replace(found.isolation, **changes)
    return msgspec.structs.replace(found, isolation=own)


def _is_true(text: str, what: str) -> bool:
    if text.lower() not in ("true", "false", ""):
        raise Unsupported(f"{what}: {text!r} is neither true nor false")
    return text.lower() != "false"


def _number(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise Unsupported(f"{what}: {text!r} is not a number") from None


def _pair(text: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise Unsupported(f"{what}: {text!r} is not a name and a value; write name=value")
    return name, value


def _cap_add(found: Options, text: str) -> Options:
    return _isolated(found, added=(*found.isolation.added, capability(text)))


def _cap_drop(found: Options, text: str) -> Options:
    return _isolated(found, dropped=(*found.isolation.dropped, capability(text)))


def _ulimit(found: Options, text: str) -> Options:
    name, value = _pair(text, "ulimit")
    if name.upper() not in RLIMITS:
        raise Unsupported(f"ulimit {name!r} is unknown; use one such as nofile")
    soft, _, hard = value.partition(":")
    limits = [None if each == "-1" else _number(each, "ulimit") for each in (soft, hard or soft)]
    one = RLimit(name.upper(), limits[0], limits[1])
    return _isolated(found, rlimits=(*found.isolation.rlimits, one))


def _sysctl(found: Options, text: str) -> Options:
    name, value = _pair(text, "sysctl")
    return _isolated(found, sysctls={**found.isolation.sysctls, name: value})


def _device(found: Options, text: str) -> Options:
    path, _, rest = text.partition(":")
    target, _, access = rest.partition(":")
    if target and not target.startswith("/"):
        target, access = path, target
    if not path.startswith("/dev/") or not set(access) <= set("rwm"):
        raise Unsupported(f"device {text!r}: write /dev/host[:/dev/container[:rwm]]")
    one = Device(path, target or path, access or "rwm")
    return _isolated(found, devices=(*found.isolation.devices, one))


def _tmpfs(found: Options, text: str) -> Options:
    target, _, options = text.partition(":")
    wanted = tuple(filter(None, options.split(",")))
    for option in wanted:
        if not re.fullmatch(r"(rw|ro|(no)?(exec|suid|dev)|size=\d+[kmg%]?|mode=[0-7]+)", option):
            raise Unsupported(f"tmpfs: option {option!r} is not supported")
    if not target.startswith("/"):
        raise Unsupported(f"tmpfs: {target!r} is not an absolute path")
    mount = Mount("", target, "ro" in wanted, kind="tmpfs", options=wanted)
    return msgspec.structs.replace(found, mounts=(*found.mounts, mount))


def _volume(found: Options, text: str) -> Options:
    source, _, rest = text.partition(":")
    target, _, options = rest.partition(":")
    wanted = set(filter(None, options.split(",")))
    if not source.startswith("/") or not target.startswith("/") or wanted - {"ro", "rw", "z", "Z"}:
        raise Unsupported(f"volume {text!r}: write /host/path:/container/path[:ro]")
    mount = Mount(source, target, "ro" in wanted)
    return msgspec.structs.replace(found, mounts=(*found.mounts, mount))


def _env(found: Options, text: str) -> Options:
    name, value = _pair(text, "env")
    return msgspec.structs.replace(found, environment={**found.environment, name: value})


def _security(found: Options, text: str) -> Options:
    name, _, value = text.replace(":", "=", 1).partition("=")
    if name == "no-new-privileges":
        return _isolated(found, no_new_privileges=_is_true(value, "security-opt"))
    if (name, value) == ("seccomp", "unconfined"):
        return _isolated(found, seccomp="unconfined")
    if (name, value) in (("apparmor", "unconfined"), ("label", "disable")):
        return found  # as it is here anyway
    raise Unsupported(
        f"security-opt {text!r} is not supported; use no-new-privileges or seccomp=unconfined"
    )


def _group(found: Options, text: str) -> Options:
    groups = (*found.isolation.groups, _number(text, "group-add"))
    return _isolated(found, groups=groups)


def _ipc(found: Options, text: str) -> Options:
    if text not in ("host", "private", "shareable", "none"):
        raise Unsupported(f"ipc {text!r} is not supported; use host or private")
    return _isolated(found, share_ipc=text == "host", private_ipc=text != "host")


def _pid(found: Options, text: str) -> Options:
    if text not in ("host", ""):
        raise Unsupported(f"pid {text!r} is not supported; use host")
    return _isolated(found, share_pid=text == "host")


def _pids_limit(found: Options, text: str) -> Options:
    wanted = _number(text, "pids-limit")
    return _isolated(found, pids_max=wanted if wanted > 0 else None)


_HANDLERS: dict[str, Callable[[Options, str], Options]] = {
    "cap-add": _cap_add,
    "cap-drop": _cap_drop,
    "device": _device,
    "entrypoint": lambda found, text: msgspec.structs.replace(found, entrypoint=text),
    "env": _env,
    "e": _env,
    "group-add": _group,
    "hostname": lambda found, text: _isolated(found, hostname=hostname(text)),
    "h": lambda found, text: _isolated(found, hostname=hostname(text)),
    "ipc": _ipc,
    "oom-score-adj": lambda found, text: _isolated(
        found, oom_score_adj=_number(text, "oom-score-adj")
    ),
    "pid": _pid,
    "pids-limit": _pids_limit,
    "privileged": lambda found, text: _isolated(found, privileged=_is_true(text, "privileged")),
    "read-only": lambda found, text: _isolated(found, read_only=_is_true(text, "read-only")),
    "security-opt": _security,
    "shm-size": lambda found, text: _isolated(found, shm_bytes=size(text, "shm-size")),
    "sysctl": _sysctl,
    "tmpfs": _tmpfs,
    "ulimit": _ulimit,
    "user": lambda found, text: msgspec.structs.replace(found, user=text),
    "u": lambda found, text: msgspec.structs.replace(found, user=text),
    "volume": _volume,
    "v": _volume,
    "workdir": lambda found, text: msgspec.structs.replace(found, working_directory=text),
    "w": lambda found, text: msgspec.structs.replace(found, working_directory=text),
}
