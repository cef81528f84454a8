"""What ContainerInfo says of isolation, seen from within containers of an image made here."""

import json
import pwd

import pytest

from comity.wire.mesos import v1
from comity.wire.mesos.base import Parameter, Secret, SecretValue
from comity.wire.mesos.containers import (
    CapabilityInfo,
    DockerImage,
    DockerInfo,
    Image,
    LinuxInfo,
    RLimit,
    RLimitInfo,
    SeccompInfo,
    Volume,
    VolumeSource,
)
from support.images import MARKS, busybox, image, left_behind, output, write_layout
from support.kernel import Kernel

S = v1.TaskState
_PROGRAMS = """
sh echo cat ls sleep test true id touch mount hostname grep df chown unshare dd tail mkdir su head
wc printf kill stat
"""
PROGRAMS = _PROGRAMS.split()

pytestmark = MARKS


@pytest.fixture
async def kernel(tmp_path):
    base = busybox(programs=PROGRAMS)
    write_layout(tmp_path / "layouts" / "box", [base], {"Env": ["PATH=/bin"]})
    config = {"Env": ["PATH=/bin"], "User": "web", "WorkingDir": "/etc"}
    write_layout(tmp_path / "layouts" / "web", [base], config)
    async with Kernel(tmp_path, "--docker-registry", str(tmp_path / "layouts")) as made:
        yield made
    assert left_behind(tmp_path) == []


async def run(kernel, task, script, container=None, name="box", **command):
    """Run a script to its end; return its last status and output."""
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": task, **image(name, container, value=script, **command)})
        await mesos.until(lambda: mesos.states(task)[-1:] and mesos.last(task).state.is_terminal)
        status = mesos.last(task)
        if status.state is S.FAILED and status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED:
            return status, ""
        return status, output(kernel, task)


def docker(**parameters):
    """Return the parameters of a DockerInfo; underscores are dashes."""
    return tuple(
        Parameter(key=key.replace("_", "-"), value=value) for key, value in parameters.items()
    )


async def run_docker(kernel, task, script, privileged=False, **parameters):
    info = DockerInfo(image="box", parameters=docker(**parameters), privileged=privileged)
    container = v1.ContainerInfo(type="DOCKER", docker=info)
    async with kernel.scheduler() as mesos:
        command = v1.CommandInfo(value=script)
        await mesos.launch({"id": task, "container": container, "command": command})
        await mesos.until(lambda: mesos.states(task)[-1:] and mesos.last(task).state.is_terminal)
        status = mesos.last(task)
        failed = status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        return status, "" if failed else output(kernel, task)


STATUS = "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status"


def fields(text):
    return {line.split(":")[0]: line.split()[1] for line in text.splitlines() if ":" in line}


async def test_users_and_groups_come_from_the_image(kernel):
    _, text = await run(kernel, "image", "id; pwd; echo $HOME", name="web")
    assert text == "uid=1000(web) gid=1001(web) groups=1002(logs)\n/etc\n/srv/web\n"
    _, text = await run(kernel, "named", "id -un; id -gn", user="web:logs")
    assert text == "web\nlogs\n"
    _, text = await run(kernel, "number", "id -u; id -g", user="4000:4001")
    assert text == "4000\n4001\n"


async def test_mesos_starts_in_the_sandbox_and_docker_in_the_root(kernel):
    """Unless the image names a directory (containerizer.cpp, `_launch`)."""
    look = "pwd; touch made && ls made"
    _, text = await run(kernel, "mesos", look)
    assert text == "/mnt/mesos/sandbox\nmade\n"
    _, text = await run(kernel, "user", look, user="web")
    assert text == "/mnt/mesos/sandbox\nmade\n"
    _, text = await run_docker(kernel, "docker", "pwd")
    assert text == "/\n"


async def test_a_framework_runs_images_as_its_own_user(kernel):
    """So access control lists of users hold in images, too; root leaves it to the image."""
    async with kernel.scheduler(user="nobody") as mesos:
        nobody = f"{pwd.getpwnam('nobody').pw_uid}\n"
        for name in ("box", "web"):
            script = 'id -u; touch "$MESOS_SANDBOX/made"'
            await mesos.launch({"id": name, **image(name, value=script)})
            await mesos.until_state(name, S.FINISHED)
            assert output(kernel, name) == nobody
        await mesos.launch({"id": "named", **image("box", value="id -un", user="web")})
        await mesos.until_state("named", S.FINISHED)
        assert output(kernel, "named") == "web\n"


