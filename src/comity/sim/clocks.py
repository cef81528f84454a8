"""The clocks of a node: they drift, and somebody sets them."""

from comity.core.clocks import SteadyClock
from comity.core.instants import Instant
from comity.sim.world import EPOCH, World


class NodeClocks:
    """The wall clock and the monotonic clock of one machine."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._rate = 1.0
        self.offset_s = 0.0
        """How far the wall clock was set away from where it was."""

    def set_drift(self, drift: float) -> None:
        """Run faster or slower than true time, from the beginning."""
        self._rate = 1.0 + drift

    def monotonic(self) -> float:
        """Return seconds since the machine was started."""
        return self._world.now * self._rate

    def wall(self) -> float:
        """Return what the machine takes for the time."""
        return EPOCH + self.monotonic() + self.offset_s

    def real_s(self, own_s: float) -> float:
        """Return the true length of a time that this machine's clock measures."""
        return own_s / self._rate


class ProcessClock:
    """What one process reads: as `runtime.driver.Clock` does."""

    def __init__(self, node: NodeClocks) -> None:
        self.node = node
        self._steady = SteadyClock(node.wall(), node.monotonic())

    def now(self) -> Instant:
        """Return the present instant of this process."""
        return self._steady.read(self.node.wall(), self.node.monotonic())
