"""kill -9 of master, agent and Marathon while an app is rolled out, scaled and its tasks killed.

In the end there are the wanted tasks and no others: in Marathon, in the master, and as processes.
"""

import asyncio
import contextlib
import random
import signal
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from comity.runtime.http import Client, HttpError
from support.kernel import Kernel, Process

DONE_S = 60
STEPS = 8


class Operator:
    """Somebody who changes an app and asks again when Marathon is away."""

    def __init__(self, kernel, directory):
        self.kernel = kernel
        self.book = directory / "started"
        self.book.touch()
        self.marathon = Process(
            "comity.marathon",
            directory / "marathon.log",
            *("--master", kernel.master.url, "--port", "0", "--work-dir", str(directory / "w")),
        )
        self.client = Client(headers=(("Content-Type", "application/json"),))

    async def __aenter__(self):
        await self.marathon.start()
        argv = self.marathon.argv
        argv[argv.index("--port") + 1] = self.marathon.url.rpartition(":")[2]
        return self

    async def __aexit__(self, *error):
        await self.client.close()
        await self.marathon.end()

    async def restart(self):
        await self.marathon.end(signal.SIGKILL)
        self.marathon.url = ""
        await self.marathon.start()

    async def send(self, method, path, body=None):
        while True:
            try:
                data = b"" if body is None else msgspec.json.encode(body)
                answer = await self.client.request(method, f"{self._url}{path}", data)
            except HttpError:
                await asyncio.sleep(0.05)
                continue
            assert answer.status < 500 or answer.status == 503, answer.body
            if answer.status < 300:
                return msgspec.json.decode(answer.body)
            await asyncio.sleep(0.05)

    @property
    def _url(self):
        argv = self.marathon.argv
        return f"http://127.0.0.1:{argv[argv.index('--port') + 1]}"

    async def put(self, instances, version):
        body = {
            "cmd": f"echo $MESOS_TASK_ID >> {self.book}; exec sleep 600",
            "cpus": 0.05,
            "mem": 16,
            "instances": instances,
            "labels": {"version": str(version)},
            "env": {"VERSION": str(version)},
            "backoffSeconds": 0,
            "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.5},
        }
        await self.send("PUT", "/v2/apps/many?force=true", body)

    async def look(self, version):
        """Return how many tasks of which kind there are, by everyone's word."""
        app = (await self.send("GET", "/v2/apps/many"))["app"]
        ids = {task["id"] for task in app["tasks"] if task["state"] == "TASK_RUNNING"}
        current = [task for task in app["tasks"] if task["version"] == app["version"]]
        answer = await self.client.request("GET", f"{self.kernel.master.url}/state")
        state = msgspec.json.decode(answer.body)
        known = {task["id"] for one in state["frameworks"] for task in one["tasks"]}
        running = self.processes()
        return (
            len(ids),
            len(current),
            len(app["deployments"]),
            app["labels"]["version"] == str(version),
            known == ids,
            running == ids,
        )

    def processes(self):
        """Return the tasks whose commands run, as the kernel knows them."""
        found = set()
        for environ in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                variables = dict(
                    each.partition(b"=")[::2] for each in environ.read_bytes().split(b"\0")
                )
                sandbox = variables.get(b"MESOS_SANDBOX", b"").decode()
                if sandbox.startswith(str(self.kernel.directory)):
                    found.add(variables.get(b"MESOS_TASK_ID", b"").decode())
        return found

    async def eventually(self, version, wanted):
        found = None
        try:
            async with asyncio.timeout(DONE_S):
                while found != wanted:
                    with contextlib.suppress(HttpError):
                        found = await self.look(version)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"wanted {wanted}, last seen {found}") from None


@pytest.mark.parametrize("seed", [3, 4, 5])
async def test_killing_everything_while_an_app_changes(tmp_path, seed):
    chance = random.Random(seed)
    async with Kernel(tmp_path) as kernel, Operator(kernel, tmp_path) as operator:
        instances = 0

        async def work():
            nonlocal instances
            for version in range(STEPS):
                instances = chance.randrange(1, 13)
                await operator.put(instances, version)
                await asyncio.sleep(chance.uniform(0, 0.5))
                if chance.random() < 0.5:
                    await operator.send("DELETE", "/v2/apps/many/tasks")

        kills = [kernel.restart_master, kernel.restart_agent, operator.restart] * 2
        chance.shuffle(kills)
        working = asyncio.create_task(work())
        for kill in kills:
            await asyncio.sleep(chance.uniform(0.0, 0.7))  # any instant will do
            await kill()
        await working
        wanted = (instances, instances, 0, True, True, True)
        await operator.eventually(STEPS - 1, wanted)
        started = Counter(operator.book.read_text().split())
        assert set(started.values()) == {1}, "a task was started twice"
