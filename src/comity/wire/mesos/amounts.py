"""Mesos v1 messages about resources and attributes (mesos.proto: Resource, Attribute)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Id, Labels, Ranges, Scalar, SetOfItems, Text, Wire
from comity.wire.mesos.containers import Volume


class AllocationInfo(Wire, frozen=True, kw_only=True):
    """The role a resource is allocated to."""

    role: Annotated[str | None, 1] = None


class ReservationInfo(Wire, frozen=True, kw_only=True):
    """`Resource.ReservationInfo`; `type` is STATIC or DYNAMIC."""

    type: Annotated[str | None, 4, numbers.RESOURCE_RESERVATION_INFO_TYPE] = None
    role: Annotated[str | None, 3] = None
    principal: Annotated[str | None, 1] = None
    labels: Annotated[Labels | None, 2] = None


class Persistence(Wire, frozen=True, kw_only=True):
    """`Resource.DiskInfo.Persistence`."""

    id: Annotated[str, 1]
    principal: Annotated[str | None, 2] = None


class DiskSourcePath(Wire, frozen=True, kw_only=True):
    """`Resource.DiskInfo.Source.Path`."""

    root: Annotated[str | None, 1] = None


class DiskSourceMount(Wire, frozen=True, kw_only=True):
    """`Resource.DiskInfo.Source.Mount`."""

    root: Annotated[str | None, 1] = None


class DiskSource(Wire, frozen=True, kw_only=True):
    """`Resource.DiskInfo.Source`."""

    type: Annotated[str, 1, numbers.RESOURCE_DISK_INFO_SOURCE_TYPE]
    path: Annotated[DiskSourcePath | None, 2] = None
    mount: Annotated[DiskSourceMount | None, 3] = None
    vendor: Annotated[str | None, 7] = None
    id: Annotated[str | None, 4] = None
    metadata: Annotated[Labels | None, 5] = None
    profile: Annotated[str | None, 6] = None


class DiskInfo(Wire, frozen=True, kw_only=True):
    """What makes a disk resource a persistent volume."""

    persistence: Annotated[Persistence | None, 1] = None
    volume: Annotated[Volume | None, 2] = None
    source: Annotated[DiskSource | None, 3] = None


class Empty(Wire, frozen=True, kw_only=True):
    """A message whose presence is its meaning."""


class Resource(Wire, frozen=True, kw_only=True):
    """An amount of something, its reservations and its allocation."""

    name: Annotated[str, 1]
    type: Annotated[str, 2, numbers.VALUE_TYPE]
    scalar: Annotated[Scalar | None, 3] = None
    ranges: Annotated[Ranges | None, 4] = None
    set: Annotated[SetOfItems | None, 5] = None
    role: Annotated[str | None, 6] = None
    reservation: Annotated[ReservationInfo | None, 8] = None
    reservations: Annotated[tuple[ReservationInfo, ...], 13] = ()
    allocation_info: Annotated[AllocationInfo | None, 11] = None
    disk: Annotated[DiskInfo | None, 7] = None
    revocable: Annotated[Empty | None, 9] = None
    shared: Annotated[Empty | None, 10] = None
    provider_id: Annotated[Id | None, 12] = None


class Attribute(Wire, frozen=True, kw_only=True):
    """A property of an agent that constraints are written against."""

    name: Annotated[str, 1]
    type: Annotated[str, 2, numbers.VALUE_TYPE]
    scalar: Annotated[Scalar | None, 3] = None
    ranges: Annotated[Ranges | None, 4] = None
    set: Annotated[SetOfItems | None, 6] = None
    text: Annotated[Text | None, 5] = None
