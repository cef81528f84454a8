"""Everything that can happen to an agent."""

from msgspec import Struct

from comity.core.ids import ExecutorId, FrameworkId, TaskId
from comity.core.networks import Joined
from comity.wire.mesos import executor, link, operator
from comity.wire.mesos.codec import Format


class MasterSaid(Struct, frozen=True, tag=True):
    """An event came on the link."""

    event: link.Event


class LinkLost(Struct, frozen=True, tag=True):
    """The link to the master broke; the shell is opening another."""

    reason: str


class ContainerStarted(Struct, frozen=True, tag=True):
    """A container runs; `joined` are the networks that it is on."""

    container_id: str
    pid: int | None
    """None for a pod, which has no process."""
    joined: tuple[Joined, ...] = ()


class ImagePulling(Struct, frozen=True, tag=True):
    """The image of a container is being pulled; `total_bytes` is 0 until that is known."""

    container_id: str
    done_bytes: int
    total_bytes: int


class ContainerFailed(Struct, frozen=True, tag=True):
    """A container could not be started. `image` says that the image is why."""

    container_id: str
    message: str
    image: bool = False


class ContainerExited(Struct, frozen=True, tag=True):
    """A container's first process ended. `status` is as from wait(2), None when nobody saw it."""

    container_id: str
    status: int | None
    oom: bool = False


class LauncherFound(Struct, frozen=True, tag=True):
    """The launcher said what it knows: pids of running containers, statuses of ended ones."""

    running: dict[str, int]
    exited: dict[str, int]
    rebooted: bool = False
    """Whether the machine was started anew since the agent ran: nothing can be left."""


class DiskMeasured(Struct, frozen=True, tag=True):
    """An executor's sandbox holds so many bytes."""

    framework_id: FrameworkId
    executor_id: ExecutorId
    used_bytes: int


class ProbeDone(Struct, frozen=True, tag=True):
    """A probe of a task came to an end."""

    key: tuple[FrameworkId, TaskId, str]
    round: int
    is_well: bool
    detail: str
    code: int | None = None
    """The exit status or HTTP status, for checks."""
    is_timeout: bool = False


class ExecutorSubscribed(Struct, frozen=True, tag=True):
    """An executor asks for its stream; `stream` is the new stream's name."""

    to: int
    call: executor.Subscribe
    stream: str
    format: Format = Format.JSON


class ExecutorCalled(Struct, frozen=True, tag=True):
    """An executor made a call."""

    to: int
    call: executor.Update | executor.Message | executor.Heartbeat


class StreamClosed(Struct, frozen=True, tag=True):
    """The reader of an executor's stream is gone."""

    stream: str


class ContainerAsked(Struct, frozen=True, tag=True):
    """An operator, or an executor through the operator API, asks for a nested container."""

    to: int
    container_id: str
    body: operator.LaunchContainerBody
    is_session: bool = False
    """Its input and output are a client's, and it ends with the client's connection."""


class WaitAsked(Struct, frozen=True, tag=True):
    """Somebody waits for a container's end."""

    to: int
    container_id: str
    is_old: bool = False
    """Asked by WAIT_NESTED_CONTAINER, whose answer has that name."""


class KillAsked(Struct, frozen=True, tag=True):
    """Somebody signals a nested container."""

    to: int
    container_id: str
    signal: int
    is_abandoned: bool = False
    """The session's client has vanished: nobody is going to ask how it ended."""


class RemoveAsked(Struct, frozen=True, tag=True):
    """Somebody wants an ended nested container's remains gone."""

    to: int
    container_id: str


class UpdateRetryDue(Struct, frozen=True, tag=True):
    """A status update has not been acknowledged; `uuid` tells which, others are stale."""

    framework_id: FrameworkId
    task_id: TaskId
    uuid: bytes
    delay_s: float


class OperationRetryDue(Struct, frozen=True, tag=True):
    """The status of an operation has not been acknowledged; stale when it has been by now."""

    uuid: bytes
    delay_s: float


class KillDue(Struct, frozen=True, tag=True):
    """A container's grace is over."""

    container_id: str


class SessionOver(Struct, frozen=True, tag=True):
    """An ended session was kept long enough for its client to ask how it ended."""

    container_id: str


class ExecutorDue(Struct, frozen=True, tag=True):
    """An executor should have subscribed by now."""

    framework_id: FrameworkId
    executor_id: ExecutorId
    container_id: str


class ExecutorBeatDue(Struct, frozen=True, tag=True):
    """Time for a heartbeat on an executor's stream."""

    stream: str


class CompletionDue(Struct, frozen=True, tag=True):
    """A task's max_completion_time is over."""

    framework_id: FrameworkId
    task_id: TaskId


class ProbeDue(Struct, frozen=True, tag=True):
    """Time to probe a task; `kind` is health or check."""

    framework_id: FrameworkId
    task_id: TaskId
    kind: str


Input = (
    MasterSaid
    | LinkLost
    | ContainerStarted
    | ImagePulling
    | ContainerFailed
    | ContainerExited
    | LauncherFound
    | DiskMeasured
    | ProbeDone
    | ExecutorSubscribed
    | ExecutorCalled
    | StreamClosed
    | ContainerAsked
    | WaitAsked
    | KillAsked
    | RemoveAsked
    | UpdateRetryDue
    | OperationRetryDue
    | KillDue
    | SessionOver
    | ExecutorDue
    | ExecutorBeatDue
    | CompletionDue
    | ProbeDue
)
