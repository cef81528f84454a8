"""The link between master and agent, ours to define (ADR 0008).

An agent opens `POST /internal/v1/agents` with SUBSCRIBE and reads events as RecordIO. Its other
calls go to the same path as JSON arrays, with the header `Comity-Link-Id` that the stream's answer
carried.
"""

from comity.wire.mesos.base import Id, Wire
from comity.wire.mesos.maintenance import DrainConfig
from comity.wire.mesos.operations import OperationRecord, OperationStatus
from comity.wire.mesos.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    KillPolicy,
    MasterInfo,
    Operation,
    Resource,
    Task,
    TaskGroupInfo,
    TaskInfo,
    TaskState,
    TaskStatus,
)

PATH = "/internal/v1/agents"
LINK_ID = "Comity-Link-Id"


class LinkExecutor(Wire, frozen=True, kw_only=True):
    """An executor that the agent runs."""

    framework_id: Id
    executor_info: ExecutorInfo


class SubscribeBody(Wire, frozen=True, kw_only=True):
    """What the agent is and has. `agent_info.id` is set when it registers again."""

    agent_info: AgentInfo
    frameworks: tuple[FrameworkInfo, ...] = ()
    executors: tuple[LinkExecutor, ...] = ()
    tasks: tuple[Task, ...] = ()
    checkpointed_resources: tuple[Resource, ...] = ()
    """What operations made of the agent's resources: reservations and volumes."""
    operations: tuple[OperationRecord, ...] = ()
    """Those whose last status is not acknowledged."""
    version: str = ""


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Register, and open the event stream."""

    subscribe: SubscribeBody


class Update(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE"):
    """A status update; `latest_state` is the newest state that the agent knows."""

    framework_id: Id
    status: TaskStatus
    executor_id: Id | None = None
    latest_state: TaskState | None = None


class ExitedExecutor(Wire, frozen=True, kw_only=True, tag_field="type", tag="EXITED_EXECUTOR"):
    """An executor ended with this wait(2) status."""

    framework_id: Id
    executor_id: Id
    status: int


class UpdateOperation(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_OPERATION"):
    """What became of an operation; repeated until acknowledged."""

    operation_uuid: bytes
    status: OperationStatus
    framework_id: Id | None = None


class Message(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from an executor to its scheduler."""

    framework_id: Id
    executor_id: Id
    data: bytes


class Pong(Wire, frozen=True, kw_only=True, tag_field="type", tag="PONG"):
    """The answer to a ping."""


class Unregister(Wire, frozen=True, kw_only=True, tag_field="type", tag="UNREGISTER"):
    """The agent leaves for good, and its tasks with it."""


class ExecutorName(Wire, frozen=True, kw_only=True):
    """Which executor is meant."""

    framework_id: Id
    executor_id: Id


class RegisteredBody(Wire, frozen=True, kw_only=True):
    """The agent's id, and how long silence may last."""

    agent_id: Id
    master_info: MasterInfo
    ping_timeout_seconds: float = 75.0
    executors: tuple[ExecutorName, ...] = ()
    """What SUBSCRIBE said was running: of those that ended meanwhile the master must hear."""


class EventRegistered(Wire, frozen=True, kw_only=True, tag_field="type", tag="REGISTERED"):
    """First event of a stream."""

    registered: RegisteredBody


class EventPing(Wire, frozen=True, kw_only=True, tag_field="type", tag="PING"):
    """Answer with PONG."""


class EventRunTasks(Wire, frozen=True, kw_only=True, tag_field="type", tag="RUN_TASKS"):
    """Run tasks of one framework: command tasks, or tasks for their executors."""

    framework_info: FrameworkInfo
    tasks: tuple[TaskInfo, ...] = ()
    running_executors: tuple[Id, ...] = ()
    """Executors that are not paid for again: tasks for one that has ended meanwhile are dropped."""


class EventRunTaskGroup(Wire, frozen=True, kw_only=True, tag_field="type", tag="RUN_TASK_GROUP"):
    """Run tasks that belong together, all or none of them."""

    framework_info: FrameworkInfo
    executor: ExecutorInfo
    task_group: TaskGroupInfo
    launch_executor: bool = True
    """Whether the executor is paid for and may be started; else it must be running."""


class EventKillTask(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL_TASK"):
    """Kill a task."""

    framework_id: Id
    task_id: Id
    kill_policy: KillPolicy | None = None


class EventAcknowledge(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGE"):
    """The scheduler acknowledged an update."""

    framework_id: Id
    task_id: Id
    uuid: bytes


class EventApplyOperation(Wire, frozen=True, kw_only=True, tag_field="type", tag="APPLY_OPERATION"):
    """Change reservations or volumes. An operator's operation has no `framework_id`."""

    operation_uuid: bytes
    info: Operation
    framework_id: Id | None = None


class EventAcknowledgeOperation(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGE_OPERATION"
):
    """A status of an operation was received for good."""

    operation_uuid: bytes
    status_uuid: bytes


class EventDrain(Wire, frozen=True, kw_only=True, tag_field="type", tag="DRAIN"):
    """Kill everything; without `config`: the agent is to be used again."""

    config: DrainConfig | None = None


class EventMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from a scheduler to its executor."""

    framework_id: Id
    executor_id: Id
    data: bytes


class EventShutdownExecutor(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN_EXECUTOR"
):
    """End an executor and its tasks."""

    framework_id: Id
    executor_id: Id


class EventShutdownFramework(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN_FRAMEWORK"
):
    """End all of a framework's executors and tasks."""

    framework_id: Id


class EventUpdateFramework(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_FRAMEWORK"
):
    """The framework has changed."""

    framework_info: FrameworkInfo


class EventShutdown(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN"):
    """The agent is not wanted any more: end all tasks, and exit."""

    message: str = ""


Call = Update | UpdateOperation | ExitedExecutor | Message | Pong | Unregister

Event = (
    EventRegistered
    | EventPing
    | EventRunTasks
    | EventRunTaskGroup
    | EventKillTask
    | EventAcknowledge
    | EventApplyOperation
    | EventAcknowledgeOperation
    | EventDrain
    | EventMessage
    | EventShutdownExecutor
    | EventShutdownFramework
    | EventUpdateFramework
    | EventShutdown
)
