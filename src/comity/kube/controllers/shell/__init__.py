"""Runs all controllers against one API server: watches, a queue, a few workers."""

import asyncio
import logging
import ssl as tls
from collections.abc import Coroutine
from typing import Any

from comity.kube.controllers import garbage, routing
from comity.kube.controllers.routing import Look
from comity.kube.controllers.shell.acting import Hands, now
from comity.kube.controllers.shell.queue import Queue
from comity.kube.controllers.view import View
from comity.runtime.http import Client
from comity.sdk.kubernetes import BY_PLURAL, Api, WatchExpired
from comity.sdk.rest import ApiError, HttpError

_log = logging.getLogger(__name__)

WATCHED = tuple(sorted(set(BY_PLURAL) - {"events"}))
"""Every kind may own something or be owned; events are of no interest to anybody here."""

_WORKERS = 4
_RETRY_FIRST_S = 0.1
_RETRY_MAX_S = 2.0
_OLD_PODS_S = 30.0


async def run(url: str, token: str, ca_pem: str, stop: asyncio.Event) -> None:
    """Run the controllers until `stop` is set, however often the API goes away meanwhile."""
    context = tls.create_default_context(cadata=ca_pem) if url.startswith("https:") else None
    client = Client(ssl=context)
    view, queue = View(), Queue()
    controllers = _Controllers(Api(url, token, client), view, queue, ca_pem)
    try:
        async with asyncio.TaskGroup() as group:
            jobs = [group.create_task(job) for job in controllers.jobs()]
            await stop.wait()
            for job in jobs:
                job.cancel()
    finally:
        queue.close()
        await client.close()


class _Controllers:
    """The jobs of all controllers."""

    def __init__(self, api: Api, view: View, queue: Queue, ca_pem: str) -> None:
        self._api = api
        self._view = view
        self._queue = queue
        self._ca_pem = ca_pem
        self._hands = Hands(api, view, queue)
        self._listed: set[str] = set()
        self._complete = asyncio.Event()

    def jobs(self) -> list[Coroutine[Any, Any, None]]:
        """Return the coroutines that make up the controllers."""
        watches = [self._follow(plural) for plural in WATCHED]
        return [*watches, *(self._work() for _ in range(_WORKERS)), self._sweep()]

    # watching

    async def _follow(self, plural: str) -> None:
        """Keep one kind up to date in the view, for ever."""
        delay_s, version = _RETRY_FIRST_S, ""
        while True:
            try:
                if not version:
                    version = await self._list(plural)
                async for event in self._api.watch(plural, version):
                    item = event["object"]
                    version = item["metadata"]["resourceVersion"]
                    self._take(plural, event["type"], item)
                    delay_s = _RETRY_FIRST_S
            except WatchExpired:
                version = ""
            except ApiError as error:
                _log.warning("listing %s: %s", plural, error)
                version = ""
            except HttpError as error:
                _log.info("watching %s: %s", plural, error)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_MAX_S)

    async def _list(self, plural: str) -> str:
        items, version = await self._api.list(plural)
        for item in self._view.missing(plural, items):
            self._hands.gone(plural, item, by_watch=True)
        for item in items:
            self._hands.seen(plural, item)
        self._listed.add(plural)
        if len(self._listed) == len(WATCHED):
            self._complete.set()
        return version

    def _take(self, plural: str, kind: str, item: dict[str, object]) -> None:
        if kind == "DELETED":
            self._hands.gone(plural, item, by_watch=True)
        elif kind in ("ADDED", "MODIFIED"):
            self._hands.seen(plural, item)

    # working

    async def _work(self) -> None:
        """Carry out looks, once everything has been listed: half a view misleads."""
        await self._complete.wait()
        while True:
            look = await self._queue.take()
            failed = True
            try:
                await self._carry_out(look)
                failed = False
            except ApiError as error:
                level = logging.INFO if error.status in (404, 409) else logging.WARNING
                _log.log(level, "%s %s/%s: %s", look.controller, *look.key, error)
            except HttpError as error:
                _log.info("%s %s/%s: %s", look.controller, *look.key, error)
            finally:
                self._queue.done(look, failed=failed)

    async def _carry_out(self, look: Look) -> None:
        for action in routing.reconcile(look, self._view, now(), self._ca_pem):
            await self._hands.act(look, action)

    async def _sweep(self) -> None:
        """Now and then, delete pods that nobody else deletes."""
        await self._complete.wait()
        while True:
            await asyncio.sleep(_OLD_PODS_S)
            look = Look("garbage", "pods", ("", ""))
            for action in garbage.old_pods(self._view, now()):
                try:
                    await self._hands.act(look, action)
                except (ApiError, HttpError) as error:
                    _log.warning("deleting old pods: %s", error)
