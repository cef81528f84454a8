"""What a machine has, by Mesos's defaults, and what it can."""

import os
import shutil
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.core.errors import UserError
from comity.resources import text
from comity.resources.amounts import Kind, Resources
from comity.runtime.containers.containerizer import Containerizer
from comity.wire.mesos import v1

_MB = 1 << 20
_GB_IN_MB = 1024


def resources(config: AgentConfig) -> Resources:
    """Return the resources given, completed by what is detected.

    Raises:
        UserError: `--resources` cannot be read.
    """
    try:
        given = text.parse(config.resources)
    except ValueError as error:
        raise UserError(f"--resources: {error}") from error
    named = set(given.names())
    detected = {
        "cpus": float(os.cpu_count() or 1),
        "mem": _memory_mb(),
        "disk": _disk_mb(config.work_dir),
    }
    total = given
    for name, value in detected.items():
        if name not in named:
            total = total + Resources.scalars(**{name: value})
    if "ports" not in named:
        total = total + Resources({Kind("ports"): ((31000, 32000),)})
    return total


def _memory_mb() -> float:
    """Return the memory less 1 GB, or half of it when it is small."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    return float(whole - _GB_IN_MB if whole >= 2 * _GB_IN_MB else whole // 2)


def _disk_mb(directory: Path) -> float:
    """Return the file system's size less 5 GB, or half of it when it is small."""
    whole = shutil.disk_usage(directory).total // _MB
    return float(whole - 5 * _GB_IN_MB if whole >= 10 * _GB_IN_MB else whole // 2)


def attributes(config: AgentConfig, containerizer: Containerizer) -> tuple[v1.Attribute, ...]:
    """Return the attributes given, and those that say what runs here, or why it does not.

    Raises:
        UserError: `--attributes` cannot be read.
    """
    own = {
        "comity_images": "oci" if containerizer.can_run_images else "none",
        "comity_network": "bridge" if not containerizer.networks.no_bridge else "host",
        "comity_limits": containerizer.limits,
        "comity_host_image": str(config.allow_host_image).lower(),
    }
    if not containerizer.can_run_images:
        own["comity_images_missing"] = containerizer.no_oci
    if containerizer.networks.no_bridge:
        own["comity_network_missing"] = containerizer.networks.no_bridge
    found = []
    for entry in filter(None, (part.strip() for part in config.attributes.split(";"))):
        name, colon, value = (part.strip() for part in entry.partition(":"))
        if not colon or not name or not value:
            raise UserError(f"--attributes: not a name and a value: {entry!r}; write rack:r1")
        own.pop(name, None)
        found.append(_attribute(name, value))
    return (*found, *(_attribute(name, value) for name, value in own.items()))


def _attribute(name: str, value: str) -> v1.Attribute:
    try:
        number = float(value)
    except ValueError:
        return v1.Attribute(name=name, type="TEXT", text=v1.Text(value=value))
    return v1.Attribute(name=name, type="SCALAR", scalar=v1.Scalar(value=number))
