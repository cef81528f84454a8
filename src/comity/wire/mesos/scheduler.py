"""Mesos v1 scheduler API: calls to `POST /api/v1/scheduler`, events of its stream.

Specification: include/mesos/v1/scheduler/scheduler.proto. Each call and
event is one variant of a union tagged by `type`.
"""

from typing import Annotated

from comity.wire.mesos.base import Id, Wire
from comity.wire.mesos.constraints import OfferConstraints
from comity.wire.mesos.operations import OperationStatus
from comity.wire.mesos.v1 import (
    Filters,
    FrameworkInfo,
    InverseOffer,
    KillPolicy,
    MasterInfo,
    Offer,
    Operation,
    TaskStatus,
)
from comity.wire.mesos.v1 import Request as ResourceRequest


class SubscribeBody(Wire, frozen=True, kw_only=True):
    """Who subscribes."""

    framework_info: Annotated[FrameworkInfo, 1]
    suppressed_roles: Annotated[tuple[str, ...], 2] = ()
    offer_constraints: Annotated[OfferConstraints | None, 3] = None


class Subscribe(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBE"):
    """Open the event stream."""

    subscribe: Annotated[SubscribeBody, 3]
    framework_id: Annotated[Id | None, 1] = None


class Teardown(Wire, frozen=True, kw_only=True, tag_field="type", tag="TEARDOWN"):
    """End the framework and its tasks."""

    framework_id: Annotated[Id, 1]


class AcceptBody(Wire, frozen=True, kw_only=True):
    """Offers of one agent, what to do with them, and for how long the rest is refused."""

    offer_ids: Annotated[tuple[Id, ...], 1] = ()
    operations: Annotated[tuple[Operation, ...], 2] = ()
    filters: Annotated[Filters | None, 3] = None


class Accept(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACCEPT"):
    """Use offers."""

    framework_id: Annotated[Id, 1]
    accept: Annotated[AcceptBody, 4]


class DeclineBody(Wire, frozen=True, kw_only=True):
    """Offers refused."""

    offer_ids: Annotated[tuple[Id, ...], 1] = ()
    filters: Annotated[Filters | None, 2] = None


class Decline(Wire, frozen=True, kw_only=True, tag_field="type", tag="DECLINE"):
    """Refuse offers."""

    framework_id: Annotated[Id, 1]
    decline: Annotated[DeclineBody, 5]


class RolesBody(Wire, frozen=True, kw_only=True):
    """Roles; none means all that the framework subscribed."""

    roles: Annotated[tuple[str, ...], 1] = ()


class Revive(Wire, frozen=True, kw_only=True, tag_field="type", tag="REVIVE"):
    """Ask for offers again, dropping filters."""

    framework_id: Annotated[Id, 1]
    revive: Annotated[RolesBody, 15] = RolesBody()


class Suppress(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUPPRESS"):
    """Ask for no offers."""

    framework_id: Annotated[Id, 1]
    suppress: Annotated[RolesBody, 16] = RolesBody()


class KillBody(Wire, frozen=True, kw_only=True):
    """A task to kill."""

    task_id: Annotated[Id, 1]
    agent_id: Annotated[Id | None, 2] = None
    kill_policy: Annotated[KillPolicy | None, 3] = None


class Kill(Wire, frozen=True, kw_only=True, tag_field="type", tag="KILL"):
    """Kill a task."""

    framework_id: Annotated[Id, 1]
    kill: Annotated[KillBody, 6]


class ShutdownBody(Wire, frozen=True, kw_only=True):
    """An executor to end."""

    executor_id: Annotated[Id, 1]
    agent_id: Annotated[Id, 2]


class Shutdown(Wire, frozen=True, kw_only=True, tag_field="type", tag="SHUTDOWN"):
    """End an executor and its tasks."""

    framework_id: Annotated[Id, 1]
    shutdown: Annotated[ShutdownBody, 7]


class AcknowledgeBody(Wire, frozen=True, kw_only=True):
    """A status update received; `uuid` is 16 bytes."""

    agent_id: Annotated[Id, 1]
    task_id: Annotated[Id, 2]
    uuid: Annotated[bytes, 3]


class Acknowledge(Wire, frozen=True, kw_only=True, tag_field="type", tag="ACKNOWLEDGE"):
    """Acknowledge a status update that carried a uuid."""

    framework_id: Annotated[Id, 1]
    acknowledge: Annotated[AcknowledgeBody, 8]


class ReconcileTask(Wire, frozen=True, kw_only=True):
    """A task asked about."""

    task_id: Annotated[Id, 1]
    agent_id: Annotated[Id | None, 2] = None


class ReconcileBody(Wire, frozen=True, kw_only=True):
    """Tasks asked about; none means all."""

    tasks: Annotated[tuple[ReconcileTask, ...], 1] = ()


class Reconcile(Wire, frozen=True, kw_only=True, tag_field="type", tag="RECONCILE"):
    """Ask for the latest states of tasks."""

    framework_id: Annotated[Id, 1]
    reconcile: Annotated[ReconcileBody, 9] = ReconcileBody()


class MessageBody(Wire, frozen=True, kw_only=True):
    """Bytes for an executor; unreliable."""

    agent_id: Annotated[Id, 1]
    executor_id: Annotated[Id, 2]
    data: Annotated[bytes, 3]


class Message(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Send bytes to an executor."""

    framework_id: Annotated[Id, 1]
    message: Annotated[MessageBody, 10]


class RequestBody(Wire, frozen=True, kw_only=True):
    """What a framework would like to have."""

    requests: Annotated[tuple[ResourceRequest, ...], 1] = ()


class Request(Wire, frozen=True, kw_only=True, tag_field="type", tag="REQUEST"):
    """Ask for resources; accepted and, as in Mesos, ignored."""

    framework_id: Annotated[Id, 1]
    request: Annotated[RequestBody, 11] = RequestBody()


class InverseOffersAnswerBody(Wire, frozen=True, kw_only=True):
    """Inverse offers, and for how long they are not to be made again."""

    inverse_offer_ids: Annotated[tuple[Id, ...], 1] = ()
    filters: Annotated[Filters | None, 2] = None


class AcceptInverseOffers(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="ACCEPT_INVERSE_OFFERS"
):
    """Agree to maintenance."""

    framework_id: Annotated[Id, 1]
    accept_inverse_offers: Annotated[InverseOffersAnswerBody, 13] = InverseOffersAnswerBody()


class DeclineInverseOffers(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="DECLINE_INVERSE_OFFERS"
):
    """Refuse maintenance."""

    framework_id: Annotated[Id, 1]
    decline_inverse_offers: Annotated[InverseOffersAnswerBody, 14] = InverseOffersAnswerBody()


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

    framework_id: Annotated[Id, 1]
    acknowledge_operation_status: Annotated[AcknowledgeOperationStatusBody, 17]


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

    framework_id: Annotated[Id, 1]
    reconcile_operations: Annotated[ReconcileOperationsBody, 18] = ReconcileOperationsBody()


class UpdateFrameworkBody(Wire, frozen=True, kw_only=True):
    """The framework as it should be from now on."""

    framework_info: Annotated[FrameworkInfo, 1]
    suppressed_roles: Annotated[tuple[str, ...], 2] = ()
    offer_constraints: Annotated[OfferConstraints | None, 3] = None


class UpdateFramework(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_FRAMEWORK"):
    """Change the framework without resubscribing."""

    framework_id: Annotated[Id, 1]
    update_framework: Annotated[UpdateFrameworkBody, 19]


class SubscribedBody(Wire, frozen=True, kw_only=True):
    """The framework's id and the rhythm of heartbeats."""

    framework_id: Annotated[Id, 1]
    heartbeat_interval_seconds: Annotated[float, 2] = 15.0
    master_info: Annotated[MasterInfo | None, 3] = None


class EventSubscribed(Wire, frozen=True, kw_only=True, tag_field="type", tag="SUBSCRIBED"):
    """First event of a stream."""

    subscribed: Annotated[SubscribedBody, 2]


class OffersBody(Wire, frozen=True, kw_only=True):
    """Offers."""

    offers: Annotated[tuple[Offer, ...], 1] = ()


class EventOffers(Wire, frozen=True, kw_only=True, tag_field="type", tag="OFFERS"):
    """New offers."""

    offers: Annotated[OffersBody, 3]


class InverseOffersBody(Wire, frozen=True, kw_only=True):
    """Inverse offers."""

    inverse_offers: Annotated[tuple[InverseOffer, ...], 1] = ()


class EventInverseOffers(Wire, frozen=True, kw_only=True, tag_field="type", tag="INVERSE_OFFERS"):
    """Requests to give resources back, before machines go down."""

    inverse_offers: Annotated[InverseOffersBody, 9]


class RescindInverseOfferBody(Wire, frozen=True, kw_only=True):
    """An inverse offer that is void."""

    inverse_offer_id: Annotated[Id, 1]


class EventRescindInverseOffer(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="RESCIND_INVERSE_OFFER"
):
    """An inverse offer is void."""

    rescind_inverse_offer: Annotated[RescindInverseOfferBody, 10]


class RescindBody(Wire, frozen=True, kw_only=True):
    """An offer that is void."""

    offer_id: Annotated[Id, 1]


class EventRescind(Wire, frozen=True, kw_only=True, tag_field="type", tag="RESCIND"):
    """An offer is void."""

    rescind: Annotated[RescindBody, 4]


class UpdateBody(Wire, frozen=True, kw_only=True):
    """A task status."""

    status: Annotated[TaskStatus, 1]


class EventUpdate(Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE"):
    """A task's state."""

    update: Annotated[UpdateBody, 5]


class UpdateOperationStatusBody(Wire, frozen=True, kw_only=True):
    """An operation's status."""

    status: Annotated[OperationStatus, 1]


class EventUpdateOperationStatus(
    Wire, frozen=True, kw_only=True, tag_field="type", tag="UPDATE_OPERATION_STATUS"
):
    """An operation's state."""

    update_operation_status: Annotated[UpdateOperationStatusBody, 11]


class EventMessageBody(Wire, frozen=True, kw_only=True):
    """Bytes from an executor."""

    agent_id: Annotated[Id, 1]
    executor_id: Annotated[Id, 2]
    data: Annotated[bytes, 3]


class EventMessage(Wire, frozen=True, kw_only=True, tag_field="type", tag="MESSAGE"):
    """Bytes from an executor."""

    message: Annotated[EventMessageBody, 6]


class FailureBody(Wire, frozen=True, kw_only=True):
    """An agent, or an executor of it with its wait(2) status, is gone."""

    agent_id: Annotated[Id | None, 1] = None
    executor_id: Annotated[Id | None, 2] = None
    status: Annotated[int | None, 3] = None


class EventFailure(Wire, frozen=True, kw_only=True, tag_field="type", tag="FAILURE"):
    """An agent or executor is gone."""

    failure: Annotated[FailureBody, 7]


class ErrorBody(Wire, frozen=True, kw_only=True):
    """Why."""

    message: Annotated[str, 1]


class EventError(Wire, frozen=True, kw_only=True, tag_field="type", tag="ERROR"):
    """The framework is over; the stream ends."""

    error: Annotated[ErrorBody, 8]


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
    | EventInverseOffers
    | EventRescind
    | EventRescindInverseOffer
    | EventUpdate
    | EventUpdateOperationStatus
    | EventMessage
    | EventFailure
    | EventError
    | EventHeartbeat
    | EventUnknown
)
