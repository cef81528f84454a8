"""Machines that operators plan to take down, and what frameworks answer to that.

There is one schedule. A machine in it is draining, one that was taken down is down, all others are
up. A machine is named by a host name and an address, both or one of them; an agent is on it when
both agree, so that a machine with only one of them has no agents (Mesos: MachineID's operator==).
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field

from comity.core.ids import AgentId, FrameworkId, OfferId
from comity.core.instants import Instant
from comity.wire.mesos import codec
from comity.wire.mesos.base import MachineID, Unavailability
from comity.wire.mesos.maintenance import (
    ClusterStatus,
    DrainingMachine,
    InverseOfferStatus,
    Schedule,
    Window,
)

MachineKey = tuple[str | None, str | None]
"""A machine's host name in small letters, and its address."""

_INT64_MAX = 2**63 - 1


@dataclass(slots=True)
class InverseOffer:
    """A framework is asked to leave an agent."""

    id: OfferId
    framework_id: FrameworkId
    agent_id: AgentId
    made_at: Instant


@dataclass(slots=True)
class Maintenance:
    """The schedule, which machines are down, and the inverse offers for the others."""

    schedule: Schedule = field(default_factory=Schedule)
    unavailability: dict[MachineKey, Unavailability] = field(default_factory=dict)
    """Of every machine in the schedule."""
    down: dict[MachineKey, MachineID] = field(default_factory=dict)
    inverse_offers: dict[AgentId, dict[FrameworkId, InverseOffer]] = field(default_factory=dict)
    by_id: dict[OfferId, InverseOffer] = field(default_factory=dict)
    answers: dict[AgentId, dict[FrameworkId, InverseOfferStatus]] = field(default_factory=dict)
    """The last answer to an inverse offer; a failover or another schedule forgets it."""
    refusals: dict[AgentId, dict[FrameworkId, Instant]] = field(default_factory=dict)
    """Until when a framework that has answered is not asked again."""

    def plan(self, schedule: Schedule) -> None:
        """Replace the schedule."""
        self.schedule = schedule
        self.unavailability = {
            key_of(one): window.unavailability
            for window in schedule.windows
            for one in window.machine_ids
        }

    def status(self, agents: Iterable[tuple[AgentId, MachineKey]]) -> ClusterStatus:
        """Return which machines drain, with what was answered about their agents, or are down."""
        answers: dict[MachineKey, list[InverseOfferStatus]] = {}
        for agent_id, key in agents if self.answers else ():
            answers.setdefault(key, []).extend(self.answers.get(agent_id, {}).values())
        draining = (
            DrainingMachine(id=one, statuses=tuple(answers.get(key_of(one), ())))
            for window in self.schedule.windows
            for one in window.machine_ids
            if self.is_draining(key_of(one))
        )
        return ClusterStatus(
            draining_machines=tuple(draining), down_machines=tuple(self.down.values())
        )

    def is_draining(self, key: MachineKey) -> bool:
        """Whether a machine is scheduled, and not down yet."""
        return key in self.unavailability and key not in self.down


def key_of(machine: MachineID) -> MachineKey:
    """Return what tells a machine from others."""
    name = machine.hostname.lower() if machine.hostname is not None else None
    return name, machine.ip


def key_of_agent(hostname: str, ip: str) -> MachineKey:
    """Return the machine an agent is on."""
    return hostname.lower(), ip


def without(schedule: Schedule, keys: Iterable[MachineKey]) -> Schedule:
    """Return a schedule without some machines, and without windows that are left empty."""
    left_out = set(keys)
    kept = (
        Window(
            machine_ids=tuple(one for one in window.machine_ids if key_of(one) not in left_out),
            unavailability=window.unavailability,
        )
        for window in schedule.windows
    )
    return Schedule(windows=tuple(window for window in kept if window.machine_ids))


# what is wrong with what operators ask for (Mesos: src/master/maintenance.cpp)


def fault_of_schedule(maintenance: Maintenance, schedule: Schedule) -> str | None:
    """Return why a schedule cannot replace the present one."""
    seen: set[MachineKey] = set()
    for window in schedule.windows:
        if not window.machine_ids:
            return "List of machines in the maintenance window is empty"
        fault = _unavailability_fault(window.unavailability) or _machines_fault(
            window.machine_ids, seen
        )
        if fault is not None:
            return fault
    for key, machine in maintenance.down.items():
        if key not in seen:
            return (
                f"Machine '{shown(machine)}' is deactivated and cannot be removed from the schedule"
            )
    return None


def _unavailability_fault(unavailability: Unavailability) -> str | None:
    if abs(unavailability.start.nanoseconds) > _INT64_MAX:
        return "Unavailability 'start' is not a number of 64 bits"
    duration = unavailability.duration
    if duration is None:
        return None
    if duration.nanoseconds < 0:
        return "Unavailability 'duration' is negative"
    if duration.nanoseconds > _INT64_MAX:
        return "Unavailability 'duration' is not a number of 64 bits"
    return None


def _machines_fault(machines: Iterable[MachineID], seen: set[MachineKey]) -> str | None:
    """Return what is wrong with machines, and add them to those that were seen."""
    for one in machines:
        if not one.hostname and not one.ip:
            return "Both 'hostname' and 'ip' for a machine are empty"
        if one.ip:
            try:
                ipaddress.IPv4Address(one.ip)
            except ipaddress.AddressValueError:
                return f"Failed to parse the IP '{one.ip}' of a machine"
        if key_of(one) in seen:
            return f"Machine '{shown(one)}' appears more than once in the schedule"
        seen.add(key_of(one))
    return None


def fault_of_start(maintenance: Maintenance, machines: tuple[MachineID, ...]) -> str | None:
    """Return why machines cannot be taken down."""
    fault = _list_fault(maintenance, machines)
    if fault is not None:
        return fault
    for one in machines:
        if not maintenance.is_draining(key_of(one)):
            return f"Machine '{shown(one)}' is not in DRAINING mode and cannot be brought down"
    return None


def fault_of_stop(maintenance: Maintenance, machines: tuple[MachineID, ...]) -> str | None:
    """Return why machines cannot be brought up."""
    fault = _list_fault(maintenance, machines)
    if fault is not None:
        return fault
    for one in machines:
        if key_of(one) not in maintenance.down:
            return f"Machine '{shown(one)}' is not in DOWN mode and cannot be brought up"
    return None


def _list_fault(maintenance: Maintenance, machines: tuple[MachineID, ...]) -> str | None:
    if not machines:
        return "List of machines is empty"
    fault = _machines_fault(machines, set())
    if fault is not None:
        return fault
    for one in machines:
        if key_of(one) not in maintenance.unavailability:
            return f"Machine '{shown(one)}' is not part of a maintenance schedule"
    return None


def shown(machine: MachineID) -> str:
    """Return a machine as sentences name it."""
    return codec.encode(machine).decode()
