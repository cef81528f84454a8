"""Numbers of operations: how many there are, and what became of those that ended.

Upstream: `Metrics::OperationStates` of src/master/metrics.cpp, in all and by type. What is still to
come is a gauge here, what has ended a counter, as docs/monitoring.md describes them.
"""

from comity.master.state import Operation, State
from comity.wire.mesos.operations import OperationState

TYPES = (
    "reserve",
    "unreserve",
    "create",
    "destroy",
    "grow_volume",
    "shrink_volume",
    "create_disk",
    "destroy_disk",
)
"""Types that have numbers of their own; launches are tasks, and counted as such."""

OPEN = ("pending", "recovering", "unreachable")
ENDED = ("finished", "failed", "error", "dropped", "gone_by_operator")

_PREFIXES = ("master/operations/", *(f"master/operations/{one}/" for one in TYPES))


def zeros() -> dict[str, float]:
    """Return every counter, before anything has ended."""
    return {f"{prefix}{name}": 0.0 for prefix in _PREFIXES for name in ENDED}


def count(state: State, kind: str | None, found: OperationState) -> None:
    """Count the end of an operation of some type."""
    name = _name(found)
    if name not in ENDED:
        return
    state.count(f"master/operations/{name}")
    if (named := (kind or "").lower()) in TYPES:
        state.count(f"master/operations/{named}/{name}")


def gauges(state: State) -> dict[str, float]:
    """Return how many operations the master knows, by type and by what is still to come."""
    shown = {f"{prefix}{name}": 0.0 for prefix in _PREFIXES for name in ("total", *OPEN)}
    for agent in state.agents.values():
        for operation in agent.operations.values():
            _add(operation, shown)
    return shown


def _add(operation: Operation, shown: dict[str, float]) -> None:
    name = _name(operation.status.state)
    kind = (operation.info.type or "").lower()
    for prefix in ("master/operations/", f"master/operations/{kind}/"):
        for each in ("total", name):
            if f"{prefix}{each}" in shown:
                shown[f"{prefix}{each}"] += 1


def _name(found: OperationState) -> str:
    return found.value.removeprefix("OPERATION_").lower()
