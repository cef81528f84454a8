"""Mesos v1 messages about frameworks, agents, resources, offers and tasks.

Specification: include/mesos/v1/mesos.proto (1.11). Containers are in `containers`, machines in
`machines`, checks in `checks`, states in `states`; all are re-exported here: readers write
`v1.TaskInfo`, `v1.ContainerInfo`.
"""

import enum
from typing import Annotated

from msgspec import field

from comity.wire.mesos import numbers
from comity.wire.mesos.amounts import (
    AllocationInfo,
    Attribute,
    DiskInfo,
    DiskSource,
    DiskSourceMount,
    DiskSourcePath,
    Empty,
    Persistence,
    ReservationInfo,
    Resource,
)
from comity.wire.mesos.base import (
    UNLIMITED,
    ContainerID,
    DurationInfo,
    Environment,
    Id,
    Label,
    Labels,
    MachineID,
    Parameter,
    Range,
    Ranges,
    Scalar,
    SetOfItems,
    Text,
    TimeInfo,
    Unavailability,
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
from comity.wire.mesos.machines import (
    Address,
    AgentCapability,
    AgentInfo,
    DomainInfo,
    FaultDomain,
    MasterCapability,
    MasterInfo,
    Region,
    Url,
)
from comity.wire.mesos.states import Reason, Source, TaskState

__all__ = [
    "UNLIMITED",
    "Address",
    "AgentCapability",
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
    "CreateDisk",
    "Destroy",
    "DestroyDisk",
    "DiscoveryInfo",
    "DiskInfo",
    "DiskSource",
    "DiskSourceMount",
    "DiskSourcePath",
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
    "GrowVolume",
    "HealthCheck",
    "Id",
    "InverseOffer",
    "KillPolicy",
    "Label",
    "Labels",
    "MachineID",
    "MasterCapability",
    "MasterInfo",
    "MinAllocatableResources",
    "NetworkInfo",
    "Offer",
    "OfferFilters",
    "Operation",
    "Parameter",
    "Persistence",
    "Port",
    "Ports",
    "Range",
    "Ranges",
    "Reason",
    "Region",
    "Request",
    "ReservationInfo",
    "Reserve",
    "Resource",
    "ResourceQuantities",
    "Scalar",
    "SetOfItems",
    "ShrinkVolume",
    "Source",
    "Task",
    "TaskGroupInfo",
    "TaskInfo",
    "TaskResourceLimitation",
    "TaskState",
    "TaskStatus",
    "Text",
    "TimeInfo",
    "URI",
    "Unavailability",
    "Unreserve",
    "Url",
    "Variable",
    "Volume",
    "Wire",
]


# Frameworks


class ResourceQuantities(Wire, frozen=True, kw_only=True):
    """`OfferFilters.ResourceQuantities`."""

    quantities: Annotated[dict[str, Scalar], 1] = field(default_factory=dict)


class MinAllocatableResources(Wire, frozen=True, kw_only=True):
    """`OfferFilters.MinAllocatableResources`."""

    quantities: Annotated[tuple[ResourceQuantities, ...], 1] = ()


class OfferFilters(Wire, frozen=True, kw_only=True):
    """`OfferFilters`."""

    min_allocatable_resources: Annotated[MinAllocatableResources | None, 1] = None


class FrameworkCapability(Wire, frozen=True, kw_only=True):
    """`FrameworkInfo.Capability`: MULTI_ROLE, PARTITION_AWARE and others."""

    type: Annotated[str | None, 1, numbers.FRAMEWORK_INFO_CAPABILITY_TYPE] = None


class FrameworkInfo(Wire, frozen=True, kw_only=True):
    """Who a framework is. `failover_timeout` is in seconds."""

    user: Annotated[str, 1]
    name: Annotated[str, 2]
    id: Annotated[Id | None, 3] = None
    failover_timeout: Annotated[float, 4] = emitted(0.0)
    checkpoint: Annotated[bool, 5] = emitted(False)
    role: Annotated[str | None, 6] = None
    roles: Annotated[tuple[str, ...], 12] = ()
    hostname: Annotated[str | None, 7] = None
    principal: Annotated[str | None, 8] = None
    webui_url: Annotated[str | None, 9] = None
    capabilities: Annotated[tuple[FrameworkCapability, ...], 10] = ()
    labels: Annotated[Labels | None, 11] = None
    offer_filters: Annotated[dict[str, OfferFilters], 13] = field(default_factory=dict)


# Offers


class Offer(Wire, frozen=True, kw_only=True):
    """Resources of one agent, offered to one framework for one role."""

    id: Annotated[Id, 1]
    framework_id: Annotated[Id, 2]
    agent_id: Annotated[Id, 3]
    hostname: Annotated[str, 4]
    url: Annotated[Url | None, 8] = None
    domain: Annotated[DomainInfo | None, 11] = None
    resources: Annotated[tuple[Resource, ...], 5] = ()
    attributes: Annotated[tuple[Attribute, ...], 7] = ()
    executor_ids: Annotated[tuple[Id, ...], 6] = ()
    allocation_info: Annotated[AllocationInfo | None, 10] = None
    unavailability: Annotated[Unavailability | None, 9] = None


class InverseOffer(Wire, frozen=True, kw_only=True):
    """`InverseOffer`."""

    id: Annotated[Id, 1]
    url: Annotated[Url | None, 2] = None
    framework_id: Annotated[Id, 3]
    agent_id: Annotated[Id | None, 4] = None
    unavailability: Annotated[Unavailability, 5]
    resources: Annotated[tuple[Resource, ...], 6] = ()


class Request(Wire, frozen=True, kw_only=True):
    """`Request`."""

    agent_id: Annotated[Id | None, 1] = None
    resources: Annotated[tuple[Resource, ...], 2] = ()


class Filters(Wire, frozen=True, kw_only=True):
    """How long a refusal lasts."""

    refuse_seconds: Annotated[float, 1] = emitted(5.0)


# Tasks


class KillPolicy(Wire, frozen=True, kw_only=True):
    """How long a task may take to end by itself."""

    grace_period: Annotated[DurationInfo | None, 1] = None


class Port(Wire, frozen=True, kw_only=True):
    """A port that a task tells others about."""

    number: Annotated[int, 1]
    name: Annotated[str | None, 2] = None
    protocol: Annotated[str | None, 3] = None
    visibility: Annotated[str | None, 4, numbers.DISCOVERY_INFO_VISIBILITY] = None
    labels: Annotated[Labels | None, 5] = None


class Ports(Wire, frozen=True, kw_only=True):
    """`Ports`."""

    ports: Annotated[tuple[Port, ...], 1] = ()


class DiscoveryInfo(Wire, frozen=True, kw_only=True):
    """What service discovery should know of a task."""

    visibility: Annotated[str, 1, numbers.DISCOVERY_INFO_VISIBILITY]
    name: Annotated[str | None, 2] = None
    environment: Annotated[str | None, 3] = None
    location: Annotated[str | None, 4] = None
    version: Annotated[str | None, 5] = None
    ports: Annotated[Ports | None, 6] = None
    labels: Annotated[Labels | None, 7] = None


class ExecutorType(enum.Enum):
    """`ExecutorInfo.Type`."""

    DEFAULT = "DEFAULT"
    CUSTOM = "CUSTOM"


class ExecutorInfo(Wire, frozen=True, kw_only=True):
    """A program that runs a framework's tasks on an agent."""

    executor_id: Annotated[Id, 1]
    type: Annotated[ExecutorType | None, 15, numbers.EXECUTOR_INFO_TYPE] = None
    framework_id: Annotated[Id | None, 8] = None
    command: Annotated[CommandInfo | None, 7] = None
    container: Annotated[ContainerInfo | None, 11] = None
    resources: Annotated[tuple[Resource, ...], 5] = ()
    name: Annotated[str | None, 9] = None
    source: Annotated[str | None, 10] = None
    data: Annotated[bytes | None, 4] = None
    discovery: Annotated[DiscoveryInfo | None, 12] = None
    shutdown_grace_period: Annotated[DurationInfo | None, 13] = None
    labels: Annotated[Labels | None, 14] = None


class TaskInfo(Wire, frozen=True, kw_only=True):
    """A task to launch: with a `command`, or for an `executor`."""

    name: Annotated[str, 1]
    task_id: Annotated[Id, 2]
    agent_id: Annotated[Id, 3]
    resources: Annotated[tuple[Resource, ...], 4] = ()
    limits: Annotated[dict[str, Scalar], 15] = field(default_factory=dict)
    executor: Annotated[ExecutorInfo | None, 5] = None
    command: Annotated[CommandInfo | None, 7] = None
    container: Annotated[ContainerInfo | None, 9] = None
    health_check: Annotated[HealthCheck | None, 8] = None
    check: Annotated[CheckInfo | None, 13] = None
    kill_policy: Annotated[KillPolicy | None, 12] = None
    data: Annotated[bytes | None, 6] = None
    labels: Annotated[Labels | None, 10] = None
    discovery: Annotated[DiscoveryInfo | None, 11] = None
    max_completion_time: Annotated[DurationInfo | None, 14] = None


class TaskGroupInfo(Wire, frozen=True, kw_only=True):
    """Tasks that are launched all or none."""

    tasks: Annotated[tuple[TaskInfo, ...], 1] = ()


class TaskResourceLimitation(Wire, frozen=True, kw_only=True):
    """`TaskResourceLimitation`."""

    resources: Annotated[tuple[Resource, ...], 1] = ()


class TaskStatus(Wire, frozen=True, kw_only=True):
    """What is known of a task. `uuid` present means that it must be acknowledged."""

    task_id: Annotated[Id, 1]
    state: Annotated[TaskState, 2, numbers.TASK_STATE]
    message: Annotated[str | None, 4] = None
    source: Annotated[Source | None, 9, numbers.TASK_STATUS_SOURCE] = None
    reason: Annotated[Reason | None, 10, numbers.TASK_STATUS_REASON] = None
    data: Annotated[bytes | None, 3] = None
    agent_id: Annotated[Id | None, 5] = None
    executor_id: Annotated[Id | None, 7] = None
    timestamp: Annotated[float | None, 6] = None
    uuid: Annotated[bytes | None, 11] = None
    healthy: Annotated[bool | None, 8] = None
    check_status: Annotated[CheckStatusInfo | None, 15] = None
    labels: Annotated[Labels | None, 12] = None
    container_status: Annotated[ContainerStatus | None, 13] = None
    unreachable_time: Annotated[TimeInfo | None, 14] = None
    limitation: Annotated[TaskResourceLimitation | None, 16] = None


class Task(Wire, frozen=True, kw_only=True):
    """A task as master and agent remember it, with one status per state it was in."""

    name: Annotated[str, 1]
    task_id: Annotated[Id, 2]
    framework_id: Annotated[Id, 3]
    agent_id: Annotated[Id, 5]
    state: Annotated[TaskState, 6, numbers.TASK_STATE]
    executor_id: Annotated[Id | None, 4] = None
    resources: Annotated[tuple[Resource, ...], 7] = ()
    limits: Annotated[dict[str, Scalar], 17] = field(default_factory=dict)
    statuses: Annotated[tuple[TaskStatus, ...], 8] = ()
    status_update_state: Annotated[TaskState | None, 9, numbers.TASK_STATE] = None
    status_update_uuid: Annotated[bytes | None, 10] = None
    labels: Annotated[Labels | None, 11] = None
    discovery: Annotated[DiscoveryInfo | None, 12] = None
    container: Annotated[ContainerInfo | None, 13] = None
    health_check: Annotated[HealthCheck | None, 15] = None
    kill_policy: Annotated[KillPolicy | None, 16] = None
    max_completion_time: DurationInfo | None = None
    user: Annotated[str | None, 14] = None


# Operations on offers


class Launch(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.Launch`."""

    task_infos: Annotated[tuple[TaskInfo, ...], 1] = ()


class LaunchGroup(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.LaunchGroup`."""

    executor: Annotated[ExecutorInfo, 1]
    task_group: Annotated[TaskGroupInfo, 2]


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


class GrowVolume(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.GrowVolume`."""

    volume: Annotated[Resource, 1]
    addition: Annotated[Resource, 2]


class ShrinkVolume(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.ShrinkVolume`."""

    volume: Annotated[Resource, 1]
    subtract: Annotated[Scalar, 2]


class CreateDisk(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.CreateDisk`."""

    source: Annotated[Resource, 1]
    target_type: Annotated[str, 2, numbers.RESOURCE_DISK_INFO_SOURCE_TYPE]
    target_profile: Annotated[str | None, 3] = None


class DestroyDisk(Wire, frozen=True, kw_only=True):
    """`Offer.Operation.DestroyDisk`."""

    source: Annotated[Resource, 1]


class Operation(Wire, frozen=True, kw_only=True):
    """`Offer.Operation`: what to do with the resources of an offer."""

    type: Annotated[str | None, 1, numbers.OFFER_OPERATION_TYPE] = None
    id: Annotated[Id | None, 12] = None
    launch: Annotated[Launch | None, 2] = None
    launch_group: Annotated[LaunchGroup | None, 7] = None
    reserve: Annotated[Reserve | None, 3] = None
    unreserve: Annotated[Unreserve | None, 4] = None
    create: Annotated[Create | None, 5] = None
    destroy: Annotated[Destroy | None, 6] = None
    grow_volume: Annotated[GrowVolume | None, 13] = None
    shrink_volume: Annotated[ShrinkVolume | None, 14] = None
    create_disk: Annotated[CreateDisk | None, 15] = None
    destroy_disk: Annotated[DestroyDisk | None, 16] = None
