"""Delays between attempts: of restarts (the first at once, then 10 s to 300 s) and of launches."""

from comity.core.instants import Instant
from comity.kube.node.state import Backoff

_FIRST_S = 10.0
_MAX_S = 300.0
_RESET_S = 600.0
"""A container that ran this long since its last restart starts afresh."""


def after_exit(backoff: Backoff, now: Instant) -> Instant:
    """Note an exit, and return when the container may start again."""
    if now - backoff.updated_at > _RESET_S:
        backoff.delay_s = 0.0
    backoff.until = Instant(now + backoff.delay_s)
    backoff.updated_at = backoff.until
    backoff.delay_s = _doubled(backoff.delay_s)
    return backoff.until


def after_failure(backoff: Backoff, now: Instant) -> Instant:
    """Note a launch that failed, and return when to try again: never at once."""
    backoff.delay_s = _doubled(backoff.delay_s)
    backoff.until = Instant(now + backoff.delay_s)
    return backoff.until


def _doubled(delay_s: float) -> float:
    return min(max(_FIRST_S, 2 * delay_s), _MAX_S)
