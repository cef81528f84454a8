"""Who gets into a master: realms, credentials in both formats, access control lists over HTTP."""

import asyncio
import base64
import contextlib
import json
import socket

import pytest

from comity.core.errors import UserError
from comity.master.config import MasterConfig
from comity.master.shell import run
from comity.runtime.http import Client
from comity.runtime.http.credentials import known_principals, own_headers

JSON = ("Content-Type", "application/json")
SUBSCRIBE = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "t"}}}
TEXT = "ops  secret-1\nads secret-2\n"
MESOS = json.dumps(
    {
        "credentials": [
            {"principal": "ops", "secret": "secret-1"},
            {"principal": "ads", "secret": "secret-2"},
        ]
    }
)


def basic(principal, secret):
    token = base64.b64encode(f"{principal}:{secret}".encode()).decode()
    return ("Authorization", f"Basic {token}")


OPS, ADS = basic("ops", "secret-1"), basic("ads", "secret-2")


@contextlib.asynccontextmanager
async def master(tmp_path, credentials=TEXT, **settings):
    """Run a master; give what asks it."""
    path = tmp_path / "credentials"
    path.write_text(credentials)
    stop = asyncio.Event()
    ready = tmp_path / "log"
    ready.write_text("a line\n")
    port = settings.pop("port")
    config = MasterConfig(
        work_dir=tmp_path, port=port, credentials=path, log_file=ready, **settings
    )
    running = asyncio.create_task(run(config, stop))
    client = Client()

    async def ask(method, path, *headers, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{port}{path}"
        return await client.request(method, url, data, (JSON, *headers))

    try:
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Exception):
                    if (await ask("GET", "/health")).status == 200:
                        break
                await asyncio.sleep(0.01)
        yield ask
    finally:
        await client.close()
        stop.set()
        await running


@pytest.mark.parametrize("credentials", [TEXT, MESOS])
async def test_each_realm_asks_for_credentials(tmp_path, unused_tcp_port, credentials):
    async with master(tmp_path, credentials, port=unused_tcp_port) as ask:
        for path, realm in (
            ("/state", "mesos-master-readonly"),
            ("/master/tasks/", "mesos-master-readonly"),
            ("/metrics", "mesos-master-readonly"),
            ("/nowhere", "mesos-master-readonly"),
            ("/api/v1", "mesos-master-readwrite"),
            ("/api/v1/operator", "mesos-master-readwrite"),
            ("/teardown", "mesos-master-readwrite"),
            ("/quota/ads", "mesos-master-readwrite"),
            ("/api/v1/scheduler", "mesos-master-scheduler"),
            ("/master/api/v1/scheduler/x", "mesos-master-scheduler"),
        ):
            found = await ask("POST", path, body={"type": "GET_HEALTH"})
            assert found.status == 401, path
            assert found.header("WWW-Authenticate") == f'Basic realm="{realm}"', path
            for wrong in (basic("ops", "secret-2"), basic("x", ""), ("Authorization", "Bearer x")):
                assert (await ask("POST", path, wrong, body={})).status == 401
        for path in ("/health", "/version", "/redirect"):
            assert (await ask("GET", path)).status in (200, 307)
        assert (await ask("GET", "/state", OPS)).status == 200
        assert (await ask("POST", "/api/v1", ADS, body={"type": "GET_HEALTH"})).status == 200


async def test_a_realm_may_be_open(tmp_path, unused_tcp_port):
    settings = {"authenticate_http_readonly": False, "authenticate_http_frameworks": False}
    async with master(tmp_path, port=unused_tcp_port, **settings) as ask:
        assert (await ask("GET", "/state")).status == 200
        assert (await ask("GET", "/state", basic("ops", "wrong"))).status == 401
        assert (await ask("POST", "/api/v1", body={"type": "GET_HEALTH"})).status == 401
        flags = json.loads((await ask("GET", "/flags")).body)["flags"]
        assert flags["authenticate_http_readonly"] == "false"
        assert flags["authenticate_http_readwrite"] == "true"


async def test_a_framework_is_of_the_principal_that_proves_itself(tmp_path, unused_tcp_port):
    async with master(tmp_path, port=unused_tcp_port) as ask:
        other = json.loads(json.dumps(SUBSCRIBE))
        other["subscribe"]["framework_info"]["principal"] = "ops"
        assert (await ask("POST", "/api/v1/scheduler", ADS, body=other)).status == 400
        client = Client()
        url = f"http://127.0.0.1:{unused_tcp_port}/api/v1/scheduler"
        data = json.dumps(SUBSCRIBE).encode()
        async with client.stream("POST", url, data, (JSON, ADS)) as stream:
            assert stream.status == 200
            await anext(aiter(stream))
            shown = json.loads((await ask("GET", "/frameworks", OPS)).body)["frameworks"]
            assert [one["principal"] for one in shown] == ["ads"]
        await client.close()


async def test_access_control_lists_over_http(tmp_path, unused_tcp_port):
    only_ops = {"principals": {"values": ["ops"]}}
    everything = {"type": "ANY"}
    lists = {
        "teardown_frameworks": [
            {**only_ops, "framework_principals": everything},
            {"principals": everything, "framework_principals": {"type": "NONE"}},
        ],
        "update_weights": [
            {**only_ops, "roles": everything},
            {"principals": everything, "roles": {"type": "NONE"}},
        ],
        "view_flags": [
            {**only_ops, "flags": everything},
            {"principals": everything, "flags": {"type": "NONE"}},
        ],
        "access_mesos_logs": [
            {**only_ops, "logs": everything},
            {"principals": everything, "logs": {"type": "NONE"}},
        ],
        "get_endpoints": [
            {**only_ops, "paths": everything},
            {"principals": everything, "paths": {"values": ["/files/debug"]}},
        ],
    }
    settings = {"acls": json.dumps(lists), "port": unused_tcp_port}
    async with master(tmp_path, **settings) as ask:

        async def both(method, path, body=None):
            return [(await ask(method, path, who, body=body)).status for who in (OPS, ADS)]

        assert await both("POST", "/teardown?frameworkId=x") == [400, 403]
        teardown = {"type": "TEARDOWN", "teardown": {"framework_id": {"value": "x"}}}
        assert await both("POST", "/api/v1", teardown) == [400, 403]
        weights = [{"role": "ads", "weight": 2.0}]
        assert await both("PUT", "/weights", weights) == [200, 403]
        assert await both("GET", "/flags") == [200, 403]
        assert await both("POST", "/api/v1", {"type": "GET_FLAGS"}) == [200, 403]
        assert "flags" in json.loads((await ask("GET", "/state", OPS)).body)
        assert "flags" not in json.loads((await ask("GET", "/state", ADS)).body)
        log = "/files/read?path=/master/log&offset=0"
        assert await both("GET", log) == [200, 403]
        read = {"type": "READ_FILE", "read_file": {"path": "/master/log", "offset": 0}}
        assert await both("POST", "/api/v1", read) == [200, 403]
        assert await both("GET", "/files/debug") == [200, 200]


def test_files_that_are_no_credentials_are_refused(tmp_path):
    path = tmp_path / "credentials"
    for text in ("", "only-a-principal\n", "{", '{"credentials": 5}', "a b c\n"):
        path.write_text(text)
        with pytest.raises(UserError, match="credentials"):
            known_principals(path)
    path.write_text("me my-secret\n")
    assert own_headers(path) == (basic("me", "my-secret"),)
    path.write_text('{"principal": "me", "secret": "my-secret"}')
    assert own_headers(path) == (basic("me", "my-secret"),)


@pytest.fixture
def unused_tcp_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
