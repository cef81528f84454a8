"""Images from a real registry: Debian's docker-registry, filled by the test, on loopback."""

import hashlib
import json
import tarfile

import msgspec
import pytest

from comity.runtime.http import Client
from comity.runtime.images import manifests
from comity.wire.mesos import v1
from comity.wire.mesos.base import Secret, SecretReference
from comity.wire.mesos.containers import (
    Credential,
    DockerImage,
    DockerInfo,
    Image,
    MesosInfo,
    Volume,
    VolumeSource,
)
from support.images import MARKS, busybox, image
from support.kernel import Kernel
from support.registries import NEEDED, PASSWORD, USER, Registry

S = v1.TaskState
JSON = (("Content-Type", "application/json"),)

CONFIG = {"Env": ["PATH=/bin"]}
pytestmark = [*MARKS, NEEDED]


@pytest.fixture
def registry(tmp_path):
    """Run a registry that holds `box:1`."""
    with Registry(tmp_path / "registry") as made:
        made.digest = made.push("box", [busybox()], CONFIG)
        yield made


def box(name):
    return image(name, value="exec sleep 600")


async def test_a_task_runs_from_a_registry_and_its_image_is_kept_while_it_does(tmp_path, registry):
    name = f"{registry.host}/box:1"
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        client = Client()

        async def ask(method, path, body=None):
            data = b"" if body is None else json.dumps(body).encode()
            return await client.request(method, f"{kernel.agent.url}{path}", data, JSON)

        async def images():
            return json.loads((await ask("GET", "/images")).body)["images"]

        async def prune(*excluded):
            kept = [{"type": "DOCKER", "docker": {"name": each}} for each in excluded]
            body = {"type": "PRUNE_IMAGES", "prune_images": {"excluded_images": kept}}
            assert (await ask("POST", "/api/v1", body)).status == 200

        pulled = await ask("POST", "/images", {"name": name})
        found = json.loads(pulled.body)
        assert (pulled.status, found["name"]) == (200, name)
        assert found["reference"] == f"{registry.host}/box@{registry.digest}"
        look = await ask("POST", "/images", {"name": f"{registry.host}/box:2", "pull": False})
        assert look.status == 404
        look = await ask("POST", "/images", {"name": name, "pull": False})
        assert json.loads(look.body) == found
        [one] = await images()
        assert (one["name"], one["layers"], one["in_use"]) == (name, 1, False)
        numbers = json.loads((await ask("GET", "/metrics/snapshot")).body)
        assert numbers["containerizer/mesos/provisioner/docker_store/image_pull_ms/count"] == 1
        await mesos.launch({"id": "t", **box(name)})
        await mesos.until_state("t", S.RUNNING)
        await prune()
        [one] = await images()
        assert one["in_use"]
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLED)
        await prune(name)
        assert len(await images()) == 1
        await prune()
        assert await images() == []
        missing = await ask("POST", "/images", {"name": f"{registry.host}/box:2"})
        assert missing.status == 400
        assert b"is not in the registry" in missing.body
        assert (await ask("POST", "/images", {"nom": 1})).status == 400
        await client.close()


async def test_by_digest_and_a_wrong_digest_say_what_they_are(tmp_path, registry):
    wrong = hashlib.sha256(b"other").hexdigest()
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "good", **box(f"{registry.host}/box@{registry.digest}")})
        await mesos.until_state("good", S.RUNNING)
        await mesos.launch({"id": "bad", **box(f"{registry.host}/box@sha256:{wrong}")})
        failed = await mesos.until_state("bad", S.FAILED)
        assert "is not in the registry" in failed.message


