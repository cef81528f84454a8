"""Durations as Mesos writes them: a number and the largest unit that fits, such as `5secs`."""

_UNITS = (
    ("weeks", 604_800_000_000_000),
    ("days", 86_400_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("mins", 60_000_000_000),
    ("secs", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
)


def text(seconds: float) -> str:
    """Return `5secs`, `1mins`, `500ms` (3rdparty/stout duration.hpp)."""
    nanoseconds = round(seconds * 1e9)
    for unit, size in _UNITS:
        if abs(nanoseconds) >= size:
            return f"{nanoseconds / size:.15g}{unit}"
    return f"{nanoseconds}ns"
