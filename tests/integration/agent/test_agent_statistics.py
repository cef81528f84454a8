"""What containers use, measured, and shown by the old endpoints, GET_CONTAINERS and Prometheus."""

import json
import os

import pytest

from comity.runtime import hierarchies
from comity.runtime.http import Client
from comity.wire.mesos import v1
from support.kernel import Kernel, shell

SPIN = "while :; do :; done & while :; do :; done & exec sleep 600"


def can_limit():
    made = hierarchies.find("probe").cgroups if os.geteuid() == 0 else None
    if made is not None:
        made.close()
    return made is not None


@pytest.mark.root
@pytest.mark.skipif(not can_limit(), reason="cgroups need root, and a kernel that lets it")
async def test_processes_memory_and_time_are_those_of_the_container(tmp_path):
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        limits = {"cpus": v1.Scalar(value=0.2)}
        held = "cpus:0.1;mem:64;disk:10"
        await mesos.launch({"id": "t", **shell(SPIN), "resources": held, "limits": limits})
        client = Client()

        async def statistics():
            answer = await client.request("GET", f"{kernel.agent.url}/monitor/statistics")
            return [one["statistics"] for one in json.loads(answer.body)]

        found = []
        while not found or found[0].get("cpus_nr_throttled", 0) == 0:
            found = await statistics()
        [one] = found
        assert one["processes"] >= 3
        assert one["threads"] >= one["processes"]
        assert 0 < one["mem_total_bytes"] < one["mem_limit_bytes"] == 96 << 20
        assert one["disk_limit_bytes"] == 10 << 20
        assert one["cpus_user_time_secs"] + one["cpus_system_time_secs"] > 0
        assert one["cpus_nr_periods"] >= one["cpus_nr_throttled"] > 0
        text = (await client.request("GET", f"{kernel.agent.url}/metrics")).body.decode()
        labels = [line for line in text.splitlines() if line.startswith("mesos_container_")]
        assert any(
            line.startswith("mesos_container_processes{") and 'executor_id="t"' in line
            for line in labels
        )
        assert "# TYPE mesos_container_cpus_user_time_secs_total counter" in text
        await client.close()