async def test_a_task_brings_its_own_credentials_in_four_ways(tmp_path):
    with Registry(tmp_path / "registry", is_closed=True) as registry:
        registry.push("box", [busybox()], CONFIG)
        name = f"{registry.host}/box:1"
        config = tmp_path / "config.json"
        config.write_text(json.dumps(registry.docker_config))
        with tarfile.open(tmp_path / "docker.tar.gz", "w:gz") as tar:
            tar.add(config, ".docker/config.json")
        fetched = v1.URI(value=str(tmp_path / "docker.tar.gz"))
        sleep = {"value": "exec sleep 600"}
        inline = DockerImage(name=name, credential=Credential(principal=USER, secret=PASSWORD))
        wrong = DockerImage(name=name, credential=Credential(principal=USER, secret="guessed"))

        def of(docker):
            image = Image(type="DOCKER", docker=docker, cached=False)
            made = v1.ContainerInfo(type="MESOS", mesos=MesosInfo(image=image))
            return {"container": made, "command": v1.CommandInfo(**sleep)}

        secrets = tmp_path / "secrets"
        secrets.mkdir()
        (secrets / "login").write_text(config.read_text())
        (secrets / "pin").write_text("open-sesame")

        def named(name):
            return Secret(type="REFERENCE", reference=SecretReference(name=name))

        script = 'test "$PIN" = "$(cat /pin)" && test ${#PIN} = 11 && exec sleep 600'
        by_name = of(DockerImage(name=name, config=named("login")))
        source = VolumeSource(type="SECRET", secret=named("pin"))
        by_name["container"] = msgspec.structs.replace(
            by_name["container"], volumes=(Volume(container_path="/pin", source=source),)
        )
        pin = v1.Variable(name="PIN", type="SECRET", secret=named("pin"))
        by_name["command"] = v1.CommandInfo(
            value=script, environment=v1.Environment(variables=(pin,))
        )
        old = v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image=name, force_pull_image=True))
        tasks = {
            "inline": of(inline),
            "named": by_name,
            "unknown": of(DockerImage(name=name, config=named("nothing"))),
            "wrong": of(wrong),
            "none": of(DockerImage(name=name)),
            "fetched": {"container": old, "command": v1.CommandInfo(uris=(fetched,), **sleep)},
        }
        args = ("--secrets-dir", str(secrets))
        async with Kernel(tmp_path, *args) as kernel, kernel.scheduler() as mesos:
            for task, fields in tasks.items():
                await mesos.launch({"id": task, **fields})
            assert "they are wrong" in (await mesos.until_state("wrong", S.FAILED)).message
            assert "it needs some" in (await mesos.until_state("none", S.FAILED)).message
            unknown = (await mesos.until_state("unknown", S.FAILED)).message
            assert "secret 'nothing' is not in" in unknown
            for task in ("inline", "named", "fetched"):
                await mesos.until_state(task, S.RUNNING)
        log = (tmp_path / "agent.log").read_text()
        token = registry.docker_config["auths"][registry.host]["auth"]
        assert not [one for one in ("guessed", PASSWORD, token) if one in log]
        assert b"open-sesame" not in (tmp_path / "a/agent.sqlite").read_bytes()


async def test_an_agent_asks_a_credential_helper(tmp_path, monkeypatch):
    programs = tmp_path / "programs"
    programs.mkdir()
    answer = json.dumps({"Username": USER, "Secret": PASSWORD})
    helper = programs / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\ncat > /dev/null; echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs), prepend=":")
    with Registry(tmp_path / "registry", is_closed=True) as registry:
        registry.push("box", [busybox()], CONFIG)
        flag = json.dumps({"credHelpers": {registry.host: "test"}})
        async with (
            Kernel(tmp_path, "--docker-config", flag) as kernel,
            kernel.scheduler() as mesos,
        ):
            await mesos.launch({"id": "t", **box(f"{registry.host}/box:1")})
            await mesos.until_state("t", S.RUNNING)


async def test_of_an_index_the_variant_for_this_machine_is_chosen(tmp_path, registry):
    here = manifests.architecture()
    variants = {
        each: registry.push("many", [busybox()], CONFIG, tag=each, architecture=each)
        for each in ("s390x", here)
    }
    index = registry.push_index("many", variants, tag="all")
    registry.push_index("many", {"s390x": variants["s390x"]}, tag="other")
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "good", **box(f"{registry.host}/many:all")})
        await mesos.until_state("good", S.RUNNING)
        client = Client()
        shown = json.loads((await client.request("GET", f"{kernel.agent.url}/images")).body)
        await client.close()
        [one] = shown["images"]
        assert one["reference"] == f"{registry.host}/many@{index}"
        await mesos.launch({"id": "bad", **box(f"{registry.host}/many:other")})
        failed = await mesos.until_state("bad", S.FAILED)
        assert f"no variant for linux/{here}, only linux/s390x" in failed.message
