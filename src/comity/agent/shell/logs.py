"""Keeps the logs of running containers to their size."""

import asyncio
import logging

from comity.agent.config import AgentConfig
from comity.agent.state import State
from comity.runtime import rotation

_log = logging.getLogger(__name__)
_INTERVAL_S = 1.0
_NAMES = ("stdout", "stderr")


class LogRotator:
    """Rotates what containers write."""

    def __init__(self, config: AgentConfig, state: State) -> None:
        self._size_max = config.container_log_max_size
        self._files = config.container_log_max_files
        self._state = state
        self._hopeless: set[str] = set()
        """Containers whose logs cannot be rotated, which was said."""

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            if self._size_max > 0:
                await asyncio.to_thread(self.rotate)

    def rotate(self) -> None:
        """Look at every container's logs once."""
        containers = list(self._state.containers.values())
        self._hopeless &= {one.id for one in containers}
        for one in containers:
            if one.id in self._hopeless or not one.has_process:
                continue
            try:
                for name in _NAMES:
                    rotation.rotate(one.spec.sandbox / name, self._size_max, self._files)
            except (rotation.CannotRotate, OSError) as error:
                self._hopeless.add(one.id)
                _log.warning("%s: its logs grow on: %s", one.id, error)
