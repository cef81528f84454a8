"""What breaks in phase 1, and how all of it is mended for phase 2.

Each fault is a function of its own that breaks one thing and plans its repair. Every seed enables
some of them only (a swarm): what one fault hides, another seed without it shows.
"""

import random
from collections.abc import Callable

from comity.sim import operators
from comity.sim.agents import AgentNode
from comity.sim.cluster import Cluster
from comity.sim.masters import MasterNode
from comity.sim.process import Point

Fault = Callable[[Cluster, random.Random], None]


class Faults:
    """Breaks things at random instants until it is told to stop."""

    def __init__(self, cluster: Cluster) -> None:
        self.names: tuple[str, ...] = ()
        self._cluster = cluster
        self._world = cluster.world
        self._is_over = False
        chance = cluster.world.chance("faults")
        for name, fault in FAULTS.items():
            if chance.random() < 0.3:
                self.names = (*self.names, name)
                own = cluster.world.chance("faults", name)
                self._plan(fault, own, own.choice((10.0, 30.0, 100.0)))
        for node in _nodes(cluster):
            if chance.random() < 0.2:
                node.clocks.set_drift(chance.uniform(-0.01, 0.01))

    def _plan(self, fault: Fault, chance: random.Random, mean_s: float) -> None:
        self._world.after(chance.expovariate(1.0 / mean_s), self._strike, fault, chance, mean_s)

    def _strike(self, fault: Fault, chance: random.Random, mean_s: float) -> None:
        if not self._is_over:
            fault(self._cluster, chance)
            self._plan(fault, chance, mean_s)

    def stop(self) -> None:
        """Mend everything."""
        self._is_over = True
        cluster = self._cluster
        cluster.network.heal()
        for node in _nodes(cluster):
            node.disk.make_room()
            node.disk.hasten()
            node.spare()
            node.thaw()
            node.start()
        for each in cluster.schedulers:
            each.start()
        operators.relent(cluster)


def _while(chance: random.Random) -> float:
    """Return how long something stays broken: mostly seconds, sometimes minutes."""
    return chance.choice((0.5, 5.0, 30.0, 120.0)) * (0.5 + chance.random())


def _nodes(cluster: Cluster) -> list[MasterNode | AgentNode]:
    return [cluster.master, *cluster.agents]


def _node(cluster: Cluster, chance: random.Random) -> MasterNode | AgentNode:
    return chance.choice(_nodes(cluster))


def _hosts(cluster: Cluster) -> list[str]:
    agents = [one.name for one in cluster.agents]
    return agents + [one.name for one in cluster.schedulers]


# processes


def _master_crash(cluster: Cluster, chance: random.Random) -> None:
    cluster.note("faults", "kill -9 of the master")
    cluster.master.kill()
    cluster.world.after(_while(chance), cluster.master.start)


def _master_power(cluster: Cluster, chance: random.Random) -> None:
    cluster.note("faults", "the master loses power")
    cluster.master.kill(power=True)
    cluster.world.after(_while(chance), cluster.master.start)


def _doom(cluster: Cluster, chance: random.Random) -> None:
    node = _node(cluster, chance)
    point: Point = chance.choice(list(Point))
    cluster.note("faults", f"{node.name} is to die {point.value}")
    node.restart_s = _while(chance)
    node.doom(point)


def _agent_crash(cluster: Cluster, chance: random.Random) -> None:
    node = chance.choice(cluster.agents)
    cluster.note("faults", f"kill -9 of {node.name}")
    node.kill()
    cluster.world.after(_while(chance), node.start)


def _agent_power(cluster: Cluster, chance: random.Random) -> None:
    node = chance.choice(cluster.agents)
    cluster.note("faults", f"{node.name} loses power")
    node.kill(power=True)
    cluster.world.after(_while(chance), node.start)


def _agent_replaced(cluster: Cluster, chance: random.Random) -> None:
    node = chance.choice(cluster.agents)
    cluster.note("faults", f"{node.name} is replaced by an empty machine")
    node.replace()
    cluster.world.after(_while(chance), node.start)


def _pause(cluster: Cluster, chance: random.Random) -> None:
    node = _node(cluster, chance)
    cluster.note("faults", f"SIGSTOP of {node.name}")
    node.freeze()
    cluster.world.after(_while(chance), node.thaw)


def _scheduler_crash(cluster: Cluster, chance: random.Random) -> None:
    each = chance.choice(cluster.schedulers)
    power = chance.random() < 0.5
    cluster.note("faults", f"{each.name} {'loses power' if power else 'is killed'}")
    each.kill(power=power)
    cluster.world.after(_while(chance), each.start)


