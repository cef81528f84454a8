"""Keeps both connections: a framework of the Mesos master, a client of the Kubernetes API."""

import asyncio
import logging
import os
import pwd
import random
import ssl as tls

import msgspec
from msgspec import Struct

from comity.core.containers import LogLimits
from comity.kube.scheduler.inputs import (
    AgentFailed,
    MasterLost,
    NodeGone,
    NodeSeen,
    OfferRescinded,
    OffersCame,
    PodGone,
    PodSeen,
    StatusCame,
    SubscribedToMaster,
)
from comity.kube.scheduler.machine import PodScheduler
from comity.kube.scheduler.shell.acting import Actor
from comity.kube.scheduler.shell.nodes import Nodes
from comity.kube.scheduler.state import Settings, State
from comity.runtime.driver import Driver
from comity.runtime.http import Client, Headers
from comity.sdk.kubernetes import Api, Json, WatchExpired
from comity.sdk.rest import ApiError, HttpError
from comity.sdk.scheduler import Disconnected, Event, FrameworkFailed, Scheduler
from comity.wire.mesos import scheduler as wire
from comity.wire.mesos import v1

_log = logging.getLogger(__name__)
_ID_KEY = ("kube-system", "comity-scheduler")
_FAILOVER_S = 7 * 86400.0
_RETRY_S = 0.5


class Access(Struct, frozen=True, kw_only=True):
    """Where the API and the master are, and how to speak to them."""

    api_url: str
    ca_pem: str
    token: str
    """The scheduler's own token."""
    node_token: str
    """What node executors show to the API."""
    kubelet_token: str
    """What the API shows to node executors."""
    master_url: str
    master_headers: Headers = ()
    framework_name: str = "kubernetes"
    command: str
    """How agents call us."""
    logs: LogLimits | None = None
    """How much of containers' output is kept; None is for the nodes to say."""


async def run(access: Access, stop: asyncio.Event) -> None:
    """Schedule pods until `stop` is set."""
    client = Client(ssl=tls.create_default_context(cadata=access.ca_pem))
    plain = Client(headers=access.master_headers)
    api = Api(access.api_url, access.token, client)
    try:
        while not stop.is_set():
            framework = await _framework(access, api)
            try:
                await _Session(access, api, plain, framework).run(stop)
            except FrameworkFailed as error:
                _log.warning("the framework is over (%s); starting as a new one", error)
                await _store_id(api, "")
    finally:
        await client.close()
        await plain.close()


async def _framework(access: Access, api: Api) -> v1.FrameworkInfo:
    found = await _until_answered(api)
    framework_id = (found.get("data") or {}).get("frameworkId", "")
    return v1.FrameworkInfo(
        user=pwd.getpwuid(os.getuid()).pw_name,
        name=access.framework_name,
        id=v1.Id(value=framework_id) if framework_id else None,
        failover_timeout=_FAILOVER_S,
        checkpoint=True,
        roles=(access.framework_name,),
        capabilities=tuple(
            v1.FrameworkCapability(type=name)
            for name in ("MULTI_ROLE", "PARTITION_AWARE", "TASK_KILLING_STATE")
        ),
    )


async def _until_answered(api: Api) -> Json:
    """Return the ConfigMap with the framework's id, empty when there is none."""
    while True:
        try:
            return await api.get("configmaps", _ID_KEY)
        except ApiError as error:
            if error.status == 404:
                return {}
            _log.warning("reading the framework's id: %s", error)
        except HttpError as error:
            _log.info("the API is away: %s", error)
        await asyncio.sleep(_RETRY_S)


async def _store_id(api: Api, framework_id: str) -> None:
    """Store the framework's id, for the next start; tried until it is."""
    metadata = {"namespace": _ID_KEY[0], "name": _ID_KEY[1]}
    body = {"metadata": metadata, "data": {"frameworkId": framework_id}}
    while True:
        try:
            try:
                await api.patch("configmaps", _ID_KEY, body)
            except ApiError as error:
                if error.status != 404:
                    raise
                await api.create("configmaps", body)
            return
        except (ApiError, HttpError) as error:
            _log.warning("storing the framework's id: %s", error)
        await asyncio.sleep(_RETRY_S)


