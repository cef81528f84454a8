"""Who pulls images: logins, tokens, credential helpers; and who never sees them."""

import base64
import json
import os
import urllib.parse

import pytest

from comity.core.errors import UserError
from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import credentials
from support.fake_registries import (
    ME,
    refused,
    serving,
    store,
)


@pytest.fixture
def serve():
    with serving() as make:
        yield make


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
