"""Everything that can happen to the node executor."""

from msgspec import Struct

from comity.kube.node.state import Json, ProbeKind

# From the agent


class PodAssigned(Struct, frozen=True):
    """A task was launched on us: its data is the pod."""

    task_id: str
    pod: Json


class TaskRefused(Struct, frozen=True):
    """A task was launched on us whose data is no pod."""

    task_id: str
    message: str


class TaskKilled(Struct, frozen=True):
    """The agent asks to kill a task; `grace_s` is the kill policy's, if it has one."""

    task_id: str
    grace_s: float | None = None


class ShutdownAsked(Struct, frozen=True):
    """The agent asks us to end within `grace_s`."""

    grace_s: float


class ImageSought(Struct, frozen=True, kw_only=True):
    """The agent has the image that an incarnation needs (`image_id`), has it not, or knows none."""

    uid: str
    name: str
    container_id: str
    image_id: str = ""
    fault: str = ""
    """Why no image can have this name."""


class ImagePulled(Struct, frozen=True, kw_only=True):
    """The agent fetched the image that an incarnation needs."""

    uid: str
    name: str
    container_id: str
    image_id: str
    size_bytes: int


class PullFailed(Struct, frozen=True):
    """The agent could not fetch the image that an incarnation needs."""

    uid: str
    name: str
    container_id: str
    message: str


class ContainerLaunched(Struct, frozen=True):
    """The agent runs this incarnation, in a sandbox with this address if it has its own."""

    uid: str
    name: str
    container_id: str
    pod_ip: str = ""


class LaunchFailed(Struct, frozen=True):
    """The agent refused or failed to start this incarnation."""

    uid: str
    name: str
    container_id: str
    message: str


class ContainerExited(Struct, frozen=True, kw_only=True):
    """This incarnation has ended. `wait_status` None: nobody knows how."""

    uid: str
    name: str
    container_id: str
    wait_status: int | None
    is_out_of_memory: bool = False
    message: str = ""


class HookFinished(Struct, frozen=True):
    """A postStart or preStop hook has ended; `error` is empty when it went well."""

    uid: str
    name: str
    container_id: str
    hook: str
    error: str


class ProbeResult(Struct, frozen=True):
    """A probe has ended."""

    uid: str
    name: str
    container_id: str
    kind: ProbeKind
    ok: bool
    message: str


class VolumesWritten(Struct, frozen=True):
    """The pod's volumes are on disk with the contents of this digest."""

    uid: str
    digest: bytes


class VolumesFailed(Struct, frozen=True):
    """A volume could not be made."""

    uid: str
    digest: bytes
    message: str


# From the Kubernetes API


class PodChanged(Struct, frozen=True):
    """The pod's object is now this."""

    pod: Json


class PodDeleted(Struct, frozen=True):
    """The pod's object has left the API."""

    uid: str


class PodsListed(Struct, frozen=True):
    """All pods of this node at one moment; others of ours that it lacks are gone."""

    uids: tuple[str, ...]


class ConfigResolved(Struct, frozen=True):
    """What the pod refers to: (kind, name) to the object, None for one that does not exist."""

    uid: str
    configmaps: dict[str, Json | None]
    secrets: dict[str, Json | None]
    services: list[Json]


class StatusStored(Struct, frozen=True):
    """The API has stored the status numbered `seq`, or a later one."""

    uid: str
    seq: int


# Timers


class RetryDue(Struct, frozen=True):
    """A container that waits may be tried again."""

    uid: str
    name: str


class GraceOver(Struct, frozen=True):
    """This incarnation had its grace period; what is left of it is killed."""

    uid: str
    name: str
    container_id: str


class ProbeDue(Struct, frozen=True):
    """A probe's next turn."""

    uid: str
    name: str
    container_id: str
    kind: ProbeKind


class DeadlineReached(Struct, frozen=True):
    """The pod's activeDeadlineSeconds may have passed."""

    uid: str


class ConfigDue(Struct, frozen=True):
    """Time to look at the pod's config maps and secrets again."""

    uid: str


class ShutdownOver(Struct, frozen=True):
    """The time that the agent gave us has passed."""


Input = (
    PodAssigned
    | TaskRefused
    | TaskKilled
    | ShutdownAsked
    | ImageSought
    | ImagePulled
    | PullFailed
    | ContainerLaunched
    | LaunchFailed
    | ContainerExited
    | HookFinished
    | ProbeResult
    | VolumesWritten
    | VolumesFailed
    | PodChanged
    | PodDeleted
    | PodsListed
    | ConfigResolved
    | StatusStored
    | RetryDue
    | GraceOver
    | ProbeDue
    | DeadlineReached
    | ConfigDue
    | ShutdownOver
)
