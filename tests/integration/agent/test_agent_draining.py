"""Draining with real processes, by the operator API."""

import json

import pytest

from comity.runtime.http import Client
from comity.wire.mesos import v1
from support.kernel import Kernel, shell


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


@pytest.fixture
async def operate(kernel):
    client = Client()

    async def call(kind, **body):
        data = json.dumps({"type": kind, kind.lower(): body}).encode()
        headers = (("Content-Type", "application/json"),)
        answer = await client.request("POST", f"{kernel.master.url}/api/v1", data, headers)
        return answer.status, json.loads(answer.body) if answer.body.startswith(b"{") else None

    yield call
    await client.close()


async def test_tasks_are_killed_within_the_grace_and_the_agent_comes_back(kernel, operate):
    async with kernel.scheduler() as driver:
        agent_id = {"value": driver.offers[0].agent_id.value}
        stubborn = "trap '' TERM; while :; do sleep 0.1; done"
        grace = v1.KillPolicy(grace_period=v1.DurationInfo(nanoseconds=600 * 10**9))
        await driver.launch({"id": "t", **shell(stubborn), "kill_policy": grace})
        await driver.until_state("t", v1.TaskState.RUNNING)
        status, _ = await operate(
            "DRAIN_AGENT", agent_id=agent_id, max_grace_period={"seconds": 0, "nanos": 10**8}
        )
        assert status == 200
        ended = await driver.until_state("t", v1.TaskState.KILLED)
        assert ended.reason is v1.Reason.AGENT_DRAINING
        driver.offers.clear()

        async def drained():
            _, answer = await operate("GET_AGENTS")
            [agent] = answer["get_agents"]["agents"]
            assert agent["deactivated"]
            return agent["drain_info"]["state"] == "DRAINED"

        while not await drained():
            pass
        assert not driver.offers
        assert (await operate("REACTIVATE_AGENT", agent_id=agent_id))[0] == 200
        await driver.until(lambda: driver.offers)
        await driver.launch({"id": "u", **shell("true")})
        await driver.until_state("u", v1.TaskState.FINISHED)
