"""Images from registries, mirrors, directories and archives, into a store and out of it."""

import base64
import gzip
import hashlib
import io
import json
import os
import tarfile
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import zstandard

from comity.core.errors import UserError
from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import credentials, manifests, sources, unpacking
from comity.runtime.images.store import ImageStore

ME = credentials.Login("me", "secret")


def tar(entries):
    """Return an archive of (name, content) or (name, kind, link target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, *rest in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(rest[0], str):
                entry.size = len(rest[0])
                archive.addfile(entry, io.BytesIO(rest[0].encode()))
            else:
                entry.type, entry.linkname = rest[0], rest[1] if len(rest) > 1 else ""
                archive.addfile(entry)
    return data.getvalue()


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(data):
    return {"digest": digest_of(data), "size": len(data)}


class Made:
    """An image: its blobs by digest, and its manifest."""

    def __init__(self, *layers, **config):
        document = {"os": "linux", "architecture": manifests.architecture(), **config}
        self.config = json.dumps({**document, "config": {"Cmd": ["sh"]}}).encode()
        self.layers = layers
        self.blobs = {digest_of(one): one for one in (self.config, *layers)}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": described(self.config),
                "layers": [described(one) for one in layers],
            }
        ).encode()


BASE = gzip.compress(tar([("file", "base")]), mtime=0)
OWN = gzip.compress(tar([("own", "mine")]), mtime=0)


class FakeRegistry:
    """Serves one image as `box`, in the ways that a test sets."""

    def __init__(self, made):
        self.made = made
        self.asked = []
        self.basic = self.bearer = None
        self.blobs_at = ""
        self.cuts = 0
        self.expires = False
        self.token, self.form = "t0", b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def do_POST(self):
                outer.form = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers.get("Authorization")))
                outer.send(self, 200, b'{"access_token":"%s"}' % outer.token.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request):
        given = request.headers.get("Authorization")
        self.asked.append((request.path.partition("?")[0], given))
        if request.path.startswith("/token"):
            if given != self.basic:
                return self.send(request, 401)
            return self.send(request, 200, b'{"token":"%s"}' % self.token.encode())
        if self.bearer is not None and given != f"Bearer {self.token}":
            challenge = f'Bearer realm="http://{self.host}/token",service="s",scope="x"'
            return self.send(request, 401, **{"WWW-Authenticate": challenge})
        if self.bearer is None and self.basic is not None and given != self.basic:
            return self.send(request, 401, **{"WWW-Authenticate": 'Basic realm="r"'})
        name = request.path.rpartition("/")[2]
        if "/manifests/" in request.path:
            known = name in {"latest", digest_of(self.made.manifest)}
            return self.send(request, 200 if known else 404, self.made.manifest if known else b"")
        if self.expires:
            self.token, self.expires = "t1", False
            return self.answer(request)
        if self.blobs_at:
            return self.send(request, 307, Location=f"{self.blobs_at}{request.path}")
        return self.blob(request, self.made.blobs.get(name))

    def blob(self, request, data):
        if data is None:
            return self.send(request, 404)
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        rest = data[start:]
        if self.cuts and len(rest) > 10:
            self.cuts -= 1
            request.send_response(206 if start else 200)
            request.send_header("Content-Length", str(len(rest)))
            request.end_headers()
            request.wfile.write(rest[: len(rest) // 2])
            request.close_connection = True
            return None
        return self.send(request, 206 if start else 200, rest)

    def send(self, request, status, body=b"", **headers):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def serve():
    running = []

    def make(made=None):
        running.append(FakeRegistry(made or Made(BASE, OWN)))
        return running[-1]

    yield make
    for each in running:
        each.close()


def store(tmp_path, default="", logins=None, **rules):
    named = {host: sources.Rules(**rule) for host, rule in rules.pop("rules", {}).items()}
    known = logins if isinstance(logins, credentials.Keyring) else credentials.Keyring(logins or {})
    settings = sources.Settings(default=default, logins=known, rules=named)
    return ImageStore(tmp_path / "store", settings)


def content(layer, name):
    return Path(layer, name).read_text()


async def refused(kept, name):
    with pytest.raises(ImageRefused) as error:
        await kept.get(name)
    assert list((kept._directory / "pulls").iterdir()) == []
    assert list((kept._directory / "images").iterdir()) == []
    return str(error.value)


async def test_an_image_is_pulled_once_and_its_layers_are_shared(tmp_path, serve):
    one, two = serve(), serve(Made(BASE))
    kept = store(tmp_path)
    image = await kept.get(f"{one.host}/box")
    await kept.get(f"{one.host}/box")
    other = await kept.get(f"{two.host}/box")
    assert [path for path, _ in one.asked if "/manifests/" in path] == ["/v2/box/manifests/latest"]
    assert image.layers[0] == other.layers[0]
    assert not [path for path, _ in two.asked if digest_of(BASE) in path]
    assert image.command == ("sh",)
    found = [content(image.layers[0], "file"), content(image.layers[1], "own")]
    assert found == ["base", "mine"]
    assert {one.name for one in kept.images()} == {f"{one.host}/box", f"{two.host}/box"}


async def test_basic_credentials_go_to_their_registry_only(tmp_path, serve):
    registry, open_one = serve(), serve()
    registry.basic = ME.basic
    kept = store(tmp_path, logins={registry.host: ME})
    await kept.get(f"{registry.host}/box")
    await kept.get(f"{open_one.host}/box")
    assert {given for _, given in open_one.asked} == {None}


async def test_a_token_is_got_with_the_credentials_of_the_image(tmp_path, serve):
    registry = serve()
    registry.basic, registry.bearer = ME.basic, True
    kept = store(tmp_path)
    auth = base64.b64encode(b"me:secret").decode()
    login = json.dumps({"auths": {f"http://{registry.host}/v1/": {"auth": auth}}})
    await kept.get(f"{registry.host}/box", login=login)
    sent = [given for path, given in registry.asked if path == "/token"]
    assert sent == [ME.basic]


@pytest.mark.parametrize("bearer", [None, True])
async def test_wrong_credentials_are_named_without_the_secret(tmp_path, serve, bearer):
    registry = serve()
    registry.basic, registry.bearer = ME.basic, bearer
    wrong = store(tmp_path, logins={registry.host: credentials.Login("me", "guessed")})
    text = await refused(wrong, f"{registry.host}/box")
    assert "they are wrong" in text
    assert "guessed" not in text
    assert "it needs some" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_a_token_that_expires_amid_a_pull_is_got_anew(tmp_path, serve):
    registry = serve()
    registry.basic, registry.bearer, registry.expires = ME.basic, True, True
    await store(tmp_path, logins={registry.host: ME}).get(f"{registry.host}/box")
    assert len([path for path, _ in registry.asked if path == "/token"]) >= 2


async def test_an_identity_token_is_shown_to_the_token_service_only(tmp_path, serve):
    registry = serve()
    registry.bearer = True
    login = json.dumps({"auths": {registry.host: {"auth": "", "identitytoken": "it/is me"}}})
    await store(tmp_path).get(f"{registry.host}/box", login=login)
    form = urllib.parse.parse_qs(registry.form.decode())
    assert (form["grant_type"], form["refresh_token"]) == (["refresh_token"], ["it/is me"])
    assert {given for _, given in registry.asked} == {None, "Bearer t0"}


# credential helpers


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """Let `docker-credential-test` be a script of the test's."""
    directory = tmp_path / "programs"
    directory.mkdir()
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")

    def make(script):
        program = directory / "docker-credential-test"
        program.write_text(
            f'#!/bin/sh\nread server; echo "$1 $server" >> {tmp_path}/asked\n{script}'
        )
        program.chmod(0o755)

    return make


