"""Command tasks on a real master and agent, seen through the scheduler API and agent reads."""

import asyncio
import json
import os
from pathlib import Path
from urllib.parse import quote

import pytest

from comity.runtime.http import Client
from comity.wire.mesos import v1
from comity.wire.mesos.containers import CapabilityInfo, DockerInfo, LinuxInfo, RLimit, RLimitInfo
from support.kernel import Kernel, shell

S = v1.TaskState


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


@pytest.fixture
async def client():
    made = Client()
    yield made
    await made.close()


async def test_a_command_runs_in_its_sandbox_and_tells_its_states(kernel, client):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("echo $MESOS_TASK_ID in $PWD; exit 3")})
        await mesos.until_state("t", S.FAILED)
        assert mesos.states("t") == [S.STARTING, S.RUNNING, S.FAILED]
        last = mesos.last("t")
        assert last.message == "Command exited with status 3"
        assert last.source is v1.Source.EXECUTOR
        assert last.container_status.network_infos[0].ip_addresses[0].ip_address == "127.0.0.1"
        assert len({one.uuid for one in mesos.statuses}) == 3
        path = f"/frameworks/{mesos.mesos.framework_id.value}/executors/t/runs/latest/stdout"
        url = f"{kernel.agent.url}/slave(1)/files/read?path={quote(path)}&offset=0"
        text = json.loads((await client.request("GET", url)).body)["data"]
        assert text.startswith("t in ")
        assert "/executors/t/runs/" in text


async def test_kill_gives_grace_and_then_none(kernel):
    async with kernel.scheduler() as mesos:
        policy = v1.KillPolicy(grace_period=v1.DurationInfo(nanoseconds=200_000_000))
        stubborn = "trap '' TERM; while :; do sleep 0.05; done"
        await mesos.launch(
            {"id": "polite", **shell("sleep 600")},
            {"id": "stubborn", "kill_policy": policy, **shell(stubborn)},
        )
        for task in ("polite", "stubborn"):
            await mesos.until_state(task, S.RUNNING)
            mesos.mesos.kill(task)
            await mesos.until_state(task, S.KILLED)


async def test_siblings_of_an_invalid_task_run(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch(
            {"id": "big", "resources": "cpus:1000", **shell("true")},
            {"id": "both", **shell("true"), "executor": executor("x")},
            {"id": "fine", **shell("true")},
        )
        await mesos.until_state("fine", S.FINISHED)
        assert mesos.last("big").reason is v1.Reason.TASK_INVALID
        assert mesos.states("both") == [S.ERROR]


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


def executor(name):
    return v1.ExecutorInfo(executor_id=v1.Id(value=name), command=v1.CommandInfo(value="true"))


async def test_a_failed_fetch_fails_the_task(kernel):
    async with kernel.scheduler() as mesos:
        uri = v1.URI(value="/no/such/file")
        await mesos.launch({"id": "t", **shell("true", uris=(uri,))})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        assert "Failed to fetch all URIs for container" in failed.message


async def test_tasks_survive_kill_9_of_the_agent(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch(
            {"id": "stays", **shell("sleep 600")},
            {
                "id": "ends",
                **shell("while [ ! -e $MESOS_SANDBOX/go ]; do sleep 0.05; done; exit 5"),
            },
        )
        await mesos.until_state("stays", S.RUNNING)
        await mesos.until_state("ends", S.RUNNING)
        (sandbox,) = kernel.directory.glob("a/slaves/*/frameworks/*/executors/ends/runs/latest")
        await kernel.agent.end(9)
        (sandbox / "go").touch()
        await kernel.start_agent()
        await mesos.until_state("ends", S.FAILED)
        assert mesos.last("ends").message == "Command exited with status 5"
        mesos.mesos.kill("stays")
        await mesos.until_state("stays", S.KILLED)


async def test_tasks_survive_kill_9_of_the_master(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("sleep 600")})
        await mesos.until_state("t", S.RUNNING)
        mesos.offers.clear()
        await kernel.restart_master()
        await mesos.until(lambda: mesos.offers)
        mesos.mesos.reconcile()
        await mesos.until(lambda: mesos.last("t").reason is v1.Reason.RECONCILIATION)
        assert mesos.last("t").state is S.RUNNING
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLED)


