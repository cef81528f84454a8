"""On which terms a framework takes part, and what an agent is besides its resources."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from comity.policy.allocator.constraints import RoleConstraints
from comity.resources import text

Minimum = tuple[tuple[tuple[str, int], ...], ...]
"""Quantities of which an offer must have one; empty asks for nothing."""

DEFAULT_MINIMUM: Minimum = ((("cpus", 10),), (("mem", 32_000),))
"""Less than 0.01 cpus and less than 32 MB of memory together are not worth an offer."""


class Traits(NamedTuple):
    """What of an agent decides who may have it, besides its resources."""

    hostname: str = ""
    attributes: tuple[tuple[str, str | None], ...] = ()
    """Names and texts, in order; None stands for a value that is no text."""
    region: str | None = None
    zone: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What a framework can and wants."""

    capabilities: frozenset[str] = frozenset()
    minimums: Mapping[str, Minimum] = field(default_factory=dict)
    """By role; the cluster's default for the others."""
    constraints: Mapping[str, RoleConstraints] = field(default_factory=dict)
    """By role; the others have none."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole cluster."""

    minimum: Minimum = DEFAULT_MINIMUM
    gpus_filtered: bool = True
    """Whether agents with GPUs are kept for frameworks that are GPU_RESOURCES capable."""
    region: str | None = None
    """The master's region; agents of others are for frameworks that are REGION_AWARE."""
    unfair_names: frozenset[str] = frozenset()
    """Scalars that no share is counted in."""
    roles_drawn: bool = False
    """Whether roles come by chance, weighted, instead of in the order of their shares."""
    frameworks_drawn: bool = False
    """Whether the frameworks of a role do."""


def minimum_of(written: str) -> Minimum:
    """Return the minimum that `cpus:0.01|mem:32` describes; empty text asks for nothing.

    Raises:
        ValueError: it describes none.
    """
    if not written.strip():
        return ()
    found = []
    for part in written.split("|"):
        quantities = text.parse(part)
        if not quantities or any(not isinstance(amount, int) for _, amount in quantities):
            raise ValueError(f"not a list of scalars: {part!r}; write for example cpus:0.01|mem:32")
        found.append(tuple((kind.name, quantities.milli_of(kind.name)) for kind, _ in quantities))
    return tuple(found)


def is_enough(quantities: tuple[tuple[str, int], ...], minimum: Minimum) -> bool:
    """Whether an offer of these scalars is worth making."""
    if not minimum:
        return True
    have = dict(quantities)
    for one in minimum:
        for name, amount in one:
            if have.get(name, 0) < amount:
                break
        else:
            return True
    return False
