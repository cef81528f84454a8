"""An agent's log level, by the operator API and by the old endpoint."""

import json

from comity.runtime.http import Client
from support.kernel import Kernel

JSON = (("Content-Type", "application/json"),)


async def test_the_agent_logs_more_for_a_while(tmp_path):
    async with Kernel(tmp_path) as kernel:
        client = Client()

        async def call(**fields):
            data = json.dumps(fields).encode()
            return await client.request("POST", f"{kernel.agent.url}/api/v1", data, JSON)

        duration = {"nanoseconds": 60 * 10**9}
        body = {"level": 1, "duration": duration}
        assert (await call(type="SET_LOGGING_LEVEL", set_logging_level=body)).status == 200
        shown = json.loads((await call(type="GET_LOGGING_LEVEL")).body)
        assert shown["get_logging_level"] == {"level": 1}
        found = await client.request("GET", f"{kernel.agent.url}/slave(1)/logging/toggle")
        assert found.body == b"1\n"
        stats = await client.request("GET", f"{kernel.agent.url}/system/stats.json")
        assert json.loads(stats.body)["cpus_total"] >= 1
        await client.close()
