"""Which instances go when an app shrinks.

Order: the ones already sentenced, what keeps GROUP_BY's spread, then by phase (unreachable,
staging, starting, running), and within a phase by the app's kill selection.
"""

import enum
from collections.abc import Mapping, Sequence

from msgspec import Struct

from comity.policy.placement.constraints import Constraint, victims


class KillSelection(enum.Enum):
    """Whether the youngest or the oldest of equals go first."""

    YOUNGEST_FIRST = "YOUNGEST_FIRST"
    OLDEST_FIRST = "OLDEST_FIRST"


class Phase(enum.IntEnum):
    """Where an instance is in its life; a lower one goes first."""

    UNREACHABLE = 1
    STAGING = 2
    STARTING = 3
    RUNNING = 4


class Candidate(Struct, frozen=True):
    """An active instance that may go."""

    task_id: str
    phase: Phase
    since: float
    """When it was staged, or when it started to run."""
    node: Mapping[str, str]


def scale_down(
    candidates: Sequence[Candidate],
    count: int,
    selection: KillSelection,
    *,
    sentenced: Sequence[str] = (),
    constraints: Sequence[Constraint] = (),
) -> list[str]:
    """Return `count` tasks to end, or all that are sentenced where these are more."""
    ordered = kill_order(candidates, selection)
    known = {one.task_id for one in ordered}
    first = [task_id for task_id in dict.fromkeys(sentenced) if task_id in known]
    wanted = max(count, len(first))
    left = {one.task_id: one.node for one in ordered if one.task_id not in set(first)}
    first += victims(constraints, left, wanted - len(first))
    taken = set(first)
    rest = [one.task_id for one in ordered if one.task_id not in taken]
    return [*first, *rest][:wanted]


def kill_order(candidates: Sequence[Candidate], selection: KillSelection) -> list[Candidate]:
    """Return candidates in the order in which they would go."""
    sign = -1.0 if selection is KillSelection.YOUNGEST_FIRST else 1.0
    return sorted(candidates, key=lambda one: (one.phase, sign * one.since, one.task_id))
