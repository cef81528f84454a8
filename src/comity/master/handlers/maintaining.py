"""Operators plan maintenance, take machines down, and bring them back up.

The schedule and the machines that are down are in the registry; inverse offers and the answers to
them are not (Mesos: src/master/http.cpp, `_updateMaintenanceSchedule` and what follows there).
"""

from comity.core.effects import Outbox, Write
from comity.core.instants import Instant
from comity.master import maintenance
from comity.master.handlers import draining, inverse_offers, lost, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_from_agent
from comity.master.inputs import MaintenanceScheduled, MaintenanceStarted, MaintenanceStopped
from comity.master.maintenance import MachineKey, key_of, key_of_agent
from comity.master.state import Agent, State
from comity.master.table import table
from comity.wire.mesos import codec, link
from comity.wire.mesos.base import MachineID
from comity.wire.mesos.maintenance import Schedule

SCHEDULE_KEY = "maintenance/schedule"


def key_of_down(machine: MachineKey) -> str:
    """Return the registry key of a machine that is down."""
    return f"down/{machine[0] or ''}/{machine[1] or ''}"


@table.on(MaintenanceScheduled)
def on_maintenance_scheduled(
    state: State, item: MaintenanceScheduled, now: Instant, out: Outbox
) -> None:
    """Replace the schedule; offers of its machines are made again, with the unavailability."""
    fault = maintenance.fault_of_schedule(state.maintenance, item.schedule)
    if fault is not None:
        sending.refused(item.to, 400, fault, out)
        return
    concerned = {*state.maintenance.unavailability}
    _plan(state, item.schedule, out)
    concerned |= {*state.maintenance.unavailability}
    for agent in _agents_on(state, concerned):
        withdraw_from_agent(state, agent, out)
        inverse_offers.forget_answers(state, agent.id)
    inverse_offers.make(state, now, out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


def _plan(state: State, schedule: Schedule, out: Outbox) -> None:
    state.maintenance.plan(schedule)
    value = codec.encode(schedule) if schedule.windows else None
    out.writes.append(Write(SCHEDULE_KEY, value))


def _agents_on(state: State, machines: set[MachineKey]) -> list[Agent]:
    return [
        agent
        for agent in state.agents.values()
        if key_of_agent(agent.info.hostname, agent.ip) in machines
    ]


@table.on(MaintenanceStarted)
def on_maintenance_started(
    state: State, item: MaintenanceStarted, now: Instant, out: Outbox
) -> None:
    """Take machines down: their agents are shut down and removed, and may not come back."""
    fault = maintenance.fault_of_start(state.maintenance, item.machines)
    if fault is not None:
        sending.refused(item.to, 400, fault, out)
        return
    for machine in item.machines:
        state.maintenance.down[key_of(machine)] = machine
        out.writes.append(Write(key_of_down(key_of(machine)), codec.encode(machine)))
    for agent in _agents_on(state, {key_of(one) for one in item.machines}):
        why = "Operator initiated 'Machine DOWN'"
        sending.to_agent(agent, link.EventShutdown(message=why), out)
        lost.remove_agent(state, agent, now, out, gone=False, cause=why)
        draining.forget(state, agent.id, out)
    want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


@table.on(MaintenanceStopped)
def on_maintenance_stopped(
    state: State, item: MaintenanceStopped, now: Instant, out: Outbox
) -> None:
    """Bring machines up again; they leave the schedule."""
    fault = maintenance.fault_of_stop(state.maintenance, item.machines)
    if fault is not None:
        sending.refused(item.to, 400, fault, out)
        return
    keys = [key_of(one) for one in item.machines]
    for key in keys:
        del state.maintenance.down[key]
        out.writes.append(Write(key_of_down(key), None))
    _plan(state, maintenance.without(state.maintenance.schedule, keys), out)
    sending.refused(item.to, 200, "", out)


def recover(state: State, key: str, value: bytes) -> None:
    """Take one key of the registry that is about maintenance."""
    if key == SCHEDULE_KEY:
        state.maintenance.plan(codec.decode(Schedule, value))
    else:
        machine: MachineID = codec.decode(MachineID, value)
        state.maintenance.down[key_of(machine)] = machine
