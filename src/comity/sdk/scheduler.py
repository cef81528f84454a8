"""Write a framework: subscribe, read events, make calls.

    async with Scheduler("http://127.0.0.1:5050", FrameworkInfo(name="mine", user="root")) as mesos:
        async for event in mesos.events():
            match event:
                case wire.EventOffers():
                    mesos.accept(...)

The connection is kept for you: a break, a master that is starting, or a new leader lead to a
resubscription with the same framework id, seen as one `Disconnected` and then another SUBSCRIBED.
Calls are sent in order and do not wait for one another; a call that fails while subscribed is
reported by `on_refused`, since the API itself promises no more than "accepted".
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType

from msgspec import Struct

from comity.core.errors import ComityError
from comity.runtime.http import Client, Headers, HttpError, Response
from comity.sdk.subscriptions import CallRefused, NotSubscribed, Subscription, check
from comity.wire.mesos import codec, v1
from comity.wire.mesos import scheduler as wire

_log = logging.getLogger(__name__)

PATH = "/api/v1/scheduler"
SILENCE_MAX_S = 75.0
"""Silence of five heartbeat intervals means that the connection is dead."""

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 5.0


class FrameworkFailed(ComityError):
    """The master sent ERROR: the framework is removed, failed over elsewhere, or invalid."""


class Disconnected(Struct, frozen=True):
    """The subscription broke; calls made since may be lost, and offers held are void."""

    reason: str


Event = wire.Event | Disconnected
"""What `Scheduler.events` yields: the API's events, and breaks of the connection."""


