"""How tasks of every kind come to their end, with real processes."""

import asyncio
import os
import sys

import pytest

from comity.resources import text
from comity.runtime.http import Response, Server
from comity.wire.mesos import resources, v1
from comity.wire.mesos.checks import HttpCheckInfo
from comity.wire.mesos.containers import LinuxInfo
from support.kernel import Kernel, shell

S = v1.TaskState
STUBBORN = "trap '' TERM; touch ready; while :; do sleep 0.05; done"
GROUPS = """
import asyncio
from comity.sdk.executor import Executor
from comity.wire.mesos import executor as wire, v1

async def main():
    async with Executor.from_environment() as agent:
        async for event in agent.events():
            match event:
                case wire.EventLaunchGroup(launch_group=launch):
                    names = [one.task_id.value for one in launch.task_group.tasks]
                    for task in launch.task_group.tasks:
                        text = " ".join(names)
                        running = v1.TaskState.RUNNING
                        said = {"state": running, "message": text}
                        agent.update(v1.TaskStatus(task_id=task.task_id, **said))
                case wire.EventKill(kill=kill):
                    agent.update(v1.TaskStatus(task_id=kill.task_id, state=v1.TaskState.KILLED))
                case wire.EventShutdown():
                    await agent.flushed()
                    return

asyncio.run(main())
"""


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


def seconds(number):
    return v1.DurationInfo(nanoseconds=int(number * 1e9))


async def until_ready(kernel, task):
    """Wait until a task's shell has come to the point that it cannot be interrupted any more."""
    runs = f"a/slaves/*/frameworks/*/executors/{task}/runs/latest/ready"
    async with asyncio.timeout(60):
        while not list(kernel.directory.glob(runs)):
            await asyncio.sleep(0.02)


async def test_a_second_kill_with_less_grace_comes_first(kernel):
    policy = v1.KillPolicy(grace_period=seconds(3600))
    telling = (v1.FrameworkCapability(type="TASK_KILLING_STATE"),)
    async with kernel.scheduler(capabilities=telling) as mesos:
        await mesos.launch({"id": "t", "kill_policy": policy, **shell(STUBBORN)})
        await mesos.until_state("t", S.RUNNING)
        await until_ready(kernel, "t")
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLING)
        mesos.mesos.kill("t", grace_s=0.1)
        killed = await mesos.until_state("t", S.KILLED)
        assert killed.message == "Command terminated with signal Killed"
        assert mesos.states("t").count(S.KILLING) == 1


async def test_a_task_that_runs_for_too_long_fails(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", "max_completion_time": seconds(0.3), **shell("sleep 600")})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.MAX_COMPLETION_TIME_REACHED
        assert mesos.states("t") == [S.STARTING, S.RUNNING, S.FAILED]


async def test_a_framework_without_checkpoints_loses_its_tasks_with_the_agent(kernel):
    async with kernel.scheduler(checkpoint=False) as mesos:
        await mesos.launch({"id": "t", **shell("echo $$ > pid; sleep 600")})
        running = await mesos.until_state("t", S.RUNNING)
        await kernel.restart_agent()
        await mesos.until_state("t", S.LOST)
        pid = running.container_status.executor_pid
        async with asyncio.timeout(60):
            while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC240
                await asyncio.sleep(0.05)
        await mesos.launch({"id": "again", **shell("true")})
        await mesos.until_state("again", S.FINISHED)


async def test_an_http_health_check_follows_redirects(kernel):
    async def answer(request):
        if request.path == "/old":
            return Response(302, headers=(("Location", "/new"),))
        return Response(200 if request.path == "/new" else 500)

    server = Server(answer)
    _, port = await server.start("127.0.0.1", 0)
    times = {"delay_seconds": 0.0, "interval_seconds": 0.1, "grace_period_seconds": 600.0}
    check = v1.HealthCheck(type="HTTP", http=HttpCheckInfo(port=port, path="/old"), **times)
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", "health_check": check, **shell("sleep 600")})
        await mesos.until(lambda: any(one.healthy for one in mesos.statuses))
        assert mesos.last("t").reason is v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED
    await server.stop()


async def test_a_custom_executor_gets_its_groups_whole(kernel):
    program = kernel.directory / "groups.py"
    program.write_text(GROUPS)
    info = v1.ExecutorInfo(
        executor_id=v1.Id(value="own"),
        type=v1.ExecutorType.CUSTOM,
        command=v1.CommandInfo(value=f"exec {sys.executable} {program}"),
        resources=resources.write(text.parse("cpus:0.1;mem:64;disk:1")),
    )
    async with kernel.scheduler() as mesos:
        for names in (("a", "b"), ("c",)):
            await mesos.until(lambda: mesos.offers)
            offer = mesos.offers.pop()
            infos = [mesos.task(offer, id=name) for name in names]
            mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)
            for name in names:
                running = await mesos.until_state(name, S.RUNNING)
                assert running.message == " ".join(names)
        mesos.mesos.kill("a")
        await mesos.until_state("a", S.KILLED)
        # What becomes of the rest of a group is for a framework's own executor to say.
        assert mesos.states("b")[-1] is S.RUNNING
        mesos.mesos.shutdown("own", running.agent_id.value)
        await mesos.until(lambda: mesos.failures)
        assert mesos.failures[0].executor_id.value == "own"


OWN = v1.ContainerInfo(type="MESOS", linux_info=LinuxInfo(share_cgroups=False))


@pytest.mark.root
@pytest.mark.parametrize("container", [None, OWN], ids=["shared", "own"])
async def test_a_groups_memory_is_limited(kernel, container):
    info = v1.ExecutorInfo(
        executor_id=v1.Id(value="x"),
        type=v1.ExecutorType.DEFAULT,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )
    hog, calm = shell("x=x; while :; do x=$x$x; done"), shell("sleep 600")
    async with kernel.scheduler() as mesos:
        offer = mesos.offers.pop()
        infos = [
            mesos.task(offer, id=name, container=container, **command)
            for name, command in (("hog", hog), ("calm", calm))
        ]
        mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)
        failed = await mesos.until_state("hog", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LIMITATION_MEMORY
        await mesos.until_state("calm", S.KILLED)
