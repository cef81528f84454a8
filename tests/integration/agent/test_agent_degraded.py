"""Agents of lesser machines: what they say of it, and what tasks that need more are told.

The same words are in the agent's attributes, in its log at the start, and in the task's reason.
"""

import json
import os
from pathlib import Path

import pytest

from comity.core.networks import BRIDGE
from comity.wire.mesos import v1
from comity.wire.mesos.base import Parameter
from comity.wire.mesos.containers import CapabilityInfo, DockerInfo, LinuxInfo, NetworkInfo
from support import networks
from support.images import MARKS, busybox, image, left_behind, output, write_layout
from support.kernel import Kernel
from support.lesser_machines import as_nobody, mounted, without_capabilities, without_programs

S = v1.TaskState
pytestmark = [*MARKS, *networks.MARKS]
NEEDS_V1 = pytest.mark.skipif(
    not Path("/sys/fs/cgroup/pids/cgroup.procs").exists(), reason="cgroups of version 1 needed"
)
NO_ROOT = "the agent does not run as root"
COMMAND = {"command": v1.CommandInfo(value="true")}
ON_BRIDGE = {
    **COMMAND,
    "container": v1.ContainerInfo(type="MESOS", network_infos=(NetworkInfo(name=BRIDGE),)),
}


class Lesser(Kernel):
    """A master, and an agent whose machine has less; it finds the image `box`."""

    def __init__(self, directory, prefix, *flags):
        write_layout(directory / "layouts" / "box", [busybox()], {"Env": ["PATH=/bin"]})
        layouts = ("--docker-registry", str(directory / "layouts"))
        super().__init__(directory, *layouts, *flags, prefix=prefix)

    def said(self, mesos, name):
        """Return why something is missing, which the log said, too."""
        found = {one.name: one.text.value for one in mesos.offers[0].attributes if one.text}
        why = found[f"comity_{name}_missing"]
        line = f"not available on this agent: {name}: {why}"
        assert line in (self.directory / "agent.log").read_text()
        return found.get(f"comity_{name}"), why


async def failure(mesos, name, task):
    """Return what a task's framework is told of its failure to start."""
    await mesos.launch({"id": name, **task})
    failed = await mesos.until_state(name, S.FAILED)
    assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
    return failed.message


async def test_an_agent_that_is_not_root(tmp_path):
    linux = LinuxInfo(effective_capabilities=CapabilityInfo(capabilities=("NET_RAW",)))
    capable = v1.ContainerInfo(type="MESOS", linux_info=linux)
    async with (
        Lesser(tmp_path, as_nobody(tmp_path)) as kernel,
        kernel.scheduler(user="root") as mesos,
    ):
        for name, what in (("images", "none"), ("network", "host"), ("limits", "none")):
            can, why = kernel.said(mesos, name)
            assert (can, NO_ROOT in why) == (what, True)
        assert "run as its own user 'nobody'" in kernel.said(mesos, "users")[1]
        told = {
            "image": image("box", value="true"),
            "bridge": ON_BRIDGE,
            "power": {**COMMAND, "container": capable},
            "other": {"command": v1.CommandInfo(value="true", user="daemon")},
        }
        for name, task in told.items():
            assert NO_ROOT in await failure(mesos, name, task), name
        await mesos.launch({"id": "own", "command": v1.CommandInfo(value="id -un")})
        await mesos.until_state("own", S.FINISHED)
        assert output(kernel, "own") == "nobody\n"


async def test_without_an_oci_runtime(tmp_path):
    prefix = without_programs(tmp_path, "crun", "runc")
    async with Lesser(tmp_path, prefix) as kernel, kernel.scheduler() as mesos:
        can, why = kernel.said(mesos, "images")
        assert (can, why) == (
            "none",
            "no OCI runtime is installed; install crun or runc (apt install runc)",
        )
        assert why in await failure(mesos, "t", image("box", value="true"))


NO_OVERLAY = """
mkdir -p {0}/a/images {0}/low {0}/up/u {0}/up/w; mount -t tmpfs t {0}/up; mkdir {0}/up/u {0}/up/w
mount -t overlay -o lowerdir={0}/low,upperdir={0}/up/u,workdir={0}/up/w o {0}/a/images
"""


@pytest.mark.parametrize(
    ("script", "text"),
    [
        (NO_OVERLAY, "use a --work-dir on another file system"),
        ("mount -t tmpfs t /sys/fs/cgroup", "OCI runtimes need cgroups: no limits on processors"),
    ],
    ids=["overlay", "cgroups"],
)
async def test_where_image_containers_cannot_be_made(tmp_path, script, text):
    prefix = mounted(script.format(tmp_path))
    async with Lesser(tmp_path, prefix) as kernel, kernel.scheduler() as mesos:
        can, why = kernel.said(mesos, "images")
        assert can == "none"
        assert text in why
        assert why in await failure(mesos, "t", image("box", value="true"))


