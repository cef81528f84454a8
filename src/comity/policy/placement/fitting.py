"""Whether one instance fits what is left of an offer, and if not, the first reason against it.

Reasons come in the order of Marathon's funnel: what they say about many offers is shown by
`dcos marathon debug summary`.
"""

import enum
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from comity.policy.placement.constraints import Constraint, Placed, accepts, field_name
from comity.policy.placement.ports import PortDemand, Range, pick_ports, without

_EPSILON = 0.0005
"""Half of the smallest scalar that Mesos tells apart."""


class Reason(enum.Enum):
    """Why an offer was not used, in the order in which reasons are looked for."""

    UNFULFILLED_ROLE = "UnfulfilledRole"
    UNFULFILLED_CONSTRAINT = "UnfulfilledConstraint"
    NO_CORRESPONDING_RESERVATION_FOUND = "NoCorrespondingReservationFound"
    AGENT_MAINTENANCE = "AgentMaintenance"
    INSUFFICIENT_CPUS = "InsufficientCpus"
    INSUFFICIENT_MEMORY = "InsufficientMemory"
    INSUFFICIENT_DISK = "InsufficientDisk"
    INSUFFICIENT_GPUS = "InsufficientGpus"
    INSUFFICIENT_PORTS = "InsufficientPorts"
    DECLINED_SCARCE_RESOURCES = "DeclinedScarceResources"


_SCALARS = (
    ("cpus", Reason.INSUFFICIENT_CPUS),
    ("mem", Reason.INSUFFICIENT_MEMORY),
    ("disk", Reason.INSUFFICIENT_DISK),
    ("gpus", Reason.INSUFFICIENT_GPUS),
)


class Demand(Struct, frozen=True):
    """What one instance of an app asks of an offer."""

    scalars: Mapping[str, float]
    """cpus, mem, disk and gpus; zero asks for nothing."""
    ports: PortDemand = PortDemand()
    roles: tuple[str, ...] = ("*",)
    """Roles whose resources may be used, in order of preference."""
    constraints: tuple[Constraint, ...] = ()
    instances: int = 1
    """How many instances the app shall have; GROUP_BY divides it."""


@dataclass(slots=True)
class Room:
    """What one role has in an offer."""

    scalars: dict[str, float] = field(default_factory=dict)
    ports: list[Range] = field(default_factory=list)


@dataclass(slots=True)
class OfferedNode:
    """An offer while it is being filled: the node's values, and what is left of its resources."""

    values: Mapping[str, str]
    rooms: dict[str, Room]
    unavailable: bool = False
    """Whether the agent is, or is about to be, in maintenance."""


class Fit(Struct, frozen=True):
    """Resources taken from an offer for one instance, all of one role."""

    role: str
    scalars: Mapping[str, float]
    ports: tuple[int, ...]


def fit(
    demand: Demand,
    node: OfferedNode,
    placed: Placed,
    known: Mapping[str, int],
    rng: random.Random,
) -> Fit | Reason:
    """Take one instance's resources out of `node`, or return the first reason against it.

    `known` counts the distinct values of a field that the cluster has shown so far.
    """
    rooms = [(role, node.rooms[role]) for role in demand.roles if role in node.rooms]
    if not rooms:
        return Reason.UNFULFILLED_ROLE
    for one in demand.constraints:
        if not accepts(one, node.values, placed, demand.instances, _known(one, known)):
            return Reason.UNFULFILLED_CONSTRAINT
    if node.unavailable:
        return Reason.AGENT_MAINTENANCE
    refusals: list[Reason] = []
    for role, room in rooms:
        taken = _take(demand, role, room, rng)
        if isinstance(taken, Fit):
            return taken
        refusals.append(taken)
    order = list(Reason)
    return max(refusals, key=order.index)


def _known(constraint: Constraint, known: Mapping[str, int]) -> int:
    return known.get(field_name(constraint.field), 0)


def _take(demand: Demand, role: str, room: Room, rng: random.Random) -> Fit | Reason:
    for name, reason in _SCALARS:
        if demand.scalars.get(name, 0.0) > room.scalars.get(name, 0.0) + _EPSILON:
            return reason
    ports: Sequence[int] | None = pick_ports(demand.ports, room.ports, rng)
    if ports is None:
        return Reason.INSUFFICIENT_PORTS
    taken = {name: amount for name, amount in demand.scalars.items() if amount > 0}
    for name, amount in taken.items():
        room.scalars[name] -= amount
    for port in ports:
        room.ports = without(room.ports, port)
    return Fit(role, taken, tuple(ports))
