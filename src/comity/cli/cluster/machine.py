"""What this machine has, and how N agents share it.

Each agent gets a loopback address of its own (127.0.0.11, .12, …), which is also its host name, so
that placement rules mean something on one machine. The dynamic ports are split too, because many
programs bind 0.0.0.0 and would meet their twins on the next agent. The two ports of the Kubernetes
package are left out of the split: Marathon picks dynamic ports from an offer's widest range, so it
never hands these out by chance. Only the first agent offers them, so that the API keeps its address
when its task is replaced: kubeconfigs and running executors hold it.
"""

import os
from pathlib import Path
from typing import NamedTuple

MEM_KEPT_MB = 1024
DISK_KEPT_MB = 5120
PORT_BLOCKS = ((31000, 31399), (31500, 32000))
KUBERNETES_PORTS = (31442, 31443)
MIN_MEM_MB = 64


class Capacity(NamedTuple):
    """Totals to share: cores, and megabytes of memory and disk."""

    cpus: float
    mem_mb: int
    disk_mb: int


def measure(work_dir: Path) -> Capacity:
    """Measure this machine, keeping something back for the components and the system."""
    mem_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    stat = os.statvfs(work_dir)
    disk_mb = stat.f_frsize * stat.f_bavail // 2**20
    return Capacity(
        cpus=float(len(os.sched_getaffinity(0))),
        mem_mb=_keep(mem_mb, MEM_KEPT_MB),
        disk_mb=_keep(disk_mb, DISK_KEPT_MB),
    )


def _keep(total: int, kept: int) -> int:
    # As Mesos does: keep a fixed part of a large machine, half of a small one.
    return total - kept if total > 2 * kept else total // 2


def share(capacity: Capacity, agents: int) -> list[str]:
    """Split the capacity into one Mesos resources string per agent."""
    return [
        f"cpus:{_thousandths(capacity.cpus, agents)};"
        f"mem:{max(MIN_MEM_MB, capacity.mem_mb // agents)};"
        f"disk:{capacity.disk_mb // agents};"
        f"ports:[{_ranges(port_ranges(index, agents))}]"
        for index in range(agents)
    ]


def _thousandths(cpus: float, agents: int) -> str:
    milli = int(cpus * 1000) // agents
    return f"{milli / 1000:g}"


def port_ranges(index: int, agents: int) -> list[tuple[int, int]]:
    """Return the port ranges of agent `index` of `agents`; the first has the pair too."""
    total = sum(last - first + 1 for first, last in PORT_BLOCKS)
    begin, end = index * total // agents, (index + 1) * total // agents
    ranges = [KUBERNETES_PORTS] if index == 0 else []
    for first, last in PORT_BLOCKS:
        size = last - first + 1
        low, high = max(begin, 0), min(end, size)
        if low < high:
            ranges.append((first + low, first + high - 1))
        begin, end = begin - size, end - size
    return sorted(ranges)


def _ranges(ranges: list[tuple[int, int]]) -> str:
    return ",".join(f"{first}-{last}" for first, last in ranges)
