"""From start to end of the process: subscribe, learn who we are, run the node, leave in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import msgspec

from comity.core.errors import UserError
from comity.kube.node import inputs
from comity.kube.node.config import Config, decode_data
from comity.kube.node.shell.node import Node
from comity.kube.node.state import NodeFacts
from comity.runtime import logs, process
from comity.sdk.executor import Event, Executor, ExecutorFailed
from comity.wire.mesos import executor as wire
from comity.wire.mesos.v1 import Attribute, Resource, TaskInfo

T = TypeVar("T")

_log = logging.getLogger(__name__)
_FLUSH_S = 2.0


async def serve(config: Config, agent: Executor, stop: asyncio.Event) -> None:
    """Run the node until the agent, a signal or a failure ends it.

    Raises:
        UserError: the agent gave us up, or what we were given is of no use.
    """
    events = agent.events()
    try:
        body = await _subscribed(events, stop)
        if body is not None:
            node = make_node(config, agent, body)
            try:
                await node.start()
                process.settle_heap()
                logs.ready(f"http://{config.ip}:{node.machine.state.facts.kubelet_port}")
                await _run(config, node, events, stop)
                await agent.flushed(_FLUSH_S)
            finally:
                await node.close()
    except ExecutorFailed as error:
        raise UserError(f"the agent ended this executor: {error}") from error


def make_node(config: Config, agent: Executor, body: wire.SubscribedBody) -> Node:
    """Make the node that the agent's SUBSCRIBED describes."""
    data = decode_data(body.executor_info.data)
    attributes = body.agent_info.attributes
    facts = NodeFacts(
        name=body.agent_info.hostname,
        ip=config.ip,
        sandbox=str(config.sandbox),
        has_bridge=_said(attributes, "comity_network") == "bridge",
        no_bridge=_said(attributes, "comity_network_missing"),
        no_limits=_said(attributes, "comity_limits_missing"),
        cpus=_total(body.agent_info.resources, "cpus"),
        mem_mb=_total(body.agent_info.resources, "mem"),
        kubelet_port=_port(body.executor_info.resources),
        logs=data.logs,
    )
    return Node(config, data, facts, agent)


def _said(attributes: tuple[Attribute, ...], name: str) -> str:
    """Return the text of an attribute, empty without it."""
    return next((one.text.value for one in attributes if one.name == name and one.text), "")


def _total(resources: tuple[Resource, ...], name: str) -> float:
    return sum(each.scalar.value for each in resources if each.name == name and each.scalar)


def _port(resources: tuple[Resource, ...]) -> int:
    for each in resources:
        if each.name == "ports" and each.ranges and each.ranges.range:
            return each.ranges.range[0].begin
    raise UserError("the executor was given no port: its ExecutorInfo needs one for our endpoint")


async def _subscribed(
    events: AsyncIterator[Event], stop: asyncio.Event
) -> wire.SubscribedBody | None:
    """Return the body of the first SUBSCRIBED; None when we are stopped before."""

    async def first() -> wire.SubscribedBody | None:
        async for event in events:
            if isinstance(event, wire.EventSubscribed):
                return event.subscribed
        return None

    return await _unless_stopped(first(), stop)


async def _unless_stopped(job: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    working, stopping = asyncio.ensure_future(job), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        for each in (working, stopping):
            each.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def _run(
    config: Config, node: Node, events: AsyncIterator[Event], stop: asyncio.Event
) -> None:
    jobs = {
        asyncio.ensure_future(each)
        for each in (node.driver.run(), _read(config, node, events), node.finished.wait())
    }
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({*jobs, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            node.driver.put(inputs.ShutdownAsked(config.shutdown_grace_s))
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in jobs:
            if job.done():
                job.result()
    finally:
        for each in (*jobs, stopping):
            each.cancel()
        await asyncio.gather(*jobs, stopping, return_exceptions=True)


async def _read(config: Config, node: Node, events: AsyncIterator[Event]) -> None:
    """Turn the agent's events into inputs. Ends only by an exception."""
    async for event in events:
        for item in to_inputs(event, config.shutdown_grace_s):
            node.driver.put(item)


def to_inputs(event: Event, shutdown_grace_s: float) -> list[inputs.Input]:
    """Return what an event of the agent means to the machine."""
    match event:
        case wire.EventLaunch():
            return [_assigned(event.launch.task)]
        case wire.EventLaunchGroup():
            text = "a node executor runs no task groups: launch each pod as one task"
            return [
                inputs.TaskRefused(task.task_id.value, text)
                for task in event.launch_group.task_group.tasks
            ]
        case wire.EventKill():
            policy = event.kill.kill_policy
            grace = policy.grace_period if policy is not None else None
            seconds = None if grace is None else grace.nanoseconds / 1e9
            return [inputs.TaskKilled(event.kill.task_id.value, seconds)]
        case wire.EventShutdown():
            return [inputs.ShutdownAsked(shutdown_grace_s)]
        case _:
            return []


def _assigned(task: TaskInfo) -> inputs.PodAssigned | inputs.TaskRefused:
    task_id = task.task_id.value
    with contextlib.suppress(msgspec.DecodeError):
        pod = msgspec.json.decode(task.data or b"")
        if isinstance(pod, dict) and _is_pod(pod):
            return inputs.PodAssigned(task_id, pod)
    return inputs.TaskRefused(task_id, "TaskInfo.data is no pod: it must be a Pod's JSON")


def _is_pod(pod: dict[str, Any]) -> bool:
    metadata, spec = pod.get("metadata"), pod.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        return False
    return bool(metadata.get("uid") and metadata.get("name") and spec.get("containers"))
