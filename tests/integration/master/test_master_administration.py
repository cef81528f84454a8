"""What operators do with a master, over sockets."""

import asyncio
import json

import pytest

from comity.sdk.scheduler import Scheduler
from comity.wire.mesos import scheduler, v1
from support.kernel import Kernel
from support.master_shell import Caller, linked_agent, running_master

MACHINE = {"hostname": "127.0.0.1", "ip": "127.0.0.1"}
WINDOW = {
    "machine_ids": [MACHINE],
    "unavailability": {"start": {"nanoseconds": 10**18}, "duration": {"nanoseconds": 10**12}},
}
ELSEWHERE = {**WINDOW, "machine_ids": [{"hostname": "elsewhere", "ip": "192.0.2.9"}]}


@pytest.fixture
async def master(tmp_path):
    async with running_master(tmp_path) as made:
        yield made


async def test_maintenance_by_the_old_endpoints(tmp_path):
    async with running_master(tmp_path) as master:
        assert await master.json("/master/maintenance/schedule") == {}
        assert await master.json("/maintenance/status") == {}
        path = "/master/maintenance/schedule"
        schedule = {"windows": [WINDOW]}
        assert (await master.send("POST", path, schedule)).status == 200
        assert await master.json(path) == schedule
        jsonp = await master.get(path + "?jsonp=f")
        assert jsonp.body == b"f(" + json.dumps(schedule, separators=(",", ":")).encode() + b");"
        async with linked_agent(master):
            assert len((await master.json("/slaves"))["slaves"]) == 1
            assert (await master.send("POST", "/machine/down", [MACHINE])).status == 200
            assert (await master.json("/slaves"))["slaves"] == []
        assert await master.json("/maintenance/status") == {"down_machines": [MACHINE]}
        assert (await master.send("POST", path, {"windows": []})).status == 400
        assert (await master.send("POST", "/machine/up", [MACHINE])).status == 200
        assert await master.json(path) == {}
        for bad in (b"{", b"[]", {"machines": []}, [{}], [MACHINE]):
            assert (await master.send("POST", "/machine/down", bad)).status == 400
        assert (await master.get("/machine/down")).status == 405


async def test_maintenance_by_calls_and_after_a_restart(tmp_path):
    async with running_master(tmp_path) as master:
        asked = await master.operator("UPDATE_MAINTENANCE_SCHEDULE", schedule={"windows": [WINDOW]})
        assert asked.status == 200
        assert (await master.operator("STOP_MAINTENANCE", machines=[MACHINE])).status == 400
        assert (await master.operator("START_MAINTENANCE", machines=[MACHINE])).status == 200
        assert (await master.operator("START_MAINTENANCE", machines=[MACHINE])).status == 400
    async with running_master(tmp_path) as master:
        shown = await master.read("GET_MAINTENANCE_SCHEDULE")
        assert shown == {"schedule": {"windows": [WINDOW]}}
        assert await master.read("GET_MAINTENANCE_STATUS") == {
            "status": {"down_machines": [MACHINE]}
        }
        assert (await master.operator("STOP_MAINTENANCE", machines=[MACHINE])).status == 200
        assert await master.read("GET_MAINTENANCE_STATUS") == {"status": {}}


async def test_the_log_tells_more_for_a_while(tmp_path):
    async with running_master(tmp_path) as master:
        assert await master.read("GET_LOGGING_LEVEL") == {"level": 0}
        duration = {"nanoseconds": 3600 * 10**9}
        asked = await master.operator("SET_LOGGING_LEVEL", level=2, duration=duration)
        assert (asked.status, asked.body) == (200, b"")
        assert await master.read("GET_LOGGING_LEVEL") == {"level": 2}
        assert (await master.get("/logging/toggle?level=3&duration=1ms")).status == 200
        async with asyncio.timeout(30):
            while (await master.get("/master/logging/toggle")).body != b"0\n":
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("level=1", b"Expecting 'duration=value' in query."),
        ("duration=1mins", b"Expecting 'level=value' in query."),
        ("level=x&duration=1mins", b"'x'"),
        ("level=-1&duration=1mins", b"Invalid level '-1'."),
        ("level=1&duration=1parsecs", b"no duration"),
        ("level=1&duration=99999999weeks", b"Invalid duration"),
    ],
)
async def test_bad_logging_levels(master, query, words):
    found = await master.get(f"/logging/toggle?{query}")
    assert found.status == 400
    assert words in found.body


