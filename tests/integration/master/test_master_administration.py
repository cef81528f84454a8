"""What operators do with a master, over sockets."""

import json

from support.master_shell import linked_agent, running_master

MACHINE = {"hostname": "127.0.0.1", "ip": "127.0.0.1"}
WINDOW = {
    "machine_ids": [MACHINE],
    "unavailability": {"start": {"nanoseconds": 10**18}, "duration": {"nanoseconds": 10**12}},
}


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
