"""Write an executor: the program that an agent starts to run a framework's tasks.

    async with Executor.from_environment() as agent:
        async for event in agent.events():
            match event:
                case wire.EventLaunch():
                    agent.update(...)

What was launched and not yet acknowledged is kept here and sent again after a reconnection, as the
v1 executor API asks: an agent that restarts finds nothing lost.
"""

import asyncio
import logging
import os
import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from types import TracebackType

from msgspec import Struct

from comity.core.errors import ComityError, UserError
from comity.runtime import tls
from comity.runtime.http import Client, HttpError, Response
from comity.sdk.subscriptions import CallRefused, SubscribeRefused, Subscription, check
from comity.wire.mesos import codec, v1
from comity.wire.mesos import executor as wire

_log = logging.getLogger(__name__)

PATH = "/api/v1/executor"
_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 2.0
_SILENCE_MAX_S = 3600.0  # an agent sends an executor a heartbeat every half hour


class ExecutorFailed(ComityError):
    """The agent sent ERROR, or did not come back within the recovery timeout: end the process."""


class Disconnected(Struct, frozen=True):
    """The agent is away; tasks keep running, updates are kept."""

    reason: str


Event = wire.Event | Disconnected
"""What `Executor.events` yields: the API's events, and breaks of the connection."""


class Identity(Struct, frozen=True):
    """Who this executor is, as the agent said in its environment."""

    agent_url: str
    framework_id: str
    executor_id: str
    recovery_timeout_s: float
    """How long to wait for an agent that is away; 0 when the framework does not checkpoint."""
    backoff_max_s: float = 1.0
    """The longest pause between two attempts to subscribe."""
    token: str = ""
    """What proves to the agent who this is; empty when it does not ask."""

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> "Identity":
        """Read the MESOS_* variables.

        Raises:
            UserError: a variable is missing: this was not started by an agent.
        """
        environ = os.environ if environ is None else environ
        try:
            return cls(
                agent_url=f"{tls.agent_scheme(environ)}://{environ['MESOS_AGENT_ENDPOINT']}",
                framework_id=environ["MESOS_FRAMEWORK_ID"],
                executor_id=environ["MESOS_EXECUTOR_ID"],
                recovery_timeout_s=_recovery_timeout_s(environ),
                backoff_max_s=_backoff_max_s(environ),
                token=environ.get(_TOKEN, ""),
            )
        except KeyError as error:
            raise UserError(
                f"{error.args[0]} is not set: an executor is started by an agent, not by hand"
            ) from error


_TOKEN = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN"  # noqa: S105 - a name
_UNITS_S = {
    "ns": 1e-9,
    "us": 1e-6,
    "ms": 1e-3,
    "secs": 1.0,
    "mins": 60.0,
    "hrs": 3600.0,
    "days": 86400.0,
    "weeks": 604800.0,
}


def _recovery_timeout_s(environ: Mapping[str, str]) -> float:
    if environ.get("MESOS_CHECKPOINT") != "1":
        return 0.0
    return _duration_s(environ, "MESOS_RECOVERY_TIMEOUT", "15mins")


def _backoff_max_s(environ: Mapping[str, str]) -> float:
    """Return the longest pause: it must not use up the time that a restarted agent allows."""
    allowed_s = _duration_s(environ, "MESOS_SUBSCRIPTION_BACKOFF_MAX", "2secs")
    return max(_BACKOFF_FIRST_S, min(_BACKOFF_MAX_S, allowed_s / 2))


def _duration_s(environ: Mapping[str, str], name: str, default: str) -> float:
    text = environ.get(name, default)
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        return float(number) * _UNITS_S[text[len(number) :]]
    except (ValueError, KeyError) as error:
        raise UserError(f"{name} is no duration: {text}") from error


