"""Clusters of ours that a contract test starts with flags of its own, and breaks."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from support.mesos_contract import WAIT_S, Target, request

T = TypeVar("T")
RESOURCES = "cpus:4;mem:4096;disk:4096;ports:[31000-31999]"


@dataclass
class Part:
    """One process of a cluster, which can be killed and started again where it was."""

    kind: str
    directory: Path
    arguments: list[str]
    url: str = ""
    child: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        """Return the file of everything it wrote to stderr."""
        return self.directory.with_suffix(".log")

    @property
    def kept_id(self) -> str:
        """Return the id that an agent will have when it is started again; empty before it has."""
        with contextlib.closing(sqlite3.connect(self.directory / "agent.sqlite")) as store:
            row = store.execute("SELECT value FROM pairs WHERE key = 'agent'").fetchone()
        return bytes(row[0]).decode() if row else ""

    def start(self) -> "Part":
        """Start it, and wait until it serves."""
        port = self.url.rpartition(":")[2] if self.url else "0"
        argv = [sys.executable, "-m", f"comity.{self.kind}", "--work-dir", str(self.directory)]
        with self.log.open("ab") as file:
            before = file.tell()
            self.child = subprocess.Popen(
                [*argv, "--port", port, *self.arguments], stdout=file, stderr=file
            )
        self.url = until(lambda: self._ready(before))
        return self

    def _ready(self, before: int) -> str:
        assert self.child is not None
        text = self.log.read_text()
        for line in text[before:].splitlines():
            if line.startswith("ready "):
                return line.split()[1]
        assert self.child.poll() is None, text
        return ""

    def kill(self) -> None:
        """End it as a power cut does."""
        self.end(signal.SIGKILL)

    def freeze(self) -> None:
        """Stop it: its connections stay, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, which: int) -> None:
        assert self.child is not None
        self.child.send_signal(which)

    def end(self, which: int = signal.SIGTERM) -> None:
        """End it, if it has not."""
        if self.child is not None and self.child.poll() is None:
            self.thaw()
            self._signal(which)
            self.child.wait()


@dataclass
class Cluster:
    """A master and agents; `target` is the master with the first agent."""

    directory: Path
    master: Part = field(init=False)
    agents: list[Part] = field(default_factory=list)
    guard: dict[str, str] = field(default_factory=dict)
    """Headers that prove who we are, where that is asked."""

    def start(self, *flags: str) -> None:
        """Start the master."""
        self.master = Part("master", self.directory / "master", list(flags)).start()

    def add(self, *flags: str, resources: str | None = RESOURCES) -> Part:
        """Start one more agent."""
        given = ["--master", self.master.url, "--executor-reregistration-timeout", "15"]
        if resources is not None:
            given += ["--resources", resources]
        directory = self.directory / f"agent{len(self.agents)}"
        made = Part("agent", directory, [*given, *flags])
        self.agents.append(made)
        return made.start()

    def id_of(self, agent: Part) -> str:
        """Wait until an agent is active and has written its id down, and return the id.

        The master knows the id first: an agent that is killed at once would come back as another.
        """
        found = until(lambda: self._active().get(agent.url.rpartition(":")[2], ""))
        until(lambda: agent.kept_id == found)
        return found

    def _active(self) -> dict[str, str]:
        shown = self.shown()
        return {one["pid"].rpartition(":")[2]: one["id"] for one in shown if one["active"]}

    def shown(self) -> list[dict[str, object]]:
        """Return the agents as the master shows them."""
        found = request(self.master.url, "GET", "/slaves", headers=self.guard).json()["slaves"]
        return list(found)

    @property
    def target(self) -> Target:
        """Return the cluster as the tests' frameworks see it."""
        first = self.agents[0]
        return Target(self.master.url, first.url, self.id_of(first), first.directory)

    @property
    def bare(self) -> Target:
        """Return the master alone, while it has no agents."""
        return Target(self.master.url, "", "")

    def end(self) -> None:
        """End everything, and the tasks."""
        with contextlib.ExitStack() as stack:
            stack.callback(self.master.end)
            for one in self.agents:
                stack.callback(_stop_tasks, one)
                stack.callback(one.end)


def _stop_tasks(agent: Part) -> None:
    argv = [sys.executable, "-m", "comity.agent", "--work-dir", str(agent.directory)]
    subprocess.run([*argv, "--recover=cleanup"], check=True, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def own(*flags: str) -> Iterator[Cluster]:
    """Give a cluster without agents; skip where the tests are pointed at somebody else's."""
    if os.environ.get("COMITY_CONTRACT_MASTER"):
        pytest.skip("needs a cluster of its own flags, or breaks the one it has")
    with tempfile.TemporaryDirectory() as text:
        made = Cluster(Path(text))
        made.start(*flags)
        try:
            yield made
        finally:
            made.end()


def until(found: Callable[[], T]) -> T:
    """Ask until there is an answer, and return it."""
    deadline = time.monotonic() + WAIT_S
    while not (answer := found()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return answer
