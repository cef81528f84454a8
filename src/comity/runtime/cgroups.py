"""Limits of containers by cgroups: version 1, version 2, or both at once (hybrid).

One directory `comity/<agent>/<container>` in each hierarchy that is used: cpu, memory and pids for
limits, and where a version 2 hierarchy is mounted, that one too: only it can kill a whole tree.
An OCI runtime makes those of image containers, in every hierarchy; in a pod they are
`comity/<agent>/<pod>/<container>`, below the limits of the pod.
"""

import contextlib
import os
import signal
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from comity.core.errors import ComityError

CONTROLLERS = ("cpu", "memory", "pids")
"""What limits are held by."""
_UNLIMITED_V1 = (1 << 63) - 4096
"""What a new cgroup of version 1 has as its limit of memory."""
_PERIOD_US = 100_000
_KILLS = 20
"""Times that a version 1 cgroup is gone through: what is in it may fork meanwhile."""


def agent_name(work_dir: Path) -> str:
    """Return a short name for the agent of a directory, the same at every start."""
    import hashlib  # not for the supervisor of a cluster, which stays resident, to hold

    return hashlib.sha256(str(work_dir.resolve()).encode()).hexdigest()[:12]


class CgroupError(ComityError):
    """A cgroup could not be made or written."""


class Limits(NamedTuple):
    """What a container may use: a share of the processors, bytes, and a hard limit of processors.

    No bytes is no limit.
    """

    cpus: float
    mem_bytes: int
    cpu_quota: float | None = None
    pids_max: int | None = None