class Executor:
    """One executor's connection to its agent."""

    def __init__(self, identity: Identity, *, format: codec.Format = codec.Format.JSON) -> None:
        self.identity = identity
        self._format = format
        self._url = identity.agent_url + PATH
        self._client = Client()
        bearer = ("Authorization", f"Bearer {identity.token}")
        self._headers = (bearer,) if identity.token else ()
        self._subscription: Subscription | None = None
        self._tasks: dict[str, v1.TaskInfo] = {}
        self._updates: dict[bytes, wire.UpdateBody] = {}
        self._ids = {
            "framework_id": v1.Id(value=identity.framework_id),
            "executor_id": v1.Id(value=identity.executor_id),
        }

    @classmethod
    def from_environment(cls, *, format: codec.Format = codec.Format.JSON) -> "Executor":
        """Return the executor that the agent's environment describes."""
        return cls(Identity.from_environment(), format=format)

    async def __aenter__(self) -> "Executor":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._drop()
        await self._client.close()

    async def events(self) -> AsyncIterator[Event]:
        """Yield events until the executor has to end.

        Raises:
            ExecutorFailed: the agent said ERROR, or stayed away for longer than the recovery
                timeout.
        """
        chance = random.Random()  # noqa: S311 - spreads reconnects, guards nothing
        delay_s = _BACKOFF_FIRST_S
        away_since = time.monotonic()
        while True:
            try:
                async for event in self._one_subscription():
                    delay_s = _BACKOFF_FIRST_S
                    yield event
                reason = "the agent closed the stream"
            except HttpError as error:
                reason = str(error)
            except SubscribeRefused as error:
                raise ExecutorFailed(str(error)) from error
            if self._subscription is not None:
                away_since = time.monotonic()
                await self._drop()
                yield Disconnected(reason)
            if time.monotonic() - away_since > self.identity.recovery_timeout_s:
                raise ExecutorFailed(f"the agent is away: {reason}")
            await asyncio.sleep(chance.uniform(delay_s / 2, delay_s))
            delay_s = min(delay_s * 2, self.identity.backoff_max_s)

    async def _one_subscription(self) -> AsyncIterator[Event]:
        body = wire.SubscribeBody(
            unacknowledged_tasks=tuple(self._tasks.values()),
            unacknowledged_updates=tuple(self._updates.values()),
        )
        call = wire.Subscribe(subscribe=body, **self._ids)
        data = codec.encode(call, self._format)
        told = set(self._updates)
        subscription = await Subscription.open(
            self._client, self._url, data, self._headers, format=self._format
        )
        self._subscription = subscription
        for each in [each for key, each in self._updates.items() if key not in told]:
            self._send(wire.Update(update=each, **self._ids))  # made while we were subscribing
        async for records in subscription.records(_SILENCE_MAX_S):
            for record in records:
                yield self._decode(record)

    def _decode(self, record: bytes) -> wire.Event:
        try:
            event: wire.Event = codec.decode(codec.EXECUTOR_EVENT, record, self._format)
        except codec.UnknownType:
            return wire.EventUnknown()
        match event:
            case wire.EventLaunch():
                self._tasks[event.launch.task.task_id.value] = event.launch.task
            case wire.EventLaunchGroup():
                for task in event.launch_group.task_group.tasks:
                    self._tasks[task.task_id.value] = task
            case wire.EventAcknowledged():
                self._updates.pop(event.acknowledged.uuid, None)
                self._tasks.pop(event.acknowledged.task_id.value, None)
            case wire.EventError():
                raise ExecutorFailed(event.error.message)
            case _:
                pass
        return event

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()

    def update(self, status: v1.TaskStatus) -> None:
        """Report a task's state; kept and sent again until the agent has acknowledged it.

        The uuid, the source, the executor's id and the time are filled in here.
        """
        status = codec.replace(
            status,
            uuid=uuid.uuid4().bytes,
            source=v1.Source.EXECUTOR,
            executor_id=self._ids["executor_id"],
            timestamp=time.time() if status.timestamp is None else status.timestamp,
        )
        body = wire.UpdateBody(status=status)
        assert status.uuid is not None
        self._updates[status.uuid] = body
        self._send(wire.Update(update=body, **self._ids))

    def message(self, data: bytes) -> None:
        """Send bytes to the scheduler; they may be lost."""
        self._send(wire.Message(message=wire.MessageBody(data=data), **self._ids))

    def _send(self, call: wire.Call) -> None:
        """Send now if there is a subscription; updates are in SUBSCRIBE again if there is none."""
        if self._subscription is not None:
            self._subscription.post(codec.encode(call, self._format)).add_done_callback(_answered)

    async def flushed(self, timeout_s: float = 5.0) -> bool:
        """Wait until every update has been acknowledged; False when that took too long."""
        deadline = time.monotonic() + timeout_s
        while self._updates and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        return not self._updates


def _answered(answer: "asyncio.Future[Response]") -> None:
    if answer.cancelled() or answer.exception() is not None:
        return  # the broken stream is reported by `events`
    try:
        check(answer.result())
    except CallRefused as refused:
        _log.warning("the agent refused a call: %s", refused)
