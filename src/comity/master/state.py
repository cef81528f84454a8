"""What a master knows. Owned by the machine; others look through `views`.

Durable is only the registry, as in Mesos: which agents were admitted, and which are unreachable or
gone. Tasks and frameworks are rebuilt from agents when they register again.

Accounting: an agent's resources are free, offered or used. `used` is the sum of its tasks that are
not terminal and of its executors; offered is the sum of its offers; the allocator holds the rest.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from msgspec import Struct

from comity.core.ids import AgentId, ExecutorId, FrameworkId, OfferId, TaskId, uuid_from
from comity.core.instants import Instant
from comity.core.splicing import Skeleton
from comity.master.config import MasterConfig
from comity.master.holdings import Executor as Executor  # also known by this module
from comity.master.holdings import Holding
from comity.master.holdings import Task as Task
from comity.master.maintenance import Maintenance
from comity.policy.allocator import Allocator
from comity.policy.authorization.acls import PERMISSIVE, Acls
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import operations, v1
from comity.wire.mesos.codec import Format
from comity.wire.mesos.constraints import OfferConstraints
from comity.wire.mesos.maintenance import DrainInfo
from comity.wire.mesos.quota import QuotaConfig


@dataclass(slots=True)
class Operation:
    """An operation on an agent's resources, until its last status is acknowledged."""

    uuid: bytes
    info: v1.Operation
    agent_id: AgentId
    framework_id: FrameworkId | None
    """None when an operator asked for it."""
    status: operations.OperationStatus
    """The last one that is known here."""


class Offer(Struct, gc=False):
    """An outstanding offer."""

    id: OfferId
    framework_id: FrameworkId
    agent_id: AgentId
    role: str
    resources: Resources
    shown: bytes | None = None
    """As legacy documents show it."""
    written: bytes | None = None
    """As v1 reads show it."""


DROPPED_MAX = 50


@dataclass(frozen=True, slots=True)
class Dropped:
    """A call of a framework that was not done, or not all of it."""

    at: Instant
    call: str
    """Its type, such as ACCEPT."""
    reason: str


@dataclass(slots=True)
class Framework:
    """A framework and its tasks."""

    id: FrameworkId
    info: v1.FrameworkInfo
    roles: tuple[str, ...]
    capabilities: frozenset[str]
    registered_at: Instant
    stream: str | None = None
    """The id of its event stream; None while it is away."""
    format: Format = Format.JSON
    """What its stream is written in."""
    recovered: bool = False
    """Known from agents only, since this master started."""
    reregistered_at: Instant | None = None
    unregistered_at: Instant | None = None
    suppressed: set[str] = field(default_factory=set)
    tasks: Holding[TaskId, Task] = field(default_factory=Holding)
    unreachable_tasks: Holding[TaskId, Task] = field(default_factory=Holding)
    offer_constraints: OfferConstraints | None = None
    completed_tasks: deque[Task] = field(default_factory=deque)
    executors: Holding[tuple[AgentId, ExecutorId], Executor] = field(default_factory=Holding)
    offers: dict[OfferId, Offer] = field(default_factory=dict)
    operations: dict[bytes, Operation] = field(default_factory=dict)
    pending_kills: dict[TaskId, v1.KillPolicy | None] = field(default_factory=dict)
    """Kills of tasks that have not ended: their agents hear them again when they come back."""
    dropped: deque[Dropped] = field(default_factory=lambda: deque(maxlen=DROPPED_MAX))
    """The last calls that were not done as asked."""
    counters: dict[str, int] = field(default_factory=dict)
    """Counts by the last part of a metric's name, such as `calls/accept`."""
    shown: dict[Any, tuple[Any, Skeleton]] = field(default_factory=dict)
    """As documents show it, by who builds that: what it depended on, and the encoded form."""

    @property
    def is_partition_aware(self) -> bool:
        """Whether it tells UNREACHABLE, GONE and the like apart from LOST."""
        return "PARTITION_AWARE" in self.capabilities

    @property
    def used(self) -> Resources:
        """Return what its live tasks and its executors hold."""
        return self.tasks.used + self.executors.used

    def count(self, metric: str, by: int = 1) -> None:
        """Add to one of its counters."""
        self.counters[metric] = self.counters.get(metric, 0) + by


@dataclass(slots=True)
class OfferFragments:
    """What offers of an agent's free resources are made of, encoded; see handlers/offering.py."""

    info: v1.AgentInfo
    resources: Resources
    variant: str
    """Format, whether roles and refined reservations are shown, in protobuf the role."""
    parts: list[bytes]


_SHOWN = frozenset(
    {"info", "ip", "total", "used", "link", "registered_at", "reregistered_at", "drain_started_at"}
)
"""Fields of an agent that its documents show."""


