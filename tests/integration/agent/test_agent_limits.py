"""Limits beside requests, seen biting: of tasks and of groups, of plain processes and of images.

What a task asks for is a share and a reservation; what it may use at most is its `limits`.
(Limits that are what was asked for: test_agent_behaviour; disk: test_agent_isolation.)
"""

import json
import os

import pytest

from comity.resources import text
from comity.runtime.http import Client
from comity.wire.mesos import resources, v1
from comity.wire.mesos.containers import LinuxInfo
from support.images import MARKS, busybox, image, left_behind, output, write_layout
from support.kernel import Kernel

S = v1.TaskState
INFINITE = v1.Scalar(value=v1.UNLIMITED)  # what "Infinity" is read as
pytestmark = MARKS
TAKE = "dd if=/dev/zero of=/dev/null bs={}M count=1 2>/dev/null && echo took {}; "
"""dd keeps one block in memory."""


@pytest.fixture
async def kernel(tmp_path):
    base = busybox(programs=["sh", "echo", "sleep", "dd", "cat", "true"])
    write_layout(tmp_path / "layouts" / "box", [base], {"Env": ["PATH=/bin"]})
    flags = ("--cgroups-enable-cfs", "--docker-registry", str(tmp_path / "layouts"))
    async with Kernel(tmp_path, *flags) as made:
        yield made
    assert left_behind(tmp_path) == []


@pytest.fixture(params=["process", "oci"])
def made(request):
    """Return the fields of a task that runs a script, with or without an image."""

    def make(script, **container):
        if request.param == "oci":
            return image("box", container, value=script)
        given = v1.ContainerInfo(type="MESOS", **container)
        return {"container": given, "command": v1.CommandInfo(value=script)}

    return make


def take(*sizes):
    """Return a script that takes so many megabytes, one size after the other."""
    return "".join(TAKE.format(size, size) for size in sizes) + "true"


def mem(megabytes):
    return {"mem": v1.Scalar(value=megabytes)}


async def test_memory_above_the_request_is_the_limits(kernel, made):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **made(take(80, 300)), "limits": mem(128)})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LIMITATION_MEMORY
        (amount,) = failed.limitation.resources
        assert (amount.name, amount.scalar.value) == ("mem", 128.0)
        assert output(kernel, "t") == "took 80\n"


async def test_an_infinite_limit_is_none(kernel, made):
    async with kernel.scheduler() as mesos:
        limits = {"mem": INFINITE, "cpus": INFINITE}
        await mesos.launch({"id": "t", **made(take(300)), "limits": limits})
        await mesos.until_state("t", S.FINISHED)
        assert output(kernel, "t") == "took 300\n"


async def test_tasks_of_a_group_have_limits_of_their_own(kernel, made):
    own = LinuxInfo(share_cgroups=False)
    info = v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        type=v1.ExecutorType.DEFAULT,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )
    async with kernel.scheduler() as mesos:
        offer = mesos.offers.pop()
        wait = "; until test -e $MESOS_SANDBOX/go; do sleep 0.1; done; "
        free = made(take(300), linux_info=own)
        bound = made(take(80) + wait + take(300), linux_info=own)
        infos = [
            mesos.task(offer, id="free", limits={"mem": INFINITE}, **free),
            mesos.task(offer, id="bound", limits=mem(128), **bound),
        ]
        mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)
        await mesos.until_state("free", S.FINISHED)
        (tasks,) = kernel.directory.glob("a/slaves/*/frameworks/*/executors/x/runs/latest/tasks")
        (tasks / "bound" / "go").touch()
        failed = await mesos.until_state("bound", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LIMITATION_MEMORY
        assert (tasks / "free" / "stdout").read_text() == "took 300\n"
        assert (tasks / "bound" / "stdout").read_text() == "took 80\n"


async def statistics(client, kernel):
    """Return what each task's container has used, and was kept from using."""
    answer = await client.request("GET", f"{kernel.agent.url}/monitor/statistics")
    return {one["executor_id"]: one["statistics"] for one in json.loads(answer.body)}


def used_s(found, name):
    return found[name]["cpus_user_time_secs"] + found[name]["cpus_system_time_secs"]


SPIN = "while :; do :; done"


async def test_processors_are_limited_by_limits_not_by_requests(kernel, made):
    client = Client()
    async with kernel.scheduler() as mesos:
        limits = {"bound": v1.Scalar(value=0.2), "free": INFINITE}
        for name, limit in limits.items():
            given = {"resources": "cpus:0.1;mem:32", "limits": {"cpus": limit}}
            await mesos.launch({"id": name, **made(SPIN), **given})
            await mesos.until_state(name, S.RUNNING)
        found = {}
        while found.get("bound", {}).get("cpus_nr_throttled", 0) < 3 or used_s(found, "free") < 1:
            found = await statistics(client, kernel)
        assert found["free"].get("cpus_nr_throttled", 0) == 0
    await client.close()


def pin(pid):
    """Bind a process to the first processor."""
    os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))})


async def test_shares_of_one_processor_are_as_the_requests(kernel, made):
    """Both want the same processor: whoever asked for eight times as much gets more."""
    client = Client()
    async with kernel.scheduler() as mesos:
        for name, cpus in (("small", 0.1), ("large", 0.8)):
            given = {"resources": f"cpus:{cpus};mem:32", "limits": {"cpus": INFINITE}}
            await mesos.launch({"id": name, **made(SPIN), **given})
            running = await mesos.until_state(name, S.RUNNING)
            pin(running.container_status.executor_pid)
        before = after = await statistics(client, kernel)
        while used_s(after, "large") - used_s(before, "large") < 1:
            after = await statistics(client, kernel)
        gained = {name: used_s(after, name) - used_s(before, name) for name in before}
        assert gained["large"] > 2 * gained["small"]
    await client.close()
