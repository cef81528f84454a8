"""kill -9 of master, agent and Kubernetes control plane while pods are created and deleted.

The node executor and its pods run on; no pod is started twice, none is forgotten, and what is
deleted goes with its processes.
"""

import asyncio
import contextlib
import random
from collections import Counter

import msgspec
import pytest

from comity.runtime.http import Client
from comity.sdk.rest import ApiError, HttpError
from support.kernel import Kernel
from support.kube_process import Kubernetes

PODS = 20
DONE_S = 150


class Person:
    """Somebody who creates and deletes pods, and asks again when the API is away."""

    def __init__(self, kernel, kubernetes, book):
        self.kernel = kernel
        self.kubernetes = kubernetes
        self.book = book

    async def create(self, name):
        script = f"echo {name} >> {self.book}; exec sleep 600"
        container = {
            "name": "main",
            "image": "host",
            "command": ["sh", "-c", script],
            "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}},
        }
        spec = {
            "containers": [container],
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 1,
        }
        metadata = {"name": name, "namespace": "default"}
        await self._until_answered("create", "pods", {"metadata": metadata, "spec": spec})

    async def delete(self, name):
        await self._until_answered("delete", "pods", ("default", name), {})

    async def _until_answered(self, method, *args):
        while True:
            try:
                await getattr(self.kubernetes.api, method)(*args)
                return
            except ApiError as error:
                if error.status not in (404, 409):  # which mean: the first attempt was heard
                    raise
                return
            except HttpError:
                await asyncio.sleep(0.05)

    async def phases(self):
        """Return the phases of all pods by name, and why some failed."""
        pods, _ = await self.kubernetes.api.list("pods", "default")
        said = ("phase", "reason", "message")
        return {
            pod["metadata"]["name"]: " ".join(
                pod["status"][word] for word in said if word in pod["status"]
            )
            for pod in pods
        }

    async def tasks(self):
        """Return the names of the tasks that the master takes for alive."""
        client = Client()
        try:
            answer = await client.request("GET", f"{self.kernel.master.url}/state")
        finally:
            await client.close()
        state = msgspec.json.decode(answer.body)
        return {task["name"] for one in state["frameworks"] for task in one["tasks"]}

    def started(self):
        """Count how often each pod was started."""
        return Counter(self.book.read_text().split())

    async def eventually(self, look, wanted):
        found = None
        try:
            async with asyncio.timeout(DONE_S):
                while found != wanted:
                    with contextlib.suppress(HttpError, OSError):
                        found = await look()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise AssertionError(f"wanted {wanted}, last seen {found}") from None


@pytest.mark.parametrize("seed", [2, 11])
async def test_killing_everything_while_pods_come_and_go(tmp_path, seed):
    chance = random.Random(seed)
    book = tmp_path / "started"
    book.touch()
    async with Kernel(tmp_path) as kernel, Kubernetes(tmp_path, kernel.master.url) as kubernetes:
        person = Person(kernel, kubernetes, book)
        names = [f"pod-{number}" for number in range(PODS)]
        kills = [kernel.restart_master, kernel.restart_agent, kubernetes.restart] * 2
        chance.shuffle(kills)
        kept = set(names)

        async def work():
            for number, name in enumerate(names):
                await person.create(name)
                await asyncio.sleep(chance.uniform(0, 0.2))
                if number % 2 and chance.random() < 0.7:
                    victim = names[chance.randrange(number)]
                    kept.discard(victim)
                    await person.delete(victim)

        working = asyncio.create_task(work())
        for kill in kills:
            await asyncio.sleep(chance.uniform(0.0, 0.7))  # any instant will do
            await kill()
        await working

        async def tasks():
            return await person.tasks()

        await person.eventually(person.phases, dict.fromkeys(kept, "Running"))
        await person.eventually(tasks, kept)
        started = person.started()
        assert set(started.values()) == {1}, "a pod was started twice"
        assert kept <= set(started)
        for name in kept:
            await person.delete(name)
        await person.eventually(person.phases, {})
        await person.eventually(tasks, set())
