"""A big cluster without faults: how much of it one core can play, and what a failover costs."""

import resource
import time
from collections.abc import Callable, Iterator

from msgspec import Struct

from comity.core.errors import UserError
from comity.master.config import MasterConfig
from comity.resources import text
from comity.sim.agents import AgentNode
from comity.sim.jobs import Job, Manner
from comity.sim.masters import MasterNode
from comity.sim.network import Network
from comity.sim.schedulers import SimScheduler
from comity.sim.watching import Watcher
from comity.sim.world import World
from comity.wire.mesos import v1

FRAMEWORKS = 10
STEP_S = 0.05
"""Simulated seconds between two looks at whether a phase is done."""
PHASE_MAX_S = 3600.0
"""Simulated seconds after which a phase has failed."""


class Phase(Struct, frozen=True):
    """What one part of the measurement took."""

    name: str
    simulated_s: float
    inputs: int
    took_s: float
    """Processor seconds."""


class Scale:
    """A cluster of a given size."""

    def __init__(self, agents: int, tasks: int, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.world = World(1, events_max=10**12)
        self.watcher = Watcher(is_thorough=False)
        network = Network(self.world)
        self.master = MasterNode(self.world, network, MasterConfig(), self.watcher)
        has = text.parse("cpus:64;mem:262144;disk:1000000;ports:[31000-32000]")
        self.agents = [
            AgentNode(self.world, network, f"agent-{n}", has, self.watcher) for n in range(agents)
        ]
        manner = Manner(reconcile_s=1e9, refuse_s=3600.0, greed=max(1, tasks // agents))
        self.schedulers = [
            SimScheduler(self.world, network, f"scheduler-{n}", manner, self.watcher)
            for n in range(FRAMEWORKS)
        ]
        self.tasks = tasks

    def phases(self) -> Iterator[Phase]:
        """Play the cluster's life, and measure each part of it."""
        self.master.start()
        for node in self.agents:
            node.start()
        yield self._measured("agents register", self._are_registered)
        for number in range(self.tasks):
            name = f"task-{number}"
            self.schedulers[number % FRAMEWORKS].memory.submit(
                Job(name, "serve", "cpus:0.1;mem:32")
            )
        for each in self.schedulers:
            each.start()
        yield self._measured("tasks launched and running", self._are_running)
        end = self.world.now + 60.0
        yield self._measured("a minute of peace", lambda: self.world.now >= end)
        self.master.kill()
        self.world.after(1.0, self.master.start)
        yield self._measured("a new master knows all", self._are_running)

    def _are_registered(self) -> bool:
        state = self.master.state
        return state is not None and len(state.agents) == len(self.agents)

    def _are_running(self) -> bool:
        state = self.master.state
        if state is None:
            return False
        known = sum(len(one.tasks) for one in state.frameworks.values())
        if known < self.tasks:
            return False
        running = v1.TaskState.RUNNING
        held = (task for one in state.frameworks.values() for task in one.tasks.values())
        return all(task.state is running for task in held)

    def _measured(self, name: str, is_done: Callable[[], bool]) -> Phase:
        began, at, inputs = time.process_time(), self.world.now, self.world.inputs
        while not is_done():
            if self.world.now - at > PHASE_MAX_S:
                raise UserError(f"{name}: not within {PHASE_MAX_S:g} simulated seconds")
            self.world.run(STEP_S)
            count, took_s = self.world.inputs - inputs, time.process_time() - began
            self._tell(f"{name}: {count} inputs in {took_s:.0f} s")
        took_s = time.process_time() - began
        return Phase(name, self.world.now - at, self.world.inputs - inputs, took_s)


def measure(agents: int, tasks: int, tell: Callable[[str], None]) -> Iterator[str]:
    """Yield the lines of a report while the cluster lives; `tell` hears how far it is."""
    yield f"{agents} agents, {tasks} tasks of {FRAMEWORKS} frameworks, one process"
    yield f"{'':28}{'simulated':>12}{'inputs':>12}{'processor':>12}{'inputs/s':>12}"
    for one in Scale(agents, tasks, tell).phases():
        rate = one.inputs / max(one.took_s, 1e-9)
        yield (
            f"{one.name:28}{one.simulated_s:10.1f} s{one.inputs:12}{one.took_s:10.1f} s{rate:12.0f}"
        )
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield f"memory: {peak_mb:.0f} MB, {peak_mb * 1024 / agents:.0f} KB per agent with its tasks"
