"""Images from a real registry: Debian's docker-registry, filled by the test, on loopback."""

import hashlib
import json

import pytest

from comity.runtime.http import Client
from comity.wire.mesos import v1
from support.images import MARKS, busybox, image
from support.kernel import Kernel
from support.registries import NEEDED, Registry

S = v1.TaskState
JSON = (("Content-Type", "application/json"),)

pytestmark = [*MARKS, NEEDED]


@pytest.fixture
def registry(tmp_path):
    """Run a registry that holds `box:1`."""
    with Registry(tmp_path / "registry") as made:
        made.digest = made.push("box", [busybox()], {"Env": ["PATH=/bin"]})
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
