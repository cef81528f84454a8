"""Pulls that come to grief: a full disk, a registry that dies, an agent that is killed."""

import os
import signal
import subprocess
import tarfile

import pytest

from comity.wire.mesos import v1
from support.images import MARKS, busybox, image, layer, write_layout
from support.kernel import Kernel
from support.registries import LayoutRegistry

S = v1.TaskState
pytestmark = MARKS
CONFIG = {"Env": ["PATH=/bin"], "Cmd": ["sleep", "600"]}


@pytest.fixture
def layouts(tmp_path):
    """Give a directory with `box`, and with `big`, which is that and 16 MB."""
    directory = tmp_path / "layouts"
    big = layer([("big", os.urandom(16 << 20), tarfile.REGTYPE)])
    write_layout(directory / "box", [busybox()], CONFIG)
    write_layout(directory / "big", [busybox(), big], CONFIG)
    return directory


def half_done(tmp_path):
    """Return what of pulls is left: what was on its way, and what is no whole layer."""
    store = tmp_path / "a/images"
    whole = {"big", "bin", "etc"}
    layers = [path for path in store.glob("layers/*") if not {*os.listdir(path)} & whole]
    return [*store.glob("pulls/*"), *store.glob("images/*.new"), *layers]


@pytest.fixture
def small_store(tmp_path):
    """Let the agent's store be a file system of 8 MB."""
    store = tmp_path / "a/images"
    store.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", store], check=True)
    yield store
    subprocess.run(["umount", store], check=True)


async def test_a_full_disk_is_told_and_does_not_stay_full(tmp_path, layouts, small_store):
    args = ("--docker-registry", str(layouts))
    async with Kernel(tmp_path, *args) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "big", **image("big", shell=False)})
        failed = await mesos.until_state("big", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        text = f"big cannot be stored in {small_store}: No space left on device"
        assert text in failed.message
        assert half_done(tmp_path) == []
        await mesos.launch({"id": "box", **image("box", shell=False)})
        await mesos.until_state("box", S.RUNNING)


async def test_a_registry_that_dies_amid_a_pull_and_comes_back(tmp_path, layouts):
    registry = LayoutRegistry(layouts / "big")
    host = await registry.start()
    registry.opened.clear()
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "first", **image(f"{host}/box", shell=False)})
        await mesos.until(lambda: any("/blobs/" in path for path in registry.asked))
        await registry.stop()
        failed = await mesos.until_state("first", S.FAILED)
        assert f"cannot reach the registry http://{host}" in failed.message
        assert half_done(tmp_path) == []
        registry.opened.set()
        await registry.start()
        await mesos.launch({"id": "second", **image(f"{host}/box", shell=False)})
        await mesos.until_state("second", S.RUNNING)
    await registry.stop()


async def test_an_agent_that_is_killed_amid_a_pull_leaves_nothing_half_done(tmp_path, layouts):
    registry = LayoutRegistry(layouts / "big")
    host = await registry.start()
    registry.opened.clear()
    async with Kernel(tmp_path) as kernel, kernel.scheduler() as mesos:
        await mesos.launch({"id": "first", **image(f"{host}/box", shell=False)})
        await mesos.until(lambda: any("/blobs/" in path for path in registry.asked))
        await kernel.agent.end(signal.SIGKILL)
        assert half_done(tmp_path) != []
        registry.opened.set()
        await kernel.start_agent()
        failed = await mesos.until_state("first", S.FAILED)
        assert failed.message
        assert half_done(tmp_path) == []
        await mesos.launch({"id": "second", **image(f"{host}/box", shell=False)})
        await mesos.until_state("second", S.RUNNING)
    await registry.stop()
