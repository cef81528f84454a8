"""What every containerizer does alike: each test runs a plain process and an image container."""

import contextlib
import os
from pathlib import Path

import pytest

from comity.wire.mesos import v1
from comity.wire.mesos.containers import (
    CapabilityInfo,
    DockerImage,
    Image,
    LinuxInfo,
    MesosInfo,
    RLimit,
    RLimitInfo,
    Volume,
)
from support.images import MARKS, busybox, left_behind, output, write_layout
from support.kernel import Kernel

S = v1.TaskState
pytestmark = MARKS
_PROGRAMS = "sh echo cat ls sleep test true id touch grep head wc kill env pwd mkdir dd tail"
LIMITS = ("--container-pids-max", "20", "--cgroups-enable-cfs")


@pytest.fixture
async def kernel(tmp_path):
    write_layout(
        tmp_path / "layouts" / "box",
        [busybox(programs=_PROGRAMS.split())],
        {"Env": ["PATH=/bin"]},
    )
    layouts = ("--docker-registry", str(tmp_path / "layouts"))
    async with Kernel(tmp_path, *LIMITS, *layouts) as made:
        yield made
    assert left_behind(tmp_path) == []
    assert working_in(tmp_path) == []


def working_in(directory):
    """Return the processes that were left in a directory."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "cwd").startswith(str(directory)):
                found.append(process.name)
    return found


@pytest.fixture(params=["process", "oci"])
def kind(request):
    return request.param


class Box:
    """Runs tasks of one kind."""

    def __init__(self, kernel, kind):
        self.kernel = kernel
        self.kind = kind

    def task(self, script, container=None, **command):
        mesos = None
        if self.kind == "oci":
            image = Image(type="DOCKER", docker=DockerImage(name="box"))
            mesos = MesosInfo(image=image)
        made = v1.ContainerInfo(type="MESOS", mesos=mesos, **(container or {}))
        command = v1.CommandInfo(**{"value": script, **command})
        return {"id": "t", "container": made, "command": command}

    async def run(self, script, container=None, resources="cpus:0.5;mem:64", **command):
        """Run a script to its end; return the last status."""
        async with self.kernel.scheduler() as mesos:
            task = self.task(script, container, **command)
            await mesos.launch({**task, "resources": resources})
            await mesos.until(lambda: mesos.states("t")[-1:] and mesos.last("t").state.is_terminal)
            return mesos.last("t")

    def lines(self, name="stdout"):
        return output(self.kernel, "t", name).splitlines()


@pytest.fixture
def box(kernel, kind):
    return Box(kernel, kind)


async def test_outputs_environment_and_exit_status(box):
    environment = v1.Environment(variables=(v1.Variable(name="GREETING", value="hello you"),))
    status = await box.run("echo $GREETING; echo no >&2; exit 7", environment=environment)
    assert (status.state, status.message) == (S.FAILED, "Command exited with status 7")
    assert (box.lines(), box.lines("stderr")) == (["hello you"], ["no"])


async def test_arguments_are_passed_as_they_are(box):
    given = ("sh", "-c", 'echo "$0|$1"', "a b", "*")
    status = await box.run("sh", shell=False, arguments=given)
    assert status.state is S.FINISHED
    assert box.lines() == ["a b|*"]


async def test_users_own_their_sandbox(box):
    status = await box.run("id -u; echo made > $MESOS_SANDBOX/mine; cat mine", user="65534")
    [sandbox] = box.kernel.directory.glob("a/slaves/*/frameworks/*/executors/t/runs/latest")
    assert box.lines()[0] == "65534", status.message
    assert sandbox.stat().st_uid == 65534


async def test_a_user_who_does_not_exist(box):
    status = await box.run("true", user="no-such-user")
    assert status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
    assert "'no-such-user'" in status.message


async def test_a_command_that_does_not_exist(box):
    status = await box.run("/no/such/program", shell=False)
    assert status.state is S.FAILED
    assert status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
    assert "/no/such/program" in status.message
    assert "no such file" in status.message.lower()


async def test_memory_limits_bite_and_are_named(box):
    status = await box.run("x=x; while :; do x=$x$x; done", resources="cpus:0.5;mem:32")
    assert (status.state, status.reason) == (S.FAILED, v1.Reason.CONTAINER_LIMITATION_MEMORY)


async def test_processes_are_limited(box):
    script = "i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done; echo all"
    await box.run(script)
    assert box.lines() == []


async def test_processors_are_limited(box):
    async with box.kernel.scheduler() as mesos:
        await mesos.launch({**box.task("exec sleep 600"), "resources": "cpus:0.5;mem:64"})
        running = await mesos.until_state("t", S.RUNNING)
        pid = running.container_status.executor_pid
        await mesos.until(lambda: quota_of(pid) == 0.5)  # a plain process joins by itself
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLED)


def quota_of(pid):
    """Return the processors that a process may use at most, by either version of cgroups."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    for _, controllers, path in lines:
        if "cpu" in controllers.split(","):
            place = Path(f"/sys/fs/cgroup/cpu{path}")
            quota = int((place / "cpu.cfs_quota_us").read_text())
            return quota / int((place / "cpu.cfs_period_us").read_text())
    [path] = [path for _, controllers, path in lines if not controllers]
    place = Path(f"/sys/fs/cgroup{path}/cpu.max")
    if not place.exists():  # that of the machine itself, which has no limits
        return None
    quota, period = place.read_text().split()
    return int(quota) / int(period) if quota != "max" else None


async def test_limits_and_capabilities_of_each_process(box):
    linux = LinuxInfo(
        effective_capabilities=CapabilityInfo(capabilities=("NET_RAW",)),
        bounding_capabilities=CapabilityInfo(capabilities=("NET_RAW", "CHOWN")),
    )
    limits = RLimitInfo(rlimits=(RLimit(type="RLMT_NOFILE", soft=100, hard=200),))
    script = "ulimit -Sn; ulimit -Hn; grep -E 'Cap(Eff|Bnd)' /proc/self/status"
    given = {"linux_info": linux, "rlimit_info": limits}
    status = await box.run(script, given, user="65534")
    assert status.state is S.FINISHED
    found = box.lines()
    assert found[:2] == ["100", "200"]
    assert [int(line.split()[1], 16) for line in found[2:]] == [1 << 13, 1 << 13 | 1]


async def test_host_volumes_at_any_path_read_only_if_asked(box, tmp_path):
    source, place = tmp_path / "source", tmp_path / "place"
    for path in (source, place):
        path.mkdir()
    (source / "file").write_text("of the host\n")
    volumes = (
        Volume(container_path=str(place), host_path=str(source), mode="RO"),
        Volume(container_path="link", host_path=str(source), mode="RW"),
        Volume(container_path="made", host_path="below"),
    )
    script = (
        f"cat {place}/file; touch {place}/x || echo read-only; cd $MESOS_SANDBOX; "
        "cat link/file; touch made/y; ls below"
    )
    await box.run(script, {"volumes": volumes})
    assert box.lines() == ["of the host", "read-only", "of the host", "y"]
    assert list(place.iterdir()) == []


async def test_a_kill_ends_what_left_the_process_group(box):
    async with box.kernel.scheduler() as mesos:
        script = "setsid sleep 9182 & exec sleep 9182"
        if box.kind == "oci":
            script = "sleep 9182 & exec sleep 9182"
        await mesos.launch(box.task(script))
        await mesos.until_state("t", S.RUNNING)
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLED)
        await mesos.until(lambda: not sleepers())


def sleepers():
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == b"sleep\0009182\0":
                found.append(path.parent.name)
    return found
