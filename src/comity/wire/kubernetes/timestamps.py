"""Times as the Kubernetes API writes them, and ages as kubectl shows them."""

from datetime import UTC, datetime

from comity.core.instants import Instant


def render(at: float) -> str:
    """Return an instant as RFC 3339 in UTC with whole seconds."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse(text: str) -> Instant:
    """Return the instant that an RFC 3339 text stands for.

    Raises:
        ValueError: it is none.
    """
    if len(text) < 20 or text[10] not in "Tt":
        raise ValueError(f"not an RFC 3339 time: {text!r}")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {text!r}")
    return Instant(moment.timestamp())


def age(since: str | None, now: float) -> str:
    """Return how long ago a timestamp was, in kubectl's short form; `<unknown>` without one."""
    if not since:
        return "<unknown>"
    try:
        return duration(now - parse(since))
    except ValueError:
        return "<invalid>"


def duration(seconds: float) -> str:
    """Return a length of time as kubectl shows it: `5s`, `3m10s`, `26h`, `4d3h`, `2y40d`."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 120:
        return f"{max(total, 0)}s"
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if minutes < 10:
        return _pair(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _pair(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if days < 8:
        return _pair(days, "d", hours % 24, "h")
    if days < 365 * 2:
        return f"{days}d"
    years = days // 365
    return _pair(years, "y", days % 365, "d") if years < 8 else f"{years}y"


def _pair(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big}{big_unit}{small}{small_unit}" if small else f"{big}{big_unit}"
