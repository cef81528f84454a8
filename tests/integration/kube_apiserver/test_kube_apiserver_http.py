"""The Kubernetes API over HTTPS: who may call, discovery, errors, nonsense."""

import asyncio
import socket
import ssl

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comity.kube.apiserver.shell.running import RunningApi, Settings
from comity.runtime.http import Client


class Door:
    """A running API server and the admin's client."""

    def __init__(self, directory, ip="127.0.0.1", admin_port=None, bootstrap_token=""):
        chosen = Settings(
            ip=ip,
            port=0,
            admin_port=admin_port,
            data_dir=directory,
            bootstrap_token=bootstrap_token,
        )
        self.api = RunningApi(chosen)
        self.stop = asyncio.Event()
        self.job = asyncio.create_task(self.api.driver.run_until(self.stop))

    async def open(self):
        await self.api.start()
        context = ssl.create_default_context(cadata=self.api.keys.ca_pem)
        self.client = Client(ssl=context)
        return self

    async def call(self, method, path, body=None, *, token="admin", headers=()):
        if token:
            held = self.api.keys.tokens.get(token, token)
            headers = (("Authorization", f"Bearer {held}"), *headers)
        data = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
        answer = await self.client.request(method, self.api.url + path, data, headers)
        return answer

    async def close(self):
        await self.client.close()
        self.stop.set()
        await self.job
        await self.api.stop()


@pytest.fixture
async def door(tmp_path):
    made = await Door(tmp_path).open()
    yield made
    await made.close()


async def test_who_may_call(door):
    assert (await door.call("GET", "/version", token="")).status == 200
    assert (await door.call("GET", "/api/v1/pods", token="")).status == 401
    refused = await door.call("GET", "/api/v1/pods", token="wrong")
    assert msgspec.json.decode(refused.body)["reason"] == "Unauthorized"
    assert (await door.call("GET", "/api/v1/pods")).status == 200
    for path in door.api.settings.data_dir.glob("pki/*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_discovery_in_all_forms(door):
    wanted = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
    answer = await door.call("GET", "/apis", headers=(("Accept", wanted),))
    assert answer.content_type == wanted
    groups = {item["metadata"]["name"] for item in msgspec.json.decode(answer.body)["items"]}
    assert groups == {"apps", "coordination.k8s.io"}
    plain = msgspec.json.decode((await door.call("GET", "/api/v1/")).body)
    assert {"pods", "pods/log", "namespaces"} <= {each["name"] for each in plain["resources"]}
    index = msgspec.json.decode((await door.call("GET", "/openapi/v3")).body)["paths"]
    for entry in index.values():
        document = await door.call("GET", entry["serverRelativeURL"])
        assert document.status == 200
        assert b"x-kubernetes-group-version-kind" in document.body


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [
        ("GET", "/api/v1/nothing", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/none", 404, "NotFound"),
        ("GET", "/apis/apps/v9/deployments", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/p/exec?command=x", 404, "NotFound"),
        ("GET", "/api/v1/namespaces/default/pods/p/proxy/x", 404, "NotFound"),
        ("POST", "/api/v1/namespaces/default/pods/p", 405, "MethodNotAllowed"),
        ("GET", "/api/v1/pods?fieldSelector=spec.bogus=1", 400, "BadRequest"),
        ("GET", "/api/v1/pods?labelSelector=a%20b", 400, "BadRequest"),
        ("GET", "/api/v1/pods?resourceVersion=x", 400, "BadRequest"),
        ("GET", "/api/v1/pods?limit=x", 400, "BadRequest"),
        ("GET", "/api/v1/pods?continue=x", 400, "BadRequest"),
    ],
)
async def test_errors_are_statuses(door, method, path, status, reason):
    answer = await door.call(method, path, {} if method == "POST" else None)
    body = msgspec.json.decode(answer.body)
    assert (answer.status, body["kind"], body["reason"]) == (status, "Status", reason)


async def test_formats_that_are_not_read_are_415(door):
    path = "/api/v1/namespaces/default/configmaps"
    for kind in ("application/vnd.kubernetes.protobuf", "text/plain"):
        answer = await door.call("POST", path, b"k8s\0", headers=(("Content-Type", kind),))
        assert (answer.status, msgspec.json.decode(answer.body)["code"]) == (415, 415)
    apply = (("Content-Type", "application/apply-patch+yaml"),)
    assert (await door.call("PATCH", f"{path}/x", b"{}", headers=apply)).status == 415


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["metadata", "spec", "name", "containers", "kind", "labels", "x", "data"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE"]),
    path=st.sampled_from(
        [
            "/api/v1/namespaces/default/pods",
            "/api/v1/namespaces/default/pods/p",
            "/api/v1/namespaces/default/pods/p/binding",
            "/api/v1/nodes",
            "/apis/apps/v1/namespaces/default/deployments",
            "/apis/apps/v1/namespaces/default/deployments/d/scale",
            "/api/v1/namespaces/default/services",
            "/openapi/v3/x",
            "/",
        ]
    ),
    body=st.binary(max_size=40) | _json.map(msgspec.json.encode),
    kind=st.sampled_from(
        [
            "application/json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
            "application/json-patch+json",
            "application/yaml",
        ]
    ),
)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nonsense_is_refused_and_the_server_lives(tmp_path_factory, method, path, body, kind):
    async def ask():
        door = await Door(tmp_path_factory.mktemp("api")).open()
        try:
            answer = await door.call(method, path, body, headers=(("Content-Type", kind),))
            assert answer.status < 500, answer.body
            assert (await door.call("GET", "/api/v1/pods")).status == 200
        finally:
            await door.close()

    asyncio.run(ask())


@pytest.mark.parametrize("has_token", [True, False])
async def test_the_admin_port_shows_the_kubeconfig_to_who_has_the_bootstrap_token(
    has_token, tmp_path
):
    address = "127.0.0.77"
    with socket.create_server((address, 0)) as taken:
        port = taken.getsockname()[1]
    door = await Door(tmp_path, address, port, "the-token" if has_token else "").open()
    client = Client()

    async def ask(path, token):
        headers = (("Authorization", f"Bearer {token}"),)
        return (await client.request("GET", f"http://{address}:{port}{path}", b"", headers)).status

    assert await ask("/healthz", "wrong") == 200
    assert await ask("/kubeconfig", "wrong") == 401
    assert await ask("/kubeconfig", "") == 401
    assert await ask("/kubeconfig", "the-token") == (200 if has_token else 401)
    await client.close()
    await door.close()


async def test_the_old_schemas_are_json_and_an_empty_protobuf(door):
    plain = await door.call("GET", "/openapi/v2")
    assert "io.k8s.api.core.v1.Pod" in msgspec.json.decode(plain.body)["definitions"]
    wanted = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
    written = await door.call("GET", "/openapi/v2", headers=(("Accept", wanted),))
    assert (written.status, written.body) == (200, b"\n\x032.0")
