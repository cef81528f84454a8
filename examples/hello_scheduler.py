"""A Mesos scheduler of one's own: runs `echo hello` N times. `hello_scheduler.py MASTER_URL N`."""

import asyncio
import sys

from comity.sdk.scheduler import Scheduler
from comity.wire.mesos import scheduler as wire
from comity.wire.mesos import v1

NEEDS = {"cpus": v1.Scalar(value=0.1), "mem": v1.Scalar(value=16)}


def hello(name: str, offer: v1.Offer) -> v1.TaskInfo:
    """Describe a task that fits into an offer."""
    needs = tuple(v1.Resource(name=key, type="SCALAR", scalar=NEEDS[key]) for key in NEEDS)
    command, task_id = v1.CommandInfo(value=f"echo {name}"), v1.Id(value=name)
    return v1.TaskInfo(
        name=name, task_id=task_id, agent_id=offer.agent_id, resources=needs, command=command
    )


async def main(master: str, count: int) -> None:
    """Launch one task per offer until all have finished."""
    waiting, finished = [f"hello-{number}" for number in range(count)], 0
    async with Scheduler(master, v1.FrameworkInfo(name="hello", user="root")) as mesos:
        async for event in mesos.events():
            if isinstance(event, wire.EventOffers):
                for offer in event.offers.offers:
                    mesos.accept([offer], [hello(waiting.pop(), offer)] if waiting else [])
            elif isinstance(event, wire.EventUpdate):
                status = event.update.status
                mesos.acknowledge(status)
                print(status.task_id.value, status.state.value, flush=True)
                finished += status.state is v1.TaskState.FINISHED
                if finished == count:
                    return await mesos.teardown()


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