async def test_negative_times_of_a_logging_level_are_refused(master):
    call = await master.operator("SET_LOGGING_LEVEL", level=1, duration={"nanoseconds": -1})
    assert call.status == 400
    assert await master.read("GET_LOGGING_LEVEL") == {"level": 0}


async def test_the_machine_s_numbers(master):
    shown = await master.json("/system/stats.json")
    assert set(shown) == {
        "avg_load_1min",
        "avg_load_5min",
        "avg_load_15min",
        "cpus_total",
        "mem_total_bytes",
        "mem_free_bytes",
    }
    assert all(isinstance(each, int | float) for each in shown.values())


@pytest.mark.parametrize("path", ["/state/", "/master/state/whatever", "/state.json", "//state"])
async def test_paths_below_a_known_one_mean_that_one(master, path):
    assert "activated_slaves" in await master.json(path)


async def test_calls_below_the_api_s_path_and_unknown_paths(master):
    found = await master.send("POST", "/api/v1/operator", {"type": "GET_HEALTH"})
    assert json.loads(found.body)["get_health"] == {"healthy": True}
    for path in ("/", "/nothing", "/nothing/state", "/maintenance"):
        assert (await master.get(path)).status == 404


READS = ("GET_WEIGHTS", "GET_QUOTA", "GET_MAINTENANCE_SCHEDULE", "GET_MAINTENANCE_STATUS")


async def test_what_operators_did_outlives_a_killed_master(tmp_path):
    async with Kernel(tmp_path) as kernel:
        master = Caller(kernel.master.url)
        async with kernel.scheduler() as driver:
            agent_id = {"value": driver.offers[0].agent_id.value}
        quota = {"role": "ads", "limits": {"cpus": {"value": 2}}}
        for kind, body in (
            ("UPDATE_WEIGHTS", {"weight_infos": [{"role": "ads/a", "weight": 2.5}]}),
            ("UPDATE_QUOTA", {"quota_configs": [quota]}),
            ("DRAIN_AGENT", {"agent_id": agent_id, "max_grace_period": {"seconds": 30}}),
            ("UPDATE_MAINTENANCE_SCHEDULE", {"schedule": {"windows": [ELSEWHERE]}}),
            ("START_MAINTENANCE", {"machines": ELSEWHERE["machine_ids"]}),
        ):
            found = await master.operator(kind, **body)
            assert found.status == 200, (kind, found.body)
        before = [await master.read(kind) for kind in READS]
        await kernel.restart_master()
        assert [await master.read(kind) for kind in READS] == before
        async with asyncio.timeout(30):
            while not (agents := (await master.read("GET_AGENTS")).get("agents")):
                await asyncio.sleep(0.05)
        assert agents[0]["deactivated"] is True
        assert agents[0]["active"] is False
        assert agents[0]["drain_info"]["config"]["max_grace_period"] == {"nanoseconds": 30 * 10**9}
        assert (await master.operator("REACTIVATE_AGENT", agent_id=agent_id)).status == 200
        await master.client.close()


async def test_a_framework_answers_inverse_offers_by_the_sdk(tmp_path):
    async with running_master(tmp_path) as master, linked_agent(master):
        info = v1.FrameworkInfo(user="root", name="sdk")
        async with Scheduler(master.url, info) as mesos:
            offered = asyncio.Event()
            reading = asyncio.create_task(decline_then_accept(mesos, offered))
            await asyncio.wait_for(offered.wait(), 30)
            schedule = {"windows": [WINDOW]}
            asked = await master.operator("UPDATE_MAINTENANCE_SCHEDULE", schedule=schedule)
            assert asked.status == 200
            async with asyncio.timeout(30):
                while await answers(master) != ["ACCEPT"]:
                    assert not reading.done()
                    await asyncio.sleep(0.01)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def decline_then_accept(mesos, offered):
    answer = mesos.decline_inverse
    async for event in mesos.events():
        if isinstance(event, scheduler.EventOffers):
            offered.set()
        if isinstance(event, scheduler.EventInverseOffers):
            answer(event.inverse_offers.inverse_offers, refuse_seconds=0)
            answer = mesos.accept_inverse


async def answers(master):
    shown = (await master.json("/maintenance/status"))["draining_machines"]
    return [one["status"] for one in shown[0].get("statuses", [])]
