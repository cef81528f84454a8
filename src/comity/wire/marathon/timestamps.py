"""Versions and times as Marathon writes them: ISO 8601, UTC, milliseconds."""

from datetime import UTC, datetime

from comity.core.instants import Instant


def render(at: Instant) -> str:
    """Return `2020-01-01T00:00:00.000Z` for an instant."""
    return render_ms(int(at * 1000))


def render_ms(milliseconds: int) -> str:
    """Return the time that is `milliseconds` after the epoch."""
    seconds, rest = divmod(milliseconds, 1000)
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def parse_ms(text: str) -> int:
    """Return the milliseconds after the epoch that `text` names.

    Raises:
        ValueError: it is no ISO 8601 time with a zone.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    whole = int(at.replace(microsecond=0).timestamp())
    return whole * 1000 + at.microsecond // 1000
