"""What the node executor knows: its own facts, and one `Pod` for each of its tasks.

A pod's containers each have at most one live incarnation, named by a container id that is never
used twice. `stage` says where that incarnation is; `exit` is how the latest one ended.
"""

import enum
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from comity.core.containers import LogLimits
from comity.core.instants import Instant

Json = dict[str, Any]
"""A Kubernetes object, or a part of one, as decoded from JSON."""


NEVER = Instant(0.0)
"""An instant long past."""


class NodeFacts(Struct, frozen=True, kw_only=True):
    """The node as its pods may see it."""

    name: str
    """Name of the Node object: the agent's hostname."""
    ip: str
    """The agent's address; pods on the host's network share it."""
    has_bridge: bool = False
    """Whether pods can have addresses of their own (`addresses`)."""
    no_bridge: str = ""
    """Why not, in the agent's words."""
    no_limits: str = ""
    """Which limits the agent cannot hold, and why; empty when it can hold all."""
    sandbox: str
    """The executor's sandbox: pod directories and container logs live below it."""
    cpus: float = 0.0
    """The agent's total cpus: the fallback of `resourceFieldRef` without a limit."""
    mem_mb: float = 0.0
    """The agent's total memory, for the same purpose."""
    kubelet_port: int = 0
    """Where our HTTP endpoint listens."""
    logs: LogLimits | None = None
    """How much of each container's output is kept; None is for the agent to say."""


class ContainerKind(enum.Enum):
    """The part that a container has in its pod."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


class Stage(enum.Enum):
    """Where a container's incarnation is. Only IDLE has none that is live."""

    IDLE = "idle"
    PULLING = "pulling"
    LAUNCHING = "launching"
    RUNNING = "running"
    STOPPING = "stopping"


class ProbeKind(enum.Enum):
    """The three probes, by the names that events use for them."""

    STARTUP = "Startup"
    LIVENESS = "Liveness"
    READINESS = "Readiness"


class Terminated(Struct, frozen=True, kw_only=True):
    """How one incarnation ended."""

    container_id: str
    exit_code: int
    signal: int = 0
    reason: str
    message: str = ""
    started_at: Instant
    finished_at: Instant


@dataclass(slots=True)
class Backoff:
    """A delay that doubles: none for the first retry, then 10 s to 300 s."""

    delay_s: float = 0.0
    until: Instant = NEVER
    updated_at: Instant = NEVER


@dataclass(slots=True)
class Probe:
    """One probe of one incarnation."""

    spec: Json
    passing: bool
    streak_ok: bool = False
    streak: int = 0


@dataclass(slots=True)
class Container:
    """A container of a pod and its present incarnation."""

    name: str
    spec: Json
    kind: ContainerKind
    stage: Stage = Stage.IDLE
    attempt: int = 0
    """Incarnations asked for so far, launched or not: makes container ids unique."""
    runs: int = 0
    """Incarnations that ran; the restart count is one less."""
    launching_id: str = ""
    """The incarnation whose image is being looked for, or that is being launched."""
    pull_began_at: Instant = NEVER
    image_id: str = ""
    """The image that it is made of: its name with a digest."""
    container_id: str = ""
    """The latest incarnation that ran."""
    previous_id: str = ""
    """The one before it, whose logs are kept."""
    started_at: Instant | None = None
    exit: Terminated | None = None
    previous_exit: Terminated | None = None
    waiting_reason: str = ""
    waiting_message: str = ""
    ready: bool = False
    started: bool = False
    kill_at: Instant = NEVER
    """When an incarnation that we are stopping gets its SIGKILL; 0 while we are not."""
    stop_message: str = ""
    """Why we are stopping it, for its termination message."""
    crash: Backoff = field(default_factory=Backoff)
    pull: Backoff = field(default_factory=Backoff)
    probes: dict[ProbeKind, Probe] = field(default_factory=dict)

    @property
    def is_live(self) -> bool:
        """Whether an incarnation exists or may exist."""
        return self.stage is not Stage.IDLE

    @property
    def live_id(self) -> str:
        """The id of the live incarnation; empty when there is none."""
        if self.stage is Stage.IDLE:
            return ""
        return self.launching_id or self.container_id

    @property
    def restarts(self) -> int:
        """The restart count that the status shows."""
        return max(0, self.runs - 1)


class StopReason(enum.Enum):
    """Why a pod as a whole is being stopped."""

    DELETED = "deleted"
    GONE = "gone"
    KILLED = "killed"
    DEADLINE = "deadline"
    SHUTDOWN = "shutdown"


@dataclass(slots=True)
class Stop:
    """A pod's stop that is under way: SIGKILL is due at `deadline`."""

    reason: StopReason
    deadline: Instant


@dataclass(slots=True)
class Resolved:
    """The API objects that a pod refers to; None is one that does not exist."""

    configmaps: dict[str, Json | None] = field(default_factory=dict)
    secrets: dict[str, Json | None] = field(default_factory=dict)
    services: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class Pod:
    """One pod: a task of ours."""

    uid: str
    task_id: str
    object: Json
    accepted_at: Instant
    containers: list[Container]
    resolved: Resolved | None = None
    volumes_ready: bool = False
    volumes_error: str = ""
    volumes_retry_at: Instant = NEVER
    volumes_written: bytes = b""
    """Digest of the volume contents on disk."""
    volumes_asked: bytes = b""
    """Digest of those being written now; empty when nothing is."""
    ip: str = ""
    """Its own address, once its sandbox is there."""
    stop: Stop | None = None
    phase: str = "Pending"
    reason: str = ""
    message: str = ""
    conditions: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Our conditions: type to (status, time of its last transition)."""
    status: Json = field(default_factory=dict)
    """The status last asked to be stored."""
    status_seq: int = 0
    stored_seq: int = 0
    task_state: str = ""
    """The task state reported last."""
    gone: bool = False
    """The object has left the API."""
    delete_asked: bool = False
    sandbox_ended: bool = False
    """Its containers have ended for good, and with them what they shared."""

    @property
    def namespace(self) -> str:
        """The pod's namespace."""
        return str(self.object["metadata"].get("namespace", "default"))

    @property
    def name(self) -> str:
        """The pod's name."""
        return str(self.object["metadata"]["name"])

    @property
    def spec(self) -> Json:
        """The pod's spec."""
        spec: Json = self.object["spec"]
        return spec

    @property
    def is_ended(self) -> bool:
        """Whether the pod has reached a terminal phase."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def restart_policy(self) -> str:
        """The pod's restart policy."""
        return str(self.spec.get("restartPolicy") or "Always")

    def container(self, name: str) -> Container | None:
        """Return the container called `name`."""
        return next((each for each in self.containers if each.name == name), None)

    def of_kind(self, *kinds: ContainerKind) -> list[Container]:
        """Return the containers of the given kinds, in the order of the spec."""
        return [each for each in self.containers if each.kind in kinds]


@dataclass(slots=True)
class State:
    """The whole node."""

    facts: NodeFacts
    pods: dict[str, Pod] = field(default_factory=dict)
    """By uid."""
    tasks: dict[str, str] = field(default_factory=dict)
    """Task id to pod uid."""
    ended: dict[str, None] = field(default_factory=dict)
    """Tasks of forgotten pods, the latest ones: a kill that comes late needs no answer."""
    stopping: bool = False
    """The agent told us to shut down."""
