"""Tasks and executors as the master knows them, and the dictionaries that hold them.

A `Holding` counts what is in it, so that no reader has to walk over all tasks of a cluster.
"""

from typing import Any, TypeVar

from comity.core.ids import AgentId, TaskId
from comity.resources.amounts import NOTHING, Resources
from comity.resources.tallies import Tally
from comity.wire.mesos import v1

KeyT = TypeVar("KeyT")
HeldT = TypeVar("HeldT", bound="Task | Executor")


class Task:
    """A task as the master knows it."""

    __slots__ = (
        "_holders",
        "_state",
        "agent_id",
        "first_at",
        "forwarded",
        "info",
        "pending_terminal_uuid",
        "resources",
        "role",
        "shown",
        "statuses",
        "task_id",
        "written",
    )

    def __init__(
        self,
        *,
        info: v1.Task,
        state: v1.TaskState,
        forwarded: v1.TaskState,
        resources: Resources,
        role: str,
        statuses: dict[v1.TaskState, v1.TaskStatus] | None = None,
    ) -> None:
        self.info = info
        """Everything but state and statuses, which are here."""
        self.task_id = TaskId(info.task_id.value)
        self.agent_id = AgentId(info.agent_id.value)
        """Where it runs."""
        self.forwarded = forwarded
        """The state last sent to the scheduler, which reconciliation answers with."""
        self.resources = resources
        self.role = role
        self.statuses = statuses if statuses is not None else {}
        """One per state, the latest last. Changed by `remember` only."""
        self.first_at = _first_at(self.statuses)
        """When it was first heard of, which /tasks is ordered by; -inf when it was not."""
        self.pending_terminal_uuid: bytes | None = None
        """The uuid whose acknowledgement lets the task be forgotten."""
        self.shown: bytes | None = None
        """As legacy documents show it; None when it has to be encoded anew."""
        self.written: bytes | None = None
        """The same as a v1 message."""
        self._state = state
        self._holders: tuple[Holding[Any, Any], ...] = ()

    @property
    def state(self) -> v1.TaskState:
        """Return the latest state, which decides about resources."""
        return self._state

    def become(self, state: v1.TaskState) -> None:
        """Change the state, and what those that hold the task count."""
        for holding in self._holders:
            holding.left(self)
        self._state = state
        self.shown = self.written = None
        for holding in self._holders:
            holding.entered(self)

    def remember(self, status: v1.TaskStatus) -> None:
        """Keep one status per state, as Mesos does."""
        self.statuses.pop(status.state, None)
        self.statuses[status.state] = status
        self.first_at = _first_at(self.statuses)
        self.shown = self.written = None
        for holding in self._holders:
            holding.version += 1

    @property
    def is_live(self) -> bool:
        """Whether it holds resources."""
        return not self._state.is_terminal

    def held_by(self, holding: "Holding[Any, Any]") -> None:
        """Know who counts it."""
        self._holders = (*self._holders, holding)

    def released_by(self, holding: "Holding[Any, Any]") -> None:
        """Know who counts it no more."""
        self._holders = tuple(one for one in self._holders if one is not holding)


def _first_at(statuses: dict[v1.TaskState, v1.TaskStatus]) -> float:
    for status in statuses.values():
        return status.timestamp or 0.0
    return float("-inf")


class Executor:
    """A custom executor on an agent. Command tasks have none here, as Mesos shows it."""

    __slots__ = ("info", "resources", "role", "shown")

    is_live = True
    agent_id: AgentId | None = None
    """Executors are not counted by agent."""

    def __init__(self, info: v1.ExecutorInfo, resources: Resources, role: str) -> None:
        self.info = info
        self.resources = resources
        self.role = role
        self.shown: bytes | None = None
        """As legacy documents show it."""

    @property
    def state(self) -> None:
        """Executors are not counted by state."""

    def held_by(self, holding: "Holding[Any, Any]") -> None:
        """Executors do not change what they hold."""

    def released_by(self, holding: "Holding[Any, Any]") -> None:
        """Executors do not change what they hold."""


class Holding(dict[KeyT, HeldT]):
    """Tasks or executors by key, with what the live ones hold by role, and how many are in a state.

    Reads of a master with many tasks must not walk over all of them. Items come and go one by one:
    by `holding[key] = …`, `del`, `pop` and `clear`.
    """

    def __init__(self, *, tallied: bool = True) -> None:
        super().__init__()
        self.tallies: dict[str, Tally] = {}
        self._is_tallied = tallied
        self.counts: dict[Any, int] = {}
        self.version = 0
        """Grows with every change."""
        self.lists: dict[str, tuple[int, list[bytes]]] = {}
        """All items as documents show them, by the kind of document: of which version, and they."""
        self.places: dict[AgentId, int] = {}
        """How many tasks there are on each agent, where it is tallied."""

    def __setitem__(self, key: KeyT, item: HeldT) -> None:
        if key in self:
            del self[key]
        super().__setitem__(key, item)
        item.held_by(self)
        self.entered(item)

    def __delitem__(self, key: KeyT) -> None:
        self.pop(key)

    def pop(self, key: KeyT, *default: Any) -> Any:
        """Take one out."""
        if key not in self:
            return super().pop(key, *default)
        item = super().pop(key)
        item.released_by(self)
        self.left(item)
        return item

    def clear(self) -> None:
        """Take all out."""
        for key in list(self):
            del self[key]

    def entered(self, item: HeldT) -> None:
        """Count an item in."""
        self.version += 1
        state = item.state
        self.counts[state] = self.counts.get(state, 0) + 1
        if not self._is_tallied:
            return
        place = item.agent_id
        if place is not None:
            self.places[place] = self.places.get(place, 0) + 1
        if item.is_live:
            tally = self.tallies.get(item.role)
            if tally is None:
                tally = self.tallies[item.role] = Tally()
            tally.add(item.resources)

    def left(self, item: HeldT) -> None:
        """Count an item out."""
        self.version += 1
        self.counts[item.state] -= 1
        if not self._is_tallied:
            return
        place = item.agent_id
        if place is not None:
            self.places[place] -= 1
            if not self.places[place]:
                del self.places[place]
        if item.is_live:
            self.tallies[item.role].remove(item.resources)

    @property
    def used(self) -> Resources:
        """Return what the live ones hold."""
        total = NOTHING
        for tally in self.tallies.values():
            total = total + tally.total
        return total
