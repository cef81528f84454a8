"""The master over real sockets: status codes, headers, framing, reads, garbage."""

import asyncio
import contextlib
import json
import socket
from urllib.parse import urlencode

import pytest

from comity.master.config import MasterConfig
from comity.master.shell import run
from comity.runtime.http import Client
from comity.wire import recordio
from comity.wire.mesos import v1
from support.marathon_link_agent import LinkAgent

JSON = (("Content-Type", "application/json"),)
SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "t"}}}


class Caller:
    """A client of one master."""

    def __init__(self, url):
        self.url = url
        self.client = Client()

    async def get(self, path):
        return await self.client.request("GET", self.url + path)

    async def json(self, path):
        found = await self.get(path)
        assert found.status == 200, (path, found.status)
        return json.loads(found.body)

    async def post(self, path, body, *headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.request("POST", self.url + path, data, headers or JSON)

    async def call(self, stream, **call):
        header = ("Mesos-Stream-Id", stream.header("Mesos-Stream-Id"))
        return (await self.post("/api/v1/scheduler", call, *JSON, header)).status

    def subscribe(self, *headers, body=SUBSCRIBE):
        data = json.dumps(body).encode()
        return self.client.stream("POST", self.url + "/api/v1/scheduler", data, (*JSON, *headers))


class Events:
    """The events of a stream."""

    def __init__(self, stream):
        self.chunks = aiter(stream)
        self.decoder = recordio.Decoder()
        self.waiting = []
        self.seen = []

    async def next(self):
        while not self.waiting:
            self.waiting += self.decoder.feed(await anext(self.chunks))
        event = json.loads(self.waiting.pop(0))
        self.seen.append(event["type"])
        return event

    async def until(self, kind):
        async with asyncio.timeout(10):
            while (event := await self.next())["type"] != kind:
                continue
            return event

    async def end(self):
        with contextlib.suppress(StopAsyncIteration):
            async with asyncio.timeout(10):
                while True:
                    await self.next()


@pytest.fixture
async def master(tmp_path, capsys, unused_tcp_port):
    stop = asyncio.Event()
    log = tmp_path / "log"
    log.write_text("a line\n")
    config = MasterConfig(work_dir=tmp_path, port=unused_tcp_port, log_file=log)
    running = asyncio.create_task(run(config, stop))
    caller = Caller(f"http://127.0.0.1:{unused_tcp_port}")
    try:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(Exception):
                    if (await caller.get("/health")).status == 200:
                        break
                await asyncio.sleep(0.01)
        yield caller
    finally:
        await caller.client.close()
        stop.set()
        await running


@pytest.fixture
async def agent(master):
    made = LinkAgent(master.url, "127.0.0.1", cpus=4)
    running = asyncio.create_task(made.run())
    await asyncio.wait_for(made.registered.wait(), 10)
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize("path", ["/api/v1/scheduler", "/master/api/v1/scheduler", "/api/v1"])
async def test_malformed_calls(master, path):
    body = json.dumps(SUBSCRIBE).encode()
    assert (await master.post(path, body, ("Content-Type", ""))).status == 400
    assert (await master.post(path, body, ("Content-Type", "text/plain"))).status == 415
    assert (await master.post(path, body, ("Content-Type", "application/x-protobuf"))).status == 400
    assert (await master.post(path, body, ("Content-Type", "application/xml"))).status == 415
    assert (await master.post(path, body[:20])).status == 400
    assert (await master.post(path, {"type": "SUBSCRIBE2"})).status == 501
    found = await master.get(path)
    assert (found.status, found.header("Allow")) == (405, "POST")


async def test_subscribe_headers(master):
    assert (
        await master.post("/api/v1/scheduler", SUBSCRIBE, *JSON, ("Mesos-Stream-Id", "x"))
    ).status == 400
    assert (
        await master.post("/api/v1/scheduler", SUBSCRIBE, *JSON, ("Accept", "foo"))
    ).status == 406
    async with master.subscribe(("Accept", "*/*")) as stream:
        assert stream.status == 200
        assert stream.header("Content-Type") == "application/json"
        assert len(stream.header("Mesos-Stream-Id")) == 36
        events = Events(stream)
        subscribed = await events.until("SUBSCRIBED")
        assert subscribed["subscribed"]["framework_id"]["value"]
        await events.until("HEARTBEAT")
        assert events.seen == ["SUBSCRIBED", "HEARTBEAT"]


async def test_a_task_from_offer_to_completion(master, agent):
    async with master.subscribe() as stream:
        events = Events(stream)
        fid = (await events.until("SUBSCRIBED"))["subscribed"]["framework_id"]
        [offer] = (await events.until("OFFERS"))["offers"]["offers"]
        assert offer["url"]["path"] == "/slave(1)"
        task = {
            "name": "t",
            "task_id": {"value": "t1"},
            "agent_id": offer["agent_id"],
            "command": {"value": "true"},
            "resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}],
        }
        launch = {"type": "LAUNCH", "launch": {"task_infos": [task]}}
        accept = {"offer_ids": [offer["id"]], "operations": [launch]}
        assert await master.call(stream, type="ACCEPT", framework_id=fid, accept=accept) == 202
        status = (await events.until("UPDATE"))["update"]["status"]
        assert (status["state"], status["source"]) == ("TASK_RUNNING", "SOURCE_EXECUTOR")
        summary = await master.json("/state-summary")
        assert summary["slaves"][0]["used_resources"]["cpus"] == 1.0
        assert summary["frameworks"][0]["TASK_RUNNING"] == 1
        state = await master.json("/state.json")
        assert state["frameworks"][0]["tasks"][0]["executor_id"] == ""
        assert (await master.json("/metrics/snapshot"))["master/tasks_running"] == 1
        await agent.end("t1", v1.TaskState.FINISHED)
        status = (await events.until("UPDATE"))["update"]["status"]
        ack = {"agent_id": offer["agent_id"], "task_id": {"value": "t1"}, "uuid": status["uuid"]}
        done = await master.call(stream, type="ACKNOWLEDGE", framework_id=fid, acknowledge=ack)
        assert done == 202
        [shown] = (await master.json("/tasks?task_id=t1"))["tasks"]
        assert shown["state"] == "TASK_FINISHED"
        assert await master.call(stream, type="TEARDOWN", framework_id=fid) == 202
        await events.end()
    again = {**SUBSCRIBE, "framework_id": fid}
    again["subscribe"] = {"framework_info": {"user": "root", "name": "t", "id": fid}}
    async with master.subscribe(body=again) as stream:
        error = await Events(stream).until("ERROR")
        assert error["error"]["message"] == "Framework has been removed"


async def test_only_the_newest_stream_counts(master):
    async with master.subscribe() as old:
        fid = (await (first := Events(old)).until("SUBSCRIBED"))["subscribed"]["framework_id"]
        again = {"type": "SUBSCRIBE", "framework_id": fid}
        again["subscribe"] = {"framework_info": {"user": "root", "name": "t", "id": fid}}
        async with master.subscribe(body=again) as new:
            await Events(new).until("SUBSCRIBED")
            await first.end()
            assert first.seen[-1] == "ERROR"
            assert await master.call(old, type="REVIVE", framework_id=fid) == 400
            assert await master.call(new, type="REVIVE", framework_id=fid) == 202


READS = [
    "state",
    "state-summary",
    "slaves",
    "tasks",
    "frameworks",
    "roles",
    "version",
    "flags",
    "metrics/snapshot",
]


@pytest.mark.parametrize("name", READS)
async def test_reads_under_every_name(master, agent, name):
    plain = set(await master.json(f"/{name}"))
    for path in (f"/master/{name}", f"/{name}/", f"/master/{name}/"):
        assert set(await master.json(path)) == plain
    wrapped = await master.get(f"/{name}?jsonp=f")
    assert wrapped.body.startswith(b"f(")
    assert (await master.get(f"/{name}?jsonp=f(1)//")).status == 400


async def test_state_has_what_tools_read(master, agent):
    state = await master.json("/state")
    for key in [
        "id",
        "pid",
        "leader",
        "leader_info",
        "slaves",
        "frameworks",
        "completed_frameworks",
        "flags",
        "activated_slaves",
    ]:
        assert key in state
    [slave] = state["slaves"]
    assert slave["resources"]["ports"] == "[31000-31999]"
    assert slave["pid"] == "slave(1)@127.0.0.1:5051"
    moved = await master.get("/master/redirect")
    assert moved.status == 307
    assert moved.header("Location") == master.url.removeprefix("http:")
    metrics = await master.json("/metrics/snapshot")
    assert all(isinstance(value, int | float) for value in metrics.values())


async def test_operator_reads_and_writes(master, agent):
    for kind in [
        "HEALTH",
        "VERSION",
        "AGENTS",
        "TASKS",
        "FRAMEWORKS",
        "STATE",
        "MASTER",
        "METRICS",
        "ROLES",
        "FLAGS",
    ]:
        found = await master.post("/api/v1", {"type": f"GET_{kind}"})
        assert found.status == 200
        assert f"get_{kind.lower()}" in json.loads(found.body)
    gone = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": "who"}}}
    assert (await master.post("/api/v1", gone)).status == 404
    form = ("Content-Type", "application/x-www-form-urlencoded")
    assert (await master.post("/teardown", b"", form)).status == 400
    assert (await master.post("/master/teardown", b"frameworkId=who", form)).status == 400


async def test_the_log_and_nothing_else(master):
    found = await master.json("/files/read?path=/master/log&offset=0")
    assert found == {"data": "a line\n", "offset": 0}
    assert (await master.json("/files/read?path=/master/log&offset=-1"))["offset"] == 7
    for path in ("/master/log/../../etc/passwd", "/etc/passwd", "/master/log/..", "master.sqlite"):
        for name in ("read", "download", "browse"):
            assert (await master.get(f"/files/{name}?path={path}")).status in (400, 404)


async def test_a_teardown_by_form(master):
    async with master.subscribe() as stream:
        events = Events(stream)
        fid = (await events.until("SUBSCRIBED"))["subscribed"]["framework_id"]["value"]
        form = ("Content-Type", "application/x-www-form-urlencoded")
        found = await master.post("/master/teardown", f"frameworkId={fid}".encode(), form)
        assert found.status == 200
        await events.end()


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"[]",
        b"[{}]",
        b"nonsense",
        b'{"type":"SUBSCRIBE","subscribe":{"agent_info":{"hostname":""}}}',
        b'{"type":"SUBSCRIBE","subscribe":{"agent_info":{"hostname":"h","resources":'
        b'[{"name":"cpus","type":"SCALAR","scalar":{"value":-1}}]}}}',
        b'{"type":"SUBSCRIBE","subscribe":{"agent_info":{"hostname":"h"},"frameworks":'
        b'[{"name":"n","user":"u","id":{"value":"../x"}}]}}',
    ],
)
async def test_agents_that_talk_nonsense(master, body):
    assert (await master.post("/internal/v1/agents", body)).status == 400
    found = await master.post("/internal/v1/agents", b"[]", *JSON, ("Comity-Link-Id", "who"))
    assert found.status == 403
    assert (await master.json("/slaves"))["slaves"] == []