async def test_what_was_fetched_is_run_by_its_name(kernel, tmp_path):
    program = tmp_path / "hello.sh"
    program.write_text("#!/bin/sh\necho hello from $PWD\n")
    uri = v1.URI(value=str(program), executable=True)
    _, text = await run(kernel, "t", "./hello.sh", uris=(uri,))
    assert text == "hello from /mnt/mesos/sandbox\n"


@pytest.mark.parametrize("user", ["nobody-here", "web:nogroup"])
async def test_a_user_who_is_not_in_the_image_is_named(kernel, user):
    status, _ = await run(kernel, "t", "id", user=user)
    assert status.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
    assert f"'{user.rpartition(':')[2]}' is not in the image" in status.message


async def test_the_default_is_seccomp_and_dockers_capabilities(kernel):
    _, text = await run(kernel, "t", f"{STATUS}; mount -t tmpfs x /mnt; unshare -m true")
    found = fields(text)
    assert found["Seccomp"] == "2"
    assert int(found["CapBnd"], 16) == int("a80425fb", 16)
    assert "permission denied" in output(kernel, "t", "stderr").lower() or "not permitted" in (
        output(kernel, "t", "stderr").lower()
    )


async def test_capabilities_of_linux_info(kernel):
    linux = LinuxInfo(
        effective_capabilities=CapabilityInfo(capabilities=("NET_RAW",)),
        bounding_capabilities=CapabilityInfo(capabilities=("NET_RAW", "CHOWN")),
        seccomp=SeccompInfo(unconfined=True),
    )
    _, text = await run(kernel, "t", STATUS, {"linux_info": linux}, user="web")
    found = fields(text)
    assert (int(found["CapEff"], 16), int(found["CapBnd"], 16)) == (1 << 13, 1 << 13 | 1)
    assert found["Seccomp"] == "0"


async def test_rlimits_hostname_and_shared_memory(kernel):
    linux = LinuxInfo(ipc_mode="PRIVATE", shm_size=8)
    limits = RLimitInfo(rlimits=(RLimit(type="RLMT_NOFILE", soft=100, hard=200),))
    container = {"linux_info": linux, "rlimit_info": limits, "hostname": "inside"}
    script = "ulimit -Sn; ulimit -Hn; hostname; df -k /dev/shm | tail -1"
    _, text = await run(kernel, "t", script, container)
    lines = text.splitlines()
    assert lines[:3] == ["100", "200", "inside"]
    assert lines[3].split()[1] == "8192"


async def test_volumes_of_a_host_path_an_image_a_secret_and_the_sandbox(kernel, tmp_path):
    (tmp_path / "host").mkdir()
    (tmp_path / "host" / "file").write_text("of the host\n")
    value = Secret(type="VALUE", value=SecretValue(data=b"hush"))
    box = Image(type="DOCKER", docker=DockerImage(name="web"))
    volumes = (
        Volume(container_path="/data", host_path=str(tmp_path / "host"), mode="RO"),
        Volume(container_path="/other", image=box),
        Volume(container_path="/run/secret", source=VolumeSource(type="SECRET", secret=value)),
        Volume(container_path="made", host_path="below"),
    )
    script = (
        "cat /data/file; touch /data/x || echo read-only; ls /other/bin/sh; cat /run/secret; "
        "echo; touch $MESOS_SANDBOX/made/file; grep -c ' /run/secret ' /proc/mounts"
    )
    _, text = await run(kernel, "t", script, {"volumes": volumes})
    assert text == "of the host\nread-only\n/other/bin/sh\nhush\n1\n"
    assert list(kernel.directory.glob("a/slaves/*/**/executors/t/runs/latest/below/file"))


