"""Looks waiting for their turn: each at most once, one at a time, failed ones later and later."""

import asyncio
from collections import deque

from comity.kube.controllers.routing import Look

_FIRST_S = 0.02
_MAX_S = 30.0


class Queue:
    """The work queue of all controllers."""

    def __init__(self) -> None:
        self._waiting: deque[Look] = deque()
        self._queued: set[Look] = set()
        self._running: set[Look] = set()
        self._again: set[Look] = set()
        self._failures: dict[Look, int] = {}
        self._timers: dict[Look, asyncio.TimerHandle] = {}
        self._wake = asyncio.Event()

    def add(self, look: Look) -> None:
        """Queue a look; one that is being carried out runs once more when it is done."""
        if look in self._running:
            self._again.add(look)
        elif look not in self._queued:
            self._queued.add(look)
            self._waiting.append(look)
            self._wake.set()

    def add_after(self, look: Look, delay_s: float) -> None:
        """Queue a look after a while; an earlier wish for the same look stays."""
        loop = asyncio.get_running_loop()
        held = self._timers.get(look)
        due = loop.time() + max(0.0, delay_s)
        if held is not None:
            if held.when() <= due:
                return
            held.cancel()
        self._timers[look] = loop.call_at(due, self._due, look)

    def _due(self, look: Look) -> None:
        self._timers.pop(look, None)
        self.add(look)

    async def take(self) -> Look:
        """Wait for a look, and mark it as being carried out."""
        while not self._waiting:
            self._wake.clear()
            await self._wake.wait()
        look = self._waiting.popleft()
        self._queued.discard(look)
        self._running.add(look)
        return look

    def done(self, look: Look, *, failed: bool) -> None:
        """Say that a look is over; a failed one comes back by itself."""
        self._running.discard(look)
        if failed:
            count = self._failures.get(look, 0)
            self._failures[look] = count + 1
            self.add_after(look, min(_MAX_S, _FIRST_S * 2 ** min(count, 20)))
        else:
            self._failures.pop(look, None)
        if look in self._again:
            self._again.discard(look)
            if not failed:
                self.add(look)

    def close(self) -> None:
        """Forget all timers."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
