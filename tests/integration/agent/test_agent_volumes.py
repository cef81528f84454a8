"""Persistent volumes with real processes: they outlive tasks and a kill -9 of the agent."""

import pytest

from comity.resources import text
from comity.resources.amounts import Disk, Kind, Reservation, Resources
from comity.wire.mesos import resources, scheduler, v1
from support.kernel import Kernel, shell

STEP = (Reservation("ads", True, "me"),)
DISK = Resources({Kind("disk", STEP): 100_000})
VOLUME = Resources({Kind("disk", STEP, Disk("v1", principal="me", container_path="data")): 100_000})


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


def written(bundle):
    return resources.write(bundle)


async def accept(driver, *operations):
    await driver.until(lambda: driver.offers)
    offers, driver.offers = driver.offers, []
    body = scheduler.AcceptBody(
        offer_ids=tuple(one.id for one in offers),
        operations=operations,
        filters=v1.Filters(refuse_seconds=0),
    )
    call = scheduler.Accept(framework_id=driver.mesos.framework_id, accept=body)
    driver.mesos.call(call)
    return offers[0]


async def run(driver, name, command, *before):
    """Launch a task that uses the volume, once that is offered, after other operations."""
    if not before:
        await driver.until(lambda: driver.offers and holds_volume(driver.offers[-1]))
    offer = driver.offers[-1]
    info = driver.task(offer, id=name, **shell(command))
    held = text.parse("cpus:0.1;mem:32") + VOLUME
    info = v1.TaskInfo(
        name=name,
        task_id=info.task_id,
        agent_id=info.agent_id,
        command=info.command,
        resources=written(held),
    )
    launch = v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=(info,)))
    await accept(driver, *before, launch)
    return await driver.until_state(name, v1.TaskState.FINISHED)


def holds_volume(offer):
    return any(kind.volume for kind, _ in resources.read(offer.resources))


async def test_data_outlives_task_and_agent_and_goes_with_the_volume(kernel, tmp_path):
    async with kernel.scheduler(role="ads", principal="me") as driver:
        reserve = v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=written(DISK)))
        create = v1.Operation(type="CREATE", create=v1.Create(volumes=written(VOLUME)))
        await run(driver, "writes", "echo kept > data/file", reserve, create)
        kept = tmp_path / "a/volumes/roles/ads/v1/file"
        assert kept.read_text() == "kept\n"
        driver.offers.clear()
        await kernel.restart_agent()
        await run(driver, "reads", "test $(cat data/file) = kept")
        await driver.until(lambda: driver.offers and holds_volume(driver.offers[-1]))
        destroy = v1.Operation(type="DESTROY", destroy=v1.Destroy(volumes=written(VOLUME)))
        unreserve = v1.Operation(type="UNRESERVE", unreserve=v1.Unreserve(resources=written(DISK)))
        await accept(driver, destroy, unreserve)
        # The master offers again at once; it trusts the agent to follow.
        await driver.until(lambda: driver.offers and not kept.parent.exists())
        [offer] = driver.offers
        assert resources.read(offer.resources).scalar("disk") == 1000
        assert not any(kind.reservations for kind, _ in resources.read(offer.resources))


async def test_a_new_master_knows_reservations(kernel):
    async with kernel.scheduler(role="ads", principal="me") as driver:
        reserve = v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=written(DISK)))
        await accept(driver, reserve)
        await driver.until(lambda: driver.offers)
        driver.offers.clear()
        await kernel.restart_master()
        await driver.until(lambda: driver.offers)
        assert resources.read(driver.offers[-1].resources).contains(DISK)
