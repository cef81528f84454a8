"""Task groups on a real master and agent: nested containers of a default executor."""

import asyncio
import json

import pytest

from comity.resources import text
from comity.runtime.http import Client
from comity.wire.mesos import resources, v1
from comity.wire.mesos.checks import CheckCommand
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
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )
    infos = [mesos.task(offer, **task) for task in tasks]
    mesos.mesos.launch_group([offer], info, infos, refuse_seconds=0)


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


async def test_checks_tell_what_changes(kernel):
    """A check's result follows what the task does; its first success makes a task healthy once."""
    command = v1.CommandInfo(value="test -e ready")
    times = {"delay_seconds": 0.0, "interval_seconds": 0.05}
    health = v1.HealthCheck(type="COMMAND", command=command, **times)
    check = v1.CheckInfo(type="COMMAND", command=CheckCommand(command=command), **times)
    async with kernel.scheduler() as mesos:
        body = "until [ -e go ]; do sleep 0.05; done; touch ready; exec sleep 600"
        await launch(mesos, "x", {"id": "a", "health_check": health, "check": check, **shell(body)})

        def codes():
            found = [one.check_status.command.exit_code for one in mesos.statuses]
            return [code for code in found if code is not None]

        await mesos.until(lambda: codes() == [1])
        runs = "a/slaves/*/frameworks/*/executors/x/runs"
        [sandbox] = kernel.directory.glob(f"{runs}/latest/tasks/a")
        (sandbox / "go").touch()
        await mesos.until(lambda: 0 in codes() and mesos.statuses[-1].healthy)
        assert [one.healthy for one in mesos.statuses].index(True) > 1
        (sandbox / "ready").unlink()
        await mesos.until(lambda: S.KILLED in mesos.states("a"))
        reported = [one.check_status.command.exit_code for one in mesos.statuses[1:]]
        pairs = zip([None, *reported], reported, strict=False)
        changes = [after for before, after in pairs if after != before]
        assert changes[:3] == [1, 0, 1]
        assert mesos.last("a").healthy is False
