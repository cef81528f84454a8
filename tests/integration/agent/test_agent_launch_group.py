"""Task groups on a real master and agent: nested containers of a default executor."""

import asyncio
import json

import pytest

from comity.resources import text
from comity.runtime.http import Client
from comity.wire.mesos import resources, scheduler, v1
from comity.wire.mesos.containers import SandboxPath, VolumeSource
from support.kernel import Kernel, shell

S = v1.TaskState


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


async def launch(mesos, name, *tasks):
    """Launch a group on a default executor, which may run already."""
    await mesos.until(lambda: mesos.offers)
    offer = mesos.offers.pop()
    info = v1.ExecutorInfo(
        executor_id=v1.Id(value=name),
        type=v1.ExecutorType.DEFAULT,
        framework_id=mesos.mesos.framework_id,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )
    group = v1.TaskGroupInfo(tasks=tuple(mesos.task(offer, **task) for task in tasks))
    operation = v1.Operation(
        type="LAUNCH_GROUP", launch_group=v1.LaunchGroup(executor=info, task_group=group)
    )
    body = scheduler.AcceptBody(
        offer_ids=(offer.id,), operations=(operation,), filters=v1.Filters(refuse_seconds=0.0)
    )
    framework_id = mesos.mesos.framework_id
    mesos.mesos.call(scheduler.Accept(framework_id=framework_id, accept=body))


def parents(path):
    """Return a container whose `shared` is the executor's directory of that name."""
    source = VolumeSource(type="SANDBOX_PATH", sandbox_path=SandboxPath(type="PARENT", path=path))
    volume = v1.Volume(container_path="shared", mode="RW", source=source)
    return v1.ContainerInfo(type="MESOS", volumes=(volume,))


async def test_one_that_fails_takes_its_group_along_and_leaves_the_others(kernel):
    async with kernel.scheduler() as mesos:
        await launch(mesos, "x", {"id": "other", **shell("sleep 600")})
        await mesos.until_state("other", S.RUNNING)
        await launch(
            mesos,
            "x",
            {"id": "a", **shell("sleep 600")},
            {"id": "b", **shell("sleep 600")},
            {"id": "done", **shell("true")},
            {
                "id": "c",
                "container": parents("v"),
                **shell("until [ -e shared/go ]; do sleep 0.05; done; exit 3"),
            },
        )
        for task in ("a", "b", "c"):
            await mesos.until_state(task, S.RUNNING)
        finished = await mesos.until_state("done", S.FINISHED)
        assert finished.container_status.container_id.parent is not None
        assert S.KILLED not in mesos.states("a")
        [run] = kernel.directory.glob("a/slaves/*/frameworks/*/executors/x/runs/latest")
        assert {one.name for one in (run / "tasks").iterdir()} == {"other", "a", "b", "c", "done"}
        assert (run / "tasks" / "c" / "stdout").exists()
        (run / "v" / "go").touch()
        assert (await mesos.until_state("c", S.FAILED)).message == "Command exited with status 3"
        for task in ("a", "b"):
            await mesos.until_state(task, S.KILLED)
        assert mesos.states("other")[-1] is S.RUNNING
        assert not mesos.failures
        mesos.mesos.kill("other")
        await mesos.until_state("other", S.KILLED)
        await mesos.until(lambda: mesos.failures)
        [failure] = mesos.failures
        assert (failure.executor_id.value, failure.status) == ("x", 0)


async def test_the_environment_of_a_groups_task_is_small(kernel):
    async with kernel.scheduler() as mesos:
        await launch(mesos, "x", {"id": "a", **shell("env")})
        await mesos.until_state("a", S.FINISHED)
        [out] = kernel.directory.glob(
            "a/slaves/*/frameworks/*/executors/x/runs/latest/tasks/a/stdout"
        )
        names = {line.partition("=")[0] for line in out.read_text().splitlines()}
        assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == {
            "MESOS_SANDBOX",
            "MESOS_CONTAINER_IP",
            "MESOS_ALLOCATION_ROLE",
            "PATH",
        }


async def test_groups_survive_kill_9_of_the_agent(kernel):
    client = Client()
    async with kernel.scheduler() as mesos:
        await launch(
            mesos, "x", {"id": "a", **shell("sleep 600")}, {"id": "b", **shell("sleep 600")}
        )
        for task in ("a", "b"):
            await mesos.until_state(task, S.RUNNING)
        await kernel.restart_agent()
        async with asyncio.timeout(30):
            while True:
                answer = await client.request("GET", f"{kernel.agent.url}/state")
                frameworks = json.loads(answer.body)["frameworks"]
                if frameworks and frameworks[0]["executors"]:
                    break
                await asyncio.sleep(0.05)
        [shown] = frameworks[0]["executors"]
        assert (shown["id"], shown["type"]) == ("x", "DEFAULT")
        assert [one["state"] for one in shown["tasks"]] == ["TASK_RUNNING"] * 2
        mesos.mesos.kill("a")
        for task in ("a", "b"):
            await mesos.until_state(task, S.KILLED)
    await client.close()
