"""Plays an agent's launcher: containers that start, run, hang, ignore SIGTERM and end.

What a task does is written in its command: `run SECONDS STATUS` ends by itself, `serve` does not,
`stubborn` ignores SIGTERM, `slow SECONDS ...` starts late, `broken` does not start.
"""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from comity.agent.inputs import ContainerExited, ContainerFailed, ContainerStarted, LauncherFound
from comity.core.containers import Spec
from comity.sim.world import World


@dataclass(slots=True)
class Running:
    """A container with a process in it."""

    spec: Spec
    pid: int
    run: int


class SimLauncher:
    """The launcher of one agent; it outlives agent processes, but not a loss of power."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._chance = world.chance(name, "launcher")
        self._pids = 1
        self._runs = 0
        self.tell: Callable[[Any], None] | None = None
        """Where events go while an agent is connected."""
        self.on_started: Callable[[Spec], None] = lambda spec: None
        self.on_ended: Callable[[str], None] = lambda container_id: None
        self.running: dict[str, Running] = {}
        self.exited: dict[str, int] = {}

    def hello(self) -> LauncherFound:
        """Say what runs and what has ended."""
        return LauncherFound({k: one.pid for k, one in self.running.items()}, dict(self.exited))

    def power_off(self) -> None:
        """Lose everything."""
        for container_id in self.running:
            self.on_ended(container_id)
        self.running.clear()
        self.exited.clear()
        self._runs += 1
        self.tell = None

    def _event(self, event: Any) -> None:
        if self.tell is not None:
            self.tell(event)

    # orders

    def start(self, spec: Spec) -> None:
        """Start a container after the while that its kind takes."""
        words = (spec.command or "serve").split()
        delay_s = 0.01 * (0.5 + self._chance.random())
        if words[0] == "slow":
            delay_s += float(words[1])
            words = words[2:]
        self._world.after(delay_s, self._started, spec, words, self._runs)

    def _started(self, spec: Spec, words: list[str], run: int) -> None:
        if run != self._runs:
            return
        if words[0] == "broken":
            self._event(ContainerFailed(spec.id, "cannot start the command: no such file"))
            return
        self._pids += 1
        self.running[spec.id] = Running(spec, self._pids, run)
        self.on_started(spec)
        self._event(ContainerStarted(spec.id, self._pids))
        if words[0] == "run":
            self._world.after(float(words[1]), self._ended, spec.id, int(words[2]) << 8, run)

    def _ended(self, container_id: str, status: int, run: int) -> None:
        if run == self._runs and self.running.pop(container_id, None) is not None:
            self.on_ended(container_id)
            self.exited[container_id] = status
            self._event(ContainerExited(container_id, status))

    def signal(self, container_id: str, number: int) -> None:
        """Signal a container; what has ended ignores it."""
        one = self.running.get(container_id)
        if one is None or (
            number != signal.SIGKILL and "stubborn" in (one.spec.command or "").split()
        ):
            return
        delay_s = 0.001 + 0.05 * self._chance.random()
        self._world.after(delay_s, self._ended, container_id, int(number), one.run)

    def leave(self, container_id: str) -> None:
        """End a container from within, with status 0."""
        if container_id in self.running:
            self._ended(container_id, 0, self._runs)

    def forget(self, container_id: str) -> None:
        """Kill what is left of a container and drop its record."""
        self.signal(container_id, signal.SIGKILL)
        self.exited.pop(container_id, None)
