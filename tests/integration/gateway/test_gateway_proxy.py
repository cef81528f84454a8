"""The gateway over real sockets: what passes, what does not, who may."""

import asyncio
import base64
import contextlib
import json

import pytest

from comity.gateway import tokens
from comity.runtime.http import HttpError
from support.doors import running
from support.upstreams import FakeAgent, FakeMarathon, FakeMaster, FakeService, Upstream


@pytest.fixture
async def around():
    async with contextlib.AsyncExitStack() as stack:
        kinds = (FakeMarathon, FakeMaster, FakeAgent, FakeService, Upstream)
        found = [await stack.enter_async_context(kind().serving()) for kind in kinds]
        marathon, master, agent, service, _ = found
        port = int(service.url.rpartition(":")[2])
        labels = {
            "DCOS_SERVICE_NAME": "web",
            "DCOS_SERVICE_SCHEME": "http",
            "DCOS_SERVICE_PORT_INDEX": "0",
        }
        marathon.run({"id": "/web", "labels": labels, "ports": [port]})
        marathon.run({"id": "/nested", "labels": labels | {"DCOS_SERVICE_NAME": "web/v2"}})
        master.agents = [{"id": "S0", "pid": f"slave(1)@{agent.url[7:]}", "hostname": "h"}]
        master.frameworks = [{"id": "F1", "name": "fw", "webui_url": service.url, "active": True}]
        yield found


@pytest.fixture
async def door(tmp_path, around):
    async with running(tmp_path, around) as found:
        yield found


@pytest.fixture
async def locked(tmp_path, around):
    async with running(tmp_path, around, auth=True) as found:
        yield found


async def test_the_page(door):
    found = await door.get("/")
    assert found.status == 200
    assert found.content_type.startswith("text/html")
    assert b"state-summary" in found.body
    assert (await door.get("/", method="HEAD")).status == 200


@pytest.mark.parametrize(
    ("path", "status", "location"),
    [
        ("/mesos", 301, "/mesos/"),
        ("/marathon", 307, "/marathon/"),
        ("/mesos/master/redirect", 307, "/mesos/"),
        ("/service/marathon", 301, "/service/marathon/"),
        ("/service/web", 301, "/service/web/"),
        ("/service/web?a=1", 301, "/service/web/?a=1"),
        ("/agent/S0", 301, "/agent/S0/"),
        ("/mesos/redirect", 307, "/mesos/state"),
        ("/service/web/go", 302, "/service/web/there?x=1"),
    ],
)
async def test_redirections_stay_on_this_host(door, path, status, location):
    found = await door.get(path, host="evil.example")
    assert (found.status, found.header("Location")) == (status, location)


@pytest.mark.parametrize(
    "path",
    [
        "/nowhere",
        "/service/nothing/",
        "/agent/S9/state",
        "/exhibitor/exhibitor/v1/cluster/status",
        "/cluster/v1/links",
        "/dcos-metadata/bootstrap-config.json",
        "/net/v1/nodes",
    ],
)
async def test_what_is_not_there(door, path):
    assert (await door.get(path)).status == 404


async def test_the_components(door):
    assert (await door.json("/mesos/state"))["id"] == "M"
    assert (await door.json("/mesos/master/state"))["id"] == "M"
    assert (await door.json("/marathon/v2/info"))["name"] == "marathon"
    assert (await door.json("/service/marathon/v2/apps"))["apps"]
    assert (await door.json("/agent/S0/state"))["frameworks"]
    assert (await door.json("/slave/S0/state"))["frameworks"]
    for path in ("/package/search?a=1", "/capabilities", "/cosmos/service/describe"):
        await door.get(path)
        seen = door.cosmos.requests[-1]
        assert f"{seen.raw_path}{'?' * bool(seen.raw_query)}{seen.raw_query}" == path


async def test_a_request_arrives_as_it_was_sent(door):
    seen = await door.json(
        "/service/web/echo/a%2Fb%20c?q=1&q=%20",
        method="POST",
        body=b"\x00\xffbody",
        x_own="1",
        cookie=f"{tokens.AUTH_COOKIE}=secret; theirs=1",
    )
    assert seen["method"] == "POST"
    assert seen["path"] == "/echo/a%2Fb%20c"
    assert seen["query"] == "q=1&q=%20"
    assert base64.b64decode(seen["body"]) == b"\x00\xffbody"
    assert seen["headers"]["x-own"] == "1"
    assert seen["headers"]["cookie"] == "theirs=1"
    assert seen["headers"]["host"] == door.service.url[7:]
    assert seen["headers"]["x-forwarded-for"] == "127.0.0.1"


