"""Which cgroups of this machine an agent can hold limits in, and why not in others."""

import errno
import os
from pathlib import Path
from typing import NamedTuple

from comity.runtime.cgroups import CONTROLLERS, Cgroups, delegate

ROOT = Path("/sys/fs/cgroup")
_LIMITED = {"cpu": "processors", "memory": "memory", "pids": "processes"}


class Found(NamedTuple):
    """What was found."""

    cgroups: Cgroups | None
    """None where we may not make any."""
    missing: str
    """Which limits cannot be held, and why; empty when all can."""


def find(agent: str, root: Path = ROOT) -> Found:
    """Return the cgroups to use for an agent; they are made, or they would not be known to work."""
    if os.geteuid() != 0:
        return Found(None, "the agent does not run as root; start it as root to hold limits")
    try:
        if (root / "cgroup.controllers").exists():
            return _version_2(root, f"comity/{agent}")
        return _version_1(root, f"comity/{agent}")
    except OSError as error:
        return Found(None, f"cgroups cannot be made: {error.filename}: {error.strerror}")


def _version_2(root: Path, name: str) -> Found:
    own = root / name
    own.mkdir(parents=True, exist_ok=True)
    offered = (root / "cgroup.controllers").read_text().split()
    held, faults = [], {}
    for one in CONTROLLERS:
        if one not in offered:
            faults[one] = f"the kernel has no controller '{one}' in {root}"
            continue
        try:
            for path in (root, own.parent, own):
                delegate(path, (one,))
        except OSError as error:
            faults[one] = f"{error.filename}: {error.strerror}"
            if error.errno == errno.EBUSY:
                faults[one] += "; no process may be in that cgroup itself"
        else:
            held.append(one)
    return Found(Cgroups({"": own}, own, controllers=held), _said(faults))


def _version_1(root: Path, name: str) -> Found:
    if not root.is_dir():
        return Found(None, f"no cgroups are mounted at {root}")
    roots, faults = {}, {}
    for one in (*CONTROLLERS, "cpuacct"):
        fault = _made(root / one, name)
        if not fault:
            roots[one] = root / one / name
        elif one in CONTROLLERS:
            faults[one] = fault
    hybrid = root / "unified"
    unified = None if _made(hybrid, name) else hybrid / name
    if not roots:
        return Found(None, _said(faults))
    used = {unified, *roots.values()}
    others = tuple(each / name for each in root.iterdir() if each / name not in used)
    return Found(Cgroups(roots, unified, others), _said(faults))


def _made(hierarchy: Path, name: str) -> str:
    """Make a cgroup of version 1; return why it cannot be."""
    # A directory where nothing is mounted would take anything and hold nothing.
    if not (hierarchy / "cgroup.procs").exists():
        return f"no cgroups are mounted at {hierarchy}"
    try:
        (hierarchy / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _said(faults: dict[str, str]) -> str:
    return "; ".join(f"no limits on {_LIMITED[one]}: {text}" for one, text in faults.items())
