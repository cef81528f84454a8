"""After a failover, what the first /state will show is encoded before somebody waits for it."""

import asyncio

from comity.master.shell import warm_after_failover
from comity.wire.mesos import v1
from support.master_world import MasterWorld, task


def shown(world):
    [framework] = world.state.frameworks.values()
    return [one.shown for one in framework.tasks.values()]


def world_with_tasks():
    """Return a world in which nothing has been encoded yet."""
    world = MasterWorld()
    world.agent()
    world.subscribe()
    assert world.accept(world.offers(), task("a"), task("b")) == 202
    [framework] = world.state.frameworks.values()
    framework.tasks.lists.clear()
    for one in framework.tasks.values():
        one.shown = None  # the world has looked at it
    return world


async def test_it_waits_for_most_of_the_agents_and_then_encodes_their_tasks():
    world = world_with_tasks()
    for number in range(5):
        world.state.recovered_agents[f"S{number}"] = v1.AgentInfo(hostname=f"lost-{number}")
    warming = asyncio.create_task(warm_after_failover(world.state, pause_s=0.0))
    await asyncio.sleep(0.05)
    assert not warming.done()
    assert shown(world) == [None, None]
    for number in range(4):
        del world.state.recovered_agents[f"S{number}"]
    await warming
    assert all(shown(world))


async def test_a_master_that_has_none_to_wait_for_encodes_nothing():
    world = world_with_tasks()
    await warm_after_failover(world.state)
    assert shown(world) == [None, None]