async def test_an_answer_comes_back_as_it_was(door):
    found = await door.get("/service/web/echo")
    assert found.header("X-One") == "1"
    cookies = [value for name, value in found.headers if name == "Set-Cookie"]
    assert cookies == ["a=1", "b=2"]
    for status in (204, 304, 404, 418, 500):
        assert (await door.get(f"/service/web/status/{status}")).status == status


async def test_services_are_found_by_their_longest_name(door):
    found = await door.get("/service/web/v2/echo")
    assert found.status == 502  # the app web/v2 is the one meant, and nobody listens there
    assert (await door.json("/service/fw/echo"))["path"] == "/echo"
    assert (await door.json("/service/F1/echo"))["path"] == "/echo"


async def test_a_service_appears_as_soon_as_it_runs(door):
    assert (await door.get("/service/new/echo")).status == 404
    labels = door.marathon.apps["/web"]["labels"] | {"DCOS_SERVICE_NAME": "new"}
    door.marathon.run({"id": "/n", "labels": labels, "ports": door.marathon.apps["/web"]["ports"]})
    assert (await door.get("/service/new/echo")).status == 200


async def test_a_service_that_keeps_its_prefix(door):
    door.marathon.apps["/web"]["labels"]["DCOS_SERVICE_REWRITE_REQUEST_URLS"] = "false"
    await door.get("/service/web/x")
    assert door.service.requests[-1].path == "/service/web/x"


async def test_events_pass_one_by_one(door):
    async with door.client.stream("GET", f"{door.url}/service/web/events") as stream:
        assert stream.header("content-type") == "text/event-stream"
        pieces = stream.__aiter__()
        assert await anext(pieces) == b"data: first\n\n"
        door.service.streams[0].send(b"data: second\n\n")
        assert await anext(pieces) == b"data: second\n\n"
        door.service.streams[0].close()
        assert [piece async for piece in pieces] == []


async def test_a_reader_that_leaves_ends_the_upstream_too(door):
    async with door.client.stream("GET", f"{door.url}/service/web/events") as stream:
        await anext(stream.__aiter__())
    ended = asyncio.Event()
    door.service.streams[0].on_close(ended.set)
    await asyncio.wait_for(ended.wait(), 10)


async def test_a_download_is_whole(door):
    found = await door.get("/service/web/big")
    assert found.body == b"x" * (64 * 65536)
    assert found.header("Content-Disposition") == "attachment"


async def test_an_answer_that_breaks_off_does_not_look_whole(door):
    async with door.client.stream("GET", f"{door.url}/service/web/broken") as stream:
        pieces = stream.__aiter__()
        assert await anext(pieces) == b"half"
        door.service.streams[0].abort()
        with pytest.raises(HttpError):
            await anext(pieces)


async def test_an_upstream_that_is_away(tmp_path, around):
    around[0].url = around[1].url = "http://127.0.0.1:9"
    async with running(tmp_path, around) as door:
        assert (await door.get("/marathon/v2/apps")).status == 502
        assert (await door.get("/service/web/")).status == 503


async def test_pages_of_other_sites_may_not_change_anything(door):
    found = await door.get("/marathon/v2/apps", method="POST", origin="https://evil.example")
    assert found.status == 403
    own = door.url.replace("http://", "")
    found = await door.get("/marathon/v2/apps/web/restart", method="POST", origin=f"http://{own}")
    assert found.status == 200


async def test_metadata(door):
    assert (await door.json("/dcos-metadata/dcos-version.json"))["dcos-variant"] == "open"
    plugins = (await door.json("/dcos-metadata/ui-config.json"))["uiConfiguration"]["plugins"]
    assert plugins == {"oauth": {"enabled": False}}
    assert len((await door.json("/metadata"))["CLUSTER_ID"]) == 36
    assert await door.json("/mesos_dns/v1/hosts/master.mesos") == [
        {"host": "master.mesos.", "ip": "127.0.0.1"}
    ]
    assert await door.json("/mesos_dns/v1/hosts/x.mesos") == [{"host": "", "ip": ""}]
    found = await door.get("/pkgpanda/active.buildinfo.full.json", method="HEAD")
    assert found.status == 200


