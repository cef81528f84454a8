"""Keeps the link to the master: subscribes, reads events, sends calls in batches, starts over."""

import asyncio
import logging
import random
from typing import Any

from comity.agent import registration
from comity.agent.inputs import LinkLost, MasterSaid
from comity.agent.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Client, Headers, HttpError
from comity.sdk.subscriptions import SubscribeRefused, Subscription
from comity.wire.mesos import codec, link

_log = logging.getLogger(__name__)

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 1.0


class Link:
    """The link of one agent."""

    def __init__(self, driver: Driver, state: State, headers: Headers) -> None:
        self._driver = driver
        self._state = state
        self._headers = headers
        self._url = state.config.master.rstrip("/") + link.PATH
        self._client = Client(headers=headers)
        self._subscription: Subscription | None = None
        self._calls: list[link.Call] = []
        self._flush_set = False
        self._chance = random.Random()  # noqa: S311 - spreads reconnects, guards nothing

    def send(self, call: link.Call) -> None:
        """Queue a call; those of one loop tick go as one request."""
        self._calls.append(call)
        if not self._flush_set:
            self._flush_set = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_set = False
        calls, self._calls = self._calls, []
        if self._subscription is not None and calls:
            self._subscription.post(codec.encode(calls)).add_done_callback(_answered)

    async def run(self) -> None:
        """Keep a link until cancelled."""
        delay_s = _BACKOFF_FIRST_S
        while True:
            try:
                await self._one_link()
                reason = "the master closed the link"
                delay_s = _BACKOFF_FIRST_S
            except (HttpError, SubscribeRefused) as error:
                reason = str(error)
            if self._subscription is not None:
                delay_s = _BACKOFF_FIRST_S
                await self._drop()
                _log.info("link lost: %s", reason)
                self._driver.put(LinkLost(reason))
            else:
                _log.info("no link: %s", reason)
            await asyncio.sleep(self._chance.uniform(delay_s / 2, delay_s))
            delay_s = min(delay_s * 2, _BACKOFF_MAX_S)

    async def _one_link(self) -> None:
        # What the last link still said is part of what the agent brings to the next one.
        await self._driver.caught_up()
        call = link.Subscribe(subscribe=registration.brought(self._state))
        subscription = await Subscription.open(
            self._client, self._url, codec.encode(call), self._headers, carry=(link.LINK_ID,)
        )
        self._subscription = subscription
        self._calls.clear()
        silence_s = 120.0
        async for records in subscription.records(silence_s):
            for record in records:
                event: link.Event = codec.decode(codec.LINK_EVENT, record)
                if isinstance(event, link.EventRegistered):
                    silence_s = event.registered.ping_timeout_seconds
                self._driver.put(MasterSaid(event))

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()

    async def close(self) -> None:
        """Let the link go."""
        await self._drop()
        await self._client.close()


def _answered(answer: "asyncio.Future[Any]") -> None:
    if answer.cancelled() or answer.exception() is not None:
        return  # the broken link is noticed by its reader
    response = answer.result()
    if response.status != 202:
        _log.warning("the master refused calls: %s %s", response.status, response.body.decode())