def reserved(amount):
    return {
        "name": "cpus",
        "type": "SCALAR",
        "scalar": {"value": amount},
        "reservations": [{"type": "DYNAMIC", "role": "ads", "principal": "ops"}],
    }


async def reservations(master):
    [agent] = (await master.json("/slaves"))["slaves"]
    return {role: held["cpus"] for role, held in agent["reserved_resources"].items()}


async def test_operators_reserve_by_call_and_by_form(master, agent):
    body = {"agent_id": {"value": agent.id.value}, "resources": [reserved(2)]}
    call = {"type": "RESERVE_RESOURCES", "reserve_resources": body}
    assert (await master.post("/api/v1", call)).status == 202
    assert await reservations(master) == {"ads": 2.0}
    assert (await master.post("/api/v1", call)).status == 202
    assert (await master.post("/api/v1", call)).status == 409
    fields = {"slaveId": agent.id.value, "resources": json.dumps([reserved(3)])}
    form = urlencode(fields).encode()
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    assert (await master.post("/master/unreserve", form, kind)).status == 202
    assert await reservations(master) == {"ads": 1.0}
    assert (await master.post("/unreserve", form, kind)).status == 409
    assert (await master.post("/unreserve", b"", kind)).status == 400


async def test_an_operator_watches(master):
    def watch(*headers):
        data = json.dumps({"type": "SUBSCRIBE"}).encode()
        return master.client.stream("POST", master.url + "/api/v1", data, (*JSON, *headers))

    async with watch(("Accept", "text/html")) as refused:
        assert refused.status == 406
    async with watch() as stream:
        assert (stream.status, stream.header("Content-Type")) == (200, "application/json")
        events = Events(stream)
        first = await events.next()
        assert first["subscribed"]["heartbeat_interval_seconds"] == 15.0
        assert (await events.next())["type"] == "HEARTBEAT"
        async with master.subscribe() as framework:
            await Events(framework).next()
            added = await events.until("FRAMEWORK_ADDED")
        await events.until("FRAMEWORK_REMOVED")  # it asked for no failover timeout
        shown = added["framework_added"]["framework"]["framework_info"]
        assert (shown["name"], shown["user"]) == ("t", "root")


