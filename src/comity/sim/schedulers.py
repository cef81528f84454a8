"""Simulated schedulers: a small framework in wire bytes, which dies and comes back with its memory.

A scheduler writes a task down before it launches it, as good frameworks do, and never launches a
name twice. What it remembers (`Memory`) survives its crashes; connections and offers do not.
"""

import itertools
import random
from collections.abc import Callable
from typing import Any

from comity.core.ids import FrameworkId, TaskId
from comity.sim.jobs import Job, Manner, Memory, executor_of, fitting, operation
from comity.sim.masters import SCHEDULER, STREAM_ID
from comity.sim.network import Connection, Network
from comity.sim.reserving import Reserving
from comity.sim.serving import Answer, Chunk, Request
from comity.sim.watching import Violated, Watcher
from comity.sim.world import World
from comity.wire import recordio
from comity.wire.mesos import codec, resources, scheduler, v1

_BACKOFF_S = 1.0
_SILENCE_BEATS = 5


class SimScheduler:
    """One framework and the process that drives it at the moment."""

    def __init__(
        self, world: World, network: Network, name: str, manner: Manner, watcher: Watcher
    ) -> None:
        self.name = name
        self.manner = manner
        self.memory = Memory()
        self.is_alive = False
        self.is_connected = False
        self.wants_end = False
        """Whether to tear the framework down once connected."""
        self._world = world
        self._network = network
        self._watcher = watcher
        self._chance: random.Random = world.chance(name)
        self.reserving = Reserving(name, world.chance(name, "operations"))
        self._life = 0
        self._stream: Connection | None = None
        self._calls: Connection | None = None
        self._stream_id = ""
        self._decoder = recordio.Decoder()
        self._heard_at = 0.0
        self._silence_s = 75.0

    # life and death

    def start(self) -> None:
        """Start the process with what it remembers."""
        if self.is_alive or self.memory.is_over:
            return
        self.is_alive = True
        self._life += 1
        self._open(self._life)
        self._later(self.manner.reconcile_s, self._reconcile_now_and_then)

    def kill(self, *, power: bool = False) -> None:
        """Kill the process; without its power nobody is told that its connections are over."""
        if self.is_alive:
            self._network.drop_process({id(self)}, power=power)
            self.is_alive = self.is_connected = False
            self._stream = self._calls = None

    def _later(self, delay_s: float, do: Callable[..., None], *args: Any) -> None:
        self._world.after(delay_s, self._if_alive, self._life, do, args)

    def _if_alive(self, life: int, do: Callable[..., None], args: tuple[Any, ...]) -> None:
        if self.is_alive and life == self._life:
            do(*args)

    # the stream

    def _open(self, life: int) -> None:
        memory, manner = self.memory, self.manner
        own = v1.Id(value=memory.framework_id) if memory.framework_id else None
        is_multi = "MULTI_ROLE" in manner.capabilities
        info = v1.FrameworkInfo(
            user="root",
            name=self.name,
            id=own,
            failover_timeout=manner.failover_timeout_s,
            checkpoint=manner.checkpoint,
            roles=manner.roles if is_multi else (),
            role=None if is_multi or not manner.roles else manner.roles[0],
            capabilities=tuple(v1.FrameworkCapability(type=one) for one in manner.capabilities),
        )
        body = scheduler.SubscribeBody(framework_info=info)
        call = scheduler.Subscribe(subscribe=body, framework_id=own)
        self._decoder = recordio.Decoder()
        self._stream = self._network.dial(self.name, self, "master")
        self._send(self._stream, {"Accept": manner.format.value}, call)
        self._heard_at = self._world.now
        self._later(self._silence_s, self._look, self._stream)

    def _look(self, stream: Connection) -> None:
        if stream is not self._stream:
            return
        silent_s = self._world.now - self._heard_at
        if silent_s >= self._silence_s:
            self._lose()
        else:
            self._later(max(0.01, self._silence_s - silent_s), self._look, stream)

    def _lose(self) -> None:
        for connection in (self._stream, self._calls):
            if connection is not None:
                connection.close(by_client=True)
        self._stream = self._calls = None
        self.is_connected = False
        if not self.memory.is_over:
            self._later(_BACKOFF_S * (0.5 + self._chance.random()), self._open, self._life)

    def broken(self, connection: Connection) -> None:
        """Subscribe again; the SDK does so too when only the calls' connection breaks."""
        if connection in (self._stream, self._calls):
            self._lose()

    def received(self, connection: Connection, message: Answer | Chunk) -> None:
        """Take what the master says."""
        if connection is not self._stream:
            return
        self._heard_at = self._world.now
        if isinstance(message, Answer):
            if not message.opens:
                raise Violated(f"{self.name} may not subscribe: {message.body.decode()}")
            self._stream_id = message.headers[STREAM_ID]
            self._calls = self._network.dial(self.name, self, "master")
            return
        for record in self._decoder.feed(message.data):
            self._heard(codec.decode(codec.SCHEDULER_EVENT, record, self.manner.format))
            if self._stream is not connection:
                return

    def call(self, call: scheduler.Call) -> None:
        """Send a call; lost when there is no connection."""
        if self._calls is not None:
            headers = {STREAM_ID: self._stream_id}
            self._send(self._calls, headers, call)

    def _send(self, to: Connection, headers: dict[str, str], call: scheduler.Call) -> None:
        format = self.manner.format
        headers = {"Content-Type": format.value, **headers}
        to.send(Request(SCHEDULER, headers, codec.encode(call, format)), to_server=True)

    @property
    def _id(self) -> v1.Id:
        assert self.memory.framework_id is not None
        return v1.Id(value=self.memory.framework_id)

    # events

    def _heard(self, event: scheduler.Event) -> None:
        if self._world.tracing:
            self._world.note(self.name, f"< {event}")
        match event:
            case scheduler.EventSubscribed():
                self._subscribed(event.subscribed)
            case scheduler.EventOffers():
                for offer in event.offers.offers:
                    self._watcher.offered(self.name, offer.id.value)
                self._later(self._pause(self.manner.think_s), self._use, event.offers.offers)
            case scheduler.EventUpdate():
                self._updated(event.update.status)
            case scheduler.EventUpdateOperationStatus():
                status = event.update_operation_status.status
                self.reserving.heard(status, self._id, self.call)
            case scheduler.EventError():
                self._failed(event.error.message)
            case _:
                pass

    def _pause(self, usual_s: float) -> float:
        return usual_s * self._chance.random()

    def _subscribed(self, body: scheduler.SubscribedBody) -> None:
        if self.memory.framework_id not in (None, body.framework_id.value):
            raise Violated(f"{self.name} got another id: {body.framework_id.value}")
        self.memory.framework_id = body.framework_id.value
        self._silence_s = body.heartbeat_interval_seconds * _SILENCE_BEATS
        self.is_connected = True
        if self.wants_end:
            self.end()
            return
        self.reconcile()

    def _failed(self, message: str) -> None:
        if message == "Framework failed over":
            self._lose()
        elif message == "Framework has been removed":
            self.memory.is_over = True
            self._lose()
        else:
            raise Violated(f"{self.name} is told: {message}")

    def end(self) -> None:
        """Tear the framework down, now or when connected."""
        self.wants_end = True
        if self.is_connected:
            self.call(scheduler.Teardown(framework_id=self._id))

    # offers

    def _use(self, offers: tuple[v1.Offer, ...]) -> None:
        for offer in offers:
            self._use_one(offer)

    def _use_one(self, offer: v1.Offer) -> None:
        waiting = list(itertools.islice(self.memory.waiting.values(), self.manner.greed))
        free = resources.read(offer.resources)
        executor = self._executor()
        chosen = fitting(waiting, free, executor)
        if not chosen:
            executor = None
            chosen = fitting(waiting, free, None)
        filters = v1.Filters(refuse_seconds=self.manner.refuse_s)
        operations = self._operations(offer)
        if not chosen and not operations:
            body = scheduler.DeclineBody(offer_ids=(offer.id,), filters=filters)
            self.call(scheduler.Decline(framework_id=self._id, decline=body))
            return
        for job in chosen:
            job.state, job.agent_id = v1.TaskState.STAGING, offer.agent_id.value
            del self.memory.waiting[job.name]
        if chosen:
            operations.append(operation(chosen, executor))
        accept = scheduler.AcceptBody(
            offer_ids=(offer.id,), operations=tuple(operations), filters=filters
        )
        self.call(scheduler.Accept(framework_id=self._id, accept=accept))

    def _operations(self, offer: v1.Offer) -> list[v1.Operation]:
        if self._chance.random() >= self.manner.operations or not self.manner.roles:
            return []
        given = offer.allocation_info.role if offer.allocation_info is not None else None
        found = self.reserving.choose(offer, given or self.manner.roles[0])
        return [found] if found is not None else []

    def _executor(self) -> v1.ExecutorInfo | None:
        for often, kind in (
            (self.manner.groups, v1.ExecutorType.DEFAULT),
            (self.manner.customs, v1.ExecutorType.CUSTOM),
        ):
            if self._chance.random() < often:
                info = executor_of(kind, self._chance.randint(1, 2))
                return codec.replace(info, framework_id=self._id)
        return None

    # tasks

    def _updated(self, status: v1.TaskStatus) -> None:
        job = self.memory.jobs.get(status.task_id.value)
        if job is None:
            raise Violated(f"{self.name} hears of {status.task_id.value}, which it never launched")
        self._check_order(job, status)
        if status.uuid is not None:
            # From here on the update is the scheduler's to remember.
            self._watcher.heard(FrameworkId(self._id.value), TaskId(job.name), status)
            self._later(self._pause(self.manner.ack_s), self._acknowledge, status)
            job.is_ended = job.is_ended or status.state.is_terminal
        if not (job.is_ended and status.uuid is None):
            job.state = status.state

    def _check_order(self, job: Job, status: v1.TaskStatus) -> None:
        """After a task's own end, nobody may say that it runs."""
        if job.is_ended and status.uuid is not None and not status.state.is_terminal:
            raise Violated(f"{job.name} has ended, and is {status.state} again")

    def _acknowledge(self, status: v1.TaskStatus) -> None:
        assert status.uuid is not None
        assert status.agent_id is not None
        self._watcher.acknowledged.add(status.uuid)
        body = scheduler.AcknowledgeBody(
            agent_id=status.agent_id, task_id=status.task_id, uuid=status.uuid
        )
        self._call_or_stammer(scheduler.Acknowledge(framework_id=self._id, acknowledge=body))

    def kill_task(self, job: Job) -> None:
        """Want a task gone."""
        job.is_unwanted = True
        if job.state is not None and self.is_connected:
            body = scheduler.KillBody(task_id=v1.Id(value=job.name))
            self._call_or_stammer(scheduler.Kill(framework_id=self._id, kill=body))

    def _call_or_stammer(self, call: scheduler.Call) -> None:
        self.call(call)
        if self._chance.random() < self.manner.stammer:
            self._later(self._chance.random(), self.call, call)

    def open_jobs(self) -> list[Job]:
        """Return the tasks that were launched and whose end is not known."""
        return [
            job for job in self.memory.jobs.values() if job.state is not None and not job.is_done
        ]

    def reconcile(self) -> None:
        """Ask about all tasks that are not known to have ended, and repeat kills."""
        asked = tuple(
            scheduler.ReconcileTask(
                task_id=v1.Id(value=job.name),
                agent_id=v1.Id(value=job.agent_id) if job.agent_id else None,
            )
            for job in self.open_jobs()
        )
        if asked:
            body = scheduler.ReconcileBody(tasks=asked)
            self.call(scheduler.Reconcile(framework_id=self._id, reconcile=body))
        self.reserving.reconcile(self._id, self.call)
        for job in self.open_jobs():
            if job.is_unwanted:
                self.kill_task(job)

    def _reconcile_now_and_then(self) -> None:
        if self.is_connected:
            self.reconcile()
        self._later(self.manner.reconcile_s, self._reconcile_now_and_then)
