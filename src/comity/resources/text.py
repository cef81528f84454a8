"""Resources as operators write them: `cpus:4;mem:1024;ports:[31000-32000,33000-33010];disks:{a,b}`.

`cpus(ads):4` reserves for the role `ads`, as Mesos's agent flag `--resources` does.
"""

import re

from comity.resources import ranges
from comity.resources.amounts import Amount, Kind, Reservation, Resources, milli

_ENTRY = re.compile(r"\s*(?P<name>[^\s:;()]+)\s*(?:\((?P<role>[^()]+)\))?\s*:\s*(?P<value>.+?)\s*")


def parse(text: str) -> Resources:
    """Return the resources that `text` describes.

    Raises:
        ValueError: with the entry that cannot be read.
    """
    total = Resources()
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        found = _ENTRY.fullmatch(entry)
        if found is None:
            raise ValueError(f"not a resource: {entry!r}; write for example cpus:4 or ports:[1-9]")
        role = found["role"] or "*"
        reservations = () if role == "*" else (Reservation(role),)
        amount = _amount(found["value"], entry)
        total = total + Resources({Kind(found["name"], reservations): amount})
    return total


def _amount(value: str, entry: str) -> Amount:
    if value.startswith("[") and value.endswith("]"):
        return ranges.normalize(_pair(part, entry) for part in value[1:-1].split(","))
    if value.startswith("{") and value.endswith("}"):
        return frozenset(item.strip() for item in value[1:-1].split(",") if item.strip())
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"not an amount: {entry!r}") from None
    if not 0 <= number < 1e15:
        raise ValueError(f"an amount is zero or more, and finite: {entry!r}")
    return milli(number)


def _pair(part: str, entry: str) -> tuple[int, int]:
    begin, dash, end = part.partition("-")
    try:
        return int(begin), int(end if dash else begin)
    except ValueError:
        raise ValueError(f"not a range: {entry!r}") from None
