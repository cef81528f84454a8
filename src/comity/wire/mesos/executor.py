"""Mesos v1 executor API: calls to an agent's `POST /api/v1/executor`, events of its stream.

Specification: include/mesos/v1/executor/executor.proto.
"""

from typing import Annotated

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

    status: Annotated[TaskStatus, 1]


class SubscribeBody(Wire, frozen=True, kw_only=True):
    """What the agent may not know of any more."""

    unacknowledged_tasks: Annotated[tuple[TaskInfo, ...], 1] = ()
    unacknowledged_updates: Annotated[tuple[UpdateBody, ...], 2] = ()


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Open the event stream."""

    executor_id: Annotated[Id, 1]
    framework_id: Annotated[Id, 2]
    subscribe: Annotated[SubscribeBody, 4] = SubscribeBody()


class Update(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE"):
    """Report a task's state."""

    executor_id: Annotated[Id, 1]
    framework_id: Annotated[Id, 2]
    update: Annotated[UpdateBody, 5]


class MessageBody(Wire, frozen=True, kw_only=True):
    """Bytes for the scheduler; unreliable."""

    data: Annotated[bytes, 2]


class Message(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Send bytes to the scheduler."""

    executor_id: Annotated[Id, 1]
    framework_id: Annotated[Id, 2]
    message: Annotated[MessageBody, 6]


class Heartbeat(Wire, frozen=True, kw_only=True, tag_field="type", tag="HEARTBEAT"):
    """Tell the agent that the executor is alive."""

    executor_id: Annotated[Id, 1]
    framework_id: Annotated[Id, 2]


class EventMessageBody(Wire, frozen=True, kw_only=True):
    """Bytes from the scheduler; unreliable."""

    data: Annotated[bytes, 1]


class SubscribedBody(Wire, frozen=True, kw_only=True):
    """Who this executor is, and where it runs."""

    executor_info: Annotated[ExecutorInfo, 1]
    framework_info: Annotated[FrameworkInfo, 2]
    agent_info: Annotated[AgentInfo, 3]
    container_id: Annotated[ContainerID | None, 4] = None


class EventSubscribed(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBED"):
    """First event of a stream."""

    subscribed: Annotated[SubscribedBody, 2]


class LaunchBody(Wire, frozen=True, kw_only=True):
    """A task."""

    task: Annotated[TaskInfo, 1]


class EventLaunch(Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH"):
    """Run a task."""

    launch: Annotated[LaunchBody, 4]


class LaunchGroupBody(Wire, frozen=True, kw_only=True):
    """Tasks that belong together."""

    task_group: Annotated[TaskGroupInfo, 1]


class EventLaunchGroup(Wire, frozen=True, kw_only=True, tag_field="type", tag="LAUNCH_GROUP"):
    """Run tasks that belong together."""

    launch_group: Annotated[LaunchGroupBody, 8]


class KillBody(Wire, frozen=True, kw_only=True):
    """A task to end."""

    task_id: Annotated[Id, 1]
    kill_policy: Annotated[KillPolicy | None, 2] = None


class EventKill(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL"):
    """End a task."""

    kill: Annotated[KillBody, 5]


class AcknowledgedBody(Wire, frozen=True, kw_only=True):
    """An update that the agent has stored."""

    task_id: Annotated[Id, 1]
    uuid: Annotated[bytes, 2]


class EventAcknowledged(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGED"):
    """An update is stored; forget it."""

    acknowledged: Annotated[AcknowledgedBody, 3]


class EventMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from the scheduler."""

    message: Annotated[EventMessageBody, 6]


class EventShutdown(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN"):
    """End all tasks and exit."""


class ErrorBody(Wire, frozen=True, kw_only=True):
    """Why."""

    message: Annotated[str, 1]


class EventError(Wire, frozen=True, kw_only=True, tag_field="type", tag="ERROR"):
    """The subscription is over."""

    error: Annotated[ErrorBody, 7]


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
