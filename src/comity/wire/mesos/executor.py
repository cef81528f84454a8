"""Mesos v1 executor API: calls to an agent's `POST /api/v1/executor`, events of its stream.

Specification: include/mesos/v1/executor/executor.proto.
"""

from comity.wire.mesos.base import ContainerID, Id, Wire
from comity.wire.mesos.v1 import (
    AgentInfo,
    ExecutorInfo,
    FrameworkInfo,
    KillPolicy,
    TaskGroupInfo,
    TaskInfo,
    TaskStatus,
)


class UpdateBody(Wire, frozen=True, kw_only=True):
    """A task status; `uuid`, source EXECUTOR and a state are required."""

    status: TaskStatus


class SubscribeBody(Wire, frozen=True, kw_only=True):
    """What the agent may not know of any more."""

    unacknowledged_tasks: tuple[TaskInfo, ...] = ()
    unacknowledged_updates: tuple[UpdateBody, ...] = ()


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Open the event stream."""

    executor_id: Id
    framework_id: Id
    subscribe: SubscribeBody = SubscribeBody()


class Update(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE"):
    """Report a task's state."""

    executor_id: Id
    framework_id: Id
    update: UpdateBody


class MessageBody(Wire, frozen=True, kw_only=True):
    """Bytes for the scheduler; unreliable."""

    data: bytes


class Message(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Send bytes to the scheduler."""

    executor_id: Id
    framework_id: Id
    message: MessageBody


class Heartbeat(Wire, frozen=True, kw_only=True, tag_field="type", tag="HEARTBEAT"):
    """Tell the agent that the executor is alive."""

    executor_id: Id
    framework_id: Id


class SubscribedBody(Wire, frozen=True, kw_only=True):
    """Who this executor is, and where it runs."""

    executor_info: ExecutorInfo
    framework_info: FrameworkInfo
    agent_info: AgentInfo
    container_id: ContainerID | None = None


class EventSubscribed(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBED"):
    """First event of a stream."""

    subscribed: SubscribedBody


class LaunchBody(Wire, frozen=True, kw_only=True):
    """A task."""

    task: TaskInfo


class EventLaunch(Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH"):
    """Run a task."""

    launch: LaunchBody


class LaunchGroupBody(Wire, frozen=True, kw_only=True):
    """Tasks that belong together."""

    task_group: TaskGroupInfo


class EventLaunchGroup(Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH_GROUP"):
    """Run tasks that belong together."""

    launch_group: LaunchGroupBody


class KillBody(Wire, frozen=True, kw_only=True):
    """A task to end."""

    task_id: Id
    kill_policy: KillPolicy | None = None


class EventKill(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL"):
    """End a task."""

    kill: KillBody


class AcknowledgedBody(Wire, frozen=True, kw_only=True):
    """An update that the agent has stored."""

    task_id: Id
    uuid: bytes


class EventAcknowledged(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGED"):
    """An update is stored; forget it."""

    acknowledged: AcknowledgedBody


class EventMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from the scheduler."""

    message: MessageBody


class EventShutdown(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN"):
    """End all tasks and exit."""


class ErrorBody(Wire, frozen=True, kw_only=True):
    """Why."""

    message: str


class EventError(Wire, frozen=True, kw_only=True, tag_field="type", tag="ERROR"):
    """The subscription is over."""

    error: ErrorBody


class EventHeartbeat(Wire, frozen=True, kw_only=True, tag_field="type", tag="HEARTBEAT"):
    """The stream is alive."""


class EventUnknown(Wire, frozen=True, kw_only=True, tag_field="type", tag="UNKNOWN"):
    """An event of a type that we do not know."""


Call = Subscribe | Update | Message | Heartbeat

Event = (
    EventSubscribed
    | EventLaunch
    | EventLaunchGroup
    | EventKill
    | EventAcknowledged
    | EventMessage
    | EventShutdown
    | EventError
    | EventHeartbeat
    | EventUnknown
)
