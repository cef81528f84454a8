"""Host ports of an instance out of the ranges of an offer.

Dynamic ports come from the widest range first, at random inside it, so that a lone port that
somebody keeps for a purpose is taken last. Fixed ones (`requirePorts`) are exact.
"""

import random
from collections.abc import Sequence

from msgspec import Struct

Range = tuple[int, int]
"""First and last port, both included."""


class PortDemand(Struct, frozen=True):
    """The ports of one instance, in order: a number for a fixed one, 0 for a dynamic one."""

    ports: tuple[int, ...] = ()


def contains(ranges: Sequence[Range], port: int) -> bool:
    """Whether a port lies in one of the ranges."""
    return any(first <= port <= last for first, last in ranges)


def without(ranges: Sequence[Range], port: int) -> list[Range]:
    """Return the ranges with one port taken out."""
    left: list[Range] = []
    for first, last in ranges:
        if not first <= port <= last:
            left.append((first, last))
            continue
        if first < port:
            left.append((first, port - 1))
        if port < last:
            left.append((port + 1, last))
    return left


def pick_ports(demand: PortDemand, ranges: Sequence[Range], rng: random.Random) -> list[int] | None:
    """Return a port for each one demanded, all different; None when the ranges do not hold them."""
    left = list(ranges)
    for port in demand.ports:
        if port:
            if not contains(left, port):
                return None
            left = without(left, port)
    chosen: list[int] = []
    for port in demand.ports:
        if not port:
            if not left:
                return None
            first, last = max(left, key=lambda one: (one[1] - one[0], -one[0]))
            port = rng.randint(first, last)
            left = without(left, port)
        chosen.append(port)
    return chosen
