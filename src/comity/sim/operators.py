"""What operators do to a running cluster, and how they take it back for phase 2."""

import random
from collections.abc import Callable

from comity.core.ids import AgentId, FrameworkId
from comity.master import inputs
from comity.sim.cluster import Cluster
from comity.wire.mesos import v1
from comity.wire.mesos.base import DurationInfo, MachineID, TimeInfo, Unavailability
from comity.wire.mesos.maintenance import DrainConfig, Schedule, Window
from comity.wire.mesos.quota import QuotaConfig, WeightInfo

ROLES = ("dev", "prod")
_ROLE = "dev"
"""What is reserved is disk for this role, which no job needs: nobody starves for it."""


def _agent(cluster: Cluster, chance: random.Random) -> AgentId | None:
    """Return an agent that the master knows."""
    state = cluster.master.state
    return chance.choice(list(state.agents)) if state is not None and state.agents else None


def _mark_gone(cluster: Cluster, chance: random.Random) -> None:
    agent_id = _agent(cluster, chance)
    if agent_id is not None:
        cluster.note("operator", f"marks {agent_id} gone")
        cluster.master.ask(lambda to: inputs.AgentMarkedGone(to, agent_id))


def _drain(cluster: Cluster, chance: random.Random) -> None:
    agent_id = _agent(cluster, chance)
    if agent_id is None:
        return
    grace = DurationInfo(nanoseconds=chance.choice((0, 5_000_000_000)))
    config = DrainConfig(
        max_grace_period=chance.choice((None, grace)), mark_gone=chance.random() < 0.2
    )
    cluster.note("operator", f"drains {agent_id}: {config}")
    cluster.master.ask(lambda to: inputs.AgentDrained(to, agent_id, config))
    cluster.world.after(chance.uniform(1.0, 60.0), _reactivate, cluster, agent_id)


def _deactivate(cluster: Cluster, chance: random.Random) -> None:
    agent_id = _agent(cluster, chance)
    if agent_id is not None:
        cluster.note("operator", f"deactivates {agent_id}")
        cluster.master.ask(lambda to: inputs.AgentDeactivated(to, agent_id))
        cluster.world.after(chance.uniform(1.0, 60.0), _reactivate, cluster, agent_id)


def _reactivate(cluster: Cluster, agent_id: AgentId) -> None:
    cluster.note("operator", f"reactivates {agent_id}")
    cluster.master.ask(lambda to: inputs.AgentReactivated(to, agent_id))


def _tear_down(cluster: Cluster, chance: random.Random) -> None:
    each = chance.choice(cluster.schedulers)
    if each.memory.framework_id is not None:
        wanted = FrameworkId(each.memory.framework_id)
        cluster.note("operator", f"tears {each.name} down")
        cluster.master.ask(lambda to: inputs.TeardownRequested(to, wanted))


def _weigh(cluster: Cluster, chance: random.Random) -> None:
    infos = (WeightInfo(role=chance.choice(ROLES), weight=chance.choice((0.5, 1.0, 10.0))),)
    cluster.note("operator", f"sets {infos}")
    cluster.master.ask(lambda to: inputs.WeightsUpdated(to, infos))


def _quota(cluster: Cluster, chance: random.Random) -> None:
    guarantees = {"cpus": v1.Scalar(value=chance.choice((0.5, 1.0)))}
    limits = {"cpus": v1.Scalar(value=chance.choice((1.0, 2.0)))}
    config = QuotaConfig(
        role=chance.choice(ROLES),
        guarantees=chance.choice(({}, guarantees)),
        limits=chance.choice(({}, limits)),
    )
    cluster.note("operator", f"sets {config}")
    cluster.master.ask(lambda to: inputs.QuotaUpdated(to, (config,), chance.random() < 0.5))


def _machine_down(cluster: Cluster, chance: random.Random) -> None:
    machine = MachineID(hostname=chance.choice(cluster.agents).name)
    cluster.note("operator", f"takes {machine.hostname} down")
    soon = Unavailability(start=TimeInfo(nanoseconds=int(cluster.master.clocks.wall() * 1e9)))
    schedule = Schedule(windows=(Window(machine_ids=(machine,), unavailability=soon),))
    cluster.master.ask(lambda to: inputs.MaintenanceScheduled(to, schedule))
    cluster.master.ask(lambda to: inputs.MaintenanceStarted(to, (machine,)))
    cluster.world.after(chance.uniform(1.0, 60.0), _machine_up, cluster, machine)


def _machine_up(cluster: Cluster, machine: MachineID) -> None:
    cluster.master.ask(lambda to: inputs.MaintenanceStopped(to, (machine,)))


def _operate(cluster: Cluster, chance: random.Random) -> None:
    """Reserve disk, make a volume of it, or take either back; most attempts are refused."""
    agent_id = _agent(cluster, chance)
    if agent_id is None:
        return
    disk = _disk()
    volume = _disk(f"v{chance.randint(1, 2)}")
    operation = chance.choice(
        (
            v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=(disk,))),
            v1.Operation(type="UNRESERVE", unreserve=v1.Unreserve(resources=(disk,))),
            v1.Operation(type="CREATE", create=v1.Create(volumes=(volume,))),
            v1.Operation(type="DESTROY", destroy=v1.Destroy(volumes=(volume,))),
        )
    )
    cluster.note("operator", f"wants {operation.type} on {agent_id}")
    cluster.master.ask(lambda to: inputs.OperationRequested(to, agent_id, operation))


def _disk(volume: str = "") -> v1.Resource:
    reserved = v1.ReservationInfo(type="DYNAMIC", role=_ROLE)
    info = None
    if volume:
        info = v1.DiskInfo(
            persistence=v1.Persistence(id=volume),
            volume=v1.Volume(container_path="data", mode="RW"),
        )
    return v1.Resource(
        name="disk",
        type="SCALAR",
        scalar=v1.Scalar(value=10.0),
        reservations=(reserved,),
        disk=info,
    )


OPERATORS: dict[str, Callable[[Cluster, random.Random], None]] = {
    "marked-gone": _mark_gone,
    "drained": _drain,
    "deactivated": _deactivate,
    "torn-down": _tear_down,
    "weights": _weigh,
    "quota": _quota,
    "maintenance": _machine_down,
    "operations": _operate,
}


def relent(cluster: Cluster) -> None:
    """Take back what would keep tasks from being launched."""
    reactivate_all(cluster)
    for node in cluster.agents:
        _machine_up(cluster, MachineID(hostname=node.name))
    cluster.master.ask(lambda to: inputs.MaintenanceScheduled(to, Schedule()))
    configs = tuple(QuotaConfig(role=role) for role in ROLES)
    cluster.master.ask(lambda to: inputs.QuotaUpdated(to, configs, force=True))


def reactivate_all(cluster: Cluster) -> None:
    """Reactivate what was deactivated; an agent that drains can only be later."""
    state = cluster.master.state
    for agent_id in sorted(state.deactivated) if state is not None else ():
        _reactivate(cluster, agent_id)
