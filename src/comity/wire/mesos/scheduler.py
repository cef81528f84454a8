"""Mesos v1 scheduler API: calls to `POST /api/v1/scheduler`, events of its stream.

Specification: include/mesos/v1/scheduler/scheduler.proto. Each call and
event is one variant of a union tagged by `type`.
"""

from typing import Annotated

from comity.wire.mesos.base import Id, Wire
from comity.wire.mesos.operations import OperationStatus
from comity.wire.mesos.v1 import (
    Filters,
    FrameworkInfo,
    KillPolicy,
    MasterInfo,
    Offer,
    Operation,
    TaskStatus,
)


class SubscribeBody(Wire, frozen=True, kw_only=True):
    """Who subscribes."""

    framework_info: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Open the event stream."""

    subscribe: SubscribeBody
    framework_id: Id | None = None


class Teardown(Wire, frozen=True, kw_only=True, tag_field="type", tag="TEARDOWN"):
    """End the framework and its tasks."""

    framework_id: Id


class AcceptBody(Wire, frozen=True, kw_only=True):
    """Offers of one agent, what to do with them, and for how long the rest is refused."""

    offer_ids: tuple[Id, ...] = ()
    operations: tuple[Operation, ...] = ()
    filters: Filters | None = None


class Accept(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACCEPT"):
    """Use offers."""

    framework_id: Id
    accept: AcceptBody


class DeclineBody(Wire, frozen=True, kw_only=True):
    """Offers refused."""

    offer_ids: tuple[Id, ...] = ()
    filters: Filters | None = None


class Decline(Wire, frozen=True, kw_only=True, tag_field="type", tag="DECLINE"):
    """Refuse offers."""

    framework_id: Id
    decline: DeclineBody


class RolesBody(Wire, frozen=True, kw_only=True):
    """Roles; none means all that the framework subscribed."""

    roles: tuple[str, ...] = ()


class Revive(Wire, frozen=True, kw_only=True, tag_field="type", tag="REVIVE"):
    """Ask for offers again, dropping filters."""

    framework_id: Id
    revive: RolesBody = RolesBody()


class Suppress(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUPPRESS"):
    """Ask for no offers."""

    framework_id: Id
    suppress: RolesBody = RolesBody()


class KillBody(Wire, frozen=True, kw_only=True):
    """A task to kill."""

    task_id: Id
    agent_id: Id | None = None
    kill_policy: KillPolicy | None = None


class Kill(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL"):
    """Kill a task."""

    framework_id: Id
    kill: KillBody


class ShutdownBody(Wire, frozen=True, kw_only=True):
    """An executor to end."""

    executor_id: Id
    agent_id: Id


class Shutdown(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN"):
    """End an executor and its tasks."""

    framework_id: Id
    shutdown: ShutdownBody


class AcknowledgeBody(Wire, frozen=True, kw_only=True):
    """A status update received; `uuid` is 16 bytes."""

    agent_id: Id
    task_id: Id
    uuid: bytes


class Acknowledge(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGE"):
    """Acknowledge a status update that carried a uuid."""

    framework_id: Id
    acknowledge: AcknowledgeBody


class ReconcileTask(Wire, frozen=True, kw_only=True):
    """A task asked about."""

    task_id: Id
    agent_id: Id | None = None


class ReconcileBody(Wire, frozen=True, kw_only=True):
    """Tasks asked about; none means all."""

    tasks: tuple[ReconcileTask, ...] = ()


class Reconcile(Wire, frozen=True, kw_only=True, tag_field="type", tag="RECONCILE"):
    """Ask for the latest states of tasks."""

    framework_id: Id
    reconcile: ReconcileBody = ReconcileBody()


class MessageBody(Wire, frozen=True, kw_only=True):
    """Bytes for an executor; unreliable."""

    agent_id: Id
    executor_id: Id
    data: bytes


class Message(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Send bytes to an executor."""

    framework_id: Id
    message: MessageBody


class Request(Wire, frozen=True, kw_only=True, tag_field="type", tag="REQUEST"):
    """Ask for resources; accepted and, as in Mesos, ignored."""

    framework_id: Id


class AcceptInverseOffers(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ACCEPT_INVERSE_OFFERS"
):
    """Agree to maintenance; there are no inverse offers yet."""

    framework_id: Id


class DeclineInverseOffers(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="DECLINE_INVERSE_OFFERS"
):
    """Refuse maintenance; there are no inverse offers yet."""

    framework_id: Id