# with a lock


@pytest.mark.parametrize(
    "path",
    [
        "/mesos/state",
        "/service/web/",
        "/agent/S0/state",
        "/package/search",
        "/metadata",
        "/acs/api/v1/users",
        "/pkgpanda/active.buildinfo.full.json",
        "/nowhere",
        "/%6desos/state",
    ],
)
async def test_without_a_token(locked, path):
    found = await locked.get(path)
    assert found.status == 401
    assert found.header("WWW-Authenticate") == "oauthjwt"
    found = await locked.get(path, authorization="token=" + tokens.issue("admin", b"x", 9e9))
    assert found.status == 401


async def test_login_and_use(locked):
    assert (await locked.get("/")).status == 200
    providers = await locked.json("/acs/api/v1/auth/providers")
    assert providers["dcos-users"]["authentication-type"] == "dcos-uid-password"
    found = await locked.login()
    assert found.status == 200
    locked.token = json.loads(found.body)["token"]
    cookies = [value for name, value in found.headers if name == "Set-Cookie"]
    assert cookies[0].startswith(f"{tokens.AUTH_COOKIE}={locked.token};")
    seen = await locked.json("/service/web/echo")
    assert "authorization" not in seen["headers"]
    cookie = cookies[0].partition(";")[0]
    seen = await locked.json("/service/web/echo", cookie=cookie, authorization="")
    assert "cookie" not in seen["headers"]
    seen = await locked.json("/service/web/echo", authorization=f"Bearer {locked.token}")
    assert "authorization" not in seen["headers"]


@pytest.mark.parametrize(
    ("uid", "password"), [("admin", "wrong"), ("nobody", "x"), ("admin", "x" * 5000), ("", "")]
)
async def test_bad_logins(locked, uid, password):
    found = await locked.login(uid, password)
    assert found.status == 401
    assert "token" not in json.loads(found.body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"uid": 5}', b'{"token": "oidc"}'])
async def test_malformed_logins(locked, body):
    found = await locked.get(
        "/acs/api/v1/auth/login", method="POST", body=body, content_type="application/json"
    )
    assert found.status == 400


async def test_users(locked):
    locked.token = json.loads((await locked.login()).body)["token"]
    path = "/acs/api/v1/users/ann@example.org"

    async def put(body, method="PUT", where=path):
        data = json.dumps(body).encode()
        return await locked.get(where, method=method, body=data, content_type="application/json")

    assert (await put({})).status == 400
    assert (await put({"password": "one"})).status == 201
    assert (await put({"password": "one"})).status == 409
    assert (await put({"password": "x"}, where="/acs/api/v1/users/a%20b")).status == 400
    listed = (await locked.json("/acs/api/v1/users"))["array"]
    assert [user["uid"] for user in listed] == ["admin", "ann@example.org"]
    assert all("hash" not in user for user in listed)
    assert await locked.json("/acs/api/v1/users?type=service") == {"array": []}
    found = await locked.login("ann@example.org", "one")
    assert found.status == 200
    assert (await put({"password": "two"}, "PATCH")).status == 204
    assert (await locked.login("ann@example.org", "one")).status == 401
    hers = json.loads((await locked.login("ann@example.org", "two")).body)["token"]
    assert (await locked.get(path, method="DELETE")).status == 204
    assert (await locked.get(path)).status == 404
    found = await locked.get("/mesos/state", authorization=f"token={hers}")
    assert found.status == 401  # her token went with her
    assert (await locked.get("/acs/api/v1/users/admin", method="DELETE")).status == 400


async def test_what_a_restart_keeps(tmp_path, around):
    async with running(tmp_path, around, auth=True) as first:
        token = json.loads((await first.login()).body)["token"]
        first.token = token
        cluster = await first.json("/metadata")
    assert (tmp_path / "admin-password").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "gateway.sqlite").stat().st_mode & 0o777 == 0o600
    async with running(tmp_path, around, auth=True) as second:
        second.token = token
        assert await second.json("/metadata") == cluster