KNOWS = """echo '{"ServerURL": "x", "Username": "me", "Secret": "secret"}'"""


@pytest.mark.parametrize("names", ["store", "host"])
async def test_a_helper_is_asked_when_a_registry_wants_to_know(tmp_path, serve, helper, names):
    registry, open_one = serve(), serve()
    registry.basic = ME.basic
    helper(KNOWS)
    said = {"credsStore": "test"} if names == "store" else {"credHelpers": {registry.host: "test"}}
    kept = store(tmp_path, logins=credentials.parse(json.dumps(said)))
    await kept.get(f"{open_one.host}/box")
    await kept.get(f"{registry.host}/box")
    assert (tmp_path / "asked").read_text() == f"get {registry.host}\n"


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("echo credentials not found in native keychain; exit 1", "it needs some"),
        ("echo the keychain is locked; exit 2", "failed: the keychain is locked"),
        ("echo secret", "did not answer as one"),
    ],
)
async def test_a_helper_that_fails_is_named(tmp_path, serve, helper, script, text):
    registry = serve()
    registry.basic = ME.basic
    helper(script)
    kept = store(tmp_path, logins=credentials.parse('{"credsStore": "test"}'))
    said = await refused(kept, f"{registry.host}/box")
    assert text in said
    assert "secret" not in said