class AcknowledgeOperationStatusBody(Wire, frozen=True, kw_only=True):
    """Which status of which operation."""

    uuid: Annotated[bytes, 3]
    operation_id: Annotated[Id, 4]
    agent_id: Annotated[Id | None, 1] = None
    resource_provider_id: Annotated[Id | None, 2] = None


class AcknowledgeOperationStatus(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGE_OPERATION_STATUS"
):
    """Acknowledge an operation status."""

    framework_id: Id
    acknowledge_operation_status: AcknowledgeOperationStatusBody


class ReconcileOperation(Wire, frozen=True, kw_only=True):
    """An operation to tell about."""

    operation_id: Annotated[Id, 1]
    agent_id: Annotated[Id | None, 2] = None
    resource_provider_id: Annotated[Id | None, 3] = None


class ReconcileOperationsBody(Wire, frozen=True, kw_only=True):
    """Operations to tell about; none means all."""

    operations: Annotated[tuple[ReconcileOperation, ...], 1] = ()


class ReconcileOperations(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="RECONCILE_OPERATIONS"
):
    """Ask for the states of operations."""

    framework_id: Id
    reconcile_operations: ReconcileOperationsBody = ReconcileOperationsBody()


class UpdateFrameworkBody(Wire, frozen=True, kw_only=True):
    """The framework as it should be from now on."""

    framework_info: FrameworkInfo
    suppressed_roles: tuple[str, ...] = ()


class UpdateFramework(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_FRAMEWORK"):
    """Change the framework without resubscribing."""

    framework_id: Id
    update_framework: UpdateFrameworkBody


class SubscribedBody(Wire, frozen=True, kw_only=True):
    """The framework's id and the rhythm of heartbeats."""

    framework_id: Id
    heartbeat_interval_seconds: float = 15.0
    master_info: MasterInfo | None = None


class EventSubscribed(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBED"):
    """First event of a stream."""

    subscribed: SubscribedBody


class OffersBody(Wire, frozen=True, kw_only=True):
    """Offers."""

    offers: tuple[Offer, ...] = ()


class EventOffers(Wire, frozen=True, kw_only=True, tag_field="type", tag="OFFERS"):
    """New offers."""

    offers: OffersBody


class RescindBody(Wire, frozen=True, kw_only=True):
    """An offer that is void."""

    offer_id: Id


class EventRescind(Wire, frozen=True, kw_only=True, tag_field="type", tag="RESCIND"):
    """An offer is void."""

    rescind: RescindBody


class UpdateBody(Wire, frozen=True, kw_only=True):
    """A task status."""

    status: TaskStatus


class EventUpdate(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE"):
    """A task's state."""

    update: UpdateBody


class UpdateOperationStatusBody(Wire, frozen=True, kw_only=True):
    """An operation's status."""

    status: Annotated[OperationStatus, 1]


class EventUpdateOperationStatus(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_OPERATION_STATUS"
):
    """An operation's state."""

    update_operation_status: UpdateOperationStatusBody


class EventMessageBody(Wire, frozen=True, kw_only=True):
    """Bytes from an executor."""

    agent_id: Id
    executor_id: Id
    data: bytes


class EventMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from an executor."""

    message: EventMessageBody


class FailureBody(Wire, frozen=True, kw_only=True):
    """An agent, or an executor of it with its wait(2) status, is gone."""

    agent_id: Id | None = None
    executor_id: Id | None = None
    status: int | None = None


class EventFailure(Wire, frozen=True, kw_only=True, tag_field="type", tag="FAILURE"):
    """An agent or executor is gone."""

    failure: FailureBody


class ErrorBody(Wire, frozen=True, kw_only=True):
    """Why."""

    message: str


class EventError(Wire, frozen=True, kw_only=True, tag_field="type", tag="ERROR"):
    """The framework is over; the stream ends."""

    error: ErrorBody


class EventHeartbeat(Wire, frozen=True, kw_only=True, tag_field="type", tag="HEARTBEAT"):
    """The stream is alive."""


class EventUnknown(Wire, frozen=True, kw_only=True, tag_field="type", tag="UNKNOWN"):
    """An event of a type that we do not know."""


Call = (
    Subscribe
    | Teardown
    | Accept
    | Decline
    | Revive
    | Suppress
    | Kill
    | Shutdown
    | Acknowledge
    | Reconcile
    | Message
    | Request
    | AcceptInverseOffers
    | DeclineInverseOffers
    | AcknowledgeOperationStatus
    | ReconcileOperations
    | UpdateFramework
)

Event = (
    EventSubscribed
    | EventOffers
    | EventRescind
    | EventUpdate
    | EventUpdateOperationStatus
    | EventMessage
    | EventFailure
    | EventError
    | EventHeartbeat
    | EventUnknown
)
