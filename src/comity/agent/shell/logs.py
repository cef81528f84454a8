"""Keeps the logs of running containers to their size."""

import asyncio
import logging

from comity.agent.config import AgentConfig
from comity.agent.state import State
from comity.core.containers import LogLimits
from comity.runtime import rotation

_log = logging.getLogger(__name__)
_INTERVAL_S = 1.0
_NAMES = ("stdout", "stderr")


class LogRotator:
    """Rotates what containers write."""

    def __init__(self, config: AgentConfig, state: State) -> None:
        self._default = LogLimits(
            max_size=config.container_log_max_size, max_files=config.container_log_max_files + 1
        )
        self._state = state
        self._hopeless: set[str] = set()
        """Containers whose logs cannot be rotated, which was said."""

    async def run(self) -> None:
        """Look every second, until cancelled."""
        while True:
            await asyncio.sleep(_INTERVAL_S)
            await asyncio.to_thread(self.rotate)

    def rotate(self) -> None:
        """Look at every container's logs once."""
        containers = list(self._state.containers.values())
        self._hopeless &= {one.id for one in containers}
        for one in containers:
            limits = one.spec.logs or self._default
            if not limits.max_size or one.id in self._hopeless or not one.has_process:
                continue
            try:
                for name in _NAMES:
                    rotation.rotate(one.spec.sandbox / name, limits.max_size, limits.max_files - 1)
            except (rotation.CannotRotate, OSError) as error:
                self._hopeless.add(one.id)
                _log.warning("%s: its logs grow on: %s", one.id, error)
