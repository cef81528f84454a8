"""A clock that follows the wall without jumping with it."""

from comity.core.instants import Instant

SLEW = 0.05
"""How much faster or slower than real time it runs to come back to the wall clock."""


class SteadyClock:
    """Instants that never run backwards and never leap, whatever is done to the wall clock.

    A wall clock that is set back by an hour must not stop pings for an hour, and one that is set
    forward must not make every agent overdue at once. Between two readings this clock advances by
    what the monotonic clock says, a little more or less while the wall clock is elsewhere.
    """

    def __init__(self, wall: float, monotonic: float) -> None:
        self._base = wall - monotonic
        self._slewed = 0.0  # apart from the base: added to that, small steps would be rounded away
        self._monotonic = monotonic
        self._last = wall

    def read(self, wall: float, monotonic: float) -> Instant:
        """Return the instant, given what both clocks show now."""
        elapsed = max(0.0, monotonic - self._monotonic)
        self._monotonic += elapsed
        off = wall - (self._monotonic + self._base + self._slewed)
        bound = elapsed * SLEW
        self._slewed += max(-bound, min(off, bound))
        self._last = max(self._last, self._monotonic + self._base + self._slewed)
        return Instant(self._last)
