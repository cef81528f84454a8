"""What an agent knows. Owned by the machine; others look through `views`.

Checkpointed are the agent's id, frameworks, executors and tasks with their unacknowledged updates:
with what the launcher remembers, an agent that was killed goes on where it was. A command task has
an executor, too, as in Mesos: the agent itself plays it, as it does the default executor of task
groups.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from msgspec import Struct

from comity.agent.config import AgentConfig
from comity.core.containers import Spec
from comity.core.ids import ExecutorId, FrameworkId, TaskId, uuid_from
from comity.core.instants import Instant
from comity.core.networks import Joined
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import link, v1
from comity.wire.mesos.codec import Format
from comity.wire.mesos.maintenance import DrainConfig
from comity.wire.mesos.operations import OperationStatus

COMPLETED_MAX = 150


class PendingUpdate(Struct, frozen=True):
    """A status on its way to the scheduler, until acknowledged."""

    status: v1.TaskStatus
    uuid: bytes


class Ending(Struct, frozen=True):
    """How a task that is being ended will be reported; what is None, its exit tells."""

    state: v1.TaskState
    source: v1.Source = v1.Source.EXECUTOR
    reason: v1.Reason | None = None
    message: str | None = None


HEALTH, CHECK = "health", "check"
"""The two kinds of probes."""


@dataclass(slots=True)
class Probe:
    """A health check or check of a task whose executor the agent plays."""

    kind: str
    round: int = 0
    failures: int = 0
    is_healthy: bool | None = None
    has_been_healthy: bool = False


@dataclass(slots=True)
class Task:
    """A task of an executor."""

    info: v1.TaskInfo
    executor_id: ExecutorId
    container_id: str = ""
    """The container it runs in; empty when a program of the framework's runs it."""
    group: int = 0
    """Which of the executor's task groups it belongs to; 0 for none."""
    state: v1.TaskState = v1.TaskState.STAGING
    statuses: dict[v1.TaskState, v1.TaskStatus] = field(default_factory=dict)
    pending: deque[PendingUpdate] = field(default_factory=deque)
    probes: dict[str, Probe] = field(default_factory=dict)
    started_at: Instant | None = None
    ending: Ending | None = None
    """How it will be reported, once somebody has begun to end it."""
    is_unhealthy: bool = False
    """Whether its health check is why it ends."""

    @property
    def task_id(self) -> TaskId:
        """Return the task's id."""
        return TaskId(self.info.task_id.value)


class Waiter(NamedTuple):
    """A request that waits for a container's end."""

    to: int
    is_old: bool
    """It was made by WAIT_NESTED_CONTAINER, whose answer has that name."""


@dataclass(slots=True)
class Container:
    """A container: an executor's, or one nested below it."""

    id: str
    """Flat: nested ids join with dots."""
    wire_id: v1.ContainerID
    spec: Spec
    has_image: bool
    phase: str = "STARTING"
    """STARTING, RUNNING or EXITED."""
    pid: int | None = None
    status: int | None = None
    oom: bool = False
    failure: str | None = None
    """Why it did not start."""
    launch_to: int | None = None
    """The request that waits for it to run."""
    waiters: list[Waiter] = field(default_factory=list)
    is_killed: bool = False
    """Killed before it ran: it must not run any more."""
    is_abandoned: bool = False
    """A session whose client has vanished."""
    killed_at: Instant | None = None
    kill_due: Instant | None = None
    """When it was asked to end, and when it will have to."""
    executor: tuple[FrameworkId, ExecutorId] | None = None
    """Whose container it is; None for nested ones."""
    task: tuple[FrameworkId, TaskId] | None = None
    """Which task of a task group runs in it; None for what the operator API launched."""
    joined: tuple[Joined, ...] = ()
    """Networks that it found itself on; none is the machine's own."""
    has_process: bool = True
    """Whether something runs in it: a default executor's holds only its tasks' containers."""

    @property
    def parent(self) -> str | None:
        """Return the flat id of the container that it is nested in."""
        head, dot, _ = self.id.rpartition(".")
        return head if dot else None


