"""Answers of the v1 operator API of a master (master.proto: Response); an agent shares some."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Id, TimeInfo, Wire
from comity.wire.mesos.constraints import OfferConstraints
from comity.wire.mesos.maintenance import ClusterStatus, DrainInfo, Schedule
from comity.wire.mesos.operations import OperationRecord
from comity.wire.mesos.quota import QuotaStatus, WeightInfo
from comity.wire.mesos.v1 import (
    AgentCapability,
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    InverseOffer,
    MasterInfo,
    Offer,
    Resource,
    Task,
)


class Flag(Wire, frozen=True, kw_only=True):
    """`Flag`."""

    name: Annotated[str, 1]
    value: Annotated[str | None, 2] = None


class VersionInfo(Wire, frozen=True, kw_only=True):
    """`VersionInfo`."""

    version: Annotated[str, 1]
    build_date: Annotated[str | None, 2] = None
    build_time: Annotated[float | None, 3] = None
    build_user: Annotated[str | None, 4] = None
    git_sha: Annotated[str | None, 5] = None
    git_branch: Annotated[str | None, 6] = None
    git_tag: Annotated[str | None, 7] = None


class Metric(Wire, frozen=True, kw_only=True):
    """`Metric`."""

    name: Annotated[str, 1]
    value: Annotated[float | None, 2] = None


class FileInfo(Wire, frozen=True, kw_only=True):
    """`FileInfo`."""

    path: Annotated[str, 1]
    nlink: Annotated[int | None, 2] = None
    size: Annotated[int | None, 3] = None
    mtime: Annotated[TimeInfo | None, 4] = None
    mode: Annotated[int | None, 5] = None
    uid: Annotated[str | None, 6] = None
    gid: Annotated[str | None, 7] = None


class Role(Wire, frozen=True, kw_only=True):
    """`Role`."""

    name: Annotated[str, 1]
    weight: Annotated[float, 2]
    frameworks: Annotated[tuple[Id, ...], 3] = ()
    resources: Annotated[tuple[Resource, ...], 4] = ()


class GetHealthAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetHealth`."""

    healthy: Annotated[bool, 1]


class GetFlagsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetFlags`."""

    flags: Annotated[tuple[Flag, ...], 1] = ()


class GetVersionAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetVersion`."""

    version_info: Annotated[VersionInfo, 1]


class GetMetricsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetMetrics`."""

    metrics: Annotated[tuple[Metric, ...], 1] = ()


class GetLoggingLevelAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetLoggingLevel`."""

    level: Annotated[int, 1]


class ListFilesAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.ListFiles`."""

    file_infos: Annotated[tuple[FileInfo, ...], 1] = ()


class ReadFileAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.ReadFile`."""

    size: Annotated[int, 1]
    data: Annotated[bytes, 2]


class AgentRecord(Wire, frozen=True, kw_only=True):
    """`master.Response.GetAgents.Agent`."""

    agent_info: Annotated[AgentInfo, 1]
    active: Annotated[bool, 2]
    deactivated: Annotated[bool | None, 12] = None
    version: Annotated[str, 3]
    pid: Annotated[str | None, 4] = None
    registered_time: Annotated[TimeInfo | None, 5] = None
    reregistered_time: Annotated[TimeInfo | None, 6] = None
    total_resources: Annotated[tuple[Resource, ...], 7] = ()
    allocated_resources: Annotated[tuple[Resource, ...], 8] = ()
    offered_resources: Annotated[tuple[Resource, ...], 9] = ()
    capabilities: Annotated[tuple[AgentCapability, ...], 10] = ()
    drain_info: Annotated[DrainInfo | None, 13] = None
    estimated_drain_start_time: Annotated[TimeInfo | None, 14] = None


class GetAgentsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetAgents`."""

    agents: Annotated[tuple[AgentRecord, ...], 1] = ()
    recovered_agents: Annotated[tuple[AgentInfo, ...], 2] = ()


class FrameworkRecord(Wire, frozen=True, kw_only=True):
    """`master.Response.GetFrameworks.Framework`."""

    framework_info: Annotated[FrameworkInfo, 1]
    active: Annotated[bool, 2]
    connected: Annotated[bool, 3]
    recovered: Annotated[bool, 11]
    registered_time: Annotated[TimeInfo | None, 4] = None
    reregistered_time: Annotated[TimeInfo | None, 5] = None
    unregistered_time: Annotated[TimeInfo | None, 6] = None
    offers: Annotated[tuple[Offer, ...], 7] = ()
    inverse_offers: Annotated[tuple[InverseOffer, ...], 8] = ()
    allocated_resources: Annotated[tuple[Resource, ...], 9] = ()
    offered_resources: Annotated[tuple[Resource, ...], 10] = ()
    offer_constraints: Annotated[OfferConstraints | None, 12] = None


class GetFrameworksAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetFrameworks`."""

    frameworks: Annotated[tuple[FrameworkRecord, ...], 1] = ()
    completed_frameworks: Annotated[tuple[FrameworkRecord, ...], 2] = ()
    recovered_frameworks: Annotated[tuple[FrameworkInfo, ...], 3] = ()


class ExecutorRecord(Wire, frozen=True, kw_only=True):
    """`master.Response.GetExecutors.Executor`."""

    executor_info: Annotated[ExecutorInfo, 1]
    agent_id: Annotated[Id, 2]


class GetExecutorsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetExecutors`."""

    executors: Annotated[tuple[ExecutorRecord, ...], 1] = ()
    orphan_executors: Annotated[tuple[ExecutorRecord, ...], 2] = ()


class GetOperationsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetOperations`."""

    operations: Annotated[tuple[OperationRecord, ...], 1] = ()


class GetTasksAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetTasks`."""

    pending_tasks: Annotated[tuple[Task, ...], 1] = ()
    tasks: Annotated[tuple[Task, ...], 2] = ()
    unreachable_tasks: Annotated[tuple[Task, ...], 5] = ()
    completed_tasks: Annotated[tuple[Task, ...], 3] = ()
    orphan_tasks: Annotated[tuple[Task, ...], 4] = ()


class GetRolesAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetRoles`."""

    roles: Annotated[tuple[Role, ...], 1] = ()


class GetWeightsAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetWeights`."""

    weight_infos: Annotated[tuple[WeightInfo, ...], 1] = ()


class GetMasterAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetMaster`."""

    master_info: Annotated[MasterInfo | None, 1] = None
    start_time: Annotated[float | None, 2] = None
    elected_time: Annotated[float | None, 3] = None


class GetMaintenanceStatusAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetMaintenanceStatus`."""

    status: Annotated[ClusterStatus, 1]


class GetMaintenanceScheduleAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetMaintenanceSchedule`."""

    schedule: Annotated[Schedule, 1]


class GetQuotaAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetQuota`."""

    status: Annotated[QuotaStatus, 1]


class GetStateAnswer(Wire, frozen=True, kw_only=True):
    """`master.Response.GetState`."""

    get_tasks: Annotated[GetTasksAnswer | None, 1] = None
    get_executors: Annotated[GetExecutorsAnswer | None, 2] = None
    get_frameworks: Annotated[GetFrameworksAnswer | None, 3] = None
    get_agents: Annotated[GetAgentsAnswer | None, 4] = None


class MasterResponse(Wire, frozen=True, kw_only=True):
    """`master.Response`."""

    type: Annotated[str | None, 1, numbers.MASTER_RESPONSE_TYPE] = None
    get_health: Annotated[GetHealthAnswer | None, 2] = None
    get_flags: Annotated[GetFlagsAnswer | None, 3] = None
    get_version: Annotated[GetVersionAnswer | None, 4] = None
    get_metrics: Annotated[GetMetricsAnswer | None, 5] = None
    get_logging_level: Annotated[GetLoggingLevelAnswer | None, 6] = None
    list_files: Annotated[ListFilesAnswer | None, 7] = None
    read_file: Annotated[ReadFileAnswer | None, 8] = None
    get_state: Annotated[GetStateAnswer | None, 9] = None
    get_agents: Annotated[GetAgentsAnswer | None, 10] = None
    get_frameworks: Annotated[GetFrameworksAnswer | None, 11] = None
    get_executors: Annotated[GetExecutorsAnswer | None, 12] = None
    get_operations: Annotated[GetOperationsAnswer | None, 20] = None
    get_tasks: Annotated[GetTasksAnswer | None, 13] = None
    get_roles: Annotated[GetRolesAnswer | None, 14] = None
    get_weights: Annotated[GetWeightsAnswer | None, 15] = None
    get_master: Annotated[GetMasterAnswer | None, 16] = None
    get_maintenance_status: Annotated[GetMaintenanceStatusAnswer | None, 17] = None
    get_maintenance_schedule: Annotated[GetMaintenanceScheduleAnswer | None, 18] = None
    get_quota: Annotated[GetQuotaAnswer | None, 19] = None
