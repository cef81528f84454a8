"""Secrets by name, from a directory of files."""

import base64
from pathlib import Path

import pytest

from comity.core.containers import Mount, NamedSecret, Spec
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.containers.secret_files import SecretFiles


@pytest.fixture
def files(tmp_path):
    directory = tmp_path / "secrets"
    (directory / "team").mkdir(parents=True)
    (directory / "team/plain").write_text("hush")
    (directory / "json").write_text('{"user": "me", "pin": 7}')
    (directory / "nul").write_bytes(b"a\0b")
    (tmp_path / "outside").write_text("not yours")
    (directory / "link").symlink_to(tmp_path / "outside")
    return SecretFiles(directory)


def spec(place, name, key="", target=""):
    one = NamedSecret(name=name, key=key, place=place, target=target)
    mount = Mount("", "/file", True, kind="secret")
    return Spec(id="c", sandbox=Path("/s"), environment={"A": "1"}, mounts=(mount,), secrets=(one,))


def test_each_place_gets_what_it_asks_for(files):
    found = files.put_into(spec("variable", "/team/plain", target="PASSWORD"))
    assert found.environment == {"A": "1", "PASSWORD": "hush"}
    assert files.put_into(spec("variable", "json", "pin", "PIN")).environment["PIN"] == "7"
    assert files.put_into(spec("image", "team/plain")).image_login == "hush"
    [mount] = files.put_into(spec("file", "team/plain", target="/file")).mounts
    assert base64.b64decode(mount.source) == b"hush"


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("none", "", "'none' is not in"),
        ("team", "", "'team' is not in"),
        ("../outside", "", "is not in"),
        ("link", "", "is not in"),
        ("", "", "is not in"),
        ("json", "other", "no JSON object with the key 'other'"),
        ("team/plain", "key", "no JSON object with the key 'key'"),
        ("nul", "", "has a NUL"),
    ],
)
def test_what_cannot_be_had_is_named_without_what_it_holds(files, name, key, text):
    with pytest.raises(ContainerRefused, match=text) as refused:
        files.put_into(spec("variable", name, key, "V"))
    assert "hush" not in str(refused.value)


def test_an_agent_without_secrets_says_what_to_do():
    with pytest.raises(ContainerRefused, match="start it with --secrets-dir"):
        SecretFiles(None).put_into(spec("image", "x"))
