"""One process: what `runtime.driver` does with a machine, in simulated time.

    batch -> step each -> durable writes -> replies, sends -> timers -> launches

A process can be doomed to die at a point of this loop, which is where crashes are interesting.
"""

import enum
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, Reply, Send, SetTimer
from comity.core.instants import Instant
from comity.sim.clocks import ProcessClock
from comity.sim.disk import Disk
from comity.sim.world import World

BATCH_MAX = 256


class Point(enum.Enum):
    """Where in its loop a process dies."""

    STEPPED = "before its writes are on their way"
    WRITING = "while it writes"
    DURABLE = "after its writes, before anybody hears of them"
    HALFWAY = "after half of what it had to say"


class Machine(Protocol):
    """What a process steps."""

    def step(self, item: Any, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        ...


class Node(Protocol):
    """Who owns a process: does its effects, watches it, buries it."""

    def stepped(self) -> None:
        """Look at the state between two batches."""
        ...

    def acted(self) -> None:
        """Look at the state when all of it is durable and said."""
        ...

    def answer(self, reply: Reply) -> None:
        """Settle a request."""
        ...

    def send(self, effect: OpenStream | Send | CloseStream) -> None:
        """Open, feed or end a stream."""
        ...

    def launch(self, effect: Any) -> None:
        """Begin an effect of the component's own."""
        ...

    def died(self, reason: str) -> None:
        """The process ended at its point of doom, or because its disk failed it."""
        ...


class _Mark(NamedTuple):
    """A place in the inbox that somebody waits for the machine to get to."""

    do: Callable[[], None]


class Process:
    """Runs one machine until it dies."""

    def __init__(
        self, world: World, name: str, machine: Machine, disk: Disk, clock: ProcessClock, node: Node
    ) -> None:
        self.name = name
        self.alive = True
        self.doom: Point | None = None
        self.clock = clock
        self._world = world
        self._machine = machine
        self._disk = disk
        self._node = node
        self._inbox: deque[Any] = deque()
        self._timers: dict[Any, float] = {}
        self._is_woken = False
        self._is_writing = False
        self._is_paused = False
        self._reached: list[Callable[[], None]] = []

    def put(self, item: Any) -> None:
        """Queue an input."""
        self._inbox.append(item)
        self._wake()

    def when_caught_up(self, do: Callable[[], None]) -> None:
        """Call back once every input that is queued now has been handled, durably."""
        self.put(_Mark(do))

    def pause(self) -> None:
        """Stop the process, as SIGSTOP does."""
        self._is_paused = True

    def resume(self) -> None:
        """Let it go on."""
        self._is_paused = False
        self._wake()

    def kill(self) -> None:
        """End it: nothing that it planned happens any more."""
        self.alive = False
        self._inbox.clear()
        self._timers.clear()

    def _wake(self) -> None:
        if self.alive and not (self._is_woken or self._is_writing or self._is_paused):
            self._is_woken = True
            self._world.after(0.0, self._batch)

    def _batch(self) -> None:
        self._is_woken = False
        if not self.alive or self._is_paused:
            return
        out = Outbox()
        now = self.clock.now()
        for _ in range(min(BATCH_MAX, len(self._inbox))):
            item = self._inbox.popleft()
            if isinstance(item, _Mark):
                self._reached.append(item.do)
                continue
            self._world.inputs += 1
            if self._world.tracing:
                self._world.note(self.name, f"< {item}")
            self._machine.step(item, now, out)
        if out.writes or out.replies or out.sends or out.launches:
            self._node.stepped()  # a batch that asks for nothing has changed nothing worth a look
        if self._meets_doom(Point.STEPPED):
            return
        if not out.writes:
            self._act(out)
            return
        self._is_writing = True
        self._disk.append(out.writes, lambda done: self._written(out, done=done))
        self._meets_doom(Point.WRITING)

    def _meets_doom(self, point: Point) -> bool:
        if self.doom is not point:
            return False
        self._node.died(f"killed {point.value}")
        return True

    def _written(self, out: Outbox, *, done: bool) -> None:
        self._is_writing = False
        if not done:
            self._node.died("its disk is full")
        elif not self._meets_doom(Point.DURABLE):
            self._act(out)

    def _act(self, out: Outbox) -> None:
        node = self._node
        for reply in out.replies:
            node.answer(reply)
        half = len(out.sends) // 2 if self.doom is Point.HALFWAY and out.sends else -1
        for number, effect in enumerate(out.sends):
            if number == half and self._meets_doom(Point.HALFWAY):
                return
            node.send(effect)
        for timer in out.timers:
            self.arm(timer)
        for launch in out.launches:
            node.launch(launch)
            if not self.alive:
                return
        node.acted()
        reached, self._reached = self._reached, []
        for do in reached:
            do()
        if self._inbox:
            self._wake()

    # timers

    def arm(self, timer: SetTimer | CancelTimer) -> None:
        """Set or cancel a timer."""
        if isinstance(timer, CancelTimer):
            self._timers.pop(timer.item, None)
            return
        self._timers[timer.item] = timer.at
        self._wait(timer.item, timer.at)

    def _wait(self, item: Any, at: float) -> None:
        own_s = max(0.0, at - self.clock.now())
        self._world.after(self.clock.node.real_s(own_s), self._due, item, at)

    def _due(self, item: Any, at: float) -> None:
        if not self.alive or self._timers.get(item) != at:
            return  # cancelled, or set again since
        if self.clock.now() < at - 1e-6:
            self._wait(item, at)  # the clock was slowed meanwhile
            return
        del self._timers[item]
        self.put(item)
