"""Cosmos over HTTP: versions, errors, and what it does to Marathon and the master."""

import contextlib
import json

import msgspec
import pytest

from comity.cosmos import shell, universe
from comity.cosmos.config import Config
from comity.runtime.http import Client, Response, Server
from comity.runtime.sqlite import SqliteStore
from comity.wire.cosmos import media_types
from comity.wire.cosmos.media_types import package, service
from support.upstreams import FakeMarathon, FakeMaster, Upstream, answer

HELLO = {"packageName": "hello-world"}
AWAY = "http://127.0.0.1:9/x"
"""Nobody listens there."""


class Service:
    """A running Cosmos with what is around it."""

    def __init__(self, url, client, marathon, master):
        self.url, self.client, self.marathon, self.master = url, client, marathon, master

    async def post(self, name, payload=None, *, version=1, accept=None, content_type=None):
        kind = service if name.startswith("service/") else package
        op = name.partition("/")[2].replace("/", ".")
        prefix = "/cosmos/" if name.startswith("service/") else "/"
        body = payload if isinstance(payload, bytes) else json.dumps(payload or {}).encode()
        return await self.client.request(
            "POST",
            f"{self.url}{prefix}{name}",
            body,
            (
                ("Content-Type", content_type or kind(f"{op}-request")),
                ("Accept", accept or kind(f"{op}-response", version)),
            ),
        )

    async def good(self, name, payload=None, *, version=1):
        found = await self.post(name, payload, version=version)
        assert found.status == 200, found.body
        return json.loads(found.body)

    async def bad(self, name, payload=None, *, status=400, **more):
        found = await self.post(name, payload, **more)
        assert found.status == status, found.body
        assert found.content_type == media_types.ERROR
        return json.loads(found.body)


@contextlib.asynccontextmanager
async def running(tmp_path, marathon, master, **settings):
    config = Config(
        master=master.url,
        marathon=marathon.url,
        work_dir=tmp_path,
        service_data_dir=tmp_path / "services",
        **settings,
    )
    client, store = Client(), SqliteStore(tmp_path / "cosmos.sqlite")
    server = Server(shell.api(config, store, client).router.handle)
    host, port = await server.start("127.0.0.1", 0)
    try:
        yield Service(f"http://{host}:{port}", client, marathon, master)
    finally:
        await server.stop()
        await client.close()
        store.close()


@pytest.fixture
async def around():
    async with FakeMarathon().serving() as marathon, FakeMaster().serving() as master:
        yield marathon, master


@pytest.fixture
async def cosmos(tmp_path, around):
    async with running(tmp_path, *around, cache_s=0) as service:
        yield service


@pytest.mark.parametrize(
    "accept",
    [
        package("search-response"),
        f"{package('search-response')},{media_types.ERROR}",
        f"{media_types.ERROR}, {package('search-response')}",
    ],
)
async def test_the_content_type_is_what_was_asked_for(cosmos, accept):
    found = await cosmos.post("package/search", {}, accept=accept)
    assert found.content_type == package("search-response")


async def test_search(cosmos):
    found = await cosmos.good("package/search", {"query": "kube*"})
    [entry] = found["packages"]
    assert entry["name"] == "kubernetes"
    assert entry["versions"] == {"1.0.0": 0}


async def test_describe_in_three_versions(cosmos):
    asked = {"packageName": "hello-world"}
    v3 = await cosmos.good("package/describe", asked, version=3)
    assert v3["package"]["releaseVersion"] == 0
    v2 = await cosmos.good("package/describe", asked, version=2)
    assert (v2["packagingVersion"], v2["framework"]) == ("3.0", False)
    assert "releaseVersion" not in v2
    v1 = await cosmos.good("package/describe", asked, version=1)
    assert v1["package"]["name"] == "hello-world"
    assert "{{service.name}}" in v1["marathonMustache"]


async def test_list_versions(cosmos):
    found = await cosmos.good("package/list-versions", {"packageName": "hello-world"})
    assert found == {"results": {"1.0.0": "0"}}


async def test_render_with_options(cosmos):
    found = await cosmos.good(
        "package/render",
        {"packageName": "hello-world", "options": {"service": {"cpus": 2}}, "appId": "/a/b"},
    )
    app = found["marathonJson"]
    assert (app["id"], app["cpus"], app["mem"]) == ("/a/b", 2, 64)
    assert cosmos.marathon.apps == {}


async def test_install_list_and_uninstall(cosmos):
    done = await cosmos.good("package/install", {"packageName": "hello-world"}, version=2)
    assert done["appId"] == "/hello-world"
    assert "postInstallNotes" in done
    assert cosmos.marathon.apps["/hello-world"]["cpus"] == 0.1
    listed = await cosmos.good("package/list", {})
    [item] = listed["packages"]
    assert item["appId"] == "/hello-world"
    assert item["packageInformation"]["packageDefinition"]["version"] == "1.0.0"
    assert await cosmos.good("package/list", {"packageName": "other"}) == {"packages": []}
    gone = await cosmos.good("package/uninstall", {"packageName": "hello-world"})
    assert gone["results"][0]["appId"] == "/hello-world"
    assert gone["results"][0]["postUninstallNotes"]
    assert cosmos.marathon.apps == {}