class Scheduler:
    """One framework's connection to the master."""

    def __init__(
        self,
        master: str,
        framework: v1.FrameworkInfo,
        *,
        headers: Headers = (),
        suppressed_roles: Sequence[str] = (),
        on_refused: Callable[[CallRefused], None] | None = None,
        format: codec.Format = codec.Format.JSON,
    ) -> None:
        self.framework = framework
        self.suppressed_roles = tuple(suppressed_roles)
        self._url = master.rstrip("/") + PATH
        self._headers = headers
        self._format = format
        self._on_refused = on_refused or (lambda error: _log.warning("call refused: %s", error))
        self._client = Client(headers=headers)
        self._subscription: Subscription | None = None
        self._backoff = random.Random()  # noqa: S311 - spreads reconnects, guards nothing

    async def __aenter__(self) -> "Scheduler":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Disconnect; the master keeps the framework for its `failover_timeout`."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()
        await self._client.close()

    # events

    async def events(self) -> AsyncIterator[Event]:
        """Yield events one by one, for ever.

        Raises:
            FrameworkFailed: the master ended this framework.
            SubscribeRefused: the subscription itself is wrong.
        """
        async for batch in self.batches():
            for event in batch:
                yield event

    async def batches(self) -> AsyncIterator[list[Event]]:
        """Yield events in the batches they arrived in; a machine's shell steps each as one."""
        delay_s = _BACKOFF_FIRST_S
        while True:
            try:
                async for batch in self._one_subscription():
                    delay_s = _BACKOFF_FIRST_S
                    yield batch
                reason = "the master closed the stream"
            except HttpError as error:
                reason = str(error)
            if self._subscription is not None:
                await self._drop()
                yield [Disconnected(reason)]
            await asyncio.sleep(self._backoff.uniform(delay_s / 2, delay_s))
            delay_s = min(delay_s * 2, _BACKOFF_MAX_S)

    async def _one_subscription(self) -> AsyncIterator[list[Event]]:
        body = wire.SubscribeBody(
            framework_info=self.framework, suppressed_roles=self.suppressed_roles
        )
        call = wire.Subscribe(subscribe=body, framework_id=self.framework.id)
        subscription = await Subscription.open(
            self._client,
            self._url,
            codec.encode(call, self._format),
            self._headers,
            format=self._format,
        )
        self._subscription = subscription
        async for records in subscription.records(SILENCE_MAX_S):
            yield [self._decode(record) for record in records]

    def _decode(self, record: bytes) -> wire.Event:
        try:
            event: wire.Event = codec.decode(codec.SCHEDULER_EVENT, record, self._format)
        except codec.UnknownType:
            return wire.EventUnknown()
        if isinstance(event, wire.EventSubscribed):
            self.framework = codec.replace(self.framework, id=event.subscribed.framework_id)
        elif isinstance(event, wire.EventError):
            raise FrameworkFailed(event.error.message)
        return event

    async def _drop(self) -> None:
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()

    # calls

    @property
    def framework_id(self) -> v1.Id:
        """The id that the master gave or confirmed.

        Raises:
            NotSubscribed: before the first SUBSCRIBED.
        """
        if self.framework.id is None:
            raise NotSubscribed("the framework has no id before SUBSCRIBED")
        return self.framework.id

    def call(self, call: wire.Call) -> None:
        """Send a call in order, without waiting for its answer.

        Raises:
            NotSubscribed: there is no subscription now.
        """
        if self._subscription is None:
            raise NotSubscribed("not subscribed; wait for SUBSCRIBED")
        self._subscription.post(codec.encode(call, self._format)).add_done_callback(self._answered)

    def _answered(self, answer: "asyncio.Future[Response]") -> None:
        if answer.cancelled():
            return
        error = answer.exception()
        if error is not None:
            _log.debug("a call was cut off: %s", error)  # the broken stream is reported by itself
            return
        try:
            check(answer.result())
        except CallRefused as refused:
            self._on_refused(refused)

    def accept(
        self,
        offers: Sequence[v1.Offer],
        tasks: Sequence[v1.TaskInfo],
        *,
        refuse_seconds: float = 5.0,
    ) -> None:
        """Launch tasks on offers of one agent; what is left of them is refused for a while."""
        launch = v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=tuple(tasks)))
        body = wire.AcceptBody(
            offer_ids=tuple(offer.id for offer in offers),
            operations=(launch,) if tasks else (),
            filters=v1.Filters(refuse_seconds=refuse_seconds),
        )
        self.call(wire.Accept(framework_id=self.framework_id, accept=body))

    def launch_group(
        self,
        offers: Sequence[v1.Offer],
        executor: v1.ExecutorInfo,
        tasks: Sequence[v1.TaskInfo],
        *,
        refuse_seconds: float = 5.0,
    ) -> None:
        """Launch tasks that belong together, all or none, on an executor of type DEFAULT or CUSTOM.

        The executor needs at least 0.01 cpus, 32 MB of mem and some disk.
        """
        group = v1.TaskGroupInfo(tasks=tuple(tasks))
        executor = codec.replace(executor, framework_id=self.framework_id)
        body = wire.AcceptBody(
            offer_ids=tuple(offer.id for offer in offers),
            operations=(
                v1.Operation(
                    type="LAUNCH_GROUP",
                    launch_group=v1.LaunchGroup(executor=executor, task_group=group),
                ),
            ),
            filters=v1.Filters(refuse_seconds=refuse_seconds),
        )
        self.call(wire.Accept(framework_id=self.framework_id, accept=body))

    def decline(self, offers: Sequence[v1.Offer], *, refuse_seconds: float = 5.0) -> None:
        """Refuse offers for a while (seconds)."""
        body = wire.DeclineBody(
            offer_ids=tuple(offer.id for offer in offers),
            filters=v1.Filters(refuse_seconds=refuse_seconds),
        )
        self.call(wire.Decline(framework_id=self.framework_id, decline=body))

    def accept_inverse(
        self, offers: Sequence[v1.InverseOffer], *, refuse_seconds: float = 5.0
    ) -> None:
        """Promise to leave agents; not to be asked again for a while (seconds)."""
        body = self._inverse(offers, refuse_seconds)
        call = wire.AcceptInverseOffers(framework_id=self.framework_id, accept_inverse_offers=body)
        self.call(call)

    def decline_inverse(
        self, offers: Sequence[v1.InverseOffer], *, refuse_seconds: float = 5.0
    ) -> None:
        """Say that agents cannot be left; not to be asked again for a while (seconds)."""
        body = self._inverse(offers, refuse_seconds)
        call = wire.DeclineInverseOffers(
            framework_id=self.framework_id, decline_inverse_offers=body
        )
        self.call(call)

    @staticmethod
    def _inverse(
        offers: Sequence[v1.InverseOffer], refuse_seconds: float
    ) -> wire.InverseOffersAnswerBody:
        return wire.InverseOffersAnswerBody(
            inverse_offer_ids=tuple(offer.id for offer in offers),
            filters=v1.Filters(refuse_seconds=refuse_seconds),
        )

    def revive(self, roles: Sequence[str] = ()) -> None:
        """Ask for offers again, dropping filters."""
        body = wire.RolesBody(roles=tuple(roles))
        self.call(wire.Revive(framework_id=self.framework_id, revive=body))

    def suppress(self, roles: Sequence[str] = ()) -> None:
        """Ask for no offers until `revive`."""
        body = wire.RolesBody(roles=tuple(roles))
        self.call(wire.Suppress(framework_id=self.framework_id, suppress=body))

    def kill(
        self, task_id: str, *, agent_id: str | None = None, grace_s: float | None = None
    ) -> None:
        """Kill a task; its terminal update tells when it is gone.

        `grace_s` replaces the grace of the task's kill policy; a later call may only shorten it.
        """
        policy = None
        if grace_s is not None:
            grace = v1.DurationInfo(nanoseconds=round(grace_s * 1e9))
            policy = v1.KillPolicy(grace_period=grace)
        body = wire.KillBody(
            task_id=v1.Id(value=task_id),
            agent_id=v1.Id(value=agent_id) if agent_id else None,
            kill_policy=policy,
        )
        self.call(wire.Kill(framework_id=self.framework_id, kill=body))

    def shutdown(self, executor_id: str, agent_id: str) -> None:
        """End an executor with its tasks; a FAILURE event tells when it is gone."""
        body = wire.ShutdownBody(
            executor_id=v1.Id(value=executor_id), agent_id=v1.Id(value=agent_id)
        )
        self.call(wire.Shutdown(framework_id=self.framework_id, shutdown=body))

    def acknowledge(self, status: v1.TaskStatus) -> None:
        """Acknowledge a status update; one without uuid needs none and is passed over."""
        if status.uuid is None or status.agent_id is None:
            return
        body = wire.AcknowledgeBody(
            agent_id=status.agent_id, task_id=status.task_id, uuid=status.uuid
        )
        self.call(wire.Acknowledge(framework_id=self.framework_id, acknowledge=body))

    def reconcile(self, tasks: Sequence[wire.ReconcileTask] = ()) -> None:
        """Ask for the latest states of some tasks, or of all that the master knows."""
        body = wire.ReconcileBody(tasks=tuple(tasks))
        self.call(wire.Reconcile(framework_id=self.framework_id, reconcile=body))

    def message(self, agent_id: str, executor_id: str, data: bytes) -> None:
        """Send bytes to an executor; they may be lost."""
        body = wire.MessageBody(
            agent_id=v1.Id(value=agent_id), executor_id=v1.Id(value=executor_id), data=data
        )
        self.call(wire.Message(framework_id=self.framework_id, message=body))

    async def teardown(self) -> None:
        """End the framework and all its tasks, and wait for the master's answer.

        Raises:
            NotSubscribed: there is no subscription now.
            CallRefused: the master said no.
        """
        if self._subscription is None:
            raise NotSubscribed("not subscribed; wait for SUBSCRIBED")
        call = wire.Teardown(framework_id=self.framework_id)
        check(await self._subscription.post(codec.encode(call, self._format)))
