"""What the node machine asks of its shell, beside timers. Results come back as inputs."""

from msgspec import Struct

from comity.kube.node.state import Json, ProbeKind

SANDBOX_FAULT = "Failed to create pod sandbox: "
"""How the text of a launch begins that failed because of what the pod's containers share."""

# Of the agent


class FindImage(Struct, frozen=True, kw_only=True):
    """See whether the agent has an image: ImageSought."""

    uid: str
    name: str
    container_id: str
    image: str


class PullImage(Struct, frozen=True, kw_only=True):
    """Let the agent fetch an image: ImagePulled or PullFailed."""

    uid: str
    name: str
    container_id: str
    image: str
    login: str = ""
    """A docker config with the pod's own credentials."""


class LaunchContainer(Struct, frozen=True, kw_only=True):
    """Start an incarnation and report its end: ContainerLaunched, then ContainerExited."""

    uid: str
    name: str
    container_id: str
    launch: Json
    """The LAUNCH_CONTAINER payload but for the container id."""
    sandbox: Json
    """That of the pod's sandbox, which is made before, unless it is there."""
    message_path: str = ""
    """The file for the termination message, to be made before; empty for none."""
    logs_on_error: bool = False
    """Whether the end of the log serves as the message of a failure that left none."""


class KillContainer(Struct, frozen=True):
    """Signal a container; one that is gone is fine."""

    container_id: str
    signal: int


class RemoveContainer(Struct, frozen=True):
    """Forget an ended container and its sandbox."""

    container_id: str


class SendUpdate(Struct, frozen=True):
    """Report a task's state; kept and repeated until acknowledged."""

    task_id: str
    state: str
    message: str = ""


class Exit(Struct, frozen=True):
    """End this process: everything it ran has ended."""


# Of a container


class Exec(Struct, frozen=True):
    """Run a command inside the container; exit status 0 is good."""

    command: tuple[str, ...]


class HttpGet(Struct, frozen=True):
    """GET a URL; a status from 200 to 399 is good."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()


class TcpConnect(Struct, frozen=True):
    """Open a TCP connection."""

    host: str
    port: int


class Sleep(Struct, frozen=True):
    """Wait."""

    seconds: float


Action = Exec | HttpGet | TcpConnect | Sleep


class RunProbe(Struct, frozen=True):
    """Probe a container once: ProbeResult."""

    uid: str
    name: str
    container_id: str
    kind: ProbeKind
    action: Action
    timeout_s: float


class RunHook(Struct, frozen=True):
    """Run a lifecycle hook: HookFinished."""

    uid: str
    name: str
    container_id: str
    hook: str
    action: Action
    timeout_s: float


# Of the disk


class VolumeFile(Struct, frozen=True):
    """One file of a volume; its path is relative and has no `..`."""

    path: str
    content: bytes
    mode: int


class VolumePlan(Struct, frozen=True, kw_only=True):
    """One volume to make: an empty directory, files to be swapped in at once, or a host path."""

    name: str
    files: tuple[VolumeFile, ...] | None = None
    host_path: str = ""
    host_path_type: str = ""
    group: int | None = None
    """The group that its files belong to."""


class WriteVolumes(Struct, frozen=True):
    """Make the volumes of a pod as planned: VolumesWritten or VolumesFailed."""

    uid: str
    volumes: tuple[VolumePlan, ...]
    digest: bytes


class EndSandbox(Struct, frozen=True):
    """End the sandbox of a pod whose containers have all ended for good."""

    uid: str


class RemovePod(Struct, frozen=True):
    """Have the agent forget the pod's sandbox, and delete its directory."""

    uid: str


# Of the Kubernetes API


class ResolveConfig(Struct, frozen=True):
    """Read what the pod refers to, until that works: ConfigResolved."""

    uid: str
    namespace: str
    configmaps: tuple[str, ...]
    secrets: tuple[str, ...]
    services: bool


class FetchPod(Struct, frozen=True):
    """Read a pod that the watch has not shown yet: PodChanged or PodDeleted."""

    uid: str
    namespace: str
    name: str


class PatchStatus(Struct, frozen=True):
    """Store a pod's status, until that works or a later one replaces it: StatusStored."""

    uid: str
    namespace: str
    name: str
    seq: int
    status: Json


class DeletePod(Struct, frozen=True):
    """Remove the pod's object now (grace 0), provided it has this uid: PodDeleted."""

    uid: str
    namespace: str
    name: str


class RecordEvent(Struct, frozen=True, kw_only=True):
    """Record a Kubernetes event about a pod, if the API can be reached."""

    uid: str
    namespace: str
    name: str
    type: str
    reason: str
    message: str
    field_path: str = ""
