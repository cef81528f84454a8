"""The supervisor: starts the components, restarts those that die, stops them all in order.

One thread, no event loop library: a selector over the children's pidfds and a wake-up pipe for
signals. It sleeps unless a child ends, a restart is due or a signal comes.
"""

import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

from comity.cli.cluster import children, leftovers, probes, record, strays
from comity.cli.cluster.children import Child
from comity.cli.cluster.plan import Component
from comity.cli.cluster.workdir import WorkDir
from comity.core.errors import UserError

POLL_S = 0.03
START_S = 90.0
STOP_S = 5.0
STOP_ORDER = (("gateway", "cosmos", "marathon"), ("agent",), ("master",))


class Contents(NamedTuple):
    """The parts of the record that do not change while the cluster runs."""

    options: dict[str, object]
    agents: list[str]


class Supervisor:
    """Keeps a plan's components running until a signal."""

    def __init__(self, plan: list[Component], work_dir: WorkDir, contents: Contents) -> None:
        self._work_dir = work_dir
        self._contents = contents
        self._children = [Child(item, work_dir.logs / f"{item.name}.log") for item in plan]
        self._selector = selectors.DefaultSelector()
        self._wakeup, self._signalled = socket.socketpair()
        self._wakeup.setblocking(False)
        self._signalled.setblocking(False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        self._stopping = False
        self.state = "starting"

    def catch_signals(self) -> None:
        """Let SIGINT, SIGTERM and SIGHUP end `run` instead of this process."""
        signal.set_wakeup_fd(self._signalled.fileno(), warn_on_full_buffer=False)
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: None)

    def interrupt(self) -> None:
        """Do what a signal does: end `run`. Safe from any thread."""
        self._signalled.send(b"\0")

    def start(self) -> bool:
        """Start everything and wait until it is ready; False when told to stop meanwhile.

        A component that ends before it was ready fails the start: that is a wrong flag or a broken
        store, which no restart heals.
        """
        for child in self._children:
            children.rotate(child.log)
            self._start(child)
            self._save()  # so that a `down` knows of it, should we be killed
        deadline = time.monotonic() + START_S
        while not self._stopping and not self._is_ready():
            for child in self._wait(POLL_S):
                code = child.reap(time.time())
                raise UserError(
                    f"{child.component.name} ended with {code} before it was ready; its log,"
                    f" {child.log}, ends with:\n{child.last_words()}"
                )
            if time.monotonic() > deadline:
                raise UserError(f"after {START_S:g} s {self._missing()} is not ready; see the logs")
        self.state = "running"
        self._save()
        return not self._stopping

    def _is_ready(self) -> bool:
        self._notice_ready()
        if any(child.state != "running" for child in self._children):
            return False
        return self._registered_agents() == self._count("agent")

    def _registered_agents(self) -> int:
        master = self._children[0].component.address
        try:
            summary = probes.get_json(master, "/state-summary")
        except OSError:
            return -1
        return sum(bool(agent.get("active")) for agent in summary["slaves"])

    def _count(self, kind: str) -> int:
        return sum(child.component.kind == kind for child in self._children)

    def _missing(self) -> str:
        names = [c.component.name for c in self._children if c.state != "running"]
        return ", ".join(names) or "the registration of every agent with the master"

    def run(self) -> None:
        """Restart what dies, until a signal."""
        while not self._stopping:
            changed = self._reap(self._wait(self._timeout()))
            changed |= self._restart_due() | self._notice_ready()
            if changed:
                self._save()

    def _timeout(self) -> float | None:
        if any(child.state == "starting" for child in self._children):
            return POLL_S
        due = [child.restart_at for child in self._children if child.state == "restarting"]
        return max(0.0, min(due) - time.time()) if due else None

    def _reap(self, ended: list[Child]) -> bool:
        for child in ended:
            code = child.reap(time.time())
            print(f"{child.component.name} ended with {code}; it is started again", flush=True)
        return bool(ended)

    def _restart_due(self) -> bool:
        now = time.time()
        due = [c for c in self._children if c.state == "restarting" and c.restart_at <= now]
        for child in due:
            child.restarts += 1
            try:
                self._start(child)
            except OSError as error:  # its log cannot be opened, or there is no memory
                child.postpone(now)
                print(f"{child.component.name} cannot be started: {error}", flush=True)
        return bool(due)

    def _notice_ready(self) -> bool:
        waiting = [child for child in self._children if child.state == "starting"]
        for child in waiting:
            child.notice_ready()
        return any(child.state == "running" for child in waiting)

    def _start(self, child: Child) -> None:
        child.start(time.time())
        self._selector.register(child.pidfd, selectors.EVENT_READ, child)

    def _wait(self, timeout_s: float | None) -> list[Child]:
        """Wait for something to happen; return the children that ended."""
        ended = []
        for key, _ in self._selector.select(timeout_s):
            if key.data is None:
                self._wakeup.recv(64)
                self._stopping = True
                continue
            self._selector.unregister(key.fileobj)
            ended.append(key.data)
        return ended

    def stop(self, say: Callable[[str], None]) -> bool:
        """Stop frameworks, then agents with their tasks, then the master. The last call.

        Returns whether nothing is left; else the record goes on saying that it is not stopped.
        """
        problems: list[str] = []
        self.state = "stopping"
        self._save()
        for kinds in STOP_ORDER:
            group = [child for child in self._children if child.component.kind in kinds]
            self._stop(group)
            cleanups = [child.component.cleanup for child in group if child.component.cleanup]
            problems += strays.run_all(cleanups, self._work_dir.logs / "down.log")
        left = leftovers.settle(self._work_dir.path)
        for problem in [*problems, *(f"{one.what} is left; end it: {one.remedy}" for one in left)]:
            say(problem)
        if not problems and not left:
            self.state = "stopped"
        self._save()
        signal.set_wakeup_fd(-1)
        for closable in (self._selector, self._wakeup, self._signalled):
            closable.close()
        return self.state == "stopped"

    def _stop(self, group: list[Child]) -> None:
        for signum in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + STOP_S
            for child in group:
                child.signal(signum)
            while any(c.pidfd >= 0 for c in group) and time.monotonic() < deadline:
                for child in self._wait(deadline - time.monotonic()):
                    child.reap(time.time())
        for child in group:
            child.state = "stopped"

    def _save(self) -> None:
        entries = [child.entry() for child in self._children]
        contents = self._contents
        saved = record.Record(self.state, contents.options, contents.agents, entries)
        try:
            record.save(self._work_dir.path, saved)
        except OSError as error:  # a full disk does not end a cluster
            print(f"the state cannot be recorded: {error}", file=sys.stderr, flush=True)
