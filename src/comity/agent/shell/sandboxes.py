"""Sandboxes: shown under Mesos's virtual paths, measured, deleted a while after their end."""

import asyncio
import contextlib
import os
import shutil
import time
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.agent.inputs import DiskMeasured
from comity.agent.state import Executor, State
from comity.runtime.containers.containerizer import Containerizer, remove_sandbox
from comity.runtime.driver import Driver
from comity.runtime.files import Files


class SandboxCollector:
    """Deletes sandboxes of ended executors, oldest first, once they are old enough."""

    def __init__(self, config: AgentConfig, state: State, files: Files) -> None:
        self._config = config
        self._state = state
        root = config.work_dir.resolve() / "slaves"
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        self.removed = self.not_removed = 0
        """How many sandboxes were deleted, and how often one could not be."""
        self.pending = 0
        """How many were waiting to be deleted when it looked last."""
        # One root shows every sandbox, under its real path and under Mesos's virtual one.
        files.attach(str(root), root)
        files.attach_lookup("/frameworks", self._frameworks)

    def _frameworks(self) -> Path:
        return self._root / self._state.id / "frameworks"

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.to_thread(self._collect)
            await asyncio.sleep(self._config.disk_watch_interval_s)

    def _collect(self) -> None:
        alive = {one.directory for one in list(self._state.executors.values())}
        oldest, pending = time.time() - self.age_max_s(), 0
        alive |= {one.spec.sandbox for one in list(self._state.containers.values())}
        standalone = self._root.parent / "containers"
        runs = [*self._root.glob("*/frameworks/*/executors/*/runs/*"), *standalone.glob("*")]
        for run in runs:
            if run.is_symlink() or run in alive:
                continue
            if run.stat().st_mtime > oldest:
                pending += 1
                continue
            remove_sandbox(run)
            self.not_removed += run.exists()
            self.removed += not run.exists()
        self.pending = pending

    def age_max_s(self) -> float:
        """Return how old a sandbox may get, as full as the disk is now."""
        usage = shutil.disk_usage(self._root)
        return age_max_s(self._config, usage.used / usage.total)


def age_max_s(config: AgentConfig, usage: float) -> float:
    """Return how old a sandbox may get, when this share of the disk is used (Mesos: slave.cpp)."""
    return config.gc_delay_s * max(0.0, 1.0 - config.gc_disk_headroom - usage)


class DiskWatcher:
    """Measures what sandboxes hold, without holding up anything else."""

    def __init__(
        self, config: AgentConfig, state: State, driver: Driver, containerizer: Containerizer
    ) -> None:
        self._config = config
        self._state = state
        self._driver = driver
        self._containerizer = containerizer
        self.used: dict[str, int] = {}
        """Bytes by container, as measured last."""

    async def run(self) -> None:
        """Measure now and then, until cancelled."""
        while True:
            await asyncio.sleep(self._config.container_disk_watch_interval_s)
            await self._measure()

    async def _measure(self) -> None:
        found: dict[str, int] = {}
        for executor in list(self._state.executors.values()):
            if executor.has_exited:
                continue
            name = executor.container_id
            found[name] = sum(
                [await asyncio.to_thread(size_of, path) for path in self._places(executor)]
            )
            if self._config.enforce_disk_quota:
                self._driver.put(DiskMeasured(executor.framework_id, executor.id, found[name]))
        self.used.clear()
        self.used.update(found)

    def _places(self, executor: Executor) -> list[Path]:
        """Return where an executor's containers write: its sandbox, and over their images."""
        names = [executor.container_id]
        for name in names:
            names += self._state.children.get(name, ())
        written = (self._containerizer.written_by(name) for name in names)
        return [executor.directory, *filter(None, written)]


def size_of(directory: Path) -> int:
    """Return the bytes that a directory takes on the disk; volumes linked into it are not its."""
    total = 0
    waiting = [directory]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # it went away meanwhile
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total
