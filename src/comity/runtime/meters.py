"""How long things take, and how the machine is doing: numbers that only a shell can know."""

import os
from collections import deque
from collections.abc import Iterable
from pathlib import Path

WINDOW = 1000
"""Durations that percentiles are taken of."""

_PERCENTILES = {
    "p25": 0.25,
    "p50": 0.5,
    "p75": 0.75,
    "p90": 0.9,
    "p95": 0.95,
    "p99": 0.99,
    "p999": 0.999,
    "p9999": 0.9999,
}


class Meter:
    """The last durations of something, and how many there were."""

    def __init__(self) -> None:
        self.count = 0
        self._last: deque[float] = deque(maxlen=WINDOW)

    def add(self, seconds: float) -> None:
        """Take one more duration."""
        self.count += 1
        self._last.append(seconds * 1000)

    @classmethod
    def merged(cls, meters: "Iterable[Meter]") -> "Meter":
        """Return several as one; the last of the last one counts as the last."""
        whole = cls()
        for each in meters:
            whole.count += each.count
            whole._last.extend(each._last)
        return whole

    def numbers(self, name: str) -> dict[str, float]:
        """Return them as Mesos shows a timer: the last, the extremes, percentiles, in ms."""
        if not self._last:
            return {}
        ordered = sorted(self._last)
        top = len(ordered) - 1
        shown = {
            name: self._last[-1],
            f"{name}/count": float(len(ordered)),
            f"{name}/min": ordered[0],
            f"{name}/max": ordered[-1],
        }
        for label, part in _PERCENTILES.items():
            shown[f"{name}/{label}"] = ordered[round(part * top)]
        return shown


def system() -> dict[str, float]:
    """Return the numbers `system/…` of this machine."""
    loads = zip(("1min", "5min", "15min"), os.getloadavg(), strict=True)
    shown = {f"system/load_{span}": load for span, load in loads}
    shown["system/cpus_total"] = float(os.cpu_count() or 1)
    kilobytes = _memory()
    shown["system/mem_total_bytes"] = kilobytes.get("MemTotal", 0) * 1024.0
    shown["system/mem_free_bytes"] = kilobytes.get("MemFree", 0) * 1024.0
    return shown


def _memory() -> dict[str, int]:
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found
