"""A store whose unsynced writes a crash may take.

The embedded store commits a batch of writes atomically: after a torn write its checksum fails, and
recovery drops the whole batch. So what a crash leaves of the last batch is all of it or nothing.
"""

import random
from collections.abc import Callable, Sequence

from comity.core.effects import Write
from comity.sim.world import World

_SYNC_S = 0.002


class Disk:
    """The durable pairs of one component; it outlives processes."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._chance: random.Random = world.chance(name, "disk")
        self._pairs: dict[str, bytes] = {}
        self._pending: Sequence[Write] = ()
        self._epoch = 0
        self.sync_s = _SYNC_S
        """How long a commit usually takes; faults raise it."""
        self.full = False

    def append(self, writes: Sequence[Write], done: Callable[[bool], None]) -> None:
        """Begin a commit, one at a time as the driver does; `done` is told whether it worked."""
        assert not self._pending
        self._pending = writes
        delay_s = self.sync_s * (0.2 + self._chance.expovariate(1.0))
        self._world.after(delay_s, self._commit, self._epoch, done)

    def _commit(self, epoch: int, done: Callable[[bool], None]) -> None:
        if epoch != self._epoch:
            return  # the process that wrote is no more
        if self.full:
            self._pending = ()
            done(False)
            return
        self._apply()
        done(True)

    def _apply(self) -> None:
        for write in self._pending:
            if write.value is None:
                self._pairs.pop(write.key, None)
            else:
                self._pairs[write.key] = write.value
        self._pending = ()

    def crash(self, *, power: bool) -> None:
        """Lose the process that writes, and with the power mostly what was not synced, too."""
        self._epoch += 1
        if self._pending and self._chance.random() < (0.1 if power else 0.5):
            self._apply()
        self._pending = ()

    def hasten(self) -> None:
        """Be as fast as usual."""
        self.sync_s = _SYNC_S

    def make_room(self) -> None:
        """Be full no more."""
        self.full = False

    def wipe(self) -> None:
        """Lose everything: somebody removed the work directory."""
        self._epoch += 1
        self._pending = ()
        self._pairs.clear()

    def __contains__(self, key: str) -> bool:
        """Whether a key is durable."""
        return key in self._pairs

    def range(self) -> list[tuple[str, bytes]]:
        """Return the durable pairs in key order."""
        return sorted(self._pairs.items())