async def test_a_helper_that_is_not_installed_is_named(tmp_path, serve):
    registry = serve()
    registry.basic = ME.basic
    kept = store(tmp_path, logins=credentials.parse('{"credsStore": "none-like-it"}'))
    text = "docker-credential-none-like-it cannot be run: No such file"
    assert text in await refused(kept, f"{registry.host}/box")


async def test_a_task_cannot_have_the_agent_run_a_program(tmp_path, serve, helper):
    registry = serve()
    registry.basic = ME.basic
    helper(KNOWS)
    with pytest.raises(ImageRefused, match="it needs some"):
        await store(tmp_path).get(f"{registry.host}/box", login='{"credsStore": "test"}')
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("name", ["../x", "a/b", "", 7, "$(id)"])
def test_names_of_helpers_are_names(name):
    with pytest.raises(UserError):
        credentials.parse(json.dumps({"credHelpers": {"r": name}}))


def test_credentials_that_a_task_fetched_are_its_own_only(tmp_path):
    sandbox = tmp_path / "sandbox"
    (sandbox / ".docker").mkdir(parents=True)
    assert credentials.fetched_into(sandbox) == ""
    (tmp_path / "other").write_text("not mine")
    (sandbox / ".docker/config.json").symlink_to(tmp_path / "other")
    assert credentials.fetched_into(sandbox) == ""
    (sandbox / ".dockercfg").write_text("{}")
    assert credentials.fetched_into(sandbox) == "{}"
    (sandbox / ".docker/config.json").unlink()
    (sandbox / ".docker/config.json").write_text('{"auths": {}}')
    assert credentials.fetched_into(sandbox) == '{"auths": {}}'


async def test_credentials_do_not_follow_a_redirect(tmp_path, serve):
    registry, elsewhere = serve(), serve()
    registry.basic = ME.basic
    registry.blobs_at = f"http://{elsewhere.host}"
    await store(tmp_path, logins={registry.host: ME}).get(f"{registry.host}/box")
    assert elsewhere.asked
    assert {given for _, given in elsewhere.asked} == {None}


async def test_a_download_goes_on_where_it_broke_off(tmp_path, serve):
    registry = serve()
    registry.cuts = 2
    image = await store(tmp_path).get(f"{registry.host}/box")
    assert len(image.layers) == 2


async def test_what_breaks_off_again_and_again_is_given_up(tmp_path, serve):
    registry = serve()
    registry.cuts = 1000
    assert "breaks off" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_a_blob_that_is_not_what_its_digest_says_is_refused(tmp_path, serve):
    registry = serve()
    registry.made.blobs[digest_of(OWN)] = OWN[:-1] + b"x"
    assert "digest mismatch" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_an_image_can_be_asked_for_by_digest(tmp_path, serve):
    registry = serve()
    await store(tmp_path).get(f"{registry.host}/box@{digest_of(registry.made.manifest)}")
    wrong = f"{registry.host}/box@sha256:{'0' * 64}"
    assert "is not in the registry" in await refused(store(tmp_path / "other"), wrong)


