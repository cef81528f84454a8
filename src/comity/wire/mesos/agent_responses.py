"""Answers of the v1 operator API of an agent (agent.proto: Response)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import ContainerID, Id, TimeInfo, Wire
from comity.wire.mesos.containers import ContainerStatus
from comity.wire.mesos.maintenance import DrainConfig
from comity.wire.mesos.responses import (
    GetFlagsAnswer,
    GetHealthAnswer,
    GetLoggingLevelAnswer,
    GetMetricsAnswer,
    GetOperationsAnswer,
    GetVersionAnswer,
    ListFilesAnswer,
    ReadFileAnswer,
)
from comity.wire.mesos.states import Reason, TaskState
from comity.wire.mesos.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    Task,
    TaskResourceLimitation,
)


class ResourceStatistics(Wire, frozen=True, kw_only=True):
    """`ResourceStatistics`."""

    timestamp: Annotated[float, 1]
    processes: Annotated[int | None, 30] = None
    threads: Annotated[int | None, 31] = None
    cpus_user_time_secs: Annotated[float | None, 2] = None
    cpus_system_time_secs: Annotated[float | None, 3] = None
    cpus_limit: Annotated[float | None, 4] = None
    cpus_soft_limit: Annotated[float | None, 45] = None
    cpus_nr_periods: Annotated[int | None, 7] = None
    cpus_nr_throttled: Annotated[int | None, 8] = None
    cpus_throttled_time_secs: Annotated[float | None, 9] = None
    mem_total_bytes: Annotated[int | None, 36] = None
    mem_limit_bytes: Annotated[int | None, 6] = None
    mem_soft_limit_bytes: Annotated[int | None, 38] = None
    mem_file_bytes: Annotated[int | None, 10] = None
    mem_anon_bytes: Annotated[int | None, 11] = None
    mem_cache_bytes: Annotated[int | None, 39] = None
    mem_rss_bytes: Annotated[int | None, 5] = None
    mem_mapped_file_bytes: Annotated[int | None, 12] = None
    mem_swap_bytes: Annotated[int | None, 40] = None
    disk_limit_bytes: Annotated[int | None, 26] = None
    disk_used_bytes: Annotated[int | None, 27] = None
    mem_total_memsw_bytes: Annotated[int | None, 37] = None
    mem_kmem_usage_bytes: Annotated[int | None, 52] = None
    mem_kmem_tcp_usage_bytes: Annotated[int | None, 53] = None
    mem_unevictable_bytes: Annotated[int | None, 41] = None
    mem_low_pressure_counter: Annotated[int | None, 32] = None
    mem_medium_pressure_counter: Annotated[int | None, 33] = None
    mem_critical_pressure_counter: Annotated[int | None, 34] = None
    net_rx_packets: Annotated[int | None, 14] = None
    net_rx_bytes: Annotated[int | None, 15] = None
    net_rx_errors: Annotated[int | None, 16] = None
    net_rx_dropped: Annotated[int | None, 17] = None
    net_tx_packets: Annotated[int | None, 18] = None
    net_tx_bytes: Annotated[int | None, 19] = None
    net_tx_errors: Annotated[int | None, 20] = None
    net_tx_dropped: Annotated[int | None, 21] = None


class ContainerRecord(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetContainers.Container`."""

    framework_id: Annotated[Id | None, 1] = None
    executor_id: Annotated[Id | None, 2] = None
    executor_name: Annotated[str | None, 3] = None
    container_id: Annotated[ContainerID, 4]
    container_status: Annotated[ContainerStatus | None, 5] = None
    resource_statistics: Annotated[ResourceStatistics | None, 6] = None


class GetContainersAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetContainers`."""

    containers: Annotated[tuple[ContainerRecord, ...], 1] = ()


class AgentFramework(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetFrameworks.Framework`."""

    framework_info: Annotated[FrameworkInfo, 1]


class AgentFrameworksAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetFrameworks`."""

    frameworks: Annotated[tuple[AgentFramework, ...], 1] = ()
    completed_frameworks: Annotated[tuple[AgentFramework, ...], 2] = ()


class AgentExecutor(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetExecutors.Executor`."""

    executor_info: Annotated[ExecutorInfo, 1]


class AgentExecutorsAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetExecutors`."""

    executors: Annotated[tuple[AgentExecutor, ...], 1] = ()
    completed_executors: Annotated[tuple[AgentExecutor, ...], 2] = ()


class AgentTasksAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetTasks`."""

    pending_tasks: Annotated[tuple[Task, ...], 1] = ()
    queued_tasks: Annotated[tuple[Task, ...], 2] = ()
    launched_tasks: Annotated[tuple[Task, ...], 3] = ()
    terminated_tasks: Annotated[tuple[Task, ...], 4] = ()
    completed_tasks: Annotated[tuple[Task, ...], 5] = ()


class GetAgentAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetAgent`."""

    agent_info: Annotated[AgentInfo | None, 1] = None
    drain_config: Annotated[DrainConfig | None, 2] = None
    estimated_drain_start_time: Annotated[TimeInfo | None, 3] = None


class AgentStateAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetState`."""

    get_tasks: Annotated[AgentTasksAnswer | None, 1] = None
    get_executors: Annotated[AgentExecutorsAnswer | None, 2] = None
    get_frameworks: Annotated[AgentFrameworksAnswer | None, 3] = None


class WaitContainerAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.WaitContainer`."""

    exit_status: Annotated[int | None, 1] = None
    state: Annotated[TaskState | None, 2, numbers.TASK_STATE] = None
    reason: Annotated[Reason | None, 3, numbers.TASK_STATUS_REASON] = None
    limitation: Annotated[TaskResourceLimitation | None, 4] = None
    message: Annotated[str | None, 5] = None


class GetResourceProvidersAnswer(Wire, frozen=True, kw_only=True):
    """`agent.Response.GetResourceProviders`."""


class AgentResponse(Wire, frozen=True, kw_only=True):
    """`agent.Response`."""

    type: Annotated[str | None, 1, numbers.AGENT_RESPONSE_TYPE] = None
    get_health: Annotated[GetHealthAnswer | None, 2] = None
    get_flags: Annotated[GetFlagsAnswer | None, 3] = None
    get_version: Annotated[GetVersionAnswer | None, 4] = None
    get_metrics: Annotated[GetMetricsAnswer | None, 5] = None
    get_logging_level: Annotated[GetLoggingLevelAnswer | None, 6] = None
    list_files: Annotated[ListFilesAnswer | None, 7] = None
    read_file: Annotated[ReadFileAnswer | None, 8] = None
    get_state: Annotated[AgentStateAnswer | None, 9] = None
    get_containers: Annotated[GetContainersAnswer | None, 10] = None
    get_frameworks: Annotated[AgentFrameworksAnswer | None, 11] = None
    get_executors: Annotated[AgentExecutorsAnswer | None, 12] = None
    get_operations: Annotated[GetOperationsAnswer | None, 18] = None
    get_tasks: Annotated[AgentTasksAnswer | None, 13] = None
    get_agent: Annotated[GetAgentAnswer | None, 15] = None
    get_resource_providers: Annotated[GetResourceProvidersAnswer | None, 17] = None
    wait_nested_container: Annotated[WaitContainerAnswer | None, 14] = None
    wait_container: Annotated[WaitContainerAnswer | None, 16] = None
