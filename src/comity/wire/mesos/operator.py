"""Mesos v1 operator API: calls to `POST /api/v1` of a master or an agent.

Specification: include/mesos/v1/master/master.proto and agent/agent.proto. Answers are built by the
components as JSON of the documented shape.
"""

from typing import Annotated

from msgspec import field

from comity.core.containers import Isolation, LogLimits
from comity.wire.mesos.administration import (
    AgentBody,
    DeactivateAgent,
    DrainAgent,
    GetLoggingLevel,
    GetMaintenanceSchedule,
    GetMaintenanceStatus,
    GetQuota,
    GetWeights,
    ReactivateAgent,
    RemoveQuota,
    SetLoggingLevel,
    SetQuota,
    StartMaintenance,
    StopMaintenance,
    UpdateMaintenanceSchedule,
    UpdateQuota,
    UpdateWeights,
)
from comity.wire.mesos.base import ContainerID, DurationInfo, Id, Scalar, Wire
from comity.wire.mesos.containers import Image
from comity.wire.mesos.sessions import (
    AttachContainerInput,
    AttachContainerOutput,
    LaunchNestedContainerSession,
)
from comity.wire.mesos.v1 import CommandInfo, ContainerInfo, Resource


class LaunchContainerBody(Wire, frozen=True, kw_only=True):
    """A container to start; nested when its id has a parent.

    Extensions of ours, in JSON only, are `isolation`, for what ContainerInfo has no words, `stdin`:
    it has an input that somebody may attach to, `logs`: how much of its output is kept, and
    `is_pod`: a container without a process, whose network, host name, IPC namespace and limits the
    containers nested in it share.
    """

    container_id: Annotated[ContainerID, 1]
    command: Annotated[CommandInfo | None, 2] = None
    container: Annotated[ContainerInfo | None, 4] = None
    resources: Annotated[tuple[Resource, ...], 3] = ()
    limits: Annotated[dict[str, Scalar], 5] = field(default_factory=dict)
    isolation: Isolation | None = None
    is_pod: bool = False
    stdin: bool = False
    logs: LogLimits | None = None