async def test_metrics_are_numbers_also_for_prometheus(master, agent):
    found = await master.json("/metrics/snapshot?timeout=10secs")
    assert {type(value) for value in found.values()} <= {int, float}
    assert found["master/slaves_active"] == 1
    assert found["allocator/mesos/allocation_runs"] >= 1
    assert found["registrar/state_store_ms/count"] >= 1
    assert found["system/cpus_total"] >= 1
    answer = await master.post("/api/v1", {"type": "GET_METRICS"})
    pairs = json.loads(answer.body)["get_metrics"]["metrics"]
    assert {one["name"] for one in pairs} >= set(found)
    for path in ("/metrics", "/metrics/prometheus", "/master/metrics"):
        text = await master.get(path)
        assert text.header("Content-Type") == "text/plain; version=0.0.4; charset=utf-8"
        assert b'\nmesos_master_agents{state="active"} 1\n' in text.body
        assert b"\nmesos_master_slave_registrations_total 1\n" in text.body
        assert b'\nmesos_allocator_mesos_allocation_run_ms{quantile="0.5"} ' in text.body


async def test_quota_and_weights_by_call_and_by_the_old_endpoints(master, agent):
    limits = {"role": "eng", "limits": {"cpus": {"value": 1}}}
    call = {"type": "UPDATE_QUOTA", "update_quota": {"quota_configs": [limits]}}
    assert (await master.post("/api/v1", call)).status == 200
    answer = json.loads((await master.post("/api/v1", {"type": "GET_QUOTA"})).body)
    [config] = answer["get_quota"]["status"]["configs"]
    assert config == {"role": "eng", "limits": {"cpus": {"value": 1.0}}}
    assert (await master.json("/master/quota"))["configs"] == [config]
    assert (await master.client.request("DELETE", master.url + "/quota/eng")).status == 200
    assert (await master.client.request("DELETE", master.url + "/quota/eng")).status == 400
    guarantee = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 99}}]
    request = {"role": "eng", "guarantee": guarantee}
    assert (await master.post("/quota", request)).status == 409
    assert (await master.post("/quota", {**request, "force": True})).status == 200
    weights = json.dumps([{"role": "eng", "weight": 2.0}]).encode()
    assert (await master.client.request("PUT", master.url + "/weights", weights)).status == 200
    assert await master.json("/weights") == [{"role": "eng", "weight": 2.0}]
    assert (await master.client.request("PUT", master.url + "/weights", b"{")).status == 400
    answer = json.loads((await master.post("/api/v1", {"type": "GET_WEIGHTS"})).body)
    assert answer["get_weights"]["weight_infos"] == [{"role": "eng", "weight": 2.0}]
    [role] = [one for one in (await master.json("/roles"))["roles"] if one["name"] == "eng"]
    assert (role["weight"], role["quota"]["guarantee"]) == (2.0, {"cpus": 99.0})


async def test_a_framework_is_explained(master, agent):
    async with master.subscribe() as stream:
        name = (await Events(stream).until("SUBSCRIBED"))["subscribed"]["framework_id"]["value"]
        told = await master.json(f"/master/explain?framework={name}")
        assert told["framework_id"] == name
        assert [one["role"] for one in told["roles"]] == ["*"]
    assert (await master.get("/explain")).status == 400
    assert (await master.get("/explain?framework=no")).status == 404