async def test_health_checks_of_the_agent_kill(kernel):
    check = v1.HealthCheck(
        type="COMMAND",
        command=v1.CommandInfo(value="test -e healthy"),
        delay_seconds=0.0,
        interval_seconds=0.1,
        grace_period_seconds=0.0,
        consecutive_failures=2,
    )
    async with kernel.scheduler() as mesos:
        await mesos.launch(
            {"id": "sick", "health_check": check, **shell("sleep 600")},
            {"id": "well", "health_check": check, **shell("touch healthy; sleep 600")},
        )
        killed = await mesos.until_state("sick", S.KILLED)
        assert killed.healthy is False
        await mesos.until(lambda: any(one.healthy for one in mesos.statuses))
        assert S.KILLED not in mesos.states("well")


async def test_teardown_ends_every_task(kernel, client):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **shell("sleep 600")})
        running = await mesos.until_state("t", S.RUNNING)
        await mesos.mesos.teardown()
        pid = running.container_status.executor_pid
        async with asyncio.timeout(20):
            while is_alive(pid):
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/slaves/../../etc", "/frameworks/../../../etc/passwd"]
)
async def test_paths_do_not_leave_the_sandboxes(kernel, client, path):
    for verb in ("browse", "read", "download"):
        answer = await client.request("GET", f"{kernel.agent.url}/files/{verb}?path={path}")
        assert answer.status == 404


async def test_bad_calls_are_refused_and_change_nothing(kernel, client):
    json_type = (("Content-Type", "application/json"),)
    url = f"{kernel.agent.url}/api/v1"
    cases = [
        (b"{", json_type, 400),
        (b'{"type":"NO_SUCH"}', json_type, 501),
        (b"{}", (("Content-Type", "text/plain"),), 415),
        (
            b'{"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":"x"}}}',
            json_type,
            404,
        ),
        (
            b'{"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"x"}}}',
            json_type,
            400,
        ),
    ]
    for body, headers, status in cases:
        assert (await client.request("POST", url, body, headers)).status == status
    subscribe = b'{"type":"SUBSCRIBE","framework_id":{"value":"x"},"executor_id":{"value":"y"}}'
    answer = await client.request("POST", f"{url}/executor", subscribe, json_type)
    assert answer.status == 400
    assert (await client.request("GET", f"{kernel.agent.url}/health")).status == 200


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="capabilities are root's to give")
async def test_a_plain_process_has_the_limits_and_capabilities_it_asks_for(kernel):
    linux = LinuxInfo(
        effective_capabilities=CapabilityInfo(capabilities=("NET_RAW",)),
        bounding_capabilities=CapabilityInfo(capabilities=("NET_RAW", "CHOWN")),
    )
    limits = RLimitInfo(rlimits=(RLimit(type="RLMT_NOFILE", soft=100, hard=200),))
    container = v1.ContainerInfo(type="MESOS", linux_info=linux, rlimit_info=limits)
    script = "ulimit -Sn; ulimit -Hn; grep -E 'Cap(Eff|Bnd)' /proc/self/status"
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", "container": container, **shell(script, user="nobody")})
        await mesos.until_state("t", S.FINISHED)
        (path,) = kernel.directory.glob("a/slaves/*/frameworks/*/executors/t/runs/latest/stdout")
        lines = path.read_text().split()
        assert lines[:2] == ["100", "200"]
        assert [int(each, 16) for each in (lines[3], lines[5])] == [1 << 13, 1 << 13 | 1]


async def test_what_an_agent_cannot_do_is_in_its_attributes_and_in_the_tasks_reason(tmp_path):
    docker = v1.ContainerInfo(type="DOCKER", docker=DockerInfo(image="busybox"))
    async with Kernel(tmp_path, "--no-images") as kernel, kernel.scheduler() as mesos:
        await mesos.until(lambda: mesos.offers)
        found = {one.name: one.text.value for one in mesos.offers[0].attributes if one.text}
        assert found["comity_images"] == "none"
        assert "--no-images" in found["comity_images_missing"]
        assert found["comity_limits"] in ("cgroups-v1", "cgroups-v2", "cgroups-hybrid", "none")
        await mesos.launch({"id": "t", "container": docker, **shell("true")})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        assert found["comity_images_missing"] in failed.message
