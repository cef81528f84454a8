"""Whether an offer's machine is being maintained, so that nothing new should go there.

The rule is Marathon's (core/task/tracker: `Availability.offerAvailable`): from `draining_s` before
the window's start until its end; a window without duration does not end.
"""

from comity.core.instants import Instant
from comity.wire.mesos import v1


def is_away(offer: v1.Offer, now: Instant, draining_s: float = 0.0) -> bool:
    """Whether an offer's machine is, or is about to be, away."""
    if offer.unavailability is None:
        return False
    start_s = offer.unavailability.start.nanoseconds / 1e9
    if now <= start_s - draining_s:
        return False
    duration = offer.unavailability.duration
    return duration is None or now <= start_s + duration.nanoseconds / 1e9