async def test_install_version_1_answers_less(cosmos):
    done = await cosmos.good("package/install", {"packageName": "hello-world"}, version=1)
    assert done == {
        "packageName": "hello-world",
        "packageVersion": "1.0.0",
        "appId": "/hello-world",
    }


async def test_a_second_installation_is_refused(cosmos):
    await cosmos.good("package/install", {"packageName": "hello-world"}, version=2)
    error = await cosmos.bad("package/install", {"packageName": "hello-world"}, status=409)
    assert error["type"] == "PackageAlreadyInstalled"
    other = {"packageName": "hello-world", "appId": "/second"}
    await cosmos.good("package/install", other, version=2)
    error = await cosmos.bad("package/uninstall", {"packageName": "hello-world"})
    assert error["type"] == "AmbiguousAppId"
    gone = await cosmos.good("package/uninstall", {"packageName": "hello-world", "all": True})
    assert len(gone["results"]) == 2


async def test_uninstalling_kubernetes_tears_its_framework_down(cosmos):
    await cosmos.good("package/install", {"packageName": "kubernetes"}, version=2)
    cosmos.master.frameworks = [{"id": "F1", "name": "kubernetes"}, {"id": "F2", "name": "other"}]
    await cosmos.good("package/uninstall", {"packageName": "kubernetes"})
    assert [framework["id"] for framework in cosmos.master.frameworks] == ["F2"]


async def test_each_installation_gets_a_token_of_its_own(cosmos):
    tokens = set()
    for app_id in ("/k1", "/k2"):
        asked = {"packageName": "kubernetes", "appId": app_id}
        await cosmos.good("package/install", asked, version=2)
        tokens.add(cosmos.marathon.apps[app_id]["env"]["KUBERNETES_BOOTSTRAP_TOKEN"])
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 32


async def test_an_sdk_service_is_asked_to_clean_up_itself(cosmos):
    await cosmos.good("package/install", {"packageName": "hello-world"}, version=2)
    cosmos.marathon.apps["/hello-world"]["labels"]["DCOS_COMMONS_UNINSTALL"] = "true"
    await cosmos.good("package/uninstall", {"packageName": "hello-world"})
    env = cosmos.marathon.apps["/hello-world"]["env"]
    assert env == {"HELLO_MESSAGE": "Hello, world!", "SDK_UNINSTALL": "true"}


async def test_service_describe_and_update(cosmos):
    asked = {"packageName": "kubernetes", "options": {"service": {"cpus": 1}}}
    await cosmos.good("package/install", asked, version=2)
    found = await cosmos.good("service/describe", {"appId": "kubernetes"})
    assert found["package"]["name"] == "kubernetes"
    token = found["userProvidedOptions"]["kubernetes"]["bootstrap_token"]
    assert found["resolvedOptions"]["service"]["mem"] == 512
    done = await cosmos.good(
        "service/update", {"appId": "/kubernetes", "options": {"service": {"mem": 1024}}}
    )
    assert done["marathonDeploymentId"].startswith("deployment-")
    app = cosmos.marathon.apps["/kubernetes"]
    assert (app["cpus"], app["mem"]) == (0.5, 1024)
    assert app["env"]["KUBERNETES_BOOTSTRAP_TOKEN"] == token
    error = await cosmos.bad("service/update", {"appId": "/kubernetes", "packageVersion": "9"})
    assert error["type"] == "BadVersionUpdate"
    error = await cosmos.bad("service/describe", {"appId": "/nowhere"})
    assert error["type"] == "MarathonAppNotFound"


async def test_what_marathon_says_is_passed_on(cosmos):
    details = [{"path": "/cpus", "errors": ["error.min"]}]
    cosmos.marathon.refusal = answer({"message": "Object is not valid", "details": details}, 422)
    error = await cosmos.bad("package/install", {"packageName": "hello-world"})
    assert error == {
        "type": "MarathonBadResponse",
        "message": "Object is not valid",
        "data": {"errors": details},
    }
    cosmos.marathon.refusal = Response(503)
    error = await cosmos.bad("package/install", {"packageName": "hello-world"}, status=502)
    assert error["type"] == "MarathonBadGateway"


async def test_marathon_away(tmp_path, around):
    marathon, master = around
    marathon.url = "http://127.0.0.1:9"
    async with running(tmp_path, marathon, master) as cosmos:
        error = await cosmos.bad("package/list", {}, status=503)
        assert error["type"] == "ServiceUnavailable"


