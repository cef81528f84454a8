"""What containers use, read from their cgroups and from their own view of the network.

Names and units are those of Mesos's `ResourceStatistics`. What the host does not count is left out.
"""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_NS = 1e9

Paths = Mapping[str, Path]
"""A container's cgroup in each version 1 hierarchy by controller; on version 2 under ''."""

_MEMORY_V1 = {
    "mem_rss_bytes": "total_rss",
    "mem_anon_bytes": "total_rss",
    "mem_file_bytes": "total_cache",
    "mem_cache_bytes": "total_cache",
    "mem_mapped_file_bytes": "total_mapped_file",
    "mem_swap_bytes": "total_swap",
    "mem_unevictable_bytes": "total_unevictable",
}
_MEMORY_V2 = {
    "mem_rss_bytes": "anon",
    "mem_anon_bytes": "anon",
    "mem_file_bytes": "file",
    "mem_cache_bytes": "file",
    "mem_mapped_file_bytes": "file_mapped",
    "mem_unevictable_bytes": "unevictable",
}
_INTERFACE = ("bytes", "packets", "errors", "dropped")


def usage(cgroups: Paths, pid: int | None) -> dict[str, float]:
    """Return what a container uses; `pid` is a process in it, whose network is counted."""
    found = _unified(cgroups[""]) if "" in cgroups else _version_1(cgroups)
    return found | (_network(pid) if pid is not None else {})


def _version_1(cgroups: Paths) -> dict[str, float]:
    found: dict[str, float] = {}
    if "memory" in cgroups:
        memory = cgroups["memory"]
        found |= _number(memory / "memory.usage_in_bytes", "mem_total_bytes")
        found |= _number(memory / "memory.memsw.usage_in_bytes", "mem_total_memsw_bytes")
        found |= _number(memory / "memory.kmem.usage_in_bytes", "mem_kmem_usage_bytes")
        found |= _named(_numbers(memory / "memory.stat"), _MEMORY_V1)
    if "cpuacct" in cgroups:
        times = _numbers(cgroups["cpuacct"] / "cpuacct.stat")
        for name in times.keys() & {"user", "system"}:
            found[f"cpus_{name}_time_secs"] = times[name] / _TICKS
    if "cpu" in cgroups:
        found |= _throttling(_numbers(cgroups["cpu"] / "cpu.stat"), "throttled_time", _NS)
        found |= _population(cgroups["cpu"], "tasks")
    return found


def _unified(path: Path) -> dict[str, float]:
    found = _number(path / "memory.current", "mem_total_bytes")
    found |= _number(path / "memory.swap.current", "mem_swap_bytes")
    found |= _named(_numbers(path / "memory.stat"), _MEMORY_V2)
    times = _numbers(path / "cpu.stat")
    for name in ("user", "system"):
        if f"{name}_usec" in times:
            found[f"cpus_{name}_time_secs"] = times[f"{name}_usec"] / 1e6
    found |= _throttling(times, "throttled_usec", 1e6)
    return found | _population(path, "cgroup.threads")


def _throttling(stat: dict[str, int], time: str, unit: float) -> dict[str, float]:
    """Return how often the quota of processor time held a container back, where it has one."""
    if not stat.get("nr_periods"):
        return {}
    return {
        "cpus_nr_periods": stat["nr_periods"],
        "cpus_nr_throttled": stat.get("nr_throttled", 0),
        "cpus_throttled_time_secs": stat.get(time, 0) / unit,
    }


def _population(path: Path, threads: str) -> dict[str, float]:
    """Count the processes and threads of a container, with those of cgroups within its own."""
    found: dict[str, float] = {}
    for name, file in (("processes", "cgroup.procs"), ("threads", threads)):
        with contextlib.suppress(OSError):
            found[name] = sum(len(each.read_text().split()) for each in _files(path, file))
    return found


def _files(path: Path, name: str) -> list[Path]:
    return [Path(directory) / name for directory, _, files in os.walk(path) if name in files]


def _network(pid: int) -> dict[str, float]:
    """Return what a container of a network of its own received and sent, loopback left out."""
    try:
        if os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            return {}
        lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    except OSError:
        return {}
    found = dict.fromkeys((f"net_{way}_{what}" for way in ("rx", "tx") for what in _INTERFACE), 0.0)
    for line in lines:
        name, _, counted = line.partition(":")
        if name.strip() == "lo":
            continue
        numbers = counted.split()
        for way, first in (("rx", 0), ("tx", 8)):
            for place, what in enumerate(_INTERFACE):
                found[f"net_{way}_{what}"] += int(numbers[first + place])
    return found


def _named(numbers: dict[str, int], names: dict[str, str]) -> dict[str, float]:
    return {ours: numbers[theirs] for ours, theirs in names.items() if theirs in numbers}


def _number(file: Path, name: str) -> dict[str, float]:
    try:
        return {name: int(file.read_text())}
    except (OSError, ValueError):
        return {}


def _numbers(file: Path) -> dict[str, int]:
    """Return the lines `name number` of a file; none when it cannot be read."""
    try:
        text = file.read_text()
    except OSError:
        return {}
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}
