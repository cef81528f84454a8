"""Image containers while agents are killed, machines restart and runtimes go: nothing leaks."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comity.runtime.containers import runtimes
from comity.wire.mesos import v1
from comity.wire.mesos.containers import DockerImage, Image, MesosInfo
from support.kernel import Kernel

S = v1.TaskState
ROOT = Path(__file__).resolve().parent.parent.parent
FEW = 25

pytestmark = [
    pytest.mark.root,
    pytest.mark.images,
    pytest.mark.skipif(os.geteuid() != 0, reason="image containers need root"),
    pytest.mark.skipif(runtimes.find()[0] is None, reason="no OCI runtime is installed"),
    pytest.mark.skipif(not Path("/bin/busybox").exists(), reason="needs busybox-static"),
]


@pytest.fixture(scope="module")
def layouts(tmp_path_factory):
    directory = tmp_path_factory.mktemp("layouts")
    subprocess.run([sys.executable, ROOT / "tools/busybox_image.py", directory], check=True)
    return directory


@pytest.fixture
def cluster(tmp_path, layouts):
    return Kernel(tmp_path, "--docker-registry", str(layouts))


def sleeper(name, seconds="3600"):
    image = Image(type="DOCKER", docker=DockerImage(name="busybox"))
    return {
        "id": name,
        "container": v1.ContainerInfo(type="MESOS", mesos=MesosInfo(image=image)),
        "command": v1.CommandInfo(shell=False, value="sleep", arguments=("sleep", seconds)),
        "resources": "cpus:0.01;mem:16",
    }


def held(directory):
    """Return what a cluster in a directory has outside it: mounts, cgroups, processes."""
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found = [each.split()[4] for each in mounts if str(directory) in each]
    agent = hashlib.sha256(str(directory / "a").encode()).hexdigest()[:12]
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        if agent in folder:
            found.append(folder)
            names.clear()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            seen = (
                Path(f"/proc/{pid}/environ").read_bytes()
                + Path(f"/proc/{pid}/cmdline").read_bytes()
            )
        except OSError:
            continue
        if str(directory).encode() in seen and int(pid) != os.getpid():
            found.append(f"process {pid}")
    return sorted(found)


async def ended(mesos, names):
    await mesos.until(
        lambda: all(
            mesos.states(each)[-1:] and mesos.last(each).state.is_terminal for each in names
        )
    )


def kill(mesos, name):
    mesos.mesos.kill(name, agent_id=mesos.last(name).agent_id.value)


async def test_two_hundred_launches_and_kills_leave_the_host_as_it_was(cluster, tmp_path):
    async with cluster as kernel, kernel.scheduler() as mesos:
        await mesos.launch(sleeper("first"))
        await mesos.until_state("first", S.RUNNING)
        before = held(tmp_path)
        for batch in range(200 // FEW):
            names = [f"b{batch}-{each}" for each in range(FEW)]
            await mesos.until(lambda: len(mesos.offers) > 0)
            offers, mesos.offers = mesos.offers, []  # what was free at once, and what came since
            tasks = [mesos.task(offers[0], **sleeper(each)) for each in names]
            mesos.mesos.accept(offers, tasks, refuse_seconds=0)
            for each in names:
                await mesos.until_state(each, S.RUNNING)
                kill(mesos, each)
            await ended(mesos, names)
            assert {mesos.last(each).state for each in names} == {S.KILLED}
        await mesos.until(lambda: held(tmp_path) == before)
    assert held(tmp_path) == []


async def test_an_agent_killed_amid_starts_loses_none_and_leaks_none(cluster, tmp_path):
    async with cluster as kernel, kernel.scheduler() as mesos:
        names = [f"t{each}" for each in range(FEW)]
        await mesos.launch(*(sleeper(each) for each in names))
        for kills in (3, 9):
            await mesos.until(
                lambda kills=kills: sum(S.RUNNING in mesos.states(each) for each in names) >= kills
            )
            await kernel.restart_agent()
        await mesos.until(
            lambda: all(
                S.RUNNING in mesos.states(each) or mesos.last(each).state.is_terminal
                for each in names
                if mesos.states(each)
            )
        )
        mesos.mesos.reconcile([])
        running = [each for each in names if mesos.last(each).state is S.RUNNING]
        assert len(running) >= 9
        for each in running:
            kill(mesos, each)
        await ended(mesos, names)
        await mesos.until(lambda: not [one for one in held(tmp_path) if "bundles" in one])
    assert held(tmp_path) == []


async def test_after_a_reboot_nothing_of_the_containers_is_left(cluster, tmp_path):
    async with cluster as kernel, kernel.scheduler() as mesos:
        await mesos.launch(sleeper("a"), sleeper("b"))
        for each in ("a", "b"):
            await mesos.until_state(each, S.RUNNING)
        await kernel.agent.end(signal.SIGKILL)
        # What a reboot does: every process and every mount is gone, and the machine has a new id.
        for one in held(tmp_path):
            if one.startswith("process") and "master" not in command_of(one.split()[1]):
                os.kill(int(one.split()[1]), signal.SIGKILL)
        for target in [one for one in held(tmp_path) if "bundles" in one]:
            unmount(target)
        (tmp_path / "a" / "boot_id").write_text("another")
        await kernel.start_agent()
        await ended(mesos, ["a", "b"])
        assert list((tmp_path / "a/images/bundles").iterdir()) == []
        await mesos.launch(sleeper("c", "0"))
        await mesos.until_state("c", S.FINISHED)
    assert held(tmp_path) == []


def unmount(target):
    subprocess.run(["umount", "--lazy", target], check=True)


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:
        return "master"  # it is gone already


async def test_without_its_runtime_an_agent_says_so_and_keeps_what_runs(
    cluster, tmp_path, monkeypatch
):
    async with cluster as kernel, kernel.scheduler() as mesos:
        await mesos.launch(sleeper("old"))
        await mesos.until_state("old", S.RUNNING)
        without = tmp_path / "bin"
        without.mkdir()
        for name in ("sh", "env", "ip", "iptables"):
            found = shutil.which(name)
            if found is not None:
                (without / name).symlink_to(found)
        await kernel.agent.end(signal.SIGKILL)
        with monkeypatch.context() as patch:
            patch.setenv("PATH", str(without))
            await kernel.start_agent()
        await mesos.launch(sleeper("new"))
        failed = await mesos.until_state("new", S.FAILED)
        assert "no OCI runtime is installed" in failed.message
        assert mesos.last("old").state is S.RUNNING
        kill(mesos, "old")
        await ended(mesos, ["old"])
        assert mesos.last("old").state is S.KILLED
        await mesos.until(lambda: not [one for one in held(tmp_path) if "bundles" in one])
    assert held(tmp_path) == []