@pytest.mark.parametrize(
    ("name", "payload", "kind"),
    [
        ("package/describe", {"packageName": "nope"}, "PackageNotFound"),
        ("package/describe", HELLO | {"packageVersion": "9"}, "VersionNotFound"),
        ("package/describe", {}, "JsonDecodingError"),
        ("package/describe", {"packageName": 5}, "JsonDecodingError"),
        ("package/describe", b"{", "JsonParsingError"),
        ("package/describe", b"\xff\xfe", "JsonParsingError"),
        ("package/describe", b"[]", "JsonDecodingError"),
        ("package/install", HELLO | {"options": {"x": 1}}, "JsonSchemaMismatch"),
        ("package/install", HELLO | {"managerId": "m"}, "CustomPackageManagerNotFound"),
        ("package/uninstall", {"packageName": "nope"}, "PackageNotInstalled"),
        ("package/repository/add", {"name": "a", "uri": "ftp://x"}, "UnsupportedRepositoryUri"),
        ("package/repository/add", {"name": "a", "uri": AWAY}, "RepositoryUriConnection"),
        ("package/repository/delete", {}, "RepoNameOrUriMissing"),
    ],
)
async def test_errors(cosmos, name, payload, kind):
    error = await cosmos.bad(name, payload)
    assert error["type"] == kind
    assert error["message"]
    assert cosmos.marathon.apps == {}


async def test_wrong_media_types(cosmos):
    error = await cosmos.bad("package/search", {}, accept="text/html")
    assert (error["type"], error["data"]["invalidItem"]["name"]) == ("not_valid", "Accept")
    error = await cosmos.bad("package/search", {}, content_type="text/plain")
    assert error["data"]["invalidItem"]["name"] == "Content-Type"


async def test_wrong_paths_and_methods(cosmos):
    found = await cosmos.client.request("POST", f"{cosmos.url}/package/nothing")
    assert (found.status, found.content_type) == (404, media_types.ERROR)
    found = await cosmos.client.request("GET", f"{cosmos.url}/package/search")
    assert (found.status, found.header("Allow")) == (405, "POST")


async def test_capabilities(cosmos):
    found = await cosmos.client.request("GET", f"{cosmos.url}/capabilities")
    assert found.content_type == media_types.CAPABILITIES
    assert json.loads(found.body) == {"capabilities": [{"name": "PACKAGE_MANAGEMENT"}]}


@pytest.fixture
async def repository():
    """A repository with one package, and an asset that it names."""
    upstream = Upstream()
    async with upstream.serving():
        fields = universe.built_in()[0]
        assets = {"assets": {"uris": {"a": f"{upstream.url}/asset.bin"}}}
        found = msgspec.structs.replace(fields, name="extra", resource=assets)

        async def serve(request):
            body = msgspec.json.encode({"packages": [found]})
            return Response(200, body, media_types.UNIVERSE_REPO[4])

        async def asset(request):
            return Response(200, b"bytes", "application/octet-stream")

        upstream.router.add("GET", "/repo", serve)
        upstream.router.add("GET", "/asset.bin", asset)
        yield upstream


async def test_a_repository_of_ones_own(tmp_path, around, repository):
    added = {"name": "Mine", "uri": f"{repository.url}/repo", "index": 0}
    async with running(tmp_path, *around) as cosmos:
        found = await cosmos.good("package/repository/add", added)
        assert [each["name"] for each in found["repositories"]] == ["Mine", "Universe"]
        asked = repository.requests[0].headers["accept"]
        assert asked.startswith(media_types.UNIVERSE_REPO[5])
        await cosmos.good("package/describe", {"packageName": "extra"}, version=3)
        error = await cosmos.bad("package/repository/add", added)
        assert error["type"] == "RepositoryAlreadyPresent"
    async with running(tmp_path, *around) as cosmos:  # after a restart
        found = await cosmos.post("package/repository/list", b"null")
        assert [each["name"] for each in json.loads(found.body)["repositories"]] == [
            "Mine",
            "Universe",
        ]
        await cosmos.good("package/repository/delete", {"name": "Mine"})
        error = await cosmos.bad("package/describe", {"packageName": "extra"})
        assert error["type"] == "PackageNotFound"


async def test_answers_of_repositories_are_kept_for_a_while(tmp_path, around, repository):
    async with running(tmp_path, *around, cache_s=1000) as cosmos:
        uri = f"{repository.url}/repo"
        await cosmos.good("package/repository/add", {"name": "Mine", "uri": uri})
        for _ in range(3):
            await cosmos.good("package/search", {})
        assert len(repository.requests) == 2  # when it was added, and once since


async def test_only_what_a_package_names_is_downloaded(cosmos, repository):
    uri = f"{repository.url}/repo"
    await cosmos.good("package/repository/add", {"name": "Mine", "uri": uri})
    base = f"{cosmos.url}/package/resource?url="
    found = await cosmos.client.request("GET", f"{base}{repository.url}/asset.bin")
    assert (found.status, found.body) == (200, b"bytes")
    assert found.header("Content-Disposition") == 'attachment; filename="asset.bin"'
    found = await cosmos.client.request("GET", f"{base}{cosmos.master.url}/state")
    assert found.status == 403
    assert json.loads(found.body)["type"] == "Forbidden"
