"""What the scheduler's shell tells the API of a pod that nobody else can speak for."""

import asyncio
from types import SimpleNamespace
from typing import Any

from comity.kube.scheduler.outbox import FailPod
from comity.kube.scheduler.shell.acting import Actor
from support.kube_scheduler_world import pod

WHY = "Executor terminated: exited with status 7"


class Api:
    """An API with one pod, which keeps what it is told."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found
        self.patched: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []

    async def get(self, resource: str, key: tuple[str, str]) -> dict[str, Any]:
        return self.found

    async def patch(
        self, resource: str, key: tuple[str, str], change: dict[str, Any], subresource: str
    ) -> None:
        self.patched.append(change)

    async def create(self, resource: str, created: dict[str, Any]) -> None:
        self.events.append(created)


def fail(found: dict[str, Any]) -> Api:
    """Have a pod failed; return what the API was told."""
    api = Api(found)
    spawned: list[Any] = []
    driver: Any = SimpleNamespace(spawn=spawned.append, clock=SimpleNamespace(now=lambda: 1.0))
    actor = Actor(driver, api, None, None)  # type: ignore[arg-type]
    metadata = found["metadata"]
    key = (metadata["namespace"], metadata["name"])
    actor.launch(FailPod(key, metadata["uid"], "ExecutorTerminated", WHY))
    [work] = spawned
    asyncio.run(work)
    return api


def test_a_pod_that_lost_its_executor_says_why_in_its_status_and_an_event():
    api = fail(pod(nodeName="node-1"))
    [change] = api.patched
    status = change["status"]
    told = (status["phase"], status["reason"], status["message"])
    assert told == ("Failed", "ExecutorTerminated", WHY)
    [event] = api.events
    assert (event["type"], event["reason"], event["message"]) == (
        "Warning",
        "ExecutorTerminated",
        WHY,
    )


def test_a_pod_whose_node_had_the_last_word_is_left_alone():
    ended = pod(nodeName="node-1")
    ended["status"] = {"phase": "Succeeded"}
    api = fail(ended)
    assert not api.patched
    assert not api.events
