"""kill -9 of the master at random instants while a framework launches: real processes, real disks.

The simulator plays this for thousands of seeds (tests/sim); here are shells, SQLite and sockets.
"""

import asyncio
import contextlib
import json
import random

import pytest

from comity.runtime.http import Client
from comity.sdk.subscriptions import NotSubscribed
from comity.wire.mesos import scheduler, v1
from support.kernel import Kernel, shell

S = v1.TaskState
KILLS = 6
TASKS = 60
NEVER_RAN = {S.DROPPED, S.LOST, S.UNKNOWN, S.GONE}


class Launcher:
    """Launches tasks whose commands write their names down, and asks until their ends are known."""

    def __init__(self, driver, book):
        self.driver = driver
        self.book = book
        self.launched = {}

    def ends(self):
        """Return what is known of the end of each launched task."""
        known = {}
        for status in self.driver.statuses:
            name = status.task_id.value
            # A master's word is taken back by an executor's, never the other way round.
            if (status.uuid is not None and status.state.is_terminal) or (
                status.state in NEVER_RAN and known.get(name) is not S.FINISHED
            ):
                known[name] = status.state
        return known

    async def launch_all(self):
        while len(self.launched) < TASKS:
            await self.driver.until(lambda: self.driver.offers)
            offer = self.driver.offers.pop()
            names = [f"t{len(self.launched) + each}" for each in range(3)]
            self.launched |= dict.fromkeys(names, offer.agent_id)
            command = f"echo $MESOS_TASK_ID >> {self.book}"
            tasks = [self.driver.task(offer, id=each, **shell(command)) for each in names]
            with contextlib.suppress(NotSubscribed):
                self.driver.mesos.accept([offer], tasks, refuse_seconds=0)

    async def reconcile(self):
        """Ask about every task without a known end, until there is none."""
        while missing := [name for name in self.launched if name not in self.ends()]:
            asked = [
                scheduler.ReconcileTask(task_id=v1.Id(value=each), agent_id=self.launched[each])
                for each in missing
            ]
            with contextlib.suppress(NotSubscribed):
                self.driver.mesos.reconcile(asked)
            heard = len(self.driver.statuses)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.driver.until(lambda heard=heard: len(self.driver.statuses) > heard)


async def registered(kernel):
    """Return the ids of the registered agents and of the active frameworks."""
    client = Client()
    found = []
    try:
        for path, key in (("slaves", "slaves"), ("frameworks", "frameworks")):
            answer = await client.request("GET", f"{kernel.master.url}/{path}")
            document = json.loads(answer.body)
            found.append([one["id"] for one in document[key] if one["active"]])
    finally:
        await client.close()
    return found


@pytest.mark.parametrize("seed", [1, 2])
async def test_killing_the_master_at_any_instant_loses_and_repeats_nothing(tmp_path, seed):
    chance = random.Random(seed)
    book = tmp_path / "ran"
    book.touch()
    aware = (v1.FrameworkCapability(type="PARTITION_AWARE"),)
    async with Kernel(tmp_path) as kernel, kernel.scheduler(capabilities=aware) as driver:
        before = await registered(kernel)
        launcher = Launcher(driver, book)
        launching = asyncio.create_task(launcher.launch_all())
        for _ in range(KILLS):
            progress = len(driver.statuses) + chance.randrange(12)
            # A kill may take the last launches with it; then no more statuses come.
            await driver.until(
                lambda wanted=progress: len(driver.statuses) >= wanted or launching.done()
            )
            await asyncio.sleep(chance.uniform(0.0, 0.05))  # any instant will do
            await kernel.restart_master()
        await launching
        await launcher.reconcile()
        assert await registered(kernel) == before
    ran = book.read_text().split()
    ends = launcher.ends()
    assert len(ran) == len(set(ran)), "a task ran twice"
    assert {name for name, end in ends.items() if end is S.FINISHED} == set(ran)
    assert set(ends.values()) <= {S.FINISHED} | NEVER_RAN
    assert S.FINISHED in ends.values()
