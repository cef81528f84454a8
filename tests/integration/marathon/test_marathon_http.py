"""The REST API over real sockets and a real store, without a master: bodies, errors, durability."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comity.marathon.config import Config
from comity.marathon.shell import Shell
from comity.runtime.http import Client, Response

APP: dict[str, Any] = {"id": "/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32}
LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)


class Running:
    """A Marathon on a free port and a client for it."""

    def __init__(self, shell: Shell, client: Client) -> None:
        self.shell = shell
        self.client = client

    @property
    def url(self) -> str:
        return f"http://{self.shell.api.address[0]}:{self.shell.api.address[1]}"

    async def raw(
        self, method: str, path: str, body: bytes = b"", content_type: str = "application/json"
    ) -> Response:
        headers = (("Content-Type", content_type),) if content_type else ()
        return await self.client.request(method, self.url + path, body, headers)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else msgspec.json.encode(body)
        answer = await self.raw(method, path, data)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None


@contextlib.asynccontextmanager
async def running(work_dir: Path, **fields: Any) -> AsyncIterator[Running]:
    shell = Shell(Config(master="http://127.0.0.1:9", port=0, work_dir=work_dir, **fields))
    stop = asyncio.Event()
    serving = asyncio.create_task(shell.run(stop))
    client = Client()
    try:
        while shell.api.address[1] == 0 and not serving.done():
            await asyncio.sleep(0)
        yield Running(shell, client)
    finally:
        await client.close()
        stop.set()
        await serving


@pytest.fixture
async def marathon(tmp_path: Path) -> AsyncIterator[Running]:
    async with running(tmp_path) as found:
        yield found


async def test_an_app_is_created_read_scaled_and_deleted(marathon: Running) -> None:
    answer = await marathon.raw("POST", "/v2/apps", msgspec.json.encode(APP))
    assert answer.status == 201
    assert answer.header("Location") == "/v2/apps/a"
    assert answer.header("X-Marathon-Leader") == marathon.url
    created = msgspec.json.decode(answer.body)
    assert answer.header("Marathon-Deployment-Id") == created["deployments"][0]["id"]
    status, found = await marathon.call("GET", "/v2/apps//a/")
    assert status == 200
    assert found["app"]["tasks"] == []
    assert found["app"]["portDefinitions"][0]["port"] == 10000
    _, listed = await marathon.call("GET", "/v2/apps?cmd=SLEEP&label=")
    assert [one["id"] for one in listed["apps"]] == ["/a"]
    assert "tasks" not in listed["apps"][0]
    stop = {"id": "/a", "instances": 0, "ports": None, "dependencies": None}
    assert (await marathon.call("PUT", "/v2/apps/a", stop))[0] == 409
    status, body = await marathon.call("PUT", "/v2/apps/a?force=true", stop)
    assert (status, set(body)) == (200, {"version", "deploymentId"})
    _, versions = await marathon.call("GET", "/v2/apps/a/versions")
    assert versions["versions"] == sorted(versions["versions"], reverse=True)
    assert len(versions["versions"]) == 2
    first = versions["versions"][1]
    _, old = await marathon.call("GET", f"/v2/apps/a/versions/{first}")
    assert (old["instances"], old["version"]) == (1, first)
    assert (await marathon.call("DELETE", "/v2/apps/a"))[0] == 200
    assert await marathon.call("GET", "/v2/apps/a") == (
        404,
        {"message": "App '/a' does not exist"},
    )


async def test_what_is_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as first:
        _, created = await first.call("POST", "/v2/apps", APP | {"labels": {"a": "b"}})
        _, before = await first.call("GET", "/v2/deployments")
    async with running(tmp_path) as second:
        _, found = await second.call("GET", "/v2/apps/a")
        assert found["app"]["version"] == created["version"]
        assert found["app"]["labels"] == {"a": "b"}
        assert found["app"]["deployments"] == created["deployments"]
        _, after = await second.call("GET", "/v2/deployments")
        assert [one["id"] for one in after] == [one["id"] for one in before]


async def test_a_locked_app_names_its_deployment(marathon: Running) -> None:
    _, created = await marathon.call("POST", "/v2/apps", APP)
    status, body = await marathon.call("POST", "/v2/apps/a/restart", {})
    assert status == 409
    assert body == {"message": LOCKED, "deployments": created["deployments"]}
    [running_one] = (await marathon.call("GET", "/v2/deployments"))[1]
    assert running_one["affectedApps"] == ["/a"]
    assert running_one["currentStep"] in (1, 2)
    assert running_one["totalSteps"] == 2
    path = f"/v2/deployments/{running_one['id']}"
    assert await marathon.call("DELETE", f"{path}?force=true") == (202, None)
    assert (await marathon.call("DELETE", path))[0] == 404


MISTYPED = [
    ({"cpus": "x"}, "/cpus", "error.expected.jsnumber"),
    ({"cpus": 0}, "/cpus", "error.min"),
    ({"mem": 1e300}, "/mem", "error.max"),
    ({"instances": 1.5}, "/instances", "error.expected.int"),
    ({"instances": -1}, "/instances", "error.min"),
    ({"instances": 2**40}, "/instances", "error.expected.int"),
    ({"cmd": 5}, "/cmd", "error.expected.jsstring"),
    ({"cmd": ""}, "/cmd", "error.minLength"),
    ({"id": "/A b"}, "/id", "error.pattern"),
    ({"id": None}, "/id", "error.path.missing"),
    ({"env": {"A": 1}}, "/env/A", "error.expected.jsstring"),
    ({"labels": []}, "/labels", "error.expected.jsobject"),
    ({"ports": [70000]}, "/ports(0)", "error.max"),
    ({"constraints": ["x"]}, "/constraints(0)", "error.expected.jsarray"),
    ({"requirePorts": "yes"}, "/requirePorts", "error.expected.jsboolean"),
    ({"killSelection": "X"}, "/killSelection", "error.unknown.enum.literal"),
    ({"healthChecks": [{"protocol": "FTP"}]}, "/healthChecks(0)/protocol", "error.unknown"),
    ({"container": {"docker": {}}}, "/container/docker/image", "error.path.missing"),
    ({"upgradeStrategy": {}}, "/upgradeStrategy/maximumOverCapacity", "error.path.missing"),
    ({"fetch": [{"uri": ""}]}, "/fetch(0)/uri", "error.minLength"),
]


@pytest.mark.parametrize(("fields", "path", "text"), MISTYPED)
async def test_wrong_types_are_named_by_path(
    marathon: Running, fields: dict[str, Any], path: str, text: str
) -> None:
    status, body = await marathon.call("POST", "/v2/apps", APP | fields)
    assert status == 422
    assert body["message"] == "Invalid JSON"
    errors = {one["path"]: one["errors"] for one in body["details"]}
    assert errors[path][0].startswith(text)
    assert (await marathon.call("GET", "/v2/apps"))[1] == {"apps": []}


RULES = [
    ({"cmd": None}, "/", "either contain one of 'cmd' or 'args'"),
    ({"args": ["a"]}, "/", "either contain one of 'cmd' or 'args'"),
    ({"id": "/"}, "/", "must not be root"),
    ({"id": "/x/restart"}, "/id", "reserved"),
    ({"constraints": [["hostname", "NEAR"]]}, "/constraints(0)", "operator must be one of"),
    ({"constraints": [["hostname"]]}, "/constraints(0)", "either 2 or 3 fields"),
    ({"constraints": [["hostname", "MAX_PER"]]}, "/constraints(0)", "MAX_PER requires"),
    ({"constraints": [["hostname", "LIKE", "("]]}, "/constraints(0)", "not a valid regular"),
    ({"constraints": [["hostname", "UNIQUE", "x"]]}, "/constraints(0)", "UNIQUE does not accept"),
    ({"constraints": [["a", "IS", "{b}"]]}, "/constraints(0)", "IS only supports"),
    ({"ports": [1], "portDefinitions": [{"port": 2}]}, "/", "cannot specify both ports"),
    ({"ports": [1, 1]}, "/portDefinitions", "Ports must be unique."),
    ({"uris": ["a"], "fetch": [{"uri": "b"}]}, "/uris", "conjunction with fetch"),
    ({"healthChecks": [{"portIndex": 3}]}, "/healthChecks(0)", "port indices"),
    ({"healthChecks": [{"protocol": "COMMAND"}]}, "/healthChecks(0)/command", "not defined"),
    ({"healthChecks": [{"protocol": "MESOS_TCP"}] * 2}, "/", "at most one Mesos health check"),
    ({"container": {"volumes": []}}, "/container/docker", "not defined"),
    ({"gpus": 1}, "/gpus", "gpu_resources"),
    ({"labels": {"MARATHON_SINGLE_INSTANCE_APP": "true"}, "instances": 2}, "/", "one instance"),
    ({"role": "web"}, "/role", "not available"),
    ({"acceptedResourceRoles": []}, "/acceptedResourceRoles", "must not be empty"),
    ({"acceptedResourceRoles": ["x"]}, "/acceptedResourceRoles", "can only contain *"),
    ({"cmd": "a\0b"}, "/cmd", "NUL"),
    ({"env": {"A=B": "x"}}, "/env", "not a name"),
    (
        {"container": {"type": "MESOS", "docker": {"image": "x", "pullConfig": {"secret": "s"}}}},
        "/container/docker/pullConfig",
        "must refer to an existing secret",
    ),
    ({"env": {"A": {"secret": "s"}}}, "/env/A/secret", "an undefined secret"),
    (
        {"container": {"type": "MESOS", "volumes": [{"containerPath": "p", "secret": "s"}]}},
        "/container/volumes(0)",
        "volume.secret must refer to an existing secret",
    ),
    (
        {
            "container": {
                "type": "MESOS",
                "volumes": [{"containerPath": "p", "secret": "s", "hostPath": "/x"}],
            },
            "secrets": {"s": {"source": "s"}},
        },
        "/container/volumes(0)/hostPath",
        "must be empty",
    ),
    ({"residency": {}, "readinessChecks": [{}]}, "/readinessChecks", "not supported"),
    ({"networks": [{"mode": "container"}]}, "/networks(0)/name", "not defined"),
    ({"networks": [{"mode": "host"}, {"mode": "container", "name": "x"}]}, "/networks", "exclude"),
    ({"networks": [{"mode": "host", "name": "x"}]}, "/networks(0)/name", "mode container"),
    (
        {"networks": [{"mode": "container", "name": "x"}] * 2},
        "/networks(1)/name",
        "must be unique",
    ),
    (
        {"networks": [{"mode": "container/bridge"}], "portDefinitions": [{"port": 0}]},
        "/portDefinitions",
        "use container.portMappings",
    ),
    (
        {"networks": [{"mode": "host"}], "ipAddress": {"networkName": "x"}},
        "/networks",
        "in conjunction",
    ),
    (
        {
            "networks": [{"mode": "container", "name": "x"}],
            "container": {"docker": {"image": "x"}, "portMappings": [{"name": "a"}]},
        },
        "/container/portMappings(0)/containerPort",
        "must be set",
    ),
    (
        {
            "networks": [{"mode": "container/bridge"}],
            "container": {"type": "MESOS", "portMappings": [{"hostPort": 31000}] * 2},
        },
        "/container/portMappings",
        "Host ports must be unique.",
    ),
    ({"ipAddress": {"groups": ["x"]}}, "/ipAddress/groups", "not supported"),
    (
        {"container": {"type": "MESOS", "volumes": [{"containerPath": "x"}]}},
        "/container/volumes(0)/hostPath",
        "not defined",
    ),
    (
        {"container": {"volumes": [{"containerPath": "x", "persistent": {"size": 1}}]}},
        "/container/volumes(0)/persistent",
        "use a hostPath",
    ),
    (
        {"container": {"type": "MESOS", "docker": {"image": "x", "privileged": True}}},
        "/container/docker/privileged",
        "unless the type is DOCKER",
    ),
    ({"cpus": 1, "resourceLimits": {"cpus": 0.5}}, "/resourceLimits/cpus", "greater than or equal"),
    (
        {"container": {"docker": {"image": "x", "network": "NONE"}}},
        "/container/docker/network",
        "not supported",
    ),
    (
        {"unreachableStrategy": {"inactiveAfterSeconds": 9, "expungeAfterSeconds": 1}},
        "/unreachableStrategy/inactiveAfterSeconds",
        "expungeAfterSeconds",
    ),
]


@pytest.mark.parametrize(("fields", "path", "text"), RULES)
async def test_broken_rules_are_named_by_path(
    marathon: Running, fields: dict[str, Any], path: str, text: str
) -> None:
    status, body = await marathon.call("POST", "/v2/apps", APP | fields)
    assert (status, body["message"]) == (422, "Object is not valid")
    errors = {one["path"]: one["errors"] for one in body["details"]}
    assert text in errors[path][0]
    assert (await marathon.call("GET", "/v2/apps"))[1] == {"apps": []}


REFUSED = [
    ("POST", "/v2/apps", b'{"id":', "application/json", 400, "Invalid JSON"),
    ("POST", "/v2/apps", b"", "application/json", 400, "Invalid JSON"),
    ("POST", "/v2/apps", b"[" * 5000, "application/json", 400, "Invalid JSON"),
    ("POST", "/v2/apps", b'{"id": "\xff"}', "application/json", 400, "Invalid JSON"),
    ("POST", "/v2/apps", b"[]", "application/json", 422, "Invalid JSON"),
    ("POST", "/v2/apps", b"{}", "text/plain", 415, "Unsupported Media Type"),
    ("PUT", "/v2/apps", b"[{}]", "application/json", 422, "requirement failed"),
    ("PUT", "/v2/apps/A%20b", b"{}", "application/json", 422, "Object is not valid"),
    ("PATCH", "/v2/apps/none", b"{}", "application/json", 404, "App '/none' does not exist"),
    ("PUT", "/v2/apps/..%2f..%2fx/y%00", b"{}", "application/json", 422, "Object is not valid"),
    ("POST", "/v2/apps/a/restart", b"{}", "application/json", 404, "App '/a' does not exist"),
    ("GET", "/v2/apps/a/tasks", b"", "", 404, "App '/a' does not exist"),
    ("GET", "/v2/apps/a/versions/x", b"", "", 404, "App '/a' does not exist in version x"),
    ("GET", "/v2/apps?label=a%20b", b"", "", 422, "Can not parse label selector"),
    ("POST", "/v2/tasks/delete", b'{"ids":["x"]}', "application/json", 400, "Invalid task id"),
    ("POST", "/v2/tasks/delete", b"{}", "application/json", 422, "Invalid JSON"),
    ("DELETE", "/v2/queue/a/delay", b"", "", 404, "Application /a not found in tasks queue."),
    ("DELETE", "/v2/deployments/x", b"", "", 404, "DeploymentPlan x does not exist"),
    ("GET", "/v2/groups/none", b"", "", 404, "Group '/none' does not exist"),
    ("POST", "/v2/groups", b"{}", "application/json", 422, "Object is not valid"),
    ("POST", "/v2/pods", b"{}", "application/json", 422, "Invalid JSON"),
    ("POST", "/v2/pods", b"[", "application/json", 400, "Invalid JSON"),
    ("PUT", "/v2/pods/x", b'{"id": "/x", "containers": []}', "", 422, "Invalid JSON"),
    ("PUT", "/v2/pods", b"{}", "", 405, "Method Not Allowed"),
    ("GET", "/v2/pods/x", b"", "", 404, "Pod '/x' does not exist"),
    ("GET", "/v2/pods/X", b"", "", 422, "Object is not valid"),
    ("GET", "/v2/pods/g/x::status", b"", "", 404, "Pod '/g/x' does not exist"),
    ("GET", "/v2/pods/x::versions", b"", "", 404, "Pod '/x' does not exist"),
    ("GET", "/v2/pods/x::versions/1", b"", "", 404, "Pod '/x' does not exist in version 1"),
    ("DELETE", "/v2/pods/x", b"", "", 404, "Pod '/x' does not exist"),
    ("DELETE", "/v2/pods/x::instances", b'["a"]', "", 422, "Invalid JSON"),
    ("DELETE", "/v2/pods/x::instances", b'["x.instance-1"]', "", 404, "Pod '/x' does not exist"),
    ("DELETE", "/v2/pods/x::instances/y", b"", "", 422, "Object is not valid"),
    ("GET", "/v2/events", b"", "", 405, "Method Not Allowed"),
    ("DELETE", "/v2/apps", b"", "", 405, "Method Not Allowed"),
    ("GET", "/v2/schemas", b"", "", 404, "URI not found"),
]


@pytest.mark.parametrize(("method", "path", "body", "kind", "status", "text"), REFUSED)
async def test_bad_calls_get_marathons_own_errors(
    marathon: Running, method: str, path: str, body: bytes, kind: str, status: int, text: str
) -> None:
    answer = await marathon.raw(method, path, body, kind)
    assert answer.status == status
    assert answer.content_type == "application/json"
    assert msgspec.json.decode(answer.body)["message"].startswith(text)


async def test_heads_pings_and_pages(marathon: Running) -> None:
    assert (await marathon.raw("HEAD", "/v2/pods")).status == 200
    assert (await marathon.raw("GET", "/ping")).body == b"pong"
    asked = await marathon.client.request(
        "GET", marathon.url + "/ping", headers=(("Accept", "application/json"),)
    )
    assert asked.body == b'"pong"'
    await marathon.call("POST", "/v2/apps", APP | {"id": "/g/h/a"})
    _, root = await marathon.call("GET", "/v2/groups//")
    assert (root["id"], root["apps"]) == ("/", [])
    assert root["groups"][0]["groups"][0]["apps"][0]["id"] == "/g/h/a"
    _, inner = await marathon.call("GET", "/v2/groups/g/h?embed=group.apps&embed=group.apps.counts")
    assert inner["apps"][0]["tasksStaged"] == 0
    assert "groups" not in inner
    _, star = await marathon.call("GET", "/v2/apps/g/*")
    assert [one["id"] for one in star["*"]] == ["/g/h/a"]
    _, info = await marathon.call("GET", "/v2/info")
    assert (info["name"], info["elected"]) == ("marathon", True)
    _, leader = await marathon.call("GET", "/v2/leader")
    assert leader == {"leader": marathon.url.removeprefix("http://")}
    _, metrics = await marathon.call("GET", "/metrics")
    assert metrics["gauges"]["marathon.apps.active.gauge"] == {"value": 1}
    assert (
        b"marathon_apps_active_gauge 1" in (await marathon.raw("GET", "/metrics/prometheus")).body
    )
    _, queue = await marathon.call("GET", "/v2/queue")
    assert [one["count"] for one in queue["queue"]] == [1]
    assert (await marathon.call("GET", "/v2/tasks?status=running"))[1] == {"tasks": []}


async def test_label_selectors(marathon: Running) -> None:
    await marathon.call("POST", "/v2/apps", APP | {"id": "/x", "labels": {"t": "1", "u v": "2"}})
    await marathon.call("POST", "/v2/apps", APP | {"id": "/y", "labels": {"t": "2"}})
    expected = {
        "t": ["/x", "/y"],
        "t==1": ["/x"],
        "t!=1": ["/y"],
        "t in (1, 2), t notin (2)": ["/x"],
        "u\\ v": ["/x"],
        "z!=1": [],
    }
    for text, names in expected.items():
        query = text.replace(" ", "%20").replace("\\", "%5C").replace("=", "%3D")
        _, found = await marathon.call("GET", f"/v2/apps?label={query}")
        assert [one["id"] for one in found["apps"]] == names, text


async def test_events_come_as_they_happen(marathon: Running) -> None:
    headers = (("Accept", "text/event-stream"),)
    url = marathon.url + "/v2/events?event_type=deployment_info&event_type=api_post_event"
    async with marathon.client.stream("GET", url, headers=headers) as stream:
        assert stream.status == 200
        assert stream.header("content-type") == "text/event-stream"
        chunks = aiter(stream)
        await marathon.call("POST", "/v2/apps", APP)
        seen = b""
        while b"deployment_info" not in seen:
            seen += await anext(chunks)
    assert b"event: api_post_event\r\ndata: {" in seen
    assert b"group_change_success" not in seen


async def test_credentials_are_asked_for(tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text('{"credentials": [{"principal": "ops", "secret": "s3"}]}')
    async with running(tmp_path / "work", credentials=known) as marathon:
        assert (await marathon.raw("GET", "/v2/apps")).status == 401
        basic = (("Authorization", "Basic b3BzOnMz"),)
        answer = await marathon.client.request("GET", marathon.url + "/v2/apps", headers=basic)
        assert answer.status == 200


async def test_a_port_in_use_is_said_plainly(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        shell = Shell(Config(port=port, work_dir=tmp_path))
        with pytest.raises(Exception, match=f"cannot listen on 127.0.0.1:{port}"):
            await shell.run(asyncio.Event())