@dataclass(slots=True)
class Agent:
    """A registered agent."""

    id: AgentId
    info: v1.AgentInfo
    ip: str
    total: Resources
    registered_at: Instant
    link: str | None
    """The id of its link; None while it is disconnected."""
    pings_missed: int = 0
    """Pings since it was last heard of."""
    reregistered_at: Instant | None = None
    drain_started_at: Instant | None = None
    used: Resources = NOTHING
    offers: dict[OfferId, Offer] = field(default_factory=dict)
    tasks: Holding[tuple[FrameworkId, TaskId], Task] = field(
        default_factory=lambda: Holding(tallied=False)
    )
    executors: dict[tuple[FrameworkId, ExecutorId], Executor] = field(default_factory=dict)
    operations: dict[bytes, Operation] = field(default_factory=dict)
    fragments: OfferFragments | None = None
    shown: dict[Any, tuple[Any, bytes]] | None = None
    """As documents show it, by who builds that; forgotten when what they show changes."""

    def __setattr__(self, name: str, value: object) -> None:
        """Set a field, and forget how documents showed the agent."""
        object.__setattr__(self, name, value)
        if name in _SHOWN:
            object.__setattr__(self, "shown", None)

    @property
    def pid(self) -> str:
        """Return its libprocess-style name, from which UIs build URLs."""
        return f"slave(1)@{self.ip}:{self.info.port}"

    @property
    def offered(self) -> Resources:
        """Return the sum of its outstanding offers."""
        total = NOTHING
        for offer in self.offers.values():
            total = total + offer.resources
        return total


class Subscriber(NamedTuple):
    """An operator that watches."""

    format: Format
    principal: str | None


@dataclass(slots=True)
class State:
    """The whole of a master."""

    id: str
    config: MasterConfig
    info: v1.MasterInfo
    started_at: Instant
    allocator: Allocator
    chance: random.Random
    agents: dict[AgentId, Agent] = field(default_factory=dict)
    links: dict[str, AgentId] = field(default_factory=dict)
    recovered_agents: dict[AgentId, v1.AgentInfo] = field(default_factory=dict)
    """Admitted before this master started, not back yet."""
    removals: dict[AgentId, None] = field(default_factory=dict)
    """Agents that wait to be given up, in order, because removals are limited."""
    next_removal_at: float = 0.0
    unreachable_agents: dict[AgentId, Instant] = field(default_factory=dict)
    gone_agents: dict[AgentId, Instant] = field(default_factory=dict)
    quotas: dict[str, QuotaConfig] = field(default_factory=dict)
    weights: dict[str, float] = field(default_factory=dict)
    """Those that were set; all others are 1."""
    paused_until: Instant | None = None
    """No offers before then: quotas are to be kept, and most agents are not back yet."""
    paused_agents: int = 0
    """How many agents end the pause."""
    deactivated: set[AgentId] = field(default_factory=set)
    """Not offered, by an operator's word; registered or not."""
    draining: dict[AgentId, DrainInfo] = field(default_factory=dict)
    """Deactivated to be emptied, or empty by now."""
    frameworks: dict[FrameworkId, Framework] = field(default_factory=dict)
    streams: dict[str, FrameworkId] = field(default_factory=dict)
    subscribers: dict[str, Subscriber] = field(default_factory=dict)
    """Streams of operators that watch, the oldest first."""
    completed_frameworks: dict[FrameworkId, Framework] = field(default_factory=dict)
    unclaimed_operations: dict[FrameworkId, dict[bytes, Operation]] = field(default_factory=dict)
    """Those that agents brought along of frameworks that are not back yet."""
    offers: dict[OfferId, Offer] = field(default_factory=dict)
    maintenance: Maintenance = field(default_factory=Maintenance)
    next_framework: int = 0
    next_agent: int = 0
    next_offer: int = 0
    dirty_cycle_set: bool = False
    next_cycle_at: float = 0.0
    """When the next allocation cycle over all agents is due."""
    acls: Acls = PERMISSIVE
    """Who may do what."""
    version: int = 0
    """Grows with every input that may change what readers see."""
    counters: dict[str, int] = field(default_factory=dict)
    """Counts by metric name, such as `master/messages_kill_task`."""

    def new_uuid(self) -> bytes:
        """Return 16 random bytes in the form of a version 4 UUID."""
        return uuid_from(self.chance)

    def count(self, metric: str, by: int = 1) -> None:
        """Add to a counter."""
        self.counters[metric] = self.counters.get(metric, 0) + by


def new_state(config: MasterConfig, info: v1.MasterInfo, now: Instant, seed: int) -> State:
    """Return the state of a master that starts for the first time."""
    chance = random.Random(seed)  # noqa: S311 - shuffles agents, guards nothing
    return State(info.id, config, info, now, Allocator(chance, config.allocation), chance)