async def test_an_image_for_another_machine_says_so(tmp_path, serve):
    registry = serve(Made(BASE, architecture="s390x"))
    assert "is for linux/s390x" in await refused(store(tmp_path), f"{registry.host}/box")


async def test_a_mirror_is_asked_first_and_the_registry_when_it_lacks_it(tmp_path, serve):
    registry, full = serve(), serve()
    rules = {registry.host: {"mirrors": (full.host,)}}
    await store(tmp_path / "a", rules=rules).get(f"{registry.host}/box")
    assert registry.asked == []
    rules = {registry.host: {"mirrors": ("127.0.0.1:9", full.host)}}
    await store(tmp_path / "b", rules=rules).get(f"{registry.host}/box")
    rules = {registry.host: {"mirrors": ("127.0.0.1:9",)}}
    await store(tmp_path / "c", rules=rules).get(f"{registry.host}/box")
    assert registry.asked


async def test_a_registry_that_is_not_there_says_so(tmp_path):
    assert "cannot reach the registry" in await refused(store(tmp_path), "127.0.0.1:9/box")


@pytest.mark.parametrize("packed", [lambda data: data, gzip.compress, zstandard.compress])
def test_layers_come_plain_or_compressed(tmp_path, packed):
    (tmp_path / "layer").write_bytes(packed(tar([("d", tarfile.DIRTYPE), ("d/f", "x")])))
    (tmp_path / "out").mkdir()
    unpacking.unpack(tmp_path / "layer", tmp_path / "out")
    assert (tmp_path / "out/d/f").read_text() == "x"


@pytest.mark.parametrize("kind", [tarfile.BLKTYPE, tarfile.CHRTYPE])
async def test_a_layer_with_a_device_node_is_refused(tmp_path, serve, kind):
    registry = serve(Made(BASE, tar([("dev/sda", kind)])))
    kept = store(tmp_path)
    text = await refused(kept, f"{registry.host}/box")
    assert text.endswith("a layer has a device node: dev/sda")


def write_archive(path, members):
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))


async def test_an_archive_of_docker_save_and_one_of_oci_are_images(tmp_path):
    made = Made(tar([("f", "x")]))
    listed = [{"Config": "c.json", "RepoTags": ["saved:1"], "Layers": ["l/layer.tar"]}]
    members = {
        "manifest.json": json.dumps(listed).encode(),
        "c.json": made.config,
        "l/layer.tar": made.layers[0],
    }
    write_archive(tmp_path / "saved.tar", members)
    index = {"manifests": [described(made.manifest)]}
    blobs = {f"blobs/sha256/{digest[7:]}": data for digest, data in made.blobs.items()}
    blobs[f"blobs/sha256/{digest_of(made.manifest)[7:]}"] = made.manifest
    write_archive(tmp_path / "oci.tar", {"index.json": json.dumps(index).encode(), **blobs})
    kept = store(tmp_path, default=str(tmp_path))
    assert (await kept.get("saved:1")).layers == (await kept.get("oci")).layers
    with pytest.raises(ImageRefused, match="saved:2 is not in"):
        await kept.get("saved:2")
    with pytest.raises(ImageRefused, match="no OCI layout of image none"):
        await kept.get("none")


NONSENSE = [b"", b"[]", b"null", b"\xff", b"[" * 100_000]
MANIFESTS = [
    b'{"layers": 7}',
    b'{"layers": [7], "config": {}}',
    b'{"manifests": {}}',
    b'{"manifests": [7]}',
    b'{"manifests": [{"platform": 7}]}',
]
CONFIGS = [
    b'{"config": 7}',
    b'{"config": {"Env": 7, "Cmd": [{}]}}',
    b'{"config": {"Entrypoint": [7], "User": []}}',
]


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        *(("manifest", each) for each in NONSENSE + MANIFESTS),
        *(("config", each) for each in NONSENSE + CONFIGS),
    ],
)
async def test_documents_that_are_nonsense_are_refused_and_leave_nothing(
    tmp_path, serve, kind, given
):
    made = Made(BASE)
    if kind == "manifest":
        made.manifest = given
    else:
        made.blobs[digest_of(given)] = given
        document = json.loads(made.manifest)
        document["config"] = described(given)
        made.manifest = json.dumps(document).encode()
    registry, kept = serve(made), store(tmp_path)
    assert await refused(kept, f"{registry.host}/box")
    assert (kept.pulls, kept.images()) == ({}, [])
    assert list((tmp_path / "store/pulls").iterdir()) == []


