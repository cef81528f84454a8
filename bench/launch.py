"""Launch 500 no-op command tasks end to end, against a bare posix_spawn loop of the same commands.

Prints one ratio: the time from the first ACCEPT to the last acknowledged terminal update, through
the scheduler API, master, agent and launcher, divided by the loop's. Target: at most 5. And how
many tasks that are per second. With `--master URL` another Mesos master's cluster is measured.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from comity.resources import text
from comity.sdk.scheduler import Scheduler
from comity.wire.mesos import resources, scheduler, v1
from support.kernel import Kernel

TASKS = 500
RUNS = 3


def bare() -> float:
    """Return the seconds that a bare loop takes: spawn, then wait, one after another."""
    start = time.perf_counter()
    for _ in range(TASKS):
        argv = ["/bin/sh", "-c", "true"]
        os.waitpid(os.posix_spawn("/bin/sh", argv, os.environ, setsid=True), 0)
    return time.perf_counter() - start


def task(number: int, offer: v1.Offer) -> v1.TaskInfo:
    """Return one no-op task."""
    return v1.TaskInfo(
        name="true",
        task_id=v1.Id(value=f"t-{number}"),
        agent_id=offer.agent_id,
        resources=resources.write(text.parse("cpus:0.01;mem:1")),
        command=v1.CommandInfo(value="true"),
    )


async def through(url: str) -> float:
    """Return the seconds that the same commands take as tasks."""
    left, done, start = TASKS, 0, 0.0
    async with Scheduler(url, v1.FrameworkInfo(user="root", name="bench")) as mesos:
        async for event in mesos.events():
            if isinstance(event, scheduler.EventOffers):
                for offer in event.offers.offers:
                    start = start or time.perf_counter()
                    mesos.accept([offer], [task(n, offer) for n in range(left)], refuse_seconds=0)
                    left = 0
            elif isinstance(event, scheduler.EventUpdate):
                mesos.acknowledge(event.update.status)
                done += event.update.status.state.is_terminal
                if done == TASKS:
                    taken = time.perf_counter() - start
                    await mesos.teardown()
                    return taken
    raise AssertionError("the stream of events has no end")


async def measured(url: str) -> tuple[list[float], list[float]]:
    """Run both in turn; return the seconds of the loops and of the tasks."""
    loops, tasks = [], []
    for _ in range(RUNS):
        loops.append(bare())
        tasks.append(await through(url))
    return loops, tasks


async def main(master: str | None) -> None:
    """Measure a cluster, one of our own unless told, and print the ratio of the medians."""
    if master is not None:
        loops, tasks = await measured(master)
    else:
        with tempfile.TemporaryDirectory() as directory:
            async with Kernel(Path(directory)) as kernel:
                loops, tasks = await measured(kernel.master.url)
    loop_s, task_s = sorted(loops)[RUNS // 2], sorted(tasks)[RUNS // 2]
    print(f"launch: {TASKS} no-op tasks take {task_s / loop_s:.2f}x a bare posix_spawn loop")
    print(f"  tasks {task_s:.3f} s, loop {loop_s:.3f} s; target: at most 5x")
    print(f"  {TASKS / task_s:.0f} command tasks per second end to end")


parser = argparse.ArgumentParser(description="Launch no-op tasks, against a loop of posix_spawn.")
parser.add_argument("--master", metavar="URL", help="measure this master's cluster")
asyncio.run(main(parser.parse_args().master))
