"""Mesos v1 messages about masters and agents, and where they are (mesos.proto)."""

from typing import Annotated

from comity.wire.mesos import numbers
from comity.wire.mesos.amounts import Attribute, Resource
from comity.wire.mesos.base import Id, Parameter, Wire, emitted


class Region(Wire, frozen=True, kw_only=True):
    """A region's or a zone's name."""

    name: Annotated[str, 1]


class FaultDomain(Wire, frozen=True, kw_only=True):
    """Where an agent stands."""

    region: Annotated[Region, 1]
    zone: Annotated[Region, 2]


class DomainInfo(Wire, frozen=True, kw_only=True):
    """`DomainInfo`."""

    fault_domain: Annotated[FaultDomain | None, 1] = None


class Address(Wire, frozen=True, kw_only=True):
    """A host name, an address and a port."""

    port: Annotated[int, 3]
    hostname: Annotated[str | None, 1] = None
    ip: Annotated[str | None, 2] = None


class MasterCapability(Wire, frozen=True, kw_only=True):
    """`MasterInfo.Capability`."""

    type: Annotated[str | None, 1, numbers.MASTER_INFO_CAPABILITY_TYPE] = None


class AgentCapability(Wire, frozen=True, kw_only=True):
    """`AgentInfo.Capability`."""

    type: Annotated[str | None, 1, numbers.AGENT_INFO_CAPABILITY_TYPE] = None


class MasterInfo(Wire, frozen=True, kw_only=True):
    """A master. `ip` is the IPv4 address as a number in network byte order."""

    id: Annotated[str, 1]
    ip: Annotated[int, 2]
    port: Annotated[int, 3] = emitted(5050)
    pid: Annotated[str | None, 4] = None
    hostname: Annotated[str | None, 5] = None
    version: Annotated[str | None, 6] = None
    address: Annotated[Address | None, 7] = None
    domain: Annotated[DomainInfo | None, 8] = None
    capabilities: Annotated[tuple[MasterCapability, ...], 9] = ()


class AgentInfo(Wire, frozen=True, kw_only=True):
    """An agent and the whole of its resources."""

    hostname: Annotated[str, 1]
    port: Annotated[int, 8] = emitted(5051)
    resources: Annotated[tuple[Resource, ...], 3] = ()
    attributes: Annotated[tuple[Attribute, ...], 5] = ()
    id: Annotated[Id | None, 6] = None
    domain: Annotated[DomainInfo | None, 10] = None


class Url(Wire, frozen=True, kw_only=True):
    """`URL`: where an agent answers."""

    scheme: Annotated[str, 1]
    address: Annotated[Address, 2]
    path: Annotated[str | None, 3] = None
    query: Annotated[tuple[Parameter, ...], 4] = ()
    fragment: Annotated[str | None, 5] = None