class _Session:
    """One life of the framework."""

    def __init__(
        self, access: Access, api: Api, plain: Client, framework: v1.FrameworkInfo
    ) -> None:
        data: Json = {
            "apiserver": access.api_url,
            "ca": access.ca_pem,
            "token": access.node_token,
            "kubeletToken": access.kubelet_token,
        }
        if access.logs is not None:
            data["logs"] = msgspec.structs.asdict(access.logs)
        settings = Settings(
            role=access.framework_name,
            executor_command=f"exec {access.command} kube-node",
            executor_data=msgspec.json.encode(data),
        )
        state = State(settings, random.SystemRandom())
        effects: list[Actor] = []
        self._driver = Driver(PodScheduler(state), launch=lambda effect: effects[0].launch(effect))
        self._api = api
        self._mesos = Scheduler(access.master_url, framework, headers=access.master_headers)
        nodes = Nodes(api, access.master_url, plain, self._driver.clock)
        effects.append(Actor(self._driver, api, self._mesos, nodes))

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, or the framework is over."""
        listed = [asyncio.Event(), asyncio.Event()]
        jobs = [
            asyncio.create_task(self._driver.run_until(stop)),
            asyncio.create_task(self._watch("nodes", listed[0])),
            asyncio.create_task(self._watch("pods", listed[1])),
            asyncio.create_task(self._events(listed)),
        ]
        try:
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._mesos.close()

    # the API

    async def _watch(self, plural: str, listed: asyncio.Event) -> None:
        known: dict[str, Json] = {}
        while True:
            try:
                items, version = await self._api.list(plural)
                present = {item["metadata"]["uid"]: item for item in items}
                for uid in [uid for uid in known if uid not in present]:
                    self._gone(plural, known.pop(uid))
                for item in items:
                    self._seen(plural, item)
                known.update(present)
                listed.set()
                await self._follow(plural, version, known)
            except (HttpError, ApiError, WatchExpired) as error:
                _log.info("watch of %s: %s", plural, error)
                await asyncio.sleep(_RETRY_S)

    async def _follow(self, plural: str, version: str, known: dict[str, Json]) -> None:
        while True:
            async for event in self._api.watch(plural, version):
                item = event["object"]
                version = item["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                uid = item["metadata"]["uid"]
                if event["type"] == "DELETED":
                    known.pop(uid, None)
                    self._gone(plural, item)
                else:
                    known[uid] = item
                    self._seen(plural, item)

    def _seen(self, plural: str, item: Json) -> None:
        self._driver.put(PodSeen(item) if plural == "pods" else NodeSeen(item))

    def _gone(self, plural: str, item: Json) -> None:
        name = item["metadata"]["name"]
        self._driver.put(PodGone(item) if plural == "pods" else NodeGone(name))

    # the master

    async def _events(self, listed: list[asyncio.Event]) -> None:
        for each in listed:
            await each.wait()  # so that reconciliation asks about every pod
        async for batch in self._mesos.batches():
            for event in batch:
                await self._take(event)

    async def _take(self, event: Event) -> None:
        match event:
            case wire.EventSubscribed():
                await _store_id(self._api, event.subscribed.framework_id.value)
                self._driver.put(SubscribedToMaster())
            case Disconnected():
                _log.info("the master is away: %s", event.reason)
                self._driver.put(MasterLost())
            case wire.EventOffers():
                self._driver.put(OffersCame(event.offers.offers))
            case wire.EventRescind():
                self._driver.put(OfferRescinded(event.rescind.offer_id.value))
            case wire.EventUpdate():
                self._mesos.acknowledge(event.update.status)
                self._driver.put(StatusCame(event.update.status))
            case wire.EventFailure():
                failure = event.failure
                if failure.agent_id is not None:
                    executor = failure.executor_id.value if failure.executor_id else None
                    self._driver.put(AgentFailed(failure.agent_id.value, executor))
            case _:
                pass
