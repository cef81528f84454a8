"""Simulated time: one heap of what will happen, one tree of chance, one trace.

Two things that are due at the same time happen in the order in which they were planned. Chance is
drawn from generators named by concern, so that one draw more in one place shifts no other.
"""

import heapq
import random
from collections.abc import Callable
from typing import Any

from comity.core.errors import ComityError

EPOCH = 1_700_000_000.0
"""What true wall clocks show when a simulation begins."""


class NeverEnds(ComityError):
    """Far more happens than a cluster of this size can have to do."""


class World:
    """The time of one simulation."""

    def __init__(
        self, seed: int | str, *, tracing: bool = False, events_max: int = 300_000
    ) -> None:
        self.seed = seed
        self.now = 0.0
        self.inputs = 0
        """Inputs that machines have handled."""
        self.events = 0
        self.events_max = events_max
        self.lines: list[str] = []
        """The trace, when there is one."""
        self.tracing = tracing
        self._due: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._sequence = 0

    def chance(self, *name: str) -> random.Random:
        """Return the generator of one concern."""
        return random.Random("/".join((str(self.seed), *name)))  # noqa: S311 - replays

    def after(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        """Plan a call."""
        self._sequence += 1
        heapq.heappush(self._due, (self.now + delay_s, self._sequence, do, args))

    def note(self, who: str, text: str) -> None:
        """Add a line to the trace."""
        self.lines.append(f"{self.now:11.4f} {who:<12} {text}")

    def run(self, seconds: float) -> None:
        """Let time pass, and what is planned happen."""
        end = self.now + seconds
        due = self._due
        while due and due[0][0] <= end:
            self.now, _, do, args = heapq.heappop(due)
            self.events += 1
            if self.events > self.events_max:
                raise NeverEnds(f"more than {self.events_max} events: somebody runs in a circle")
            do(*args)
        self.now = end