async def test_a_docker_container_with_its_parameters(kernel):
    script = (
        "id -u; hostname; echo $GREETING; pwd; touch /x || echo read-only; touch /tmp/x && "
        "echo written; ulimit -n; cat /proc/sys/kernel/shm_rmid_forced; ls /dev/fuse0; " + STATUS
    )
    _, text = await run_docker(
        kernel,
        "t",
        script,
        user="web",
        hostname="named",
        env="GREETING=hello",
        workdir="/etc",
        read_only="true",
        tmpfs="/tmp:size=1m,mode=1777",
        ulimit="nofile=64:64",
        sysctl="kernel.shm_rmid_forced=1",
        device="/dev/null:/dev/fuse0",
        cap_drop="ALL",
        cap_add="NET_RAW",
        security_opt="no-new-privileges",
    )
    lines = text.splitlines()
    assert lines[:9] == [
        *("1000", "named", "hello", "/etc", "read-only", "written", "64", "1", "/dev/fuse0")
    ]
    assert int(fields(text)["CapBnd"], 16) == 1 << 13
    assert fields(text)["NoNewPrivs"] == "1"


async def test_a_privileged_container_has_what_the_agent_has(kernel):
    status, text = await run_docker(
        kernel, "t", f"{STATUS}; mount -t tmpfs x /mnt && echo mounted", privileged=True
    )
    assert status.state is S.FINISHED
    assert fields(text)["Seccomp"] == "0"
    assert text.endswith("mounted\n")


async def test_a_limit_of_processes_holds(kernel):
    script = "i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done; echo all"
    status, text = await run_docker(kernel, "t", script, pids_limit="10")
    assert text == ""
    assert status.state is S.FAILED


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"network_alias": "x"}, "docker parameter 'network-alias' is not supported"),
        ({"cap_add": "FLY"}, "capability 'FLY' is unknown"),
        ({"ulimit": "nofile"}, "write name=value"),
        ({"shm_size": "big"}, "'big' is not a size"),
        ({"sysctl": "kernel.panic=1"}, "would change the whole machine"),
        ({"sysctl": "net.ipv4.ip_forward=1"}, "give the container its own"),
        ({"device": "/dev/no-such"}, "device /dev/no-such: No such file"),
        ({"volume": "/no/such:/x"}, "volume source /no/such does not exist"),
    ],
)
async def test_what_cannot_be_had_is_refused_by_name(kernel, parameters, text):
    status, _ = await run_docker(kernel, "t", "true", **parameters)
    assert status.state is S.FAILED
    assert text in status.message


async def test_the_kernels_own_files_are_hidden(kernel):
    script = (
        "cat /proc/kcore | wc -c; echo 1 > /proc/sys/kernel/panic || echo refused; wc -c /proc/keys"
    )
    _, text = await run(kernel, "t", script)
    assert text.splitlines() == ["0", "refused", "0 /proc/keys"]


async def test_the_cgroup_a_container_sees_is_its_own(kernel):
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max"
    _, text = await run(kernel, "t", script)
    assert json.loads(text) == 32 << 20


@pytest.fixture
async def strict(tmp_path):
    base = busybox(programs=PROGRAMS)
    write_layout(tmp_path / "layouts" / "box", [base], {"Env": ["PATH=/bin"]})
    flags = ("--enforce-container-disk-quota", "--container-disk-watch-interval", "0.1")
    limits = ("--cgroups-enable-cfs", "--container-pids-max", "10")
    layouts = ("--docker-registry", str(tmp_path / "layouts"))
    async with Kernel(tmp_path, *flags, *limits, *layouts) as made:
        yield made
    assert left_behind(tmp_path) == []


async def test_what_a_container_writes_over_its_image_counts_as_disk(strict):
    async with strict.scheduler() as mesos:
        script = "dd if=/dev/zero of=/big bs=1048576 count=20; exec sleep 600"
        given = "cpus:0.1;mem:64;disk:8"
        await mesos.launch({"id": "t", **image("box", value=script), "resources": given})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LIMITATION_DISK
        assert "exceeds quota (8MB)" in failed.message


async def test_an_agents_own_limits_of_processors_and_processes(strict):
    script = (
        "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null; "
        "cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null; true"
    )
    _, found = await run(strict, "t", script)
    assert [line.split()[0] for line in found.splitlines()] == ["10000", "10"]
