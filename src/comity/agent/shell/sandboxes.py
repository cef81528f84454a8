"""Sandboxes: shown under Mesos's virtual paths, and deleted a while after their executors ended."""

import asyncio
import time
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.agent.state import State
from comity.runtime.containers.containerizer import remove_sandbox
from comity.runtime.files import Files

_LOOK_S = 600.0


class SandboxCollector:
    """Deletes sandboxes of ended executors, oldest first, once they are old enough."""

    def __init__(self, config: AgentConfig, state: State, files: Files) -> None:
        self._config = config
        self._state = state
        root = config.work_dir.resolve() / "slaves"
        root.mkdir(parents=True, exist_ok=True)
        self._root = root
        # One root shows every sandbox, under its real path and under Mesos's virtual one.
        files.attach(str(root), root)
        files.attach_lookup("/frameworks", self._frameworks)

    def _frameworks(self) -> Path:
        return self._root / self._state.id / "frameworks"

    async def run(self) -> None:
        """Look now and then, until cancelled."""
        while True:
            await asyncio.to_thread(self._collect)
            await asyncio.sleep(_LOOK_S)

    def _collect(self) -> None:
        alive = {one.directory for one in self._state.executors.values()}
        oldest = time.time() - self._config.gc_delay_s
        for run in self._root.glob("*/frameworks/*/executors/*/runs/*"):
            if run.is_symlink() or run in alive or run.stat().st_mtime > oldest:
                continue
            remove_sandbox(run)
