"""One seed, from start to verdict: phase 1 under faults, phase 2 without them."""

import traceback
from collections.abc import Callable

from msgspec import Struct

from comity.core.errors import InvariantViolated
from comity.sim import operators
from comity.sim.cluster import Cluster
from comity.sim.faults import Faults
from comity.sim.watching import Violated
from comity.sim.world import NeverEnds, World

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


def run(seed: int, *, tracing: bool = False) -> tuple[Verdict, World]:
    """Play one seed."""
    world = World(seed, tracing=tracing)
    cluster = Cluster(world)
    faults = Faults(cluster)
    fault, said = "", ""
    try:
        cluster.start()
        world.run(world.chance("plan").uniform(30.0, 300.0))
        faults.stop()
        said = settle(cluster)
        fault = "liveness" if said else ""
    except (Violated, InvariantViolated, AssertionError) as error:
        fault, said = "correctness", f"{error}\n{_where(error)}"
    except NeverEnds as error:
        fault, said = "liveness", str(error)
    except Exception as error:
        fault, said = "crash", f"{type(error).__name__}: {error}\n{_where(error)}"
    verdict = Verdict(
        seed=seed,
        fault=fault,
        text=said,
        inputs=world.inputs,
        simulated_s=world.now,
        tasks=cluster.watcher.started,
        faults=faults.names,
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
    operators.reactivate_all(cluster)
    found = [f"{job.name} is {job.state or 'not launched'}" for job in cluster.drain()]
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
