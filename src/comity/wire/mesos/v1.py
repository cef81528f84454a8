"""Mesos v1 messages about frameworks, agents, resources, offers and tasks.

Specification: include/mesos/v1/mesos.proto (1.11). What containers are is in
`containers`, checks in `checks`, states in `states`; all are re-exported here: readers write
`v1.TaskInfo`, `v1.ContainerInfo`.
"""

import enum
from typing import Annotated

from msgspec import field

from comity.wire.mesos.base import (
    ContainerID,
    DurationInfo,
    Environment,
    Id,
    Label,
    Labels,
    Parameter,
    Range,
    Ranges,
    Scalar,
    SetOfItems,
    Text,
    TimeInfo,
    Variable,
    Wire,
    emitted,
)
from comity.wire.mesos.checks import CheckInfo, CheckStatusInfo, HealthCheck
from comity.wire.mesos.containers import (
    URI,
    CommandInfo,
    ContainerInfo,
    ContainerStatus,
    NetworkInfo,
    Volume,
)
from comity.wire.mesos.states import Reason, Source, TaskState

__all__ = [
    "URI",
    "Address",
    "AgentInfo",
    "AllocationInfo",
    "Attribute",
    "CheckInfo",
    "CheckStatusInfo",
    "CommandInfo",
    "ContainerID",
    "ContainerInfo",
    "ContainerStatus",
    "Create",
    "Destroy",
    "DiscoveryInfo",
    "DiskInfo",
    "DomainInfo",
    "DurationInfo",
    "Empty",
    "Environment",
    "ExecutorInfo",
    "ExecutorType",
    "FaultDomain",
    "Filters",
    "FrameworkCapability",
    "FrameworkInfo",
    "HealthCheck",
    "Id",
    "KillPolicy",
    "Label",
    "Labels",
    "MasterInfo",
    "NetworkInfo",
    "Offer",
    "Operation",
    "Parameter",
    "Persistence",
    "Port",
    "Ports",
    "Range",
    "Ranges",
    "Reason",
    "Region",
    "ReservationInfo",
    "Reserve",
    "Resource",
    "Scalar",
    "SetOfItems",
    "Source",
    "Task",
    "TaskGroupInfo",
    "TaskInfo",
    "TaskState",
    "TaskStatus",
    "Text",
    "TimeInfo",
    "Unreserve",
    "Url",
    "Variable",
    "Volume",
    "Wire",
]


# Frameworks


class FrameworkCapability(Wire, frozen=True, kw_only=True):
    """`FrameworkInfo.Capability`: MULTI_ROLE, PARTITION_AWARE and others."""

    type: str | None = None


class FrameworkInfo(Wire, frozen=True, kw_only=True):
    """Who a framework is. `failover_timeout` is in seconds."""

    user: str
    name: str
    id: Id | None = None
    failover_timeout: float = emitted(0.0)
    checkpoint: bool = emitted(False)
    role: str | None = None
    roles: tuple[str, ...] = ()
    hostname: str | None = None
    principal: str | None = None
    webui_url: str | None = None
    capabilities: tuple[FrameworkCapability, ...] = ()
    labels: Labels | None = None


# Resources


class AllocationInfo(Wire, frozen=True, kw_only=True):
    """The role a resource is allocated to."""

    role: str | None = None


class ReservationInfo(Wire, frozen=True, kw_only=True):
    """`Resource.ReservationInfo`; `type` is STATIC or DYNAMIC."""

    type: str | None = None
    role: str | None = None
    principal: str | None = None
    labels: Labels | None = None


class Persistence(Wire, frozen=True, kw_only=True):
    """`Resource.DiskInfo.Persistence`."""

    id: str
    principal: str | None = None


class DiskInfo(Wire, frozen=True, kw_only=True):
    """What makes a disk resource a persistent volume."""

    persistence: Persistence | None = None
    volume: Volume | None = None


class Empty(Wire, frozen=True, kw_only=True):
    """A message whose presence is its meaning."""


class Resource(Wire, frozen=True, kw_only=True):
    """An amount of something, its reservations and its allocation."""

    name: str
    type: str
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: SetOfItems | None = None
    role: str | None = None
    reservation: ReservationInfo | None = None
    reservations: tuple[ReservationInfo, ...] = ()
    allocation_info: AllocationInfo | None = None
    disk: DiskInfo | None = None
    revocable: Empty | None = None
    shared: Empty | None = None
    provider_id: Id | None = None


class Attribute(Wire, frozen=True, kw_only=True):
    """A property of an agent that constraints are written against."""

    name: str
    type: str
    scalar: Scalar | None = None
    ranges: Ranges | None = None
    set: SetOfItems | None = None
    text: Text | None = None


# Machines


class Region(Wire, frozen=True, kw_only=True):
    """A region's or a zone's name."""

    name: str


class FaultDomain(Wire, frozen=True, kw_only=True):
    """Where an agent stands."""

    region: Region
    zone: Region


class DomainInfo(Wire, frozen=True, kw_only=True):
    """`DomainInfo`."""

    fault_domain: FaultDomain | None = None


class Address(Wire, frozen=True, kw_only=True):
    """A host name, an address and a port."""

    port: int
    hostname: str | None = None
    ip: str | None = None


class MasterInfo(Wire, frozen=True, kw_only=True):
    """A master. `ip` is the IPv4 address as a number in network byte order."""

    id: str
    ip: int
    port: int = emitted(5050)
    pid: str | None = None
    hostname: str | None = None
    version: str | None = None
    address: Address | None = None


