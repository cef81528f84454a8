"""Durations as Mesos writes them: a number and the largest unit that fits, such as `5secs`."""

import re

_UNITS = (
    ("weeks", 604_800_000_000_000),
    ("days", 86_400_000_000_000),
    ("hrs", 3_600_000_000_000),
    ("mins", 60_000_000_000),
    ("secs", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
)
_SPELLED = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([a-z]+)")


def text(seconds: float) -> str:
    """Return `5secs`, `1mins`, `500ms` (3rdparty/stout duration.hpp)."""
    nanoseconds = round(seconds * 1e9)
    for unit, size in _UNITS:
        if abs(nanoseconds) >= size:
            return f"{nanoseconds / size:.15g}{unit}"
    return f"{nanoseconds}ns"


def parse(given: str) -> float:
    """Return the seconds of a duration.

    Raises:
        ValueError: it is none; the text says what one looks like.
    """
    sizes = dict(_UNITS)
    found = _SPELLED.fullmatch(given.strip())
    if found is None or found[2] not in sizes:
        units = ", ".join(reversed(sizes))
        raise ValueError(f"{given!r} is no duration: a number and one of {units}, as 15mins")
    return float(found[1]) * sizes[found[2]] / 1e9