async def test_without_cgroups_only_what_insists_on_a_limit_fails(tmp_path):
    async with (
        Lesser(tmp_path, mounted("mount -t tmpfs t /sys/fs/cgroup")) as kernel,
        kernel.scheduler() as mesos,
    ):
        can, why = kernel.said(mesos, "limits")
        assert can == "none"
        assert "no limits on memory: no cgroups are mounted at /sys/fs/cgroup/memory" in why
        await mesos.launch({"id": "t", **COMMAND})
        await mesos.until_state("t", S.FINISHED)
        given = DockerInfo(image="host", parameters=(Parameter(key="pids-limit", value="9"),))
        insists = {**COMMAND, "container": v1.ContainerInfo(type="DOCKER", docker=given)}
        said = await failure(mesos, "insists", insists)
        assert f"a limit of processes cannot be held: {why}" in said


@NEEDS_V1
async def test_one_controller_less_is_one_limit_less(tmp_path):
    prefix = mounted("umount /sys/fs/cgroup/pids")
    async with Lesser(tmp_path, prefix) as kernel, kernel.scheduler() as mesos:
        can, why = kernel.said(mesos, "limits")
        assert can in ("cgroups-v1", "cgroups-hybrid")
        assert why == "no limits on processes: no cgroups are mounted at /sys/fs/cgroup/pids"
        await mesos.launch(
            {"id": "t", **image("box", value="cat /sys/fs/cgroup/memory/*limit_in*")}
        )
        await mesos.until_state("t", S.FINISHED)
        assert str(32 << 20) in output(kernel, "t")
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("flag", "script"),
    [
        pytest.param(
            ("--container-pids-max", "9"), "umount /sys/fs/cgroup/pids", marks=NEEDS_V1, id="pids"
        ),
        (("--cgroups-enable-cfs",), "mount -t tmpfs t /sys/fs/cgroup"),
    ],
)
async def test_an_agent_does_not_start_with_limits_that_it_cannot_hold(tmp_path, flag, script):
    with pytest.raises(AssertionError, match=f"{flag[0]} cannot be held to here: no limits on"):
        async with Lesser(tmp_path, mounted(script), *flag):
            pass
    assert left_behind(tmp_path) == []


def without_firewall(directory):
    return without_programs(directory, "iptables*", "ip6tables*", "xtables*", "nft")


@pytest.mark.parametrize(
    ("prefix", "text"),
    [
        (without_firewall, "neither iptables nor nft is installed (apt install iptables)"),
        (
            lambda _: mounted("mount -o bind,ro /proc/sys/net /proc/sys/net"),
            "cannot be set (Read-only file system); set it to 1 on the machine",
        ),
        (
            lambda _: without_capabilities("net_admin"),
            "Operation not permitted",
        ),
        (
            lambda _: without_capabilities("sys_admin"),
            "network namespaces cannot be made: Operation not permitted",
        ),
    ],
    ids=["firewall", "forwarding", "links", "namespaces"],
)
async def test_where_there_can_be_no_bridge(tmp_path, prefix, text):
    async with Lesser(tmp_path, prefix(tmp_path)) as kernel, kernel.scheduler() as mesos:
        can, why = kernel.said(mesos, "network")
        assert can == "host"
        assert text in why
        said = await failure(mesos, "t", ON_BRIDGE)
        assert f"network '{BRIDGE}' is not available on this agent: {why}" in said


async def test_networks_of_cni_without_their_plugin(tmp_path):
    (tmp_path / "cni").mkdir()
    file = tmp_path / "cni" / "lab.conf"
    file.write_text(json.dumps({"cniVersion": "0.4.0", "name": "lab", "type": "absent"}))
    flags = ("--network-cni-config-dir", str(file.parent))
    on_lab = v1.ContainerInfo(type="MESOS", network_infos=(NetworkInfo(name="lab"),))
    async with Lesser(tmp_path, (), *flags) as kernel, kernel.scheduler() as mesos:
        _, why = kernel.said(mesos, "cni")
        assert why.startswith("network 'lab': the CNI plugin 'absent' is not installed")
        said = await failure(mesos, "t", {**COMMAND, "container": on_lab})
        assert "CNI plugin 'absent' is not installed" in said


async def test_without_seccomp_nothing_runs_unfiltered_unasked(tmp_path):
    prefix = mounted("mount -t tmpfs t /proc/sys/kernel/seccomp")
    async with Lesser(tmp_path, prefix) as kernel, kernel.scheduler() as mesos:
        _, why = kernel.said(mesos, "seccomp")
        assert "the kernel has no seccomp filters" in why
        said = await failure(mesos, "t", image("box", value="true"))
        assert f"the default seccomp profile cannot be had on this agent: {why}" in said
        asks = DockerInfo(
            image="box", parameters=(Parameter(key="security-opt", value="seccomp=unconfined"),)
        )
        container = v1.ContainerInfo(type="DOCKER", docker=asks)
        await mesos.launch({"id": "asks", **COMMAND, "container": container})
        await mesos.until_state("asks", S.FINISHED)


async def test_a_registry_that_cannot_be_reached(tmp_path):
    async with Lesser(tmp_path, ()) as kernel, kernel.scheduler() as mesos:
        said = await failure(mesos, "t", image("127.0.0.1:1/box", value="true"))
        assert "127.0.0.1:1" in said
        assert os.strerror(111) in said
