"""What Marathon asks of its shell beyond writes, replies, sends and timers.

The calls to the master are in the scheduler API's words. One made while unsubscribed is lost: after
each subscription the states of all tasks are reconciled, and what is missing is asked for again.
"""

from msgspec import Struct

from comity.core.ids import AgentId, TaskId
from comity.wire.mesos import v1


class Accept(Struct, frozen=True, gc=False):
    """Launch tasks and groups on an offer; the rest of it stays away for `refuse_s`."""

    offer_id: str
    tasks: tuple[v1.TaskInfo, ...]
    refuse_s: float
    groups: tuple[v1.LaunchGroup, ...] = ()


class Decline(Struct, frozen=True, gc=False):
    """Give offers back, not to see them again for `refuse_s` unless we ask."""

    offer_ids: tuple[str, ...]
    refuse_s: float


class Kill(Struct, frozen=True, gc=False):
    """End a task."""

    task_id: TaskId
    agent_id: AgentId | None


class Acknowledge(Struct, frozen=True, gc=False):
    """Tell the agent that a status is stored."""

    agent_id: AgentId
    task_id: TaskId
    uuid: bytes


class Reconcile(Struct, frozen=True, gc=False):
    """Ask for the states of tasks; of all that the master knows when none is named."""

    tasks: tuple[tuple[TaskId, AgentId], ...]


class Revive(Struct, frozen=True, gc=False):
    """Ask for offers, also those that were declined."""


class Suppress(Struct, frozen=True, gc=False):
    """Ask for no offers."""


class Probe(Struct, frozen=True, kw_only=True, gc=False):
    """Probe a task; ends in a `ProbeFinished`."""

    task_id: TaskId
    check: int
    protocol: str
    """HTTP, HTTPS or TCP."""
    host: str
    port: int
    path: str
    timeout_s: float


class Resubscribe(Struct, frozen=True, gc=False):
    """Leave the master and come back; `anew` without the framework id."""

    anew: bool = False
