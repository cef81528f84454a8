"""Images from a real registry: Debian's docker-registry, filled by the test, on loopback."""

import asyncio
import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from comity.runtime.containers import runtimes
from comity.runtime.http import Client, HttpError
from comity.wire.mesos import v1
from comity.wire.mesos.containers import DockerImage, Image, MesosInfo
from support.kernel import Kernel

S = v1.TaskState
ROOT = Path(__file__).resolve().parents[3]
JSON = (("Content-Type", "application/json"),)

pytestmark = [
    pytest.mark.root,
    pytest.mark.images,
    pytest.mark.skipif(os.geteuid() != 0, reason="image containers need root"),
    pytest.mark.skipif(runtimes.find()[0] is None, reason="no OCI runtime is installed"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="needs busybox-static"),
    pytest.mark.skipif(shutil.which("docker-registry") is None, reason="needs docker-registry"),
]


@pytest.fixture
async def registry(tmp_path, unused_tcp_port):
    """Run a registry that holds `box:1`; give its host."""
    address = f"127.0.0.1:{unused_tcp_port}"
    config = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": address},
    }
    (tmp_path / "registry.yml").write_text(json.dumps(config))
    serving = await asyncio.create_subprocess_exec(
        "docker-registry",
        "serve",
        str(tmp_path / "registry.yml"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        client = Client()
        await answers(client, f"http://{address}/v2/")
        make = await asyncio.create_subprocess_exec(
            sys.executable, str(ROOT / "tools/busybox_image.py"), str(tmp_path / "layouts")
        )
        assert await make.wait() == 0
        await push(client, f"http://{address}/v2/box", tmp_path / "layouts/busybox")
        await client.close()
        yield address
    finally:
        serving.terminate()
        await serving.wait()


async def answers(client, url):
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(HttpError):
                if (await client.request("GET", url)).status == 200:
                    return
            await asyncio.sleep(0.05)


async def push(client, url, layout):
    """Upload a layout's only image as the tag 1, as the distribution specification has it."""
    index = json.loads((layout / "index.json").read_bytes())
    manifest = (layout / "blobs/sha256" / index["manifests"][0]["digest"][7:]).read_bytes()
    document = json.loads(manifest)
    for one in (document["config"], *document["layers"]):
        data = (layout / "blobs/sha256" / one["digest"][7:]).read_bytes()
        begun = await client.request("POST", f"{url}/blobs/uploads/")
        assert begun.status == 202
        place = begun.header("Location")
        sign = "&" if "?" in place else "?"
        octets = (("Content-Type", "application/octet-stream"),)
        put = await client.request("PUT", f"{place}{sign}digest={one['digest']}", data, octets)
        assert put.status == 201
    kind = (("Content-Type", document["mediaType"]),)
    assert (await client.request("PUT", f"{url}/manifests/1", manifest, kind)).status == 201


def digest_in(layout):
    return json.loads((layout / "index.json").read_bytes())["manifests"][0]["digest"]


def box(name):
    image = Image(type="DOCKER", docker=DockerImage(name=name))
    container = v1.ContainerInfo(type="MESOS", mesos=MesosInfo(image=image))
    return {"container": container, "command": v1.CommandInfo(value="exec sleep 600")}


async def test_a_task_runs_from_a_registry_and_its_image_is_kept_while_it_does(tmp_path, registry):
    name = f"{registry}/box:1"
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
        assert (pulled.status, json.loads(pulled.body)) == (200, {"name": name})
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
        missing = await ask("POST", "/images", {"name": f"{registry}/box:2"})
        assert missing.status == 400
        assert b"is not in the registry" in missing.body
        assert (await ask("POST", "/images", {"nom": 1})).status == 400
        await client.close()


async def test_by_digest_and_a_wrong_digest_say_what_they_are(tmp_path, registry):
    digest = digest_in(tmp_path / "layouts/busybox")
    wrong = hashlib.sha256(b"other").hexdigest()
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "good", **box(f"{registry}/box@{digest}")})
        await mesos.until_state("good", S.RUNNING)
        await mesos.launch({"id": "bad", **box(f"{registry}/box@sha256:{wrong}")})
        failed = await mesos.until_state("bad", S.FAILED)
        assert "is not in the registry" in failed.message