class Cgroups:
    """The cgroups of one agent's containers; found by `hierarchies.find`."""

    def __init__(
        self,
        roots: dict[str, Path],
        unified: Path | None,
        others: tuple[Path, ...] = (),
        controllers: Collection[str] = CONTROLLERS,
    ) -> None:
        self._roots = roots
        """Version 1 hierarchies in use by controller, or `{"": root}` on version 2."""
        self._unified = unified
        self._others = others
        """Hierarchies that only OCI runtimes use; we remove what they leave."""
        held = controllers if "" in roots else roots
        self.controllers = tuple(one for one in CONTROLLERS if one in held)
        """Those of `CONTROLLERS` that limits can be held by here."""

    @property
    def is_version_2(self) -> bool:
        """Whether this is a host of version 2 alone."""
        return "" in self._roots

    @property
    def kind(self) -> str:
        """Which version of cgroups holds the limits; none where no controller of them is here."""
        if not self.controllers:
            return "none"
        if "" in self._roots:
            return "cgroups-v2"
        return "cgroups-v1" if self._unified is None else "cgroups-hybrid"

    def _all_roots(self) -> list[Path]:
        roots = list(self._roots.values())
        return roots if self._unified is None or self._unified in roots else [*roots, self._unified]

    def create(
        self, container: str, limits: "Limits | None", shared: str | None = None
    ) -> list[str]:
        """Make a container's cgroups and return the files that its first process writes itself to.

        With `shared`, the limits are those of that container's cgroups, which this one joins; they
        stay as they are when `limits` is None.

        Raises:
            CgroupError: naming the file that refused.
        """
        owner = shared or container
        paths = [self._place(root, container, shared) for root in self._all_roots()]
        try:
            for path in paths:
                path.mkdir(parents=True, exist_ok=True)
            if limits is not None:
                self._limit(owner, limits)
        except OSError as error:
            self.remove(container)
            raise CgroupError(f"{error.filename}: {error.strerror}") from error
        return [str(path / "cgroup.procs") for path in paths]

    def create_pod(self, pod: str, limits: "Limits") -> None:
        """Make the cgroups above those of a pod's containers, with the limits of all together.

        Raises:
            CgroupError: naming the file that refused.
        """
        self.create(pod, limits)
        if "" in self._roots:
            try:
                delegate(self._roots[""] / pod, self.controllers)
            except OSError as error:
                raise CgroupError(f"{error.filename}: {error.strerror}") from error

    def _find(self, root: Path, container: str) -> Path:
        """Return a container's cgroup, which may be within that of its pod."""
        pod = container.rpartition(".")[0]
        within = root / pod / container
        return within if pod and within.is_dir() else root / container

    def _place(self, root: Path, container: str, shared: str | None) -> Path:
        """Return the cgroup that a container's processes are in.

        A version 2 cgroup that is not for limits is each container's own, so that it can be killed
        alone; one for limits is below the shared one.
        """
        if shared is None:
            return root / container
        if root == self._unified:
            return root / shared / container if "" in self._roots else root / container
        return root / shared

    def limit(self, container: str, *, cpus: float, mem_bytes: int) -> None:
        """Change a container's limits, as far as the kernel lets us: not below what is in use."""
        with contextlib.suppress(OSError):
            self._limit(container, Limits(cpus, mem_bytes))
            if not mem_bytes and "memory" in self.controllers:
                self._unlimit_memory(container)

    def _unlimit_memory(self, container: str) -> None:
        if "" in self._roots:
            (self._roots[""] / container / "memory.max").write_text("max")
        else:
            _limit_memory_v1(self._roots["memory"] / container, _UNLIMITED_V1)

    def _limit(self, container: str, limits: "Limits") -> None:
        if "" in self._roots:
            self._limit_v2(self._roots[""] / container, limits)
        else:
            self._limit_v1(container, limits)

    def _limit_v1(self, container: str, limits: "Limits") -> None:
        if "cpu" in self._roots:
            cpu = self._roots["cpu"] / container
            (cpu / "cpu.shares").write_text(str(max(2, int(limits.cpus * 1024))))
            if limits.cpu_quota is not None:
                quota = max(1000, int(limits.cpu_quota * _PERIOD_US))
                (cpu / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
                (cpu / "cpu.cfs_quota_us").write_text(str(quota))
        if "pids" in self._roots and limits.pids_max is not None:
            (self._roots["pids"] / container / "pids.max").write_text(str(limits.pids_max))
        if "memory" in self._roots and limits.mem_bytes:
            _limit_memory_v1(self._roots["memory"] / container, limits.mem_bytes)

    def _limit_v2(self, path: Path, limits: "Limits") -> None:
        if "cpu" in self.controllers:
            # As OCI runtimes turn shares into weights, so that all containers count alike.
            weight = 1 + (min(max(2, int(limits.cpus * 1024)), 262_144) - 2) * 9999 // 262_142
            (path / "cpu.weight").write_text(str(weight))
            if limits.cpu_quota is not None:
                quota = max(1000, int(limits.cpu_quota * _PERIOD_US))
                (path / "cpu.max").write_text(f"{quota} {_PERIOD_US}")
        if "pids" in self.controllers and limits.pids_max is not None:
            (path / "pids.max").write_text(str(limits.pids_max))
        if "memory" in self.controllers and limits.mem_bytes:
            (path / "memory.max").write_text(str(limits.mem_bytes))
            with contextlib.suppress(OSError):
                (path / "memory.swap.max").write_text("0")

    def kill(self, container: str) -> bool:
        """SIGKILL everything in a container; False where some may be left, of those just forked."""
        if self._unified is not None and self._killed_at_once(self._find(self._unified, container)):
            return True
        for root in (*self._roots.values(), *self._others):
            for pid in _processes(self._find(root, container)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        return False

    def _killed_at_once(self, path: Path) -> bool:
        """Kill all of a version 2 cgroup; False where it is not there, or the kernel cannot."""
        try:
            (path / "cgroup.kill").write_text("1")
        except OSError:
            return False
        return True

    def was_oom_killed(self, container: str) -> bool:
        """Whether the kernel killed something in a container for its memory limit."""
        name = "memory.events" if "" in self._roots else "memory.oom_control"
        root = self._roots.get("") or self._roots.get("memory")
        if root is None:
            return False
        try:
            text = (self._find(root, container) / name).read_text()
        except OSError:
            return False
        counts = dict(line.split() for line in text.splitlines() if len(line.split()) == 2)
        return int(counts.get("oom_kill", "0")) > 0

    def paths(self, container: str) -> dict[str, Path]:
        """Return a container's cgroups by controller, '' on version 2, as accounting wants them."""
        return {one: self._find(root, container) for one, root in self._roots.items()}

    def containers(self) -> list[str]:
        """Return the containers that have cgroups here, for cleaning up strays."""
        found: dict[str, None] = {}
        for root in (*self._all_roots(), *self._others):
            with contextlib.suppress(OSError):
                found.update((path.name, None) for path in root.iterdir() if path.is_dir())
        return list(found)

    def remove(self, container: str) -> None:
        """Remove a container's cgroups, killing what is left in them."""
        for _ in range(_KILLS):
            if self.kill(container) or not self._is_populated(container):
                break
            time.sleep(0.002)
        for root in (*self._all_roots(), *self._others):
            _remove(self._find(root, container))

    def _is_populated(self, container: str) -> bool:
        return any(_processes(self._find(root, container)) for root in self._roots.values())

    def close(self) -> None:
        """Remove the agent's own cgroups once they are empty."""
        for root in (*self._all_roots(), *self._others):
            _remove(root)
            with contextlib.suppress(OSError):
                root.parent.rmdir()


def _processes(path: Path) -> list[int]:
    """Return the processes of a cgroup and of those below it."""
    found: list[int] = []
    for directory, _, files in os.walk(path):
        if "cgroup.procs" in files:
            with contextlib.suppress(OSError):
                found += map(int, Path(directory, "cgroup.procs").read_text().split())
    return [pid for pid in found if pid]  # 0 is one that our PID namespace does not see


def delegate(path: Path, controllers: Collection[str]) -> None:
    """Let the cgroups below a version 2 one have limits.

    Raises:
        OSError: the kernel refuses.
    """
    if controllers:
        words = " ".join(f"+{one}" for one in controllers)
        (path / "cgroup.subtree_control").write_text(words)


def _limit_memory_v1(path: Path, wanted: int) -> None:
    """Set the limit, and that of memory with swap, which must never be the lower of the two."""
    limit, swap = path / "memory.limit_in_bytes", path / "memory.memsw.limit_in_bytes"
    is_lower = wanted < int(limit.read_text())
    for file in (limit, swap) if is_lower else (swap, limit):
        # Without a limit of both, swap would hide the limit; not every kernel counts swap.
        with contextlib.suppress(OSError) if file is swap else contextlib.nullcontext():
            file.write_text(str(wanted))


def _remove(path: Path) -> None:
    """Remove a cgroup and those within it, once their processes have left."""
    with contextlib.suppress(OSError):
        for child in path.iterdir():
            if child.is_dir():
                _remove(child)
    for _ in range(20):
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.002)  # a killed process may take a moment to leave
        else:
            return
