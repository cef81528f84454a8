"""What operators read in protobuf and in JSON is the same, field by field, of a lively cluster."""

import asyncio
import json
import urllib.request

import pytest

from comity.wire.mesos import agent_responses, codec, responses, v1
from support.kernel import Kernel, shell

JSON, PROTOBUF = codec.Format.JSON, codec.Format.PROTOBUF
CAPABILITIES = ("MULTI_ROLE", "RESERVATION_REFINEMENT", "PARTITION_AWARE")
READS = ["HEALTH", "FLAGS", "VERSION", "LOGGING_LEVEL", "STATE", "FRAMEWORKS", "EXECUTORS", "TASKS"]
MASTER_READS = [
    "AGENTS",
    "ROLES",
    "WEIGHTS",
    "MASTER",
    "MAINTENANCE_STATUS",
    "MAINTENANCE_SCHEDULE",
]
MASTER_READS += ["QUOTA", "OPERATIONS"]
AGENT_READS = ["AGENT", "CONTAINERS"]
JSON_ONLY = {"max_completion_time"}
"""Fields of ours that upstream's message does not have."""


def post(url, call, accept=JSON):
    headers = {"Content-Type": JSON.value, "Accept": accept.value}
    body = json.dumps(call).encode()
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
        data = answer.read()
        assert not data or answer.headers.get_content_type() == accept.value
        return data


def trimmed(value):
    """A document without empty lists, which protobuf does not tell from absent ones."""
    if isinstance(value, dict):
        if "timestamp" in value and "task_id" not in value:
            return sorted(value)  # statistics, measured anew for every read
        kept = {key: trimmed(one) for key, one in value.items() if key not in JSON_ONLY}
        return {key: one for key, one in kept.items() if one != []}
    return [trimmed(one) for one in value] if isinstance(value, list) else value


def compare(url, kind, names):
    for name in names:
        call = {"type": f"GET_{name}"}
        expected = json.loads(post(url, call))
        message = codec.decode(kind, post(url, call, PROTOBUF), PROTOBUF)
        assert trimmed(json.loads(codec.encode(message))) == trimmed(expected), name


def populate(url, agent_info):
    """Give the cluster a reservation, a volume, quota, weights and a maintenance schedule."""
    disk = {
        "name": "disk",
        "type": "SCALAR",
        "scalar": {"value": 10},
        "reservations": [{"type": "DYNAMIC", "role": "ops", "principal": "p"}],
    }
    persistence = {"persistence": {"id": "v1"}, "volume": {"mode": "RW", "container_path": "d"}}
    window = {
        "machine_ids": [{"hostname": agent_info["hostname"]}],
        "unavailability": {"start": {"nanoseconds": 3 * 10**18}},
    }
    config = {"role": "q", "limits": {"cpus": {"value": 1}}, "guarantees": {"cpus": {"value": 0.5}}}
    bodies = {
        "reserve_resources": {"agent_id": agent_info["id"], "resources": [disk]},
        "create_volumes": {
            "agent_id": agent_info["id"],
            "volumes": [{**disk, "disk": persistence}],
        },
        "update_quota": {"force": True, "quota_configs": [config]},
        "update_weights": {"weight_infos": [{"role": "web", "weight": 2}]},
        "update_maintenance_schedule": {"schedule": {"windows": [window]}},
    }
    for name, body in bodies.items():
        post(url, {"type": name.upper(), name: body})


@pytest.mark.parametrize("side", ["master", "agent"])
async def test_reads_say_the_same_in_both_formats(tmp_path, side):
    capabilities = tuple(v1.FrameworkCapability(type=one) for one in CAPABILITIES)
    labels = v1.Labels(labels=(v1.Label(key="a", value="b"), v1.Label(key="c")))
    framework = {"roles": ("web",), "capabilities": capabilities, "labels": labels}
    async with Kernel(tmp_path) as kernel, kernel.scheduler(**framework) as driver:
        task = {
            "limits": {"mem": v1.Scalar(value=64.0)},
            "max_completion_time": v1.DurationInfo(nanoseconds=10**12),
            "discovery": v1.DiscoveryInfo(visibility="CLUSTER"),
            "data": b"\xff",
        }
        await driver.launch({"id": "runs", **task, **shell("sleep 1000")})
        await driver.until_state("runs", v1.TaskState.RUNNING)
        if side == "master":
            await driver.launch({"id": "fails", **shell("exit 1")})
            await driver.until_state("fails", v1.TaskState.FAILED)
        url = f"{kernel.master.url}/api/v1"
        shown = json.loads(await asyncio.to_thread(post, url, {"type": "GET_AGENTS"}))
        [agent] = shown["get_agents"]["agents"]
        await asyncio.to_thread(populate, url, agent["agent_info"])
        if side == "master":
            names = READS + MASTER_READS
            await asyncio.to_thread(compare, url, responses.MasterResponse, names)
        else:
            url = f"{kernel.agent.url}/slave(1)/api/v1"
            names = READS + AGENT_READS
            await asyncio.to_thread(compare, url, agent_responses.AgentResponse, names)
