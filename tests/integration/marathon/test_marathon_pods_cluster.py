"""Pods on a real master and agent: containers run, fail, share a volume, and outlive kill -9."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comity.runtime.http import Client, HttpError
from support.kernel import Kernel, Process

PATIENCE_S = 60
RESOURCES = {"cpus": 0.1, "mem": 32}


class Cluster:
    """A kernel with a Marathon, and a client."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.client = Client()
        work_dir = str(kernel.directory / "marathon")
        args = ("--port", "0", "--work-dir", work_dir, "--master", kernel.master.url)
        self.marathon = Process("comity.marathon", kernel.directory / "marathon.log", *args)

    async def start(self) -> None:
        await self.marathon.start()
        port = self.marathon.url.rpartition(":")[2]
        self.marathon.argv[self.marathon.argv.index("--port") + 1] = port

    async def restart_marathon(self) -> None:
        await self.marathon.end(signal.SIGKILL)
        self.marathon.url = ""
        await self.marathon.start()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else msgspec.json.encode(body)
        headers = (("Content-Type", "application/json"),)
        answer = await self.client.request(method, self.marathon.url + path, data, headers)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    async def status(self, pod_id: str) -> Any:
        return (await self.call("GET", f"/v2/pods{pod_id}::status"))[1]

    async def stable(self, pod_id: str, count: int = 1) -> Any:
        """Wait until a pod has this many stable instances and no deployment."""

        async def is_stable() -> bool:
            found = await self.status(pod_id)
            states = [one["status"] for one in found["instances"]]
            _, deployments = await self.call("GET", "/v2/deployments")
            return states == ["STABLE"] * count and not deployments

        await self.eventually(is_stable, f"{pod_id} is stable")
        return await self.status(pod_id)

    async def eventually(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        if await holds():
                            return
                    except HttpError:  # killed just now, and not back yet
                        pass
                    await asyncio.sleep(0.05)
        except TimeoutError:
            log = self.kernel.directory / "agent.log"
            raise AssertionError(f"not within {PATIENCE_S} s: {what}\n{log.read_text()}") from None

    def output(self, task_id: str) -> str:
        (found,) = self.kernel.directory.glob(
            f"a/slaves/*/frameworks/*/executors/*/runs/latest/tasks/{task_id}/stdout"
        )
        return found.read_text()


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Kernel(tmp_path) as kernel:
        made = Cluster(kernel)
        await made.start()
        try:
            yield made
        finally:
            await made.client.close()
            await made.marathon.end()


def container(name: str, script: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "exec": {"command": {"shell": script}}, "resources": RESOURCES, **fields}


def task_ids(found: Any) -> dict[str, str]:
    """Return the tasks of a pod's first instance by the names of their containers."""
    return {one["name"]: one["containerId"] for one in found["instances"][0]["containers"]}


SHARING = {
    "id": "/g/sharing",
    "environment": {"WORD": "pod", "OTHER": "pod"},
    "volumes": [{"name": "v"}],
    "containers": [
        container(
            "writer",
            "echo $WORD $OTHER > out/file; exec sleep 600",
            environment={"OTHER": "container"},
            volumeMounts=[{"name": "v", "mountPath": "out"}],
        ),
        container(
            "reader",
            "until [ -s in/file ]; do sleep 0.05; done; cat in/file; exec sleep 600",
            volumeMounts=[{"name": "v", "mountPath": "in"}],
        ),
    ],
}


async def test_two_containers_share_a_volume_and_outlive_everything_above(
    cluster: Cluster,
) -> None:
    status, made = await cluster.call("POST", "/v2/pods", SHARING)
    assert (status, made["id"]) == (201, "/g/sharing")
    found = await cluster.stable("/g/sharing")
    tasks = task_ids(found)

    async def has_read() -> bool:
        return cluster.output(tasks["reader"]) == "pod container\n"

    await cluster.eventually(has_read, "the reader sees what the writer wrote")
    await cluster.restart_marathon()
    await cluster.kernel.restart_master()
    await cluster.kernel.restart_agent()
    assert task_ids(await cluster.stable("/g/sharing")) == tasks
    _, groups = await cluster.call("GET", "/v2/groups")
    assert groups["groups"][0]["pods"][0]["status"] == "STABLE"
    assert (await cluster.call("DELETE", "/v2/pods/g/sharing"))[0] == 202

    async def is_over() -> bool:
        _, deployments = await cluster.call("GET", "/v2/deployments")
        return not deployments

    await cluster.eventually(is_over, "the pod's instances have ended")
    assert (await cluster.call("GET", "/v2/pods/g/sharing"))[0] == 404


async def test_one_that_fails_takes_its_siblings_along_and_is_replaced(cluster: Cluster) -> None:
    fails_once = (
        "if [ -e in/seen ]; then exec sleep 600; fi; until [ -e go ]; do sleep 0.05; done; exit 3"
    )
    marks = cluster.kernel.directory / "marks"
    marks.mkdir()
    mounted = [{"name": "marks", "mountPath": "in"}]
    pod = {
        "id": "/fails",
        "volumes": [{"name": "marks", "host": str(marks)}],
        "containers": [
            container("steady", "exec sleep 600"),
            container("frail", fails_once, volumeMounts=mounted),
        ],
        "scheduling": {"backoff": {"backoff": 0.1}},
    }
    assert (await cluster.call("POST", "/v2/pods", pod))[0] == 201
    before = task_ids(await cluster.stable("/fails"))
    (marks / "seen").touch()
    (found,) = cluster.kernel.directory.glob(
        f"a/slaves/*/frameworks/*/executors/*/runs/latest/tasks/{before['frail']}"
    )
    (found / "go").touch()

    async def is_new() -> bool:
        now = await cluster.status("/fails")
        stable = [one["status"] for one in now["instances"]] == ["STABLE"]
        return stable and not set(task_ids(now).values()) & set(before.values())

    await cluster.eventually(is_new, "another instance runs")
    (ended,) = (await cluster.status("/fails"))["terminationHistory"]
    assert ended["message"] == "Command exited with status 3"
    last = {one["containerId"]: one["lastKnownState"] for one in ended["containers"]}
    assert last == {before["frail"]: "TASK_FAILED", before["steady"]: "TASK_KILLED"}


async def test_scaling_updating_and_killing(cluster: Cluster) -> None:
    serve = "exec python3 -m http.server --bind 127.0.0.1 $ENDPOINT_WEB"
    check = {
        "http": {"endpoint": "web", "path": "/", "scheme": "http"},
        "intervalSeconds": 2,
        "timeoutSeconds": 1,
        "delaySeconds": 0,
        "gracePeriodSeconds": 60,
    }
    endpoint = {"name": "web", "hostPort": 0, "protocol": ["tcp"]}
    web = container("web", serve, endpoints=[endpoint], healthCheck=check)
    pod = {"id": "/web", "networks": [{"mode": "host"}], "containers": [web]}
    assert (await cluster.call("POST", "/v2/pods", pod))[0] == 201
    found = await cluster.stable("/web")
    (shown,) = found["instances"][0]["containers"]
    assert shown["endpoints"][0]["healthy"] is True
    port = shown["endpoints"][0]["allocatedHostPort"]
    answer = await cluster.client.request("GET", f"http://127.0.0.1:{port}/")
    assert answer.status == 200
    pod["scaling"] = {"kind": "fixed", "instances": 2}
    assert (await cluster.call("PUT", "/v2/pods/web", pod))[0] == 200
    found = await cluster.stable("/web", 2)
    victim = found["instances"][0]["id"]
    status, killed = await cluster.call("DELETE", f"/v2/pods/web::instances/{victim}")
    assert (status, killed["instanceId"]) == (200, victim)

    async def is_replaced() -> bool:
        now = await cluster.status("/web")
        return victim not in {one["id"] for one in now["instances"]}

    await cluster.eventually(is_replaced, "the instance is gone")
    before = {one["id"] for one in (await cluster.stable("/web", 2))["instances"]}
    pod["labels"] = {"color": "green"}
    assert (await cluster.call("PUT", "/v2/pods/web", pod))[0] == 200
    after = await cluster.stable("/web", 2)
    assert not before & {one["id"] for one in after["instances"]}
    _, versions = await cluster.call("GET", "/v2/pods/web::versions")
    assert len(versions) == 3
    _, first = await cluster.call("GET", f"/v2/pods/web::versions/{versions[0]}")
    assert first["scaling"]["instances"] == 1


async def test_a_container_that_its_check_finds_sick_takes_the_instance_along(
    cluster: Cluster,
) -> None:
    good = cluster.kernel.directory / "marks"
    good.mkdir()
    (good / "well").touch()
    check = {
        "exec": {"command": {"shell": "test -e marks/well"}},
        "delaySeconds": 0,
        "gracePeriodSeconds": 0,
        "intervalSeconds": 1,
        "timeoutSeconds": 0,
        "maxConsecutiveFailures": 1,
    }
    mounted = [{"name": "marks", "mountPath": "marks"}]
    pod = {
        "id": "/checked",
        "volumes": [{"name": "marks", "host": str(good)}],
        "containers": [
            container("plain", "exec sleep 600"),
            container("sick", "exec sleep 600", volumeMounts=mounted, healthCheck=check),
        ],
    }
    status, body = await cluster.call("POST", "/v2/pods", pod)
    assert status == 201, body
    before = task_ids(await cluster.stable("/checked"))
    (good / "well").unlink()

    async def has_gone() -> bool:
        found = await cluster.status("/checked")
        ended = {
            one["containerId"] for each in found["terminationHistory"] for one in each["containers"]
        }
        return set(before.values()) <= ended

    await cluster.eventually(has_gone, "the sick instance is ended whole")
    (good / "well").touch()
    after = task_ids(await cluster.stable("/checked"))
    assert not set(after.values()) & set(before.values())


async def test_artifacts_terminals_and_what_containers_are_told(cluster: Cluster) -> None:
    data = cluster.kernel.directory / "data.txt"
    data.write_text("fetched")
    script = "cat renamed; test -t 1 && echo -n ' tty'; echo \" $MARATHON_CONTAINER_ID $HOST\""
    both = [
        container(
            "only",
            f"{script}; exec sleep 600",
            artifacts=[{"uri": str(data), "destPath": "renamed"}],
            tty=True,
        )
    ]
    assert (await cluster.call("POST", "/v2/pods", {"id": "/told", "containers": both}))[0] == 201
    found = await cluster.stable("/told")
    (instance,) = found["instances"]

    async def has_said() -> bool:
        said = cluster.output(task_ids(found)["only"]).strip()
        return said == f"fetched tty only {instance['agentHostname']}"

    await cluster.eventually(has_said, "the container has said what it was given")


async def test_kill_9_in_the_middle_of_a_rollout_loses_and_doubles_nothing(
    cluster: Cluster,
) -> None:
    pod: dict[str, Any] = {
        "id": "/many",
        "scaling": {"kind": "fixed", "instances": 5},
        "containers": [container("one", "exec sleep 600"), container("two", "exec sleep 600")],
    }

    async def live_tasks() -> set[str]:
        answer = await cluster.client.request("GET", f"{cluster.kernel.master.url}/state")
        state = msgspec.json.decode(answer.body)
        return {task["id"] for one in state["frameworks"] for task in one["tasks"]}

    for color in ("red", "green", "blue"):
        pod["labels"] = {"color": color}
        status, _ = await cluster.call("PUT", "/v2/pods/many?force=true", pod)
        assert status == 200
        await cluster.restart_marathon()
        await cluster.kernel.restart_master()
    found = await cluster.stable("/many", 5)
    assert found["spec"]["labels"] == {"color": "blue"}
    wanted = {one["containerId"] for each in found["instances"] for one in each["containers"]}

    async def is_exact() -> bool:
        return await live_tasks() == wanted

    await cluster.eventually(is_exact, "the master has these tasks and no others")
    version = f"::versions/{found['spec']['version']}"
    assert all(one["specReference"].endswith(version) for one in found["instances"])
