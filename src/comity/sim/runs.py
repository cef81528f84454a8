"""One seed, from start to verdict: phase 1 under faults, phase 2 without them."""

import random
import traceback
from collections.abc import Callable

from msgspec import Struct

from comity.core.errors import InvariantViolated
from comity.master.config import MasterConfig
from comity.resources import text
from comity.sim.agents import AgentNode
from comity.sim.masters import MasterNode
from comity.sim.network import Network
from comity.sim.schedulers import Job, Manner, SimScheduler
from comity.sim.settling import unsettled
from comity.sim.watching import Violated, Watcher
from comity.sim.world import World
from comity.wire.mesos import v1

SETTLE_S = 2000.0
"""Bound of phase 2: longer than the longest timeout and the longest pause between two repeats."""


class Verdict(Struct, frozen=True, kw_only=True):
    """How a seed ended."""

    seed: int
    fault: str = ""
    """Empty when all was well; else `correctness`, `liveness` or `crash`."""
    text: str = ""
    inputs: int = 0
    simulated_s: float = 0.0
    tasks: int = 0
    faults: tuple[str, ...] = ()


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
        each.memory.jobs[job.name] = job

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
        """Kill every task that runs; return those that have not come to their end."""
        left = []
        for each in self.schedulers:
            for job in each.memory.jobs.values() if not each.memory.is_over else ():
                if job.is_done:
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
        allocation_interval_s=chance.choice((1.0, 5.0)),
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
        capabilities=tuple(capabilities),
        roles=tuple(chance.sample(("dev", "prod", "dev/web"), chance.randint(1, 2))),
        ack_s=chance.choice((0.0, 0.1, 5.0)),
        think_s=chance.choice((0.0, 0.1, 3.0)),
        refuse_s=chance.choice((0.0, 1.0, 5.0, 60.0)),
        greed=chance.randint(1, 4),
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


def run(seed: int, *, tracing: bool = False) -> tuple[Verdict, World]:
    """Play one seed."""
    world = World(seed, tracing=tracing)
    cluster = Cluster(world)
    fault, said = "", ""
    try:
        cluster.start()
        world.run(world.chance("plan").uniform(30.0, 300.0))
        said = settle(cluster)
        fault = "liveness" if said else ""
    except (Violated, InvariantViolated, AssertionError) as error:
        fault, said = "correctness", f"{error}\n{_where(error)}"
    except Exception as error:
        fault, said = "crash", f"{type(error).__name__}: {error}\n{_where(error)}"
    verdict = Verdict(
        seed=seed,
        fault=fault,
        text=said,
        inputs=world.inputs,
        simulated_s=world.now,
        tasks=cluster.watcher.started,
    )
    return verdict, world


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return "\n".join(
        f"  {one.filename.rpartition('src/')[2]}:{one.lineno} {one.name}" for one in frames[-6:]
    )


def settle(cluster: Cluster) -> str:
    """Let the cluster come to one view, then to rest; return what keeps it from that."""
    return _wait(cluster, cluster.unsettled) or _wait(cluster, lambda: _drain(cluster))


def _drain(cluster: Cluster) -> list[str]:
    """Kill what would run for ever, so that everything gets its turn and everything ends."""
    found = [f"{job.name} was not launched or has not ended" for job in cluster.drain()]
    return found + cluster.unsettled() + cluster.held()


def _wait(cluster: Cluster, missing: Callable[[], list[str]]) -> str:
    end = cluster.world.now + SETTLE_S
    while found := missing():
        if cluster.world.now >= end:
            return "\n".join(found)
        cluster.world.run(5.0)
    return ""


def described(verdict: Verdict) -> str:
    """Return a verdict for people, with the command that replays it."""
    head = (
        f"seed {verdict.seed}: {verdict.fault or 'well'} "
        f"({verdict.simulated_s:.0f} simulated seconds, {verdict.inputs} inputs, "
        f"{verdict.tasks} tasks; faults: {', '.join(verdict.faults) or 'none'})"
    )
    if not verdict.fault:
        return head
    return f"{head}\n{verdict.text}\nreplay: comity sim --seed {verdict.seed} --trace"
