"""Marathon on a real master with agents that pretend: launches, rollouts, health, kill -9."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comity.runtime.http import Client, HttpError
from comity.wire.mesos import v1
from support.marathon_link_agent import LinkAgent

APP: dict[str, Any] = {"id": "/a", "cmd": "sleep 100", "cpus": 0.1, "mem": 32}
PATIENCE_S = 30


class Component:
    """One of our programs as a process, started again on the same port after a kill."""

    def __init__(self, name: str, work_dir: Path, *flags: str) -> None:
        self.name, self.work_dir, self.flags = name, work_dir, flags
        self.port = 0
        self.process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        flags = ("--port", str(self.port), "--work-dir", str(self.work_dir / self.name))
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", f"comity.{self.name}", *flags, *self.flags),
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        assert self.process.stderr is not None
        seen = []
        while line := await self.process.stderr.readline():
            seen.append(line)
            if line.startswith(b"ready "):
                self.port = int(line.rpartition(b":")[2])
                self._drain = asyncio.create_task(self.process.stderr.read())
                return
        raise AssertionError(b"".join(seen).decode())

    async def stop(self, signum: int = signal.SIGTERM) -> int:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signum)
        code = await self.process.wait()
        await self._drain
        return code


class Cluster:
    """A master, a Marathon, some agents, and a client."""

    def __init__(self, work_dir: Path) -> None:
        self.client = Client()
        self.master = Component("master", work_dir)
        self.marathon = Component("marathon", work_dir)
        self.agents: list[LinkAgent] = []
        self._running: list[asyncio.Task[None]] = []

    async def start(self, agents: int) -> None:
        await self.master.start()
        self.marathon.flags = ("--master", self.master.url)
        await self.marathon.start()
        for number in range(agents):
            agent = LinkAgent(self.master.url, f"127.0.0.{20 + number}")
            self.agents.append(agent)
            self._running.append(asyncio.create_task(agent.run()))
            await agent.registered.wait()

    async def stop(self) -> None:
        for one in self._running:
            one.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.client.close()
        assert await self.marathon.stop() == 0
        await self.master.stop()

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = b"" if body is None else msgspec.json.encode(body)
        headers = (("Content-Type", "application/json"),)
        answer = await self.client.request(method, self.marathon.url + path, data, headers)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    async def app(self, app_id: str) -> dict[str, Any]:
        return (await self.call("GET", f"/v2/apps{app_id}"))[1]["app"]

    def running(self) -> set[str]:
        return {task_id for agent in self.agents for task_id in agent.tasks}

    async def deployed(self, app_id: str, count: int) -> dict[str, Any]:
        """Wait until an app runs with this many tasks and nothing is being deployed."""

        async def is_there() -> bool:
            app = await self.app(app_id)
            return app["tasksRunning"] == count == len(app["tasks"]) and not app["deployments"]

        await eventually(is_there, f"{app_id} runs with {count} tasks")
        return await self.app(app_id)


async def eventually(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                with contextlib.suppress(HttpError):
                    if await holds():
                        return
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {PATIENCE_S} s: {what}") from None


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    found = Cluster(tmp_path)
    try:
        await found.start(agents=2)
        yield found
    finally:
        await found.stop()


async def test_an_app_from_creation_to_removal(cluster: Cluster) -> None:
    assert (await cluster.call("POST", "/v2/apps", APP | {"instances": 4}))[0] == 201
    app = await cluster.deployed("/a", 4)
    assert {task["id"] for task in app["tasks"]} == cluster.running()
    assert len({task["host"] for task in app["tasks"]}) == 2
    assert all(task["ports"] and task["state"] == "TASK_RUNNING" for task in app["tasks"])
    await cluster.call("PUT", "/v2/apps/a", {"instances": 6})
    before = {task["id"] for task in (await cluster.deployed("/a", 6))["tasks"]}
    await cluster.call("PUT", "/v2/apps/a", {"cmd": "sleep 200"})
    after = {task["id"] for task in (await cluster.deployed("/a", 6))["tasks"]}
    assert not before & after
    victim = sorted(after)[0]
    status, body = await cluster.call("DELETE", f"/v2/apps/a/tasks/{victim}?scale=true")
    assert (status, set(body)) == (200, {"version", "deploymentId"})
    app = await cluster.deployed("/a", 5)
    assert victim not in {task["id"] for task in app["tasks"]}
    await cluster.call("DELETE", "/v2/apps/a")

    async def is_gone() -> bool:
        return not cluster.running() and (await cluster.call("GET", "/v2/deployments"))[1] == []

    await eventually(is_gone, "nothing of the app is left")


async def test_a_hundred_instances_all_run_and_all_are_acknowledged(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"instances": 100, "cpus": 0.05})
    await cluster.deployed("/a", 100)

    async def is_acknowledged() -> bool:
        names = {name for agent in cluster.agents for name in agent.acknowledged}
        return names == cluster.running() and len(names) == 100

    await eventually(is_acknowledged, "every status is acknowledged")


async def test_a_task_that_fails_comes_back_after_its_delay(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"backoffSeconds": 1})
    first = (await cluster.deployed("/a", 1))["tasks"][0]["id"]
    agent = next(one for one in cluster.agents if first in one.tasks)
    await agent.end(first, v1.TaskState.FAILED)

    async def is_back() -> bool:
        app = await cluster.app("/a")
        return [task["id"] for task in app["tasks"]] not in ([], [first])

    await eventually(is_back, "the task is replaced")
    failure = (await cluster.deployed("/a", 1))["lastTaskFailure"]
    assert (failure["taskId"], failure["state"]) == (first, "TASK_FAILED")


async def test_a_killed_marathon_loses_no_write_and_no_task(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"instances": 3})
    await cluster.deployed("/a", 3)
    tasks = cluster.running()
    writes = [
        cluster.call("POST", "/v2/apps", APP | {"id": f"/w{number}", "instances": 1})
        for number in range(20)
    ]
    answers = asyncio.gather(*writes, return_exceptions=True)
    await asyncio.sleep(0)
    await cluster.marathon.stop(signal.SIGKILL)
    acknowledged = [
        one[1]["id"] for one in await answers if isinstance(one, tuple) and one[0] == 201
    ]
    framework_ids = {agent.framework_id() for agent in cluster.agents}
    await cluster.marathon.start()
    known = {one["id"] for one in (await cluster.call("GET", "/v2/apps"))[1]["apps"]}
    assert {"/a", *acknowledged} <= known
    for app_id in known - {"/a"}:
        await cluster.deployed(app_id, 1)
    assert tasks <= cluster.running()
    await cluster.deployed("/a", 3)
    assert {agent.framework_id() for agent in cluster.agents} == framework_ids


async def test_a_killed_master_costs_no_task(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"instances": 4})
    before = {task["id"] for task in (await cluster.deployed("/a", 4))["tasks"]}
    await cluster.master.stop(signal.SIGKILL)
    await cluster.master.start()
    for agent in cluster.agents:
        await agent.registered.wait()
    await cluster.call("PUT", "/v2/apps/a", {"instances": 6})
    after = {task["id"] for task in (await cluster.deployed("/a", 6))["tasks"]}
    assert before <= after == cluster.running()


async def test_a_rollout_goes_on_after_marathon_was_killed(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"instances": 10})
    before = {task["id"] for task in (await cluster.deployed("/a", 10))["tasks"]}
    await cluster.call("PUT", "/v2/apps/a", {"cmd": "sleep 200"})
    await cluster.marathon.stop(signal.SIGKILL)
    await cluster.marathon.start()
    after = {task["id"] for task in (await cluster.deployed("/a", 10))["tasks"]}
    assert not before & after
    assert cluster.running() == after


async def test_a_task_that_ended_while_marathon_was_away_is_replaced(cluster: Cluster) -> None:
    await cluster.call("POST", "/v2/apps", APP | {"instances": 2})
    gone = sorted(task["id"] for task in (await cluster.deployed("/a", 2))["tasks"])[0]
    await cluster.marathon.stop(signal.SIGKILL)
    agent = next(one for one in cluster.agents if gone in one.tasks)
    await agent.end(gone, v1.TaskState.KILLED)
    await cluster.marathon.start()

    async def is_replaced() -> bool:
        return gone not in {task["id"] for task in (await cluster.app("/a"))["tasks"]}

    await eventually(is_replaced, "the ended task is known to have ended")
    await cluster.deployed("/a", 2)


async def test_health_is_probed_and_sick_tasks_are_replaced(cluster: Cluster) -> None:
    statuses = {"status": b"200 OK"}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 " + statuses["status"] + b"\r\nContent-Length: 0\r\n\r\n"
        writer.write(head)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.20", 0)
    port = server.sockets[0].getsockname()[1]
    check = {
        "protocol": "HTTP",
        "port": port,
        "gracePeriodSeconds": 0,
        "intervalSeconds": 1,
        "maxConsecutiveFailures": 1,
    }
    only_there = [["hostname", "CLUSTER", "127.0.0.20"]]
    await cluster.call(
        "POST", "/v2/apps", APP | {"healthChecks": [check], "constraints": only_there}
    )
    app = await cluster.deployed("/a", 1)
    assert app["tasksHealthy"] == 1
    first = app["tasks"][0]
    assert first["healthCheckResults"][0]["alive"] is True
    statuses["status"] = b"500 Broken"

    async def is_replaced() -> bool:
        return first["id"] not in cluster.running() and bool(cluster.running())

    await eventually(is_replaced, "the sick task is replaced")
    assert "health check failed" in (await cluster.app("/a"))["lastTaskFailure"]["message"]
    server.close()
    await server.wait_closed()