async def test_a_directory_is_looked_into_before_the_registry_of_a_name(tmp_path, serve):
    registry = serve()
    made, held = Made(tar([("f", "offline")])), tmp_path / "held"
    index = {"manifests": [described(made.manifest)]}
    blobs = {f"blobs/sha256/{digest[7:]}": data for digest, data in made.blobs.items()}
    blobs[f"blobs/sha256/{digest_of(made.manifest)[7:]}"] = made.manifest
    for name in (f"{registry.host}/team/app:1.tar", "busybox.tar"):
        (held / name).parent.mkdir(parents=True, exist_ok=True)
        write_archive(held / name, {"index.json": json.dumps(index).encode(), **blobs})
    kept = store(tmp_path, default=str(held))
    for name in (f"{registry.host}/team/app:1", "docker.io/library/busybox:1.36"):
        [layer] = (await kept.get(name)).layers
        assert content(layer, "f") == "offline"
    assert registry.asked == []
    assert len((await kept.get(f"{registry.host}/box")).layers) == 2


async def test_pruning_keeps_what_is_used_and_the_layers_it_shares(tmp_path, serve):
    one, two = serve(), serve(Made(BASE))
    kept = store(tmp_path)
    await kept.get(f"{one.host}/box")
    image = await kept.get(f"{two.host}/box")
    removed = kept.prune({f"{two.host}/box"})
    assert [each.name for each in removed] == [f"{one.host}/box"]
    layers = {path.name for path in (tmp_path / "store/layers").iterdir()}
    assert layers == {digest_of(BASE).replace(":", "-")}
    assert content(image.layers[0], "file") == "base"
    assert (await kept.get(f"{one.host}/box")).layers[0] == image.layers[0]
    kept.prune(set())
    assert list((tmp_path / "store/layers").iterdir()) == []


async def test_what_a_killed_agent_left_half_done_goes_at_the_next_start(tmp_path, serve):
    registry = serve()
    half = tmp_path / "store/pulls/1-2/0/unpacked"
    half.mkdir(parents=True)
    (half / "file").write_text("half")
    kept = store(tmp_path)
    assert list((tmp_path / "store/pulls").iterdir()) == []
    await kept.get(f"{registry.host}/box")


def test_settings_of_registries_are_read_from_a_file(tmp_path):
    file = tmp_path / "registries.toml"
    file.write_text('[registry."r:5000"]\nmirrors = ["m"]\ninsecure = true\n')
    assert sources.read_rules(file) == {"r:5000": sources.Rules(("m",), True)}
    file.write_text('[registry."r:5000"]\nmirror = "m"\n')
    with pytest.raises(UserError, match="unknown mirror"):
        sources.read_rules(file)


def test_credentials_are_read_from_a_file_or_the_flag(tmp_path):
    auth = base64.b64encode(b"me:secret").decode()
    text = json.dumps({"auths": {"https://index.docker.io/v1/": {"auth": auth}}})
    (tmp_path / "config.json").write_text(text)
    for given in (text, str(tmp_path / "config.json"), f"file://{tmp_path}/config.json"):
        assert credentials.read(given) == credentials.Keyring({"docker.io": ME})
    assert "secret" not in repr(ME)
    for bad in ("{", '{"auths": {"r": {"auth": "?"}}}', str(tmp_path / "none")):
        with pytest.raises(UserError):
            credentials.read(bad)
