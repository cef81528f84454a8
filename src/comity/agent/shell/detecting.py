"""What a machine has, by Mesos's defaults, and what is said of it."""

import os
import shutil
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.core.errors import UserError
from comity.resources import text
from comity.resources.amounts import Kind, Resources, Source
from comity.wire.mesos import codec, v1
from comity.wire.mesos import resources as wire

_MB = 1 << 20
_GB_IN_MB = 1024


def resources(config: AgentConfig) -> Resources:
    """Return the resources given, completed by what is detected.

    Raises:
        UserError: `--resources` cannot be read.
    """
    try:
        given = _given(config.resources)
    except (ValueError, OSError, codec.DecodeFailed) as error:
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


def _given(written: str) -> Resources:
    """Return what `--resources` describes: in short, as Mesos's JSON, or a file of that.

    Raises:
        ValueError: it cannot be read, or is of what no agent may start with.
        OSError: its file cannot be read.
    """
    if written.startswith("file://"):
        written = Path(written.removeprefix("file://")).read_text()
    if not written.lstrip().startswith("["):
        return text.parse(written)
    total = wire.read(codec.decode(tuple[v1.Resource, ...], written.encode()))
    for kind, _ in total:
        if kind.is_dynamic or kind.volume:
            raise ValueError(f"{kind.name}: only operations make dynamic reservations and volumes")
        source = kind.disk.source if kind.disk is not None else None
        if source is not None:
            _check_source(source)
    return total


def _check_source(source: Source) -> None:
    if source.type not in ("PATH", "MOUNT"):
        raise ValueError(f"a disk of type {source.type} needs a storage plugin, which none is here")
    root = Path(source.root)
    if not source.root or not root.is_absolute() or not root.is_dir():
        raise ValueError(f"the disk's root {source.root!r} must be an absolute path of a directory")


def _memory_mb() -> float:
    """Return the memory less 1 GB, or half of it when it is small."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MB
    return float(whole - _GB_IN_MB if whole >= 2 * _GB_IN_MB else whole // 2)


def _disk_mb(directory: Path) -> float:
    """Return the file system's size less 5 GB, or half of it when it is small."""
    whole = shutil.disk_usage(directory).total // _MB
    return float(whole - 5 * _GB_IN_MB if whole >= 10 * _GB_IN_MB else whole // 2)


def attributes(config: AgentConfig, own: dict[str, str]) -> tuple[v1.Attribute, ...]:
    """Return the attributes given, and the agent's own; who is given one knows better.

    Raises:
        UserError: `--attributes` cannot be read.
    """
    own = dict(own)
    found = []
    for entry in filter(None, (part.strip() for part in config.attributes.split(";"))):
        name, colon, value = (part.strip() for part in entry.partition(":"))
        if not colon or not name or not value:
            raise UserError(f"--attributes: not a name and a value: {entry!r}; write rack:r1")
        own.pop(name, None)
        found.append(_attribute(name, value))
    return (*found, *(_attribute(name, value) for name, value in own.items()))


def _attribute(name: str, value: str) -> v1.Attribute:
    """Return an attribute by the look of its value, as Mesos tells them apart (attributes.cpp).

    Raises:
        UserError: it looks like ranges, and is none; or like a set, which attributes are not.
    """
    if value.startswith("{"):
        raise UserError(f"--attributes: {name}: an attribute is a number, ranges or text, no set")
    if value.startswith("["):
        try:
            found = text.parse(f"{name}:{value}")
        except ValueError as error:
            raise UserError(f"--attributes: {error}") from error
        pairs = tuple(v1.Range(begin=low, end=high) for low, high in found.ranges_of(name))
        return v1.Attribute(name=name, type="RANGES", ranges=v1.Ranges(range=pairs))
    try:
        number = float(value)
    except ValueError:
        return v1.Attribute(name=name, type="TEXT", text=v1.Text(value=value))
    return v1.Attribute(name=name, type="SCALAR", scalar=v1.Scalar(value=number))