# the network


def _partition(cluster: Cluster, chance: random.Random) -> None:
    host = chance.choice(_hosts(cluster))
    _cut(cluster, [(host, "master"), ("master", host)], _while(chance))


def _one_way(cluster: Cluster, chance: random.Random) -> None:
    host = chance.choice(_hosts(cluster))
    pairs = [(host, "master")] if chance.random() < 0.5 else [("master", host)]
    _cut(cluster, pairs, _while(chance))


def _isolation(cluster: Cluster, chance: random.Random) -> None:
    hosts = _hosts(cluster)
    pairs = [(one, "master") for one in hosts] + [("master", one) for one in hosts]
    _cut(cluster, pairs, _while(chance))


def _cut(cluster: Cluster, pairs: list[tuple[str, str]], seconds: float) -> None:
    cluster.note("faults", f"nothing passes {pairs} for {seconds:.1f} s")
    for source, target in pairs:
        cluster.network.block(source, target)
        cluster.world.after(seconds, cluster.network.unblock, source, target)


def _slow_network(cluster: Cluster, chance: random.Random) -> None:
    network = cluster.network
    network.delay_s, network.loss = chance.choice((0.01, 0.3, 2.0)), chance.choice((0.0, 0.1, 0.4))
    cluster.note("faults", f"the network is slow: {network.delay_s} s, {network.loss} lost")
    cluster.world.after(_while(chance), network.hasten)


def _forgotten(cluster: Cluster, chance: random.Random) -> None:
    """A middle box forgets a connection: neither end is told."""
    remote = [one for one in cluster.network.connections if not one.is_local]
    if remote:
        connection = chance.choice(remote)
        cluster.note("faults", f"{connection.name} is forgotten by a middle box")
        connection.has_vanished = True


def _reset(cluster: Cluster, chance: random.Random) -> None:
    """A connection is reset; its ends learn of it at different times."""
    if cluster.network.connections:
        connection = chance.choice(list(cluster.network.connections))
        cluster.note("faults", f"{connection.name} is reset")
        connection.has_vanished = True
        for side in (connection.client, connection.server):
            cluster.world.after(chance.expovariate(1.0), connection.break_end, side)


# disks and clocks


def _slow_disk(cluster: Cluster, chance: random.Random) -> None:
    node = _node(cluster, chance)
    node.disk.sync_s = chance.choice((0.05, 1.0, 5.0))
    cluster.note("faults", f"the disk of {node.name} is slow: {node.disk.sync_s} s")
    cluster.world.after(_while(chance), node.disk.hasten)


def _full_disk(cluster: Cluster, chance: random.Random) -> None:
    node = _node(cluster, chance)
    cluster.note("faults", f"the disk of {node.name} is full")
    node.disk.full = True
    cluster.world.after(_while(chance), node.disk.make_room)


def _clock(cluster: Cluster, chance: random.Random) -> None:
    node = _node(cluster, chance)
    by_s = chance.choice((-86400.0, -3600.0, -5.0, 5.0, 3600.0, 86400.0))
    cluster.note("faults", f"the clock of {node.name} is set by {by_s:g} s")
    node.clocks.offset_s += by_s


# schedulers' own ends


def _ended(cluster: Cluster, chance: random.Random) -> None:
    each = chance.choice(cluster.schedulers)
    cluster.note("faults", f"{each.name} ends its framework")
    each.end()


def _killed_task(cluster: Cluster, chance: random.Random) -> None:
    each = chance.choice(cluster.schedulers)
    jobs = each.open_jobs()
    if jobs and each.is_connected:
        job = chance.choice(jobs)
        cluster.note("faults", f"{each.name} kills {job.name}")
        each.kill_task(job)


FAULTS: dict[str, Fault] = {
    "master-crash": _master_crash,
    "master-power": _master_power,
    "doom": _doom,
    "agent-crash": _agent_crash,
    "agent-power": _agent_power,
    "agent-replaced": _agent_replaced,
    "pause": _pause,
    "scheduler-crash": _scheduler_crash,
    "partition": _partition,
    "one-way": _one_way,
    "isolation": _isolation,
    "slow-network": _slow_network,
    "forgotten": _forgotten,
    "reset": _reset,
    "slow-disk": _slow_disk,
    "full-disk": _full_disk,
    "clock": _clock,
    "ended": _ended,
    "killed-task": _killed_task,
    **operators.OPERATORS,
}
