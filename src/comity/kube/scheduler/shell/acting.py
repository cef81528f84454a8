"""Does what the machine asks: calls to the master, writes to the Kubernetes API."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from comity.kube.scheduler import pods
from comity.kube.scheduler.inputs import PodBound
from comity.kube.scheduler.outbox import (
    BindPod,
    CallMaster,
    EnsureNode,
    FailPod,
    MarkNode,
    MarkUnschedulable,
    RecordScheduled,
    RemovePod,
)
from comity.kube.scheduler.shell.nodes import Nodes
from comity.runtime.driver import Driver
from comity.sdk.kubernetes import Api
from comity.sdk.rest import ApiError, HttpError
from comity.sdk.scheduler import Scheduler
from comity.sdk.subscriptions import NotSubscribed
from comity.wire.kubernetes import timestamps
from comity.wire.mesos import scheduler as wire
from comity.wire.mesos import v1

_log = logging.getLogger(__name__)
_RETRY_S = 1.0
_TRIES = 30
"""How often what the next offer asks for anyway is tried."""

Json = dict[str, Any]


class Actor:
    """The effects of the scheduler."""

    def __init__(self, driver: Driver, api: Api, mesos: Scheduler, nodes: Nodes) -> None:
        self._driver = driver
        self._api = api
        self._mesos = mesos
        self._nodes = nodes
        self._count = 0

    def launch(self, effect: Any) -> None:
        """Begin one effect."""
        match effect:
            case CallMaster():
                self._call(effect)
            case BindPod():
                self._driver.spawn(self._bind(effect))
            case EnsureNode():
                self._driver.spawn(self._until_done(lambda: self._nodes.ensure(effect)))
            case MarkNode():
                self._driver.spawn(self._until_done(lambda: self._nodes.mark(effect)))
            case MarkUnschedulable():
                self._driver.spawn(self._unschedulable(effect))
            case RecordScheduled():
                name = f"{effect.pod['metadata']['namespace']}/{effect.pod['metadata']['name']}"
                text = f"Successfully assigned {name} to {effect.node}"
                self._driver.spawn(self._record(effect.pod, "Normal", "Scheduled", text))
            case FailPod():
                self._driver.spawn(self._until_done(lambda: self._fail(effect), None))
            case RemovePod():
                self._driver.spawn(self._until_done(lambda: self._remove(effect), None))
            case _:
                raise AssertionError(f"no such effect: {effect!r}")

    def _call(self, effect: CallMaster) -> None:
        try:
            match effect.name:
                case "accept":
                    self._mesos.accept(effect.offers, effect.tasks, refuse_seconds=effect.refuse_s)
                case "decline":
                    self._mesos.decline(effect.offers, refuse_seconds=effect.refuse_s)
                case "revive":
                    self._mesos.revive()
                case "suppress":
                    self._mesos.suppress()
                case "kill":
                    for task_id, agent_id in effect.task_ids:
                        self._mesos.kill(task_id, agent_id=agent_id)
                case "reconcile":
                    self._mesos.reconcile([_asked(*pair) for pair in effect.task_ids])
                case _:
                    raise AssertionError(f"no such call: {effect.name}")
        except NotSubscribed:
            # The break is an input by now; what was launched is settled by reconciliation.
            _log.info("%s dropped: not subscribed", effect.name)

    async def _bind(self, effect: BindPod) -> None:
        error = ""
        try:
            await self._api.bind(effect.key, effect.node)
        except (ApiError, HttpError) as failure:
            error = str(failure)
            _log.info("binding %s/%s: %s", *effect.key, error)
        self._driver.put(PodBound(effect.uid, effect.node, error))

    async def _unschedulable(self, effect: MarkUnschedulable) -> None:
        metadata = effect.pod["metadata"]
        key = (metadata["namespace"], metadata["name"])
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": effect.message,
            "lastTransitionTime": timestamps.render(self._driver.clock.now()),
        }
        held = (effect.pod.get("status") or {}).get("conditions") or []
        conditions = [each for each in held if each["type"] != "PodScheduled"]
        change = {"status": {"conditions": [*conditions, condition]}}
        try:
            await self._api.patch("pods", key, change, "status")
        except (ApiError, HttpError) as error:
            _log.info("condition of %s/%s: %s", *key, error)
        await self._record(effect.pod, "Warning", "FailedScheduling", effect.message)

    async def _fail(self, effect: FailPod) -> None:
        pod = await self._api.get("pods", effect.key)
        if pods.has_ended(pod):
            return  # its node had the last word
        at = timestamps.render(self._driver.clock.now())
        status = pods.failed_status(pod, effect.reason, effect.message, at)
        change = {"metadata": {"uid": effect.uid}, "status": status}
        await self._api.patch("pods", effect.key, change, "status")
        await self._record(pod, "Warning", effect.reason, effect.message)

    async def _remove(self, effect: RemovePod) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": effect.uid}}
        await self._api.delete("pods", effect.key, options)

    async def _until_done(
        self, attempt: Callable[[], Awaitable[None]], tries: int | None = _TRIES
    ) -> None:
        """Try until the API answers; that an object is gone or another is an answer."""
        for _ in itertools.repeat(None) if tries is None else range(tries):
            try:
                await attempt()
                return
            except ApiError as error:
                if error.status in (404, 409):
                    return
                _log.warning("the API refused: %s", error)
            except HttpError as error:
                _log.info("the API is away: %s", error)
            await asyncio.sleep(_RETRY_S)

    async def _record(self, pod: Json, kind: str, reason: str, message: str) -> None:
        metadata = pod["metadata"]
        now = self._driver.clock.now()
        self._count += 1
        at = timestamps.render(now)
        event = {
            "metadata": {
                "name": f"{metadata['name']}.{int(now * 1e6):x}{self._count:x}",
                "namespace": metadata["namespace"],
            },
            "involvedObject": {
                "kind": "Pod",
                "apiVersion": "v1",
                "namespace": metadata["namespace"],
                "name": metadata["name"],
                "uid": metadata["uid"],
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "source": {"component": "default-scheduler"},
            "firstTimestamp": at,
            "lastTimestamp": at,
            "count": 1,
        }
        try:
            await self._api.create("events", event)
        except (ApiError, HttpError) as error:
            _log.info("event %s of %s: %s", reason, metadata["name"], error)


def _asked(task_id: str, agent_id: str) -> wire.ReconcileTask:
    agent = v1.Id(value=agent_id) if agent_id else None
    return wire.ReconcileTask(task_id=v1.Id(value=task_id), agent_id=agent)
