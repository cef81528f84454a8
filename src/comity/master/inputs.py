"""Everything that can happen to a master."""

from msgspec import Struct

from comity.core.ids import AgentId, FrameworkId
from comity.wire.mesos import link, scheduler, v1
from comity.wire.mesos.codec import Format
from comity.wire.mesos.maintenance import DrainConfig, Schedule
from comity.wire.mesos.quota import QuotaConfig, QuotaRequest, WeightInfo


class SchedulerSubscribed(Struct, frozen=True, tag=True):
    """A scheduler asks for its stream. `stream` is the new stream's id, made by the shell."""

    to: int
    call: scheduler.Subscribe
    stream: str
    principal: str | None = None
    format: Format = Format.JSON


class SchedulerCalled(Struct, frozen=True, tag=True):
    """A scheduler made a call; `stream` is the stream id it showed, empty when none."""

    to: int
    call: scheduler.Call
    stream: str
    principal: str | None = None


class AgentSubscribed(Struct, frozen=True, tag=True):
    """An agent opens its link. `link` is the new link's id; `ip` is where it answers."""

    to: int
    call: link.Subscribe
    link: str
    ip: str


class AgentCalled(Struct, frozen=True, tag=True):
    """An agent sent a batch of calls on its link."""

    to: int
    calls: list[link.Call]
    link: str


class StreamClosed(Struct, frozen=True, tag=True):
    """The peer of a scheduler stream or an agent link is gone."""

    stream: str


class TeardownRequested(Struct, frozen=True, tag=True):
    """An operator ends a framework."""

    to: int
    framework_id: FrameworkId


class AgentMarkedGone(Struct, frozen=True, tag=True):
    """An operator declares that an agent will never come back."""

    to: int
    agent_id: AgentId


class AgentDrained(Struct, frozen=True, tag=True):
    """An operator wants nothing to run on an agent any more."""

    to: int
    agent_id: AgentId
    config: DrainConfig


class AgentDeactivated(Struct, frozen=True, tag=True):
    """An operator wants an agent to be offered no more."""

    to: int
    agent_id: AgentId


class AgentReactivated(Struct, frozen=True, tag=True):
    """An operator wants an agent to be offered again."""

    to: int
    agent_id: AgentId


class QuotaUpdated(Struct, frozen=True, tag=True):
    """An operator sets guarantees and limits of roles; `force` passes over sanity checks."""

    to: int
    configs: tuple[QuotaConfig, ...]
    force: bool = False


class QuotaSet(Struct, frozen=True, tag=True):
    """An operator guarantees a role something, by the deprecated call."""

    to: int
    request: QuotaRequest


class QuotaRemoved(Struct, frozen=True, tag=True):
    """An operator takes a role's quota away, by the deprecated call."""

    to: int
    role: str


class WeightsUpdated(Struct, frozen=True, tag=True):
    """An operator changes weights of roles."""

    to: int
    infos: tuple[WeightInfo, ...]


class OperationRequested(Struct, frozen=True, tag=True):
    """An operator changes reservations or volumes of an agent."""

    to: int
    agent_id: AgentId
    operation: v1.Operation
    principal: str | None = None


class MaintenanceScheduled(Struct, frozen=True, tag=True):
    """An operator plans when which machines will be away."""

    to: int
    schedule: Schedule


class MaintenanceStarted(Struct, frozen=True, tag=True):
    """An operator takes machines down."""

    to: int
    machines: tuple[v1.MachineID, ...]


class MaintenanceStopped(Struct, frozen=True, tag=True):
    """An operator brings machines up again."""

    to: int
    machines: tuple[v1.MachineID, ...]


class OperatorSubscribed(Struct, frozen=True, tag=True):
    """An operator asks for the stream of events. `stream` is the new stream's id."""

    to: int
    stream: str
    format: Format = Format.JSON
    principal: str | None = None


class DrainCheckDue(Struct, frozen=True, tag=True):
    """Time to see whether draining agents are empty."""


class AllocationDue(Struct, frozen=True, tag=True):
    """Time for a cycle over all agents."""


class DirtyAllocationDue(Struct, frozen=True, tag=True):
    """Time for a cycle over the agents that changed; many changes lead to one."""


class OffersDue(Struct, frozen=True, tag=True):
    """Offers with numbers from `first` up to, not including, `end` are older than offers may be."""

    first: int
    end: int


class HeartbeatDue(Struct, frozen=True, tag=True):
    """Time for the heartbeat of a scheduler stream; stale when the stream is another by now."""

    framework_id: FrameworkId
    stream: str


class SubscriberHeartbeatDue(Struct, frozen=True, tag=True):
    """Time for the heartbeat of an operator's stream; stale when that is closed."""

    stream: str


class PingDue(Struct, frozen=True, tag=True):
    """Time to ping an agent; stale when its link is another by now."""

    agent_id: AgentId
    link: str


class AgentReturnDue(Struct, frozen=True, tag=True):
    """A disconnected agent should have been back by now."""

    agent_id: AgentId


class RemovalDue(Struct, frozen=True, tag=True):
    """The next silent agent may be given up; stale when all of them were heard of again."""


class RegistryGcDue(Struct, frozen=True, tag=True):
    """Time to look for agents that the registry need not remember."""


class FrameworkReturnDue(Struct, frozen=True, tag=True):
    """A disconnected framework's failover timeout is over."""

    framework_id: FrameworkId


Input = (
    SchedulerSubscribed
    | SchedulerCalled
    | AgentSubscribed
    | AgentCalled
    | StreamClosed
    | TeardownRequested
    | AgentMarkedGone
    | AgentDrained
    | AgentDeactivated
    | AgentReactivated
    | QuotaUpdated
    | QuotaSet
    | QuotaRemoved
    | WeightsUpdated
    | OperationRequested
    | MaintenanceScheduled
    | MaintenanceStarted
    | MaintenanceStopped
    | OperatorSubscribed
    | DrainCheckDue
    | AllocationDue
    | DirtyAllocationDue
    | OffersDue
    | HeartbeatDue
    | SubscriberHeartbeatDue
    | PingDue
    | AgentReturnDue
    | RemovalDue
    | RegistryGcDue
    | FrameworkReturnDue
)