class LaunchContainer(Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH_CONTAINER"):
    """Start a container."""

    launch_container: Annotated[LaunchContainerBody, 13]


class LaunchNestedContainerBody(LaunchContainerBody, frozen=True, kw_only=True):
    """A nested container to start; upstream this spelling has no resources of its own."""

    container: Annotated[ContainerInfo | None, 3] = None
    resources: tuple[Resource, ...] = ()
    limits: dict[str, Scalar] = field(default_factory=dict)


class LaunchNestedContainer(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH_NESTED_CONTAINER"
):
    """Start a nested container (deprecated spelling)."""

    launch_nested_container: Annotated[LaunchNestedContainerBody, 6]


class ContainerBody(Wire, frozen=True, kw_only=True):
    """A container."""

    container_id: Annotated[ContainerID, 1]


class WaitContainer(Wire, frozen=True, kw_only=True, tag_field="type", tag="WAIT_CONTAINER"):
    """Wait until a container has ended."""

    wait_container: Annotated[ContainerBody, 14]


class WaitNestedContainer(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="WAIT_NESTED_CONTAINER"
):
    """Wait until a nested container has ended (deprecated spelling)."""

    wait_nested_container: Annotated[ContainerBody, 7]


class KillContainerBody(Wire, frozen=True, kw_only=True):
    """A container and the signal for it; 9 when not given."""

    container_id: Annotated[ContainerID, 1]
    signal: Annotated[int | None, 2] = None


class KillContainer(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL_CONTAINER"):
    """Signal a container."""

    kill_container: Annotated[KillContainerBody, 15]


class KillNestedContainer(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL_NESTED_CONTAINER"
):
    """Signal a nested container (deprecated spelling)."""

    kill_nested_container: Annotated[KillContainerBody, 8]


class RemoveContainer(Wire, frozen=True, kw_only=True, tag_field="type", tag="REMOVE_CONTAINER"):
    """Remove what an ended container left."""

    remove_container: Annotated[ContainerBody, 16]


class RemoveNestedContainer(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="REMOVE_NESTED_CONTAINER"
):
    """Remove what an ended nested container left (deprecated spelling)."""

    remove_nested_container: Annotated[ContainerBody, 12]


class PathBody(Wire, frozen=True, kw_only=True):
    """A virtual path."""

    path: Annotated[str, 1]


class ListFiles(Wire, frozen=True, kw_only=True, tag_field="type", tag="LIST_FILES"):
    """List a directory."""

    list_files: Annotated[PathBody, 4]


class ReadFileBody(Wire, frozen=True, kw_only=True):
    """A part of a file."""

    path: Annotated[str, 1]
    offset: Annotated[int, 2] = 0
    length: Annotated[int | None, 3] = None


class ReadFile(Wire, frozen=True, kw_only=True, tag_field="type", tag="READ_FILE"):
    """Read a part of a file."""

    read_file: Annotated[ReadFileBody, 5]


class GetHealth(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_HEALTH"):
    """Read what the name says."""


class GetFlags(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_FLAGS"):
    """Read what the name says."""


class GetVersion(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_VERSION"):
    """Read what the name says."""


class GetMetricsBody(Wire, frozen=True, kw_only=True):
    """How long to wait for slow metrics; none of ours is."""

    timeout: Annotated[DurationInfo | None, 1] = None


class GetMetrics(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_METRICS"):
    """Read what the name says."""

    get_metrics: Annotated[GetMetricsBody | None, 2] = None


class GetState(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_STATE"):
    """Read what the name says."""


class GetAgents(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_AGENTS"):
    """Read what the name says."""


class GetAgent(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_AGENT"):
    """Read what the name says."""


class GetFrameworks(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_FRAMEWORKS"):
    """Read what the name says."""


class GetExecutors(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_EXECUTORS"):
    """Read what the name says."""


class GetTasks(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_TASKS"):
    """Read what the name says."""


class GetRoles(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_ROLES"):
    """Read what the name says."""


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Watch what happens in the cluster."""


class GetMaster(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_MASTER"):
    """Read what the name says."""


class GetContainersBody(Wire, frozen=True, kw_only=True):
    """Which containers beside those of executors."""

    show_nested: Annotated[bool | None, 1] = None
    show_standalone: Annotated[bool | None, 2] = None


class GetContainers(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_CONTAINERS"):
    """Read what the name says."""

    get_containers: Annotated[GetContainersBody, 20] = GetContainersBody()


class MarkAgentGone(Wire, frozen=True, kw_only=True, tag_field="type", tag="MARK_AGENT_GONE"):
    """Declare that an agent will never come back."""

    mark_agent_gone: Annotated[AgentBody, 17]


class ResourcesBody(Wire, frozen=True, kw_only=True):
    """Resources of an agent."""

    agent_id: Annotated[Id, 1]
    resources: Annotated[tuple[Resource, ...], 2] = ()


class ReserveBody(Wire, frozen=True, kw_only=True):
    """Resources of an agent as they are to be; `source` is what they were reserved for before."""

    agent_id: Annotated[Id, 1]
    resources: Annotated[tuple[Resource, ...], 2] = ()
    source: Annotated[tuple[Resource, ...], 3] = ()


class ReserveResources(Wire, frozen=True, kw_only=True, tag_field="type", tag="RESERVE_RESOURCES"):
    """Reserve free resources for a role."""

    reserve_resources: Annotated[ReserveBody, 7]


class UnreserveResources(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="UNRESERVE_RESOURCES"
):
    """Take a reservation away from resources that nobody uses."""

    unreserve_resources: Annotated[ResourcesBody, 8]


class VolumesBody(Wire, frozen=True, kw_only=True):
    """Persistent volumes of an agent."""

    agent_id: Annotated[Id, 1]
    volumes: Annotated[tuple[Resource, ...], 2] = ()


class CreateVolumes(Wire, frozen=True, kw_only=True, tag_field="type", tag="CREATE_VOLUMES"):
    """Make persistent volumes of reserved disk."""

    create_volumes: Annotated[VolumesBody, 9]


class DestroyVolumes(Wire, frozen=True, kw_only=True, tag_field="type", tag="DESTROY_VOLUMES"):
    """End persistent volumes that nobody uses, with what is in them."""

    destroy_volumes: Annotated[VolumesBody, 10]


class GrowVolumeBody(Wire, frozen=True, kw_only=True):
    """A persistent volume, and the disk that is to become part of it."""

    agent_id: Annotated[Id | None, 1] = None
    volume: Annotated[Resource, 2]
    addition: Annotated[Resource, 3]


class GrowVolume(Wire, frozen=True, kw_only=True, tag_field="type", tag="GROW_VOLUME"):
    """Make a persistent volume that nobody uses larger."""

    grow_volume: Annotated[GrowVolumeBody, 18]


class ShrinkVolumeBody(Wire, frozen=True, kw_only=True):
    """A persistent volume, and how much of it is to become disk again."""

    agent_id: Annotated[Id | None, 1] = None
    volume: Annotated[Resource, 2]
    subtract: Annotated[Scalar, 3]


class ShrinkVolume(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHRINK_VOLUME"):
    """Make a persistent volume that nobody uses smaller."""

    shrink_volume: Annotated[ShrinkVolumeBody, 19]


class GetOperations(Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_OPERATIONS"):
    """Read what the name says."""


class GetResourceProviders(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="GET_RESOURCE_PROVIDERS"
):
    """Read what the name says."""


class TeardownBody(Wire, frozen=True, kw_only=True):
    """A framework."""

    framework_id: Annotated[Id, 1]


class Teardown(Wire, frozen=True, kw_only=True, tag_field="type", tag="TEARDOWN"):
    """End a framework and its tasks."""

    teardown: Annotated[TeardownBody, 16]


class PruneImagesBody(Wire, frozen=True, kw_only=True):
    """`agent.Call.PruneImages`: images to keep whatever uses them."""

    excluded_images: Annotated[tuple[Image, ...], 1] = ()


class PruneImages(Wire, frozen=True, kw_only=True, tag_field="type", tag="PRUNE_IMAGES"):
    """Remove images that nothing uses."""

    prune_images: Annotated[PruneImagesBody | None, 21] = None


AgentCall = (
    LaunchNestedContainerSession
    | AttachContainerInput
    | AttachContainerOutput
    | GetLoggingLevel
    | SetLoggingLevel
    | GetOperations
    | GetResourceProviders
    | PruneImages
    | LaunchContainer
    | LaunchNestedContainer
    | WaitContainer
    | WaitNestedContainer
    | KillContainer
    | KillNestedContainer
    | RemoveContainer
    | RemoveNestedContainer
    | ListFiles
    | ReadFile
    | GetHealth
    | GetFlags
    | GetVersion
    | GetMetrics
    | GetState
    | GetAgent
    | GetFrameworks
    | GetExecutors
    | GetTasks
    | GetContainers
)

MasterCall = (
    SetLoggingLevel
    | GetLoggingLevel
    | GetWeights
    | UpdateWeights
    | GetQuota
    | UpdateQuota
    | SetQuota
    | RemoveQuota
    | GetMaintenanceStatus
    | GetMaintenanceSchedule
    | UpdateMaintenanceSchedule
    | StartMaintenance
    | StopMaintenance
    | DrainAgent
    | DeactivateAgent
    | ReactivateAgent
    | GetHealth
    | GetFlags
    | GetVersion
    | GetMetrics
    | GetState
    | GetAgents
    | GetFrameworks
    | GetExecutors
    | GetTasks
    | GetRoles
    | GetMaster
    | Subscribe
    | ListFiles
    | ReadFile
    | MarkAgentGone
    | ReserveResources
    | UnreserveResources
    | CreateVolumes
    | DestroyVolumes
    | GrowVolume
    | ShrinkVolume
    | GetOperations
    | Teardown
)
