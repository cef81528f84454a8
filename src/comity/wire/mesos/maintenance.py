"""Maintenance schedules and draining (maintenance.proto, allocator.proto, mesos.proto)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import (
    DurationInfo,
    Id,
    MachineID,
    TimeInfo,
    Unavailability,
    Wire,
    emitted,
)


class InverseOfferStatus(Wire, frozen=True, kw_only=True):
    """`InverseOfferStatus`."""

    status: Annotated[str, 1, numbers.ALLOCATOR_INVERSE_OFFER_STATUS_STATUS]
    framework_id: Annotated[Id, 2]
    timestamp: Annotated[TimeInfo, 3]


class Window(Wire, frozen=True, kw_only=True):
    """`Window`."""

    machine_ids: Annotated[tuple[MachineID, ...], 1] = ()
    unavailability: Annotated[Unavailability, 2]


class Schedule(Wire, frozen=True, kw_only=True):
    """`Schedule`."""

    windows: Annotated[tuple[Window, ...], 1] = ()


class DrainingMachine(Wire, frozen=True, kw_only=True):
    """`ClusterStatus.DrainingMachine`."""

    id: Annotated[MachineID, 1]
    statuses: Annotated[tuple[InverseOfferStatus, ...], 2] = ()


class ClusterStatus(Wire, frozen=True, kw_only=True):
    """`ClusterStatus`."""

    draining_machines: Annotated[tuple[DrainingMachine, ...], 1] = ()
    down_machines: Annotated[tuple[MachineID, ...], 2] = ()


class DrainConfig(Wire, frozen=True, kw_only=True):
    """`DrainConfig`."""

    max_grace_period: Annotated[DurationInfo | None, 1] = None
    mark_gone: Annotated[bool, 2] = emitted(False)


class DrainInfo(Wire, frozen=True, kw_only=True):
    """`DrainInfo`."""

    state: Annotated[str, 1, numbers.DRAIN_STATE]
    config: Annotated[DrainConfig, 2]