@dataclass(slots=True)
class Executor:
    """An executor: a program of the framework's, or the agent itself for a command task."""

    framework_id: FrameworkId
    id: ExecutorId
    info: v1.ExecutorInfo
    container_id: str
    directory: Path
    is_command: bool
    started_at: Instant
    tasks: dict[TaskId, Task] = field(default_factory=dict)
    groups: int = 0
    """How many task groups it was given."""
    queued: list[TaskId] = field(default_factory=list)
    """Tasks that wait for the executor to subscribe."""
    has_reported: bool = False
    """Whether it ever said what became of a task."""
    kills: dict[TaskId, v1.KillPolicy | None] = field(default_factory=dict)
    """Kills that wait for the executor to come back."""
    completed_tasks: deque[Task] = field(default_factory=lambda: deque(maxlen=COMPLETED_MAX))
    stream: str | None = None
    format: Format = Format.JSON
    """What its stream is written in."""
    resources: Resources = NOTHING
    has_exited: bool = False
    is_shutting_down: bool = False
    is_recovered: bool = False
    """Whether it ran before this agent process did."""
    is_orphaned: bool = False
    """Its framework is over: nobody acknowledges its updates."""
    failure: tuple[v1.Reason, str] | None = None
    """What its tasks are told when it ends by the agent's doing."""
    framework: v1.FrameworkInfo | None = None
    """Whose it was, once it is over: the agent may forget the framework before its sandbox."""

    @property
    def is_default(self) -> bool:
        """Whether it is Mesos's default executor, for task groups."""
        return self.info.type is v1.ExecutorType.DEFAULT

    @property
    def is_built_in(self) -> bool:
        """Whether the agent plays it: it has no program of its own."""
        return self.is_command or self.is_default

    @property
    def live_tasks(self) -> list[Task]:
        """Return the tasks that have not ended."""
        return [task for task in self.tasks.values() if not task.state.is_terminal]

    @property
    def was_sent_tasks(self) -> bool:
        """Whether a task reached it, or is on its way; one that never got any is shut down."""
        return self.has_reported or any(one.task_id not in self.queued for one in self.live_tasks)


@dataclass(slots=True)
class Operation:
    """An operation whose status has not been acknowledged."""

    uuid: bytes
    info: v1.Operation
    framework_id: FrameworkId | None
    """None when an operator asked for it."""
    status: OperationStatus


@dataclass(slots=True)
class State:
    """The whole of an agent."""

    config: AgentConfig
    info: v1.AgentInfo
    ip: str
    chance: random.Random
    started_at: Instant
    configured: Resources = NOTHING
    """What it was started with."""
    total: Resources = NOTHING
    """What it has: `configured`, as operations changed it."""
    operations: dict[bytes, Operation] = field(default_factory=dict)
    drain: DrainConfig | None = None
    """How to end everything, while an operator wants nothing to run here."""
    master: v1.MasterInfo | None = None
    is_linked: bool = False
    untold_exits: list[link.ExitedExecutor] = field(default_factory=list)
    """Executors that ended while there was no link; some of them after the next one's SUBSCRIBE."""
    is_recovering: bool = True
    recovered_at: Instant | None = None
    """When it knew what of its last run still runs."""
    frameworks: dict[FrameworkId, v1.FrameworkInfo] = field(default_factory=dict)
    executors: dict[tuple[FrameworkId, ExecutorId], Executor] = field(default_factory=dict)
    tasks: dict[tuple[FrameworkId, TaskId], Executor] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    children: dict[str, set[str]] = field(default_factory=dict)
    streams: dict[str, tuple[FrameworkId, ExecutorId]] = field(default_factory=dict)
    completed_executors: deque[Executor] = field(
        default_factory=lambda: deque(maxlen=COMPLETED_MAX)
    )
    counters: dict[str, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Return the agent's id, empty before the first registration."""
        return self.info.id.value if self.info.id is not None else ""

    def new_uuid(self) -> bytes:
        """Return 16 random bytes in the form of a version 4 UUID."""
        return uuid_from(self.chance)

    def count(self, metric: str) -> None:
        """Add one to a counter."""
        self.counters[metric] = self.counters.get(metric, 0) + 1


def uuid_text(raw: bytes) -> str:
    """Return a UUID's usual spelling."""
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
