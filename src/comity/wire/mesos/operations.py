"""Operations on resources: what a framework asks for, and what becomes of it (mesos.proto)."""

import enum
from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Id, Wire
from comity.wire.mesos.v1 import Operation, Resource


class UUID(Wire, frozen=True, kw_only=True):
    """`UUID`: 16 bytes."""

    value: Annotated[bytes, 1]


class OperationState(enum.Enum):
    """States of an operation, `OperationState` upstream."""

    UNSUPPORTED = "OPERATION_UNSUPPORTED"
    PENDING = "OPERATION_PENDING"
    FINISHED = "OPERATION_FINISHED"
    FAILED = "OPERATION_FAILED"
    ERROR = "OPERATION_ERROR"
    DROPPED = "OPERATION_DROPPED"
    UNREACHABLE = "OPERATION_UNREACHABLE"
    GONE_BY_OPERATOR = "OPERATION_GONE_BY_OPERATOR"
    RECOVERING = "OPERATION_RECOVERING"
    UNKNOWN = "OPERATION_UNKNOWN"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing more will become of the operation."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {
        OperationState.FINISHED,
        OperationState.FAILED,
        OperationState.ERROR,
        OperationState.DROPPED,
        OperationState.GONE_BY_OPERATOR,
    }
)


class OperationStatus(Wire, frozen=True, kw_only=True):
    """What is known of an operation. `uuid` present means that it must be acknowledged."""

    state: Annotated[OperationState, 2, numbers.OPERATION_STATE]
    operation_id: Annotated[Id | None, 1] = None
    message: Annotated[str | None, 3] = None
    converted_resources: Annotated[tuple[Resource, ...], 4] = ()
    uuid: Annotated[UUID | None, 5] = None
    agent_id: Annotated[Id | None, 6] = None
    resource_provider_id: Annotated[Id | None, 7] = None


class OperationRecord(Wire, frozen=True, kw_only=True):
    """An operation as master and agent remember it (`mesos.Operation` upstream)."""

    info: Annotated[Operation, 3]
    latest_status: Annotated[OperationStatus, 4]
    uuid: Annotated[UUID, 6]
    framework_id: Annotated[Id | None, 1] = None
    agent_id: Annotated[Id | None, 2] = None
    statuses: Annotated[tuple[OperationStatus, ...], 5] = ()
