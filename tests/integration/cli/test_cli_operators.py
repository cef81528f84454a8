"""`dcos quota` and `dcos node` against a master of ours, through the gateway."""

import asyncio
import contextlib
import json

import pytest

from comity.cli import dcos
from support.doors import running
from support.master_shell import linked_agent, running_master
from support.upstreams import FakeAgent, FakeMarathon, FakeService


@pytest.fixture
async def master(tmp_path):
    async with running_master(tmp_path / "master") as made:
        yield made


@pytest.fixture
async def dcos_runs(tmp_path, master, capsys, monkeypatch):
    monkeypatch.setenv("DCOS_DIR", str(tmp_path / "dcos"))
    async with contextlib.AsyncExitStack() as stack:
        kinds = (FakeMarathon, FakeAgent, FakeService, FakeService)
        found = [await stack.enter_async_context(kind().serving()) for kind in kinds]
        marathon, agent, service, cosmos = found
        around = (marathon, master, agent, service, cosmos)
        door = await stack.enter_async_context(running(tmp_path, around))
        monkeypatch.setenv("DCOS_URL", door.url)

        async def runs(line, *, code=0):
            found = await asyncio.to_thread(dcos.main, line.split())
            out, err = capsys.readouterr()
            assert found == code, (out, err)
            return out if code == 0 else err

        yield runs


async def test_a_quota_from_creation_to_deletion(master, dcos_runs):
    assert await dcos_runs("quota") == (
        "NAME  CPU CONSUMED  MEMORY CONSUMED  DISK CONSUMED  GPU CONSUMED\n"
    )
    await dcos_runs("quota create dev --cpu 10 --mem 8192")
    assert "dcos quota update" in await dcos_runs("quota create dev --cpu 1", code=1)
    await dcos_runs("quota update dev --cpu 20 --gpu 0")
    shown = json.loads(await dcos_runs("quota get dev --json"))
    assert shown["limit"] == {"cpus": 20, "mem": 8192, "gpus": 0}
    assert "0.00% (0 of 20 Cores)" in await dcos_runs("quota list")
    assert "8192" in await dcos_runs("quota get dev")
    await dcos_runs("quota delete dev")
    assert json.loads(await dcos_runs("quota list --json")) == []
    for command in ("get dev", "delete dev", "update dev --cpu 1"):
        assert "dcos quota list" in await dcos_runs(f"quota {command}", code=1)
    assert "at least one limit" in await dcos_runs("quota create dev", code=1)
    assert "nested" in await dcos_runs("quota create a/b --cpu 1", code=1)


async def test_an_agent_is_taken_out_and_comes_back(master, dcos_runs):
    async with linked_agent(master) as agent:
        name = agent.id.value
        await dcos_runs(f"node deactivate {name}")
        assert "DEACTIVATED" in await dcos_runs("node list")
        await dcos_runs(f"node reactivate {name}")
        assert " ACTIVE" in await dcos_runs("node list")
        await dcos_runs(f"node drain {name} --max-grace-period 1m30s --wait")
        assert "DRAINED" in await dcos_runs("node")
        [shown] = (await master.read("GET_AGENTS"))["agents"]
        grace = shown["drain_info"]["config"]["max_grace_period"]
        assert grace == {"nanoseconds": 90 * 10**9}
        await dcos_runs(f"node reactivate {name}")
        assert "not deactivated" in await dcos_runs(f"node reactivate {name}", code=1)
        await dcos_runs(f"node decommission {name}")
        assert name not in await dcos_runs("node list")
    assert "dcos: " in await dcos_runs("node decommission nobody", code=1)
