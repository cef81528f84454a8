"""The cluster that a seed makes: how big, how set up, with what work."""

import random

from comity.master.config import MasterConfig
from comity.resources import text
from comity.sim.agents import AgentNode
from comity.sim.jobs import Job, Manner
from comity.sim.masters import MasterNode
from comity.sim.network import Network
from comity.sim.schedulers import SimScheduler
from comity.sim.settling import unsettled
from comity.sim.watching import Watcher
from comity.sim.world import World
from comity.wire.mesos import codec, v1


class Cluster:
    """A master, agents and schedulers that a seed makes."""

    def __init__(self, world: World) -> None:
        chance = world.chance("cluster")
        self.world = world
        self.watcher = Watcher()
        self.network = Network(world)
        self.master = MasterNode(world, self.network, _config(chance), self.watcher)
        self.agents = [
            AgentNode(world, self.network, f"agent-{n}", text.parse(_total(chance)), self.watcher)
            for n in range(chance.randint(1, 4))
        ]
        self.schedulers = [
            SimScheduler(world, self.network, f"scheduler-{n}", _manner(chance), self.watcher)
            for n in range(chance.randint(1, 3))
        ]
        for each in self.schedulers:
            for number in range(chance.randint(1, 8)):
                job = _job(chance, f"{each.name}-t{number}")
                world.after(chance.uniform(0.0, 60.0), self._submit, each, job)

    def _submit(self, each: SimScheduler, job: Job) -> None:
        each.memory.submit(job)

    def note(self, who: str, text: str) -> None:
        """Add a line to the trace, if there is one."""
        if self.world.tracing:
            self.world.note(who, text)

    def start(self) -> None:
        """Start everybody."""
        self.master.start()
        for node in self.agents:
            node.start()
        for each in self.schedulers:
            each.start()

    def unsettled(self) -> list[str]:
        """Return what has not converged."""
        return unsettled(self.master, self.agents, self.schedulers)

    def drain(self) -> list[Job]:
        """Kill every task that runs; return those whose end is to come.

        What was lost with an agent has no other end than that.
        """
        left = []
        for each in self.schedulers:
            for job in each.memory.jobs.values() if not each.memory.is_over else ():
                if job.is_done or job.is_out_of_sight:
                    continue
                left.append(job)
                if job.state is v1.TaskState.RUNNING and not job.is_unwanted:
                    each.kill_task(job)
        return left

    def held(self) -> list[str]:
        """Return what still holds resources when nothing runs any more."""
        state = self.master.state
        agents = state.agents.values() if state is not None else ()
        return [f"{one.id} has {one.used} in use by nobody" for one in agents if one.used]


def _config(chance: random.Random) -> MasterConfig:
    return MasterConfig(
        allocation_interval_s=chance.choice((1.0, 5.0, 15.0)),
        ping_interval_s=chance.choice((5.0, 15.0)),
        pings_missed_max=chance.choice((2, 5)),
        agent_reregister_timeout_s=chance.choice((30.0, 120.0, 600.0)),
    )


def _total(chance: random.Random) -> str:
    return f"cpus:{chance.choice((1, 2, 4))};mem:{chance.choice((512, 1024))};disk:1000"


def _manner(chance: random.Random) -> Manner:
    capabilities = [
        one
        for one in ("PARTITION_AWARE", "TASK_KILLING_STATE", "MULTI_ROLE")
        if chance.random() < 0.6
    ]
    return Manner(
        failover_timeout_s=chance.choice((0.0, 30.0, 600.0)),
        capabilities=tuple(capabilities),
        roles=tuple(chance.sample(("dev", "prod", "dev/web"), chance.randint(1, 2))),
        ack_s=chance.choice((0.0, 0.1, 5.0)),
        think_s=chance.choice((0.0, 0.1, 3.0)),
        refuse_s=chance.choice((0.0, 1.0, 5.0, 60.0)),
        greed=chance.randint(1, 4),
        format=chance.choice(list(codec.Format)),
        operations=chance.choice((0.0, 0.0, 0.5)),
        stammer=chance.choice((0.0, 0.3)),
        groups=chance.choice((0.0, 0.3, 1.0)),
        customs=chance.choice((0.0, 0.3, 1.0)),
        checkpoint=chance.random() < 0.8,
    )


def _job(chance: random.Random, name: str) -> Job:
    command = chance.choice(
        (
            f"run {chance.uniform(0.0, 5.0):.3f} 0",
            f"run {chance.uniform(0.0, 60.0):.3f} {chance.choice((0, 0, 1))}",
            "serve",
            "serve",
            "serve stubborn",
            f"slow {chance.uniform(0.0, 20.0):.3f} serve",
            "broken",
        )
    )
    return Job(name, command, f"cpus:{chance.choice((0.1, 0.5, 1))};mem:{chance.choice((32, 128))}")
