"""Our connection to the master: its events become inputs, our effects become calls."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from comity.core.errors import UserError
from comity.marathon import inputs, outbox
from comity.marathon.config import Config
from comity.runtime.http.credentials import own_headers
from comity.sdk.scheduler import Disconnected, Event, FrameworkFailed, Scheduler
from comity.sdk.subscriptions import NotSubscribed, SubscribeRefused
from comity.wire.mesos import scheduler as wire
from comity.wire.mesos import v1

_log = logging.getLogger(__name__)


class Session:
    """Keeps Marathon subscribed, and makes its calls."""

    def __init__(self, config: Config, put: Callable[[Any], None]) -> None:
        self._config = config
        self._put = put
        self._mesos: Scheduler | None = None
        self._again = asyncio.Event()
        self._forget_id = False

    async def run(self, framework_id: str | None, url: str) -> None:
        """Stay subscribed for ever, as the framework that we were.

        Raises:
            UserError: the master refuses us, or another Marathon took over our framework.
        """
        while True:
            reading = asyncio.create_task(self._subscribed(framework_id, url))
            leaving = asyncio.create_task(self._again.wait())
            try:
                await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                reading.cancel()
                await asyncio.gather(reading, leaving, return_exceptions=True)
            if not self._again.is_set():
                reading.result()
            self._again.clear()
            framework_id = None if self._forget_id else self._known_id(framework_id)
            self._forget_id = False

    def _known_id(self, before: str | None) -> str | None:
        held = self._mesos.framework.id if self._mesos is not None else None
        return held.value if held is not None else before

    async def _subscribed(self, framework_id: str | None, url: str) -> None:
        framework = v1.FrameworkInfo(
            user=self._config.user,
            name=self._config.framework_name,
            id=v1.Id(value=framework_id) if framework_id else None,
            failover_timeout=self._config.failover_timeout_s,
            checkpoint=True,
            role="*",
            webui_url=url,
            capabilities=(v1.FrameworkCapability(type="PARTITION_AWARE"),),
        )
        headers = own_headers(self._config.credential)
        async with Scheduler(self._config.master, framework, headers=headers) as mesos:
            self._mesos = mesos
            try:
                async for batch in mesos.batches():
                    self._take(batch)
            except FrameworkFailed as error:
                await self._failed(error)
            except SubscribeRefused as error:
                raise UserError(f"the master refuses this framework: {error}") from error

    async def _failed(self, error: FrameworkFailed) -> None:
        text = str(error)
        if "removed" not in text.lower():
            raise UserError(f"the master ended this framework: {text}") from error
        _log.warning("the framework was torn down (%s); starting as a new one", text)
        self._put(inputs.FrameworkRemoved(text))
        await self._again.wait()

    def _take(self, batch: list[Event]) -> None:
        """Pass a batch of events on; its offers go together, so that instances spread over them."""
        offers: dict[str, v1.Offer] = {}
        for event in batch:
            match event:
                case wire.EventSubscribed():
                    master = self._config.master
                    framework_id = event.subscribed.framework_id.value
                    self._put(inputs.Subscribed(framework_id, master))
                case wire.EventOffers():
                    offers |= {offer.id.value: offer for offer in event.offers.offers}
                case wire.EventRescind():
                    offers.pop(event.rescind.offer_id.value, None)
                case wire.EventUpdate():
                    self._put(inputs.StatusReceived(event.update.status))
                case Disconnected():
                    offers.clear()
                    self._put(inputs.Disconnected(event.reason))
                case _:
                    pass  # heartbeats, executors' messages and failures change nothing of ours
        if offers:
            self._put(inputs.OffersReceived(tuple(offers.values())))

    # calls

    def do(self, effect: object) -> None:
        """Make the call of an effect; while unsubscribed it is lost, as `outbox` says."""
        if isinstance(effect, outbox.Resubscribe):
            self._forget_id = effect.anew
            self._again.set()
            return
        if self._mesos is None:
            return
        try:
            self._call(self._mesos, effect)
        except NotSubscribed:
            _log.info("not subscribed: %s is dropped", type(effect).__name__)

    def _call(self, mesos: Scheduler, effect: object) -> None:
        match effect:
            case outbox.Accept():
                mesos.call(_accept(mesos.framework_id, effect))
            case outbox.Decline():
                body = wire.DeclineBody(
                    offer_ids=tuple(v1.Id(value=one) for one in effect.offer_ids),
                    filters=v1.Filters(refuse_seconds=effect.refuse_s),
                )
                mesos.call(wire.Decline(framework_id=mesos.framework_id, decline=body))
            case outbox.Kill():
                mesos.kill(effect.task_id, agent_id=effect.agent_id)
            case outbox.Acknowledge():
                acknowledged = wire.AcknowledgeBody(
                    agent_id=v1.Id(value=effect.agent_id),
                    task_id=v1.Id(value=effect.task_id),
                    uuid=effect.uuid,
                )
                mesos.call(
                    wire.Acknowledge(framework_id=mesos.framework_id, acknowledge=acknowledged)
                )
            case outbox.Reconcile():
                mesos.reconcile(
                    [
                        wire.ReconcileTask(
                            task_id=v1.Id(value=task_id), agent_id=v1.Id(value=agent_id)
                        )
                        for task_id, agent_id in effect.tasks
                    ]
                )
            case outbox.Revive():
                mesos.revive()
            case outbox.Suppress():
                mesos.suppress()
            case _:
                raise TypeError(f"no call for {effect!r}")


def _accept(framework_id: v1.Id, effect: outbox.Accept) -> wire.Accept:
    operations = [v1.Operation(type="LAUNCH_GROUP", launch_group=one) for one in effect.groups]
    if effect.tasks:
        launch = v1.Launch(task_infos=effect.tasks)
        operations.insert(0, v1.Operation(type="LAUNCH", launch=launch))
    body = wire.AcceptBody(
        offer_ids=(v1.Id(value=effect.offer_id),),
        operations=tuple(operations),
        filters=v1.Filters(refuse_seconds=effect.refuse_s),
    )
    return wire.Accept(framework_id=framework_id, accept=body)