class AgentInfo(Wire, frozen=True, kw_only=True):
    """An agent and the whole of its resources."""

    hostname: str
    port: int = emitted(5051)
    resources: tuple[Resource, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    id: Id | None = None
    domain: DomainInfo | None = None


class Url(Wire, frozen=True, kw_only=True):
    """`URL`: where an agent answers."""

    scheme: str
    address: Address
    path: str | None = None
    query: tuple[Parameter, ...] = ()
    fragment: str | None = None


class Offer(Wire, frozen=True, kw_only=True):
    """Resources of one agent, offered to one framework for one role."""

    id: Id
    framework_id: Id
    agent_id: Id
    hostname: str
    url: Url | None = None
    domain: DomainInfo | None = None
    resources: tuple[Resource, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    executor_ids: tuple[Id, ...] = ()
    allocation_info: AllocationInfo | None = None


class Filters(Wire, frozen=True, kw_only=True):
    """How long a refusal lasts."""

    refuse_seconds: float = emitted(5.0)


# Tasks


class KillPolicy(Wire, frozen=True, kw_only=True):
    """How long a task may take to end by itself."""

    grace_period: DurationInfo | None = None


class Port(Wire, frozen=True, kw_only=True):
    """A port that a task tells others about."""

    number: int
    name: str | None = None
    protocol: str | None = None
    visibility: str | None = None
    labels: Labels | None = None


class Ports(Wire, frozen=True, kw_only=True):
    """`Ports`."""

    ports: tuple[Port, ...] = ()


class DiscoveryInfo(Wire, frozen=True, kw_only=True):
    """What service discovery should know of a task."""

    visibility: str
    name: str | None = None
    environment: str | None = None
    location: str | None = None
    version: str | None = None
    ports: Ports | None = None
    labels: Labels | None = None


class ExecutorType(enum.Enum):
    """`ExecutorInfo.Type`."""

    DEFAULT = "DEFAULT"
    CUSTOM = "CUSTOM"


class ExecutorInfo(Wire, frozen=True, kw_only=True):
    """A program that runs a framework's tasks on an agent."""

    executor_id: Id
    type: ExecutorType | None = None
    framework_id: Id | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    resources: tuple[Resource, ...] = ()
    name: str | None = None
    source: str | None = None
    data: bytes | None = None
    discovery: DiscoveryInfo | None = None
    shutdown_grace_period: DurationInfo | None = None
    labels: Labels | None = None


class TaskInfo(Wire, frozen=True, kw_only=True):
    """A task to launch: with a `command`, or for an `executor`."""

    name: str
    task_id: Id
    agent_id: Id
    resources: tuple[Resource, ...] = ()
    limits: dict[str, Scalar] = field(default_factory=dict)
    executor: ExecutorInfo | None = None
    command: CommandInfo | None = None
    container: ContainerInfo | None = None
    health_check: HealthCheck | None = None
    check: CheckInfo | None = None
    kill_policy: KillPolicy | None = None
    data: bytes | None = None
    labels: Labels | None = None
    discovery: DiscoveryInfo | None = None
    max_completion_time: DurationInfo | None = None


class TaskGroupInfo(Wire, frozen=True, kw_only=True):
    """Tasks that are launched all or none."""

    tasks: tuple[TaskInfo, ...] = ()


class TaskStatus(Wire, frozen=True, kw_only=True):
    """What is known of a task. `uuid` present means that it must be acknowledged."""

    task_id: Id
    state: TaskState
    message: str | None = None
    source: Source | None = None
    reason: Reason | None = None
    data: bytes | None = None
    agent_id: Id | None = None
    executor_id: Id | None = None
    timestamp: float | None = None
    uuid: bytes | None = None
    healthy: bool | None = None
    check_status: CheckStatusInfo | None = None
    labels: Labels | None = None
    container_status: ContainerStatus | None = None
    unreachable_time: TimeInfo | None = None


class Task(Wire, frozen=True, kw_only=True):
    """A task as master and agent remember it, with one status per state it was in."""

    name: str
    task_id: Id
    framework_id: Id
    agent_id: Id
    state: TaskState
    executor_id: Id | None = None
    resources: tuple[Resource, ...] = ()
    limits: dict[str, Scalar] = field(default_factory=dict)
    statuses: tuple[TaskStatus, ...] = ()
    status_update_state: TaskState | None = None
    status_update_uuid: bytes | None = None
    labels: Labels | None = None
    discovery: DiscoveryInfo | None = None
    container: ContainerInfo | None = None
    health_check: HealthCheck | None = None
    kill_policy: KillPolicy | None = None
    max_completion_time: DurationInfo | None = None
    user: str | None = None


# Operations on offers


class Launch(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Launch`."""

    task_infos: tuple[TaskInfo, ...] = ()


class LaunchGroup(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.LaunchGroup`."""

    executor: ExecutorInfo
    task_group: TaskGroupInfo


class Reserve(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Reserve`; `source` is for operators only."""

    resources: Annotated[tuple[Resource, ...], 1] = ()
    source: Annotated[tuple[Resource, ...], 2] = ()


class Unreserve(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Unreserve`."""

    resources: Annotated[tuple[Resource, ...], 1] = ()


class Create(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Create`: persistent volumes to make."""

    volumes: Annotated[tuple[Resource, ...], 1] = ()


class Destroy(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Destroy`: persistent volumes to end, with what is in them."""

    volumes: Annotated[tuple[Resource, ...], 1] = ()


class Operation(Wire, frozen=True, kw_only=True):
    """`Offer.Operation`: what to do with the resources of an offer."""

    type: str | None = None
    id: Id | None = None
    launch: Launch | None = None
    launch_group: LaunchGroup | None = None
    reserve: Annotated[Reserve | None, 3] = None
    unreserve: Annotated[Unreserve | None, 4] = None
    create: Annotated[Create | None, 5] = None
    destroy: Annotated[Destroy | None, 6] = None
