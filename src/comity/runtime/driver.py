"""The shell's loop, the same for every machine: take a batch, step, persist, then act.

    batch -> machine.step(item, now, out) for each -> store.append(out.writes)
          -> replies -> sends -> timers -> launches

Nobody hears of a change before it is durable. Back-pressure and group commit fall out of the batch:
while a commit is under way, inputs wait in the inbox. A failed commit ends the process.
"""

import asyncio
import heapq
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from comity.core.clocks import SteadyClock
from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, Reply, SetTimer
from comity.core.instants import Instant
from comity.runtime.http.messages import Response, Stream
from comity.runtime.journal import Journal
from comity.runtime.meters import Meter
from comity.runtime.store import Store

_log = logging.getLogger(__name__)


class Machine(Protocol):
    """Ordinary synchronous code that takes an input and fills an outbox."""

    def step(self, item: Any, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        ...


class Clock:
    """Instants that follow the wall clock without jumping with it."""

    def __init__(self) -> None:
        self._steady = SteadyClock(time.time(), time.monotonic())

    def now(self) -> Instant:
        """Return the present instant."""
        return self._steady.read(time.time(), time.monotonic())


class _Mark(NamedTuple):
    """A place in the inbox that somebody waits for the machine to get to."""

    reached: asyncio.Future[None]


class Driver:
    """Runs one machine: its inbox, its store, its requests and streams, its timers and launches."""

    def __init__(
        self,
        machine: Machine,
        store: Store | None = None,
        *,
        launch: Callable[[Any], None] | None = None,
        stream_closed: Callable[[str], Any] | None = None,
        clock: Clock | None = None,
        journal: Journal | None = None,
        crash_file: Path | None = None,
        max_batch: int = 256,
        metered: Iterable[type] = (),
    ) -> None:
        self.machine = machine
        self.clock = clock or Clock()
        self.journal = journal or Journal()
        self._crash_file = crash_file
        self._store = store
        self._launch = launch
        self._stream_closed = stream_closed
        self._max_batch = max_batch
        self._inbox: deque[Any] = deque()
        self._wake = asyncio.Event()
        self.meters = {kind: Meter() for kind in metered}
        """How long the steps of some kinds of input take."""
        self.commits = Meter()
        """How long the store takes."""
        self.fetches = Meter()
        """How long reading the store took, when the component started."""
        self.lateness = Meter()
        """How long after its time a timed input is handled."""
        self._tokens = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Response | Stream]] = {}
        self._streams: dict[str, Stream] = {}
        self._timers: dict[Any, float] = {}
        self._due: list[tuple[float, int, Any]] = []
        self._jobs: set[asyncio.Task[Any]] = set()
        self._failed: asyncio.Future[None] | None = None
        self._in_flight: asyncio.Future[None] | None = None
        self._reached: list[asyncio.Future[None]] = []

    # inputs

    def put(self, item: Any) -> None:
        """Queue an input."""
        self._inbox.append(item)
        self._wake.set()

    async def ask(self, make: Callable[[int], Any]) -> Response | Stream:
        """Queue the input that `make(token)` builds, and wait for the Reply or OpenStream to it.

        A caller that is cancelled is forgotten; its input is handled all the same.
        """
        token = next(self._tokens)
        answer: asyncio.Future[Response | Stream] = asyncio.get_running_loop().create_future()
        self._asked[token] = answer
        self.put(make(token))
        try:
            return await answer
        finally:
            self._asked.pop(token, None)

    @property
    def waiting(self) -> int:
        """How many inputs wait to be handled."""
        return len(self._inbox)

    @property
    def asking(self) -> int:
        """How many requests wait for the machine's answer."""
        return len(self._asked)

    async def settled(self) -> None:
        """Wait until what readers can see in the machine's state is durable."""
        while self._in_flight is not None and not self._in_flight.done():
            await asyncio.shield(self._in_flight)

    async def caught_up(self) -> None:
        """Wait until every input that is queued now has been handled, durably."""
        reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(_Mark(reached))
        await reached

    def spawn(self, job: Coroutine[Any, Any, Any]) -> None:
        """Run an effect's coroutine, which ends by `put`ting its result; a failure is our bug."""
        running = asyncio.get_running_loop().create_task(job)
        self._jobs.add(running)
        running.add_done_callback(self._job_done)

    def _job_done(self, job: "asyncio.Task[Any]") -> None:
        self._jobs.discard(job)
        if not job.cancelled() and (error := job.exception()) is not None:
            if self._failed is not None and not self._failed.done():
                self._failed.set_exception(error)
            else:
                _log.error("an effect failed after the loop had ended", exc_info=error)

    # the loop

    async def run(self) -> None:
        """Step the machine until cancelled; raises when the store or an effect fails."""
        loop = asyncio.get_running_loop()
        self._failed = loop.create_future()
        stepping = loop.create_task(self._step_forever())
        try:
            await asyncio.wait({stepping, self._failed}, return_when=asyncio.FIRST_COMPLETED)
            for ended in (stepping, self._failed):
                if ended.done():
                    ended.result()
        finally:
            stepping.cancel()
            if self._failed.done() and not self._failed.cancelled():
                self._failed.exception()
            await self._stop()

    async def run_until(self, stop: asyncio.Event) -> None:
        """Step the machine until `stop` is set; raises when the store or an effect fails."""
        running = asyncio.create_task(self.run())
        waiting = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                running.result()
        finally:
            for job in (running, waiting):
                job.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)

    async def _stop(self) -> None:
        jobs = list(self._jobs)
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
        for stream in list(self._streams.values()):
            stream.close()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(Response(503, b"Stopping; try again shortly.\n", "text/plain"))

    async def _step_forever(self) -> None:
        while True:
            await self._until_input()
            out = self._step_batch()
            if out.writes and self._store is not None:
                self._in_flight = asyncio.get_running_loop().create_future()
                start = time.perf_counter()
                try:
                    await self._store.append(out.writes)
                finally:
                    self.commits.add(time.perf_counter() - start)
                    self._in_flight.set_result(None)
            self._act(out)
            for reached in self._reached:
                if not reached.done():
                    reached.set_result(None)
            self._reached.clear()
            await asyncio.sleep(0)

    async def _until_input(self) -> None:
        while not self._inbox:
            self._wake.clear()
            wait_s = self._fire_due()
            if self._inbox:
                return
            try:
                async with asyncio.timeout(wait_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
        self._fire_due()

    def _step_batch(self) -> Outbox:
        out = Outbox()
        now = self.clock.now()
        for _ in range(min(self._max_batch, len(self._inbox))):
            item = self._inbox.popleft()
            if isinstance(item, _Mark):
                self._reached.append(item.reached)
                continue
            self.journal.add(now, item)
            meter = self.meters.get(type(item))
            if meter is None:
                self._step(item, now, out)
                continue
            start = time.perf_counter()
            self._step(item, now, out)
            meter.add(time.perf_counter() - start)
        self.journal.flush()
        return out

    def _step(self, item: Any, now: Instant, out: Outbox) -> None:
        try:
            self.machine.step(item, now, out)
        except Exception:
            self.journal.flush()
            if self._crash_file is not None:
                self.journal.rescue(self._crash_file)
                _log.exception("the machine failed; its last inputs are in %s", self._crash_file)
            raise

    # effects

    def _act(self, out: Outbox) -> None:
        for reply in out.replies:
            self._settle(reply)
        for effect in out.sends:
            if isinstance(effect, OpenStream):
                self._open(effect)
            elif isinstance(effect, CloseStream):
                stream = self._streams.pop(effect.stream, None)
                if stream is not None:
                    stream.close()
            else:
                stream = self._streams.get(effect.stream)
                if stream is not None:
                    stream.send(effect.data)
        for timer in out.timers:
            self.arm(timer)
        for launch in out.launches:
            assert self._launch is not None, f"no launcher for {launch!r}"
            self._launch(launch)

    def _settle(self, reply: Reply) -> None:
        answer = self._asked.get(reply.to)
        if answer is not None and not answer.done():
            answer.set_result(Response(reply.status, reply.body, reply.content_type, reply.headers))

    def _open(self, effect: OpenStream) -> None:
        answer = self._asked.get(effect.to)
        name = effect.stream
        stream = Stream(effect.content_type, effect.headers)
        self._streams[name] = stream
        stream.on_close(lambda: self._closed(name, stream))
        if answer is not None and not answer.done():
            answer.set_result(stream)
        else:
            stream.close()

    def _closed(self, name: str, stream: Stream) -> None:
        # Only a stream that is still ours was ended by its reader: ours are popped before closing.
        if self._streams.get(name) is stream:
            del self._streams[name]
            if self._stream_closed is not None:
                self.put(self._stream_closed(name))

    # timers

    def arm(self, timer: SetTimer | CancelTimer) -> None:
        """Set or cancel a timer; a shell does it for those that recovery asks for."""
        if isinstance(timer, CancelTimer):
            self._timers.pop(timer.item, None)
            return
        self._timers[timer.item] = timer.at
        heapq.heappush(self._due, (timer.at, next(self._tokens), timer.item))

    def _fire_due(self) -> float | None:
        """Queue what is due; return the seconds until the next timer, or None."""
        now = self.clock.now()
        while self._due:
            at, _, item = self._due[0]
            if self._timers.get(item) != at:
                heapq.heappop(self._due)  # cancelled, or set again since
            elif at <= now:
                heapq.heappop(self._due)
                del self._timers[item]
                if type(item) in self.meters:
                    self.lateness.add(now - at)
                self._inbox.append(item)
            else:
                return at - now
        return None
