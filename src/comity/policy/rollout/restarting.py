"""The rolling restart: replace old instances by new ones within the upgrade strategy's bounds.

Safety: our kills never take the healthy ones below `healthy_min`, and what runs never grows past
`capacity_max`. Liveness: every new instance that turns healthy lets one more old one go; where the
bounds leave no room to move, one instance of over-capacity is allowed; where only sick old ones
stand in the way, they go first.
"""

import math
from collections.abc import Sequence

from msgspec import Struct


class Bounds(Struct, frozen=True):
    """What a restart must keep to."""

    healthy_min: int
    capacity_max: int


class Member(Struct, frozen=True):
    """One active instance of the app, in the order in which equals should go."""

    task_id: str
    is_new: bool
    is_healthy: bool
    """Healthy where there are health checks, else running."""
    is_leaving: bool = False
    """Told to end, and still holding its resources."""


class Move(Struct, frozen=True):
    """What to do now: tasks to kill, new ones to start, and whether the restart is complete."""

    kill: tuple[str, ...]
    start: int
    done: bool


def bounds(instances: int, over: float, healthy: float) -> Bounds:
    """Return the bounds for an app's upgrade strategy.

    Where they would forbid any move, one more instance is allowed.
    """
    healthy_min = math.ceil(instances * healthy - 1e-9)
    capacity_max = math.floor(instances * (1 + over) + 1e-9)
    if healthy_min == capacity_max:
        capacity_max += 1
    return Bounds(healthy_min, max(1, capacity_max))


def next_move(instances: int, limits: Bounds, members: Sequence[Member]) -> Move:
    """Return the next move towards `instances` new, healthy instances and no old one."""
    new = [one for one in members if one.is_new and not one.is_leaving]
    old = [one for one in members if not one.is_new and not one.is_leaving]
    healthy = sum(1 for one in members if one.is_healthy and not one.is_leaving)
    surplus = _sick_first(new)[: max(0, len(new) - instances)]
    healthy -= sum(1 for one in surplus if one.is_healthy)
    well = sum(1 for one in new if one.is_healthy)
    replaced = len(old) - max(0, instances - well)
    kills = _kills(old, max(0, healthy - limits.healthy_min), replaced)
    staying = len(new) - len(surplus)
    room = limits.capacity_max - len(members)
    start = max(0, min(instances - staying, room))
    if not start and not kills and staying < instances and not _any_leaving(members):
        kills = [one for one in old if not one.is_healthy][: max(1, 1 - room)]
    done = (
        len(members) == instances
        and not old
        and all(one.is_healthy and not one.is_leaving for one in members)
    )
    return Move(tuple(one.task_id for one in [*surplus, *kills]), start, done)


def _kills(old: Sequence[Member], allowed: int, replaced: int) -> list[Member]:
    """Return the old members to end: `allowed` in all, sick ones first.

    Of sick ones, which nobody misses, as many may go as healthy new ones have `replaced`.
    """
    ordered = _sick_first(old)
    sick = sum(1 for one in ordered if not one.is_healthy)
    return ordered[: max(allowed, min(sick, replaced), 0)]


def _sick_first(members: Sequence[Member]) -> list[Member]:
    return sorted(members, key=lambda one: one.is_healthy)


def _any_leaving(members: Sequence[Member]) -> bool:
    return any(one.is_leaving for one in members)
