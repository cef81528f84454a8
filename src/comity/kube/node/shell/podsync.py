"""Pods between the API and the machine: a watch one way, statuses the other."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from comity.kube.node import inputs, outbox
from comity.kube.node.shell.api import NodeApi, WatchExpired
from comity.kube.node.state import Json
from comity.sdk.rest import ApiError, HttpError

_log = logging.getLogger(__name__)
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 5.0


async def watch(api: NodeApi, node: str, put: Callable[[Any], None]) -> None:
    """Tell the machine of every change of the node's pods, for ever."""
    delay_s = _RETRY_FIRST_S
    while True:
        try:
            version = await _list(api, node, put)
            delay_s = _RETRY_FIRST_S
            while True:
                version = await _follow(api, node, version, put)
        except WatchExpired:
            _log.info("the watch of pods has expired; listing them again")
        except (HttpError, ApiError) as error:
            _log.warning("watching pods: %s; trying again in %g s", error, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_MAX_S)


async def _list(api: NodeApi, node: str, put: Callable[[Any], None]) -> str:
    found = await api.pods(node)
    for pod in found["items"]:
        put(inputs.PodChanged(pod))
    put(inputs.PodsListed(tuple(pod["metadata"]["uid"] for pod in found["items"])))
    return str(found["metadata"]["resourceVersion"])


async def _follow(api: NodeApi, node: str, version: str, put: Callable[[Any], None]) -> str:
    async for event in api.watch_pods(node, version):
        metadata = event["object"]["metadata"]
        version = str(metadata.get("resourceVersion") or version)
        if event["type"] == "DELETED":
            put(inputs.PodDeleted(metadata["uid"]))
        elif event["type"] != "BOOKMARK":
            put(inputs.PodChanged(event["object"]))
    return version


class StatusWriter:
    """Stores statuses: per pod one call at a time, always the newest, until it is stored."""

    def __init__(
        self, api: NodeApi, put: Callable[[Any], None], spawn: Callable[[Any], None]
    ) -> None:
        self._api = api
        self._put = put
        self._spawn = spawn
        self._wanted: dict[str, outbox.PatchStatus] = {}
        self._busy: set[str] = set()

    def want(self, effect: outbox.PatchStatus) -> None:
        """Have a status stored, instead of any older one that still waits."""
        self._wanted[effect.uid] = effect
        if effect.uid not in self._busy:
            self._busy.add(effect.uid)
            self._spawn(self._write(effect.uid))

    async def _write(self, uid: str) -> None:
        delay_s = _RETRY_FIRST_S
        try:
            while (effect := self._wanted.get(uid)) is not None:
                try:
                    is_there = await self._api.store_status(
                        effect.namespace, effect.name, uid, effect.status
                    )
                except HttpError as error:
                    _log.warning("%s; trying again in %g s", error, delay_s)
                    await asyncio.sleep(delay_s)
                    delay_s = min(2 * delay_s, _RETRY_MAX_S)
                    continue
                delay_s = _RETRY_FIRST_S
                if self._wanted.get(uid) is effect:
                    del self._wanted[uid]
                if is_there:
                    self._put(inputs.StatusStored(uid, effect.seq))
                else:
                    await self._look(effect)
        finally:
            self._busy.discard(uid)

    async def _look(self, effect: outbox.PatchStatus) -> None:
        """A status was refused: is the pod gone, or was the refusal about something else?"""
        found = await self._api.pod(effect.namespace, effect.name)
        self._put(as_input(found, effect.uid))
        if found is not None and found["metadata"]["uid"] == effect.uid:
            self._wanted.setdefault(effect.uid, effect)
            await asyncio.sleep(_RETRY_FIRST_S)


def as_input(found: Json | None, uid: str) -> inputs.PodChanged | inputs.PodDeleted:
    """Turn what a read by name gave into an input about the pod with this uid."""
    if found is None or found["metadata"]["uid"] != uid:
        return inputs.PodDeleted(uid)
    return inputs.PodChanged(found)


async def resolve(api: NodeApi, effect: outbox.ResolveConfig) -> inputs.ConfigResolved:
    """Read the objects that a pod refers to."""
    base = f"/api/v1/namespaces/{effect.namespace}"
    configmaps = {name: await api.read(f"{base}/configmaps/{name}") for name in effect.configmaps}
    secrets = {name: await api.read(f"{base}/secrets/{name}") for name in effect.secrets}
    services: list[Json] = []
    if effect.services:
        found = await api.read(f"{base}/services")
        services += (found or {}).get("items") or ()
        if effect.namespace != "default":
            kubernetes = await api.read("/api/v1/namespaces/default/services/kubernetes")
            services += [kubernetes] if kubernetes else []
    return inputs.ConfigResolved(effect.uid, configmaps, secrets, services)
