"""Events of the operator API's stream (master.proto: Event)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Id, Wire
from comity.wire.mesos.responses import AgentRecord, FrameworkRecord, GetStateAnswer
from comity.wire.mesos.states import TaskState
from comity.wire.mesos.v1 import FrameworkInfo, Task, TaskStatus


class Subscribed(Wire, frozen=True, kw_only=True):
    """`master.Event.Subscribed`."""

    get_state: Annotated[GetStateAnswer | None, 1] = None
    heartbeat_interval_seconds: Annotated[float | None, 2] = None


class TaskAdded(Wire, frozen=True, kw_only=True):
    """`master.Event.TaskAdded`."""

    task: Annotated[Task, 1]


class TaskUpdated(Wire, frozen=True, kw_only=True):
    """`master.Event.TaskUpdated`."""

    framework_id: Annotated[Id, 1]
    status: Annotated[TaskStatus, 2]
    state: Annotated[TaskState, 3, numbers.TASK_STATE]


class FrameworkAdded(Wire, frozen=True, kw_only=True):
    """`master.Event.FrameworkAdded`."""

    framework: Annotated[FrameworkRecord, 1]


class FrameworkUpdated(Wire, frozen=True, kw_only=True):
    """`master.Event.FrameworkUpdated`."""

    framework: Annotated[FrameworkRecord, 1]


class FrameworkRemoved(Wire, frozen=True, kw_only=True):
    """`master.Event.FrameworkRemoved`."""

    framework_info: Annotated[FrameworkInfo, 1]


class AgentAdded(Wire, frozen=True, kw_only=True):
    """`master.Event.AgentAdded`."""

    agent: Annotated[AgentRecord, 1]


class AgentRemoved(Wire, frozen=True, kw_only=True):
    """`master.Event.AgentRemoved`."""

    agent_id: Annotated[Id, 1]


class Event(Wire, frozen=True, kw_only=True):
    """`master.Event`."""

    type: Annotated[str | None, 1, numbers.MASTER_EVENT_TYPE] = None
    subscribed: Annotated[Subscribed | None, 2] = None
    task_added: Annotated[TaskAdded | None, 3] = None
    task_updated: Annotated[TaskUpdated | None, 4] = None
    agent_added: Annotated[AgentAdded | None, 5] = None
    agent_removed: Annotated[AgentRemoved | None, 6] = None
    framework_added: Annotated[FrameworkAdded | None, 7] = None
    framework_updated: Annotated[FrameworkUpdated | None, 8] = None
    framework_removed: Annotated[FrameworkRemoved | None, 9] = None
