"""Pod sandboxes: what containers of a task group, and those of a pod by the agent's API, share."""

import json
import os

import pytest

from comity.resources import text
from comity.runtime.http import Client
from comity.wire.mesos import resources, v1
from comity.wire.mesos.containers import LinuxInfo
from support.images import MARKS, busybox, image, left_behind, write_layout
from support.kernel import Kernel

S = v1.TaskState
pytestmark = MARKS
_PROGRAMS = "sh echo cat ls sleep test true id hostname tail readlink ps setsid grep"
PROGRAMS = _PROGRAMS.split()
HOG = "x=x; while :; do x=$x$x; done"


@pytest.fixture
async def kernel(tmp_path):
    config = {"Env": ["PATH=/bin"]}
    write_layout(tmp_path / "layouts" / "box", [busybox(programs=PROGRAMS)], config)
    async with Kernel(tmp_path, "--docker-registry", str(tmp_path / "layouts")) as made:
        yield made
    assert left_behind(tmp_path) == []


class Agent:
    """The container API of a kernel's agent."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.client = Client(headers=(("Content-Type", "application/json"),))

    async def call(self, kind, names, **fields):
        container_id = None
        for name in names.split("/"):
            container_id = {"value": name, **({"parent": container_id} if container_id else {})}
        body = {"type": kind, kind.lower(): {"container_id": container_id, **fields}}
        url = f"{self.kernel.agent.url}/api/v1"
        return await self.client.request("POST", url, json.dumps(body).encode(), timeout_s=30)

    async def launch(self, names, **fields):
        answer = await self.call("LAUNCH_CONTAINER", names, **fields)
        assert answer.status == 200, answer.body

    async def run(self, names, script, **fields):
        """Run a container to its end; return its wait status and output."""
        await self.launch(names, **of_box(script), **fields)
        ended = json.loads((await self.call("WAIT_CONTAINER", names)).body)["wait_container"]
        sandbox = self.sandbox(names)
        return ended.get("exit_status"), (sandbox / "stdout").read_text()

    def sandbox(self, names):
        return self.kernel.directory / "a/containers" / "/containers/".join(names.split("/"))


@pytest.fixture
async def agent(kernel):
    made = Agent(kernel)
    yield made
    await made.client.close()


def of_box(script):
    container = {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "box"}}}}
    return {"container": container, "command": {"value": script}}


def limited(mem):
    return [{"name": "mem", "type": "SCALAR", "scalar": {"value": mem}}]


async def launch_group(mesos, *tasks):
    await mesos.until(lambda: mesos.offers)
    offer = mesos.offers.pop()
    info = v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        type=v1.ExecutorType.DEFAULT,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )
    infos = [mesos.task(offer, **task) for task in tasks]
    mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)


def group_output(kernel, task):
    (found,) = kernel.directory.glob(
        f"a/slaves/*/frameworks/*/executors/x/runs/latest/tasks/{task}/stdout"
    )
    return found.read_text()


async def test_a_group_of_images_shares_ipc_unless_a_task_wants_its_own(kernel):
    private = {"linux_info": LinuxInfo(ipc_mode="PRIVATE")}
    say = "echo word > /dev/shm/word; readlink /proc/self/ns/ipc; exec sleep 600"
    hear = (
        "while ! test -e /dev/shm/word; do sleep 0.05; done; readlink /proc/self/ns/ipc; sleep 600"
    )
    alone = "test -e /dev/shm/word || echo alone; readlink /proc/self/ns/ipc; exec sleep 600"
    async with kernel.scheduler() as mesos:
        await launch_group(
            mesos,
            {"id": "a", **image("box", value=say)},
            {"id": "b", **image("box", value=hear)},
            {"id": "c", **image("box", private, value=alone)},
        )
        for task in "abc":
            await mesos.until_state(task, S.RUNNING)
            await mesos.until(lambda task=task: "ipc:" in group_output(kernel, task))
        assert group_output(kernel, "a") == group_output(kernel, "b")
        alone, own = group_output(kernel, "c").splitlines()
        assert alone == "alone"
        assert own not in group_output(kernel, "a")
        assert own != os.readlink("/proc/self/ns/ipc")
        await kernel.restart_agent()
        mesos.mesos.kill("a")
        await mesos.until_state("a", S.KILLED)


async def test_a_group_shares_its_memory_and_the_one_that_takes_too_much_is_named(kernel):
    async with kernel.scheduler() as mesos:
        await launch_group(
            mesos,
            {"id": "good", **image("box", value="exec sleep 600")},
            {"id": "hog", **image("box", value=HOG)},
        )
        failed = await mesos.until_state("hog", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LIMITATION_MEMORY
        killed = await mesos.until_state("good", S.KILLED)
        assert killed.reason is not v1.Reason.CONTAINER_LIMITATION_MEMORY


async def test_containers_of_a_pod_share_its_sandbox_until_it_is_killed(kernel, agent):
    own = {"hostname": "web-0", "sysctls": {"kernel.shmmax": "123456"}, "shm_bytes": 4 << 20}
    await agent.launch("p", is_pod=True, isolation=own)
    script = "hostname; cat /etc/hostname /proc/sys/kernel/shmmax; readlink /proc/self/ns/uts"
    status, one = await agent.run("p/one", f"{script}; echo left > /dev/shm/file")
    assert (status, one.splitlines()[:3]) == (0, ["web-0", "web-0", "123456"])
    await kernel.restart_agent()
    status, two = await agent.run("p/two", f"{script}; cat /dev/shm/file")
    assert (status, two) == (0, f"{one}left\n")
    await agent.launch("p/three", **of_box("exec sleep 600"))
    assert (await agent.call("KILL_CONTAINER", "p", signal=9)).status == 200
    ended = json.loads((await agent.call("WAIT_CONTAINER", "p/three")).body)["wait_container"]
    assert ended["exit_status"] == 9
    assert (await agent.call("REMOVE_CONTAINER", "p")).status == 200
    assert (await agent.call("LAUNCH_CONTAINER", "p/four", **of_box("true"))).status == 400


async def test_the_memory_of_a_pod_is_one_limit(agent):
    await agent.launch("p", is_pod=True, resources=limited(24))
    await agent.launch("p/hog", **of_box(HOG), resources=limited(512))
    ended = json.loads((await agent.call("WAIT_CONTAINER", "p/hog")).body)["wait_container"]
    assert ended["reason"] == "REASON_CONTAINER_LIMITATION_MEMORY"
    assert (await agent.call("KILL_CONTAINER", "p", signal=9)).status == 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"isolation": {"sysctls": {"net.ipv4.ip_forward": "1"}}}, "give the container its own"),
        ({"isolation": {"sysctls": {"kernel.shm_no_such": "1"}}}, "No such file"),
        ({"container": {"type": "MESOS", "hostname": "no_name"}}, "is not a host name"),
    ],
)
async def test_a_pod_that_cannot_be_made_says_why_and_leaves_nothing(agent, fields, reason):
    answer = await agent.call("LAUNCH_CONTAINER", "p", is_pod=True, **fields)
    assert answer.status == 400
    assert reason in answer.body.decode()
    assert not (agent.kernel.directory / "a/sandboxes/p").exists()


async def test_a_pod_may_share_its_processes(kernel, agent):
    await agent.launch("p", is_pod=True, isolation={"share_pid": True})
    await agent.launch("p/one", **of_box("setsid sleep 777 & exec sleep 778"))
    status, text = await agent.run("p/two", "until ps | grep 777; do sleep 0.05; done; ps")
    assert status == 0
    assert all(name in text for name in ("/pause", "sleep 777", "sleep 778"))
    await kernel.restart_agent()
    assert (await agent.call("KILL_CONTAINER", "p/one", signal=9)).status == 200
    assert (await agent.call("WAIT_CONTAINER", "p/one")).status == 200
    gone = "while ps | grep 'sleep 77[78]' | grep -v grep; do sleep 0.05; done; ps"
    status, text = await agent.run("p/three", gone)
    assert status == 0
    assert "/pause" in text
    assert (await agent.call("KILL_CONTAINER", "p", signal=9)).status == 200
    assert (await agent.call("REMOVE_CONTAINER", "p")).status == 200
