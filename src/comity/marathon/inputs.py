"""Everything that can happen to a Marathon. `to` is the token of the request to answer."""

from typing import Any

from msgspec import Struct

from comity.core.ids import TaskId
from comity.wire.mesos import v1

Draft = dict[str, Any]


class Started(Struct, frozen=True):
    """The process has loaded its state: the first input of all."""


# from the master


class Subscribed(Struct, frozen=True):
    """The master took us in; offers held before are void."""

    framework_id: str
    master: str


class Disconnected(Struct, frozen=True):
    """The subscription broke; the SDK is trying again."""

    reason: str


class FrameworkRemoved(Struct, frozen=True):
    """The master has torn this framework down: its tasks are gone, its id is over."""

    reason: str


class OffersReceived(Struct, frozen=True):
    """Resources to use or to decline."""

    offers: tuple[v1.Offer, ...]


class StatusReceived(Struct, frozen=True):
    """A task changed its state, or its health."""

    status: v1.TaskStatus


# from callers


class AppPosted(Struct, frozen=True):
    """`POST /v2/apps`, read."""

    to: int
    draft: Draft
    force: bool
    peer: str
    uri: str


class AppsPut(Struct, frozen=True):
    """`PUT` or `PATCH` of one app or a list of them, read."""

    to: int
    drafts: tuple[Draft, ...]
    partial: bool
    may_create: bool
    force: bool
    is_list: bool
    peer: str
    uri: str


class AppDeleted(Struct, frozen=True):
    """`DELETE /v2/apps/{id}`."""

    to: int
    app_id: str
    force: bool


class AppRestarted(Struct, frozen=True):
    """`POST /v2/apps/{id}/restart`."""

    to: int
    app_id: str
    force: bool


class AppTasksKilled(Struct, frozen=True):
    """`DELETE /v2/apps/{id}/tasks[/{task}]`."""

    to: int
    app_id: str
    task_id: str | None
    host: str | None
    scale: bool
    wipe: bool
    force: bool


class TasksKilled(Struct, frozen=True):
    """`POST /v2/tasks/delete`."""

    to: int
    task_ids: tuple[str, ...]
    scale: bool
    wipe: bool
    force: bool


class PodPosted(Struct, frozen=True):
    """`POST /v2/pods`, read."""

    to: int
    draft: Draft
    force: bool
    peer: str
    uri: str


class PodPut(Struct, frozen=True):
    """`PUT /v2/pods/{id}`, read."""

    to: int
    pod_id: str
    draft: Draft
    force: bool
    peer: str
    uri: str


class PodDeleted(Struct, frozen=True):
    """`DELETE /v2/pods/{id}`."""

    to: int
    pod_id: str
    force: bool
    peer: str
    uri: str


class PodInstancesKilled(Struct, frozen=True):
    """`DELETE /v2/pods/{id}::instances[/{instance}]`."""

    to: int
    pod_id: str
    instance_ids: tuple[str, ...]
    is_list: bool


class DeploymentCancelled(Struct, frozen=True):
    """`DELETE /v2/deployments/{id}`: take it back, or with force leave things as they are."""

    to: int
    deployment_id: str
    force: bool


class DelayReset(Struct, frozen=True):
    """`DELETE /v2/queue/{id}/delay`."""

    to: int
    app_id: str


class LeaderAbdicated(Struct, frozen=True):
    """`DELETE /v2/leader`."""

    to: int


class EventsOpened(Struct, frozen=True):
    """`GET /v2/events`."""

    to: int
    types: frozenset[str]
    peer: str


class EventsClosed(Struct, frozen=True):
    """A reader of the event stream has gone, or was cut for being slow."""

    stream: str


# from probes and timers


class ProbeFinished(Struct, frozen=True):
    """A health probe of ours came to an end."""

    task_id: TaskId
    check: int
    cause: str | None
    """Why it failed; None when it passed."""


class ProbeDue(Struct, frozen=True):
    """Timer: time for the next probe. Stale when the task has ended: ignored."""

    task_id: TaskId
    check: int


class KillRetryDue(Struct, frozen=True):
    """Timer: a kill has not been answered. Stale when the task has ended: ignored."""

    task_id: TaskId


class StagingExpired(Struct, frozen=True):
    """Timer: a task should have been running by now. Stale when it has: ignored."""

    task_id: TaskId


class InactiveDue(Struct, frozen=True):
    """Timer: a lost instance is to be replaced. Stale when it came back: ignored."""

    task_id: TaskId


class ExpungeDue(Struct, frozen=True):
    """Timer: a lost instance is to be forgotten. Stale when it came back: ignored."""

    task_id: TaskId


class DelayEnded(Struct, frozen=True):
    """Timer: an app's back-off is over, or was changed: looked at again either way."""

    app_id: str


class Settle(Struct, frozen=True):
    """Timer: look at all dirty apps, once for everything that happened in a batch."""


class ReconcileDue(Struct, frozen=True):
    """Timer: ask the master for the states of all tasks."""


class HeartbeatDue(Struct, frozen=True):
    """Timer: send an empty line to the readers of events."""


Input = (
    Started
    | Subscribed
    | Disconnected
    | FrameworkRemoved
    | OffersReceived
    | StatusReceived
    | AppPosted
    | AppsPut
    | AppDeleted
    | AppRestarted
    | AppTasksKilled
    | TasksKilled
    | PodPosted
    | PodPut
    | PodDeleted
    | PodInstancesKilled
    | DeploymentCancelled
    | DelayReset
    | LeaderAbdicated
    | EventsOpened
    | EventsClosed
    | ProbeFinished
    | ProbeDue
    | KillRetryDue
    | StagingExpired
    | InactiveDue
    | ExpungeDue
    | DelayEnded
    | Settle
    | ReconcileDue
    | HeartbeatDue
)
