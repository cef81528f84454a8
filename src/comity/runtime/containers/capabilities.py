"""Capabilities of image containers: Docker's default set, and those that this machine can give."""

from collections.abc import Collection
from pathlib import Path

from comity.core.capabilities import NAMES
from comity.core.containers import Isolation
from comity.runtime.containers.errors import ContainerRefused

_DOCKERS = """
CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE
SYS_CHROOT KILL AUDIT_WRITE
"""
DEFAULT = frozenset(_DOCKERS.split())


def available() -> frozenset[str]:
    """Return the capabilities that we could give away ourselves."""
    lines = Path("/proc/self/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("CapBnd:"))
    return frozenset(name for bit, name in enumerate(NAMES) if mask >> bit & 1)


def bounding(isolation: Isolation, default: Collection[str] = DEFAULT) -> tuple[str, ...]:
    """Return those that a container may ever have; one that does not say has the default.

    Raises:
        ContainerRefused: it asks for one that this agent does not have itself.
    """
    here = available()
    wanted = {*_started_with(isolation, default), *isolation.added}
    if isolation.privileged or "ALL" in isolation.added:
        wanted |= here
    for name in wanted - here - {"ALL"} - set(DEFAULT):
        raise ContainerRefused(
            f"capability {name} cannot be given: this agent does not have it itself"
        )
    if not isolation.privileged:
        wanted -= set(isolation.dropped)
    return tuple(name for name in NAMES if name in wanted and name in here)


def _started_with(isolation: Isolation, default: Collection[str]) -> Collection[str]:
    """Return what is added to and dropped from."""
    if "ALL" in isolation.dropped:
        return ()
    for asked in (isolation.capabilities, isolation.effective):
        if asked is not None:
            return asked
    return default


def sets(isolation: Isolation) -> dict[str, list[str]]:
    """Return the sets of an OCI configuration.

    Raises:
        ContainerRefused: one of them is not to be had here.
    """
    bound = [f"CAP_{name}" for name in bounding(isolation)]
    found = {kind: bound for kind in ("bounding", "effective", "permitted")}
    if isolation.effective is not None:
        asked = isolation.effective
        own = [name for name in bound if name.removeprefix("CAP_") in asked]
        # Ambient and inheritable, so that a user other than root keeps them, too.
        found |= {kind: own for kind in ("effective", "permitted", "inheritable", "ambient")}
    return found
