"""Custom executors and nested containers, through the v1 executor and operator APIs."""

import json
import os
import sys

import pytest

from comity.runtime.http import Client
from comity.wire.mesos import codec, v1
from support.kernel import Kernel

S = v1.TaskState
ECHO = """
import asyncio
from comity.sdk.executor import Executor
from comity.wire.mesos import executor as wire, v1

async def main():
    async with Executor.from_environment() as agent:
        async for event in agent.events():
            match event:
                case wire.EventLaunch(launch=launch):
                    running = v1.TaskState.RUNNING
                    agent.update(v1.TaskStatus(task_id=launch.task.task_id, state=running))
                case wire.EventKill(kill=kill):
                    agent.update(v1.TaskStatus(task_id=kill.task_id, state=v1.TaskState.KILLED))
                case wire.EventMessage(message=message):
                    agent.message(message.data[::-1])
                case wire.EventShutdown():
                    await agent.flushed()
                    return

asyncio.run(main())
"""


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


@pytest.fixture
def echo(tmp_path):
    """Give the ExecutorInfo of a small executor on the SDK."""
    program = tmp_path / "echo.py"
    program.write_text(ECHO)
    return v1.ExecutorInfo(
        executor_id=v1.Id(value="echo"),
        command=v1.CommandInfo(value=f"exec {sys.executable} {program}"),
    )


async def test_an_executor_runs_tasks_and_speaks(kernel, echo):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo}, {"id": "b", "executor": echo})
        running = await mesos.until_state("a", S.RUNNING)
        await mesos.until_state("b", S.RUNNING)
        assert running.executor_id.value == "echo"
        assert running.source is v1.Source.EXECUTOR
        data = bytes(range(256))
        mesos.mesos.message(running.agent_id.value, "echo", data)
        await mesos.until(lambda: mesos.messages)
        assert mesos.messages == [data[::-1]]
        mesos.mesos.kill("a")
        await mesos.until_state("a", S.KILLED)
        assert S.KILLED not in mesos.states("b")


async def test_an_executor_survives_kill_9_of_the_agent(kernel, echo):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo})
        await mesos.until_state("a", S.RUNNING)
        await kernel.restart_agent()
        mesos.mesos.kill("a")
        await mesos.until_state("a", S.KILLED)
        assert not mesos.failures


async def test_a_dead_executor_fails_its_tasks(kernel, echo):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo})
        running = await mesos.until_state("a", S.RUNNING)
        os.kill(running.container_status.executor_pid, 9)
        failed = await mesos.until_state("a", S.FAILED)
        assert failed.reason is v1.Reason.EXECUTOR_TERMINATED
        assert failed.message == "Executor terminated: terminated with signal Killed"
        await mesos.until(lambda: mesos.failures)
        assert (mesos.failures[0].executor_id.value, mesos.failures[0].status) == ("echo", 9)


async def test_an_executor_that_died_is_started_again_for_the_next_task(kernel, echo):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo})
        running = await mesos.until_state("a", S.RUNNING)
        mesos.mesos.acknowledge = lambda status: None  # the dead one keeps its update
        os.kill(running.container_status.executor_pid, 9)
        await mesos.until_state("a", S.FAILED)
        await mesos.launch({"id": "b", "executor": echo})
        await mesos.until_state("b", S.RUNNING)


async def test_another_executor_info_for_a_running_executor_is_refused(kernel, echo):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo})
        await mesos.until_state("a", S.RUNNING)
        other = codec.replace(echo, command=v1.CommandInfo(value="true"))
        await mesos.launch({"id": "b", "executor": other})
        assert (await mesos.until_state("b", S.ERROR)).reason is v1.Reason.TASK_INVALID


async def test_nested_and_debug_containers(kernel, echo):
    client = Client()

    async def call(**body):
        kind = body.pop("type")
        data = json.dumps({"type": kind, kind.lower(): body}).encode()
        url = f"{kernel.agent.url}/slave(1)/api/v1"
        return await client.request("POST", url, data, (("Content-Type", "application/json"),))

    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", "executor": echo})
        running = await mesos.until_state("a", S.RUNNING)
        parent = {"value": running.container_status.container_id.value}
        main = {"value": "main", "parent": parent}
        command = {"value": "echo $WHO; pwd; exec sleep 600"}
        command["environment"] = {"variables": [{"name": "WHO", "value": "me"}]}
        launch = {"type": "LAUNCH_CONTAINER", "container_id": main, "command": command}
        assert (await call(**launch)).status == 200
        assert (await call(**launch)).status == 202
        probe = {"value": "probe", "parent": main}
        command = {"value": 'test "$WHO" = me && exit 7'}
        debug = {"type": "LAUNCH_CONTAINER", "container_id": probe, "command": command}
        assert (await call(**debug)).status == 200
        ended = await call(type="WAIT_CONTAINER", container_id=probe)
        assert json.loads(ended.body)["wait_container"] == {"exit_status": 7 << 8}
        assert (await call(type="REMOVE_CONTAINER", container_id=probe)).status == 200
        assert (await call(type="WAIT_CONTAINER", container_id=probe)).status == 404
        await kernel.restart_agent()
        assert (await call(type="REMOVE_CONTAINER", container_id=main)).status == 500
        assert (await call(type="KILL_CONTAINER", container_id=main, signal=15)).status == 200
        ended = await call(type="WAIT_CONTAINER", container_id=main)
        assert json.loads(ended.body)["wait_container"] == {"exit_status": 15}
        (output,) = kernel.directory.glob("a/slaves/*/**/containers/main/stdout")
        assert output.read_text().splitlines()[0] == "me"
    await client.close()
