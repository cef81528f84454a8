"""One supervised process: started by posix_spawn, watched by a pidfd, restarted with backoff."""

import contextlib
import os
import signal
from pathlib import Path

from comity.cli.cluster.plan import Component
from comity.cli.cluster.record import Entry, Process, started_ticks

BACKOFF_FIRST_S = 0.1
BACKOFF_MAX_S = 10.0
STABLE_AFTER_S = 30.0


class Child:
    """A component and its process, if it has one now.

    `state` is "starting" until the component says it is ready, then "running"; "restarting" while
    it waits for its backoff; "stopped" once it has ended because we asked.
    """

    def __init__(self, component: Component, log: Path) -> None:
        self.component = component
        self.log = log
        self.process = Process(0, 0)
        self.pidfd = -1
        self.state = "stopped"
        self.restarts = 0
        self.since = 0.0
        self.restart_at = 0.0
        self._backoff_s = BACKOFF_FIRST_S
        self._log_offset = 0

    def start(self, now: float) -> None:
        """Start the process in a session of its own, so that a terminal's Ctrl-C passes it by."""
        self._log_offset = self.log.stat().st_size if self.log.exists() else 0
        pid = spawn(self.component.argv, self.log)
        self.pidfd = os.pidfd_open(pid)
        self.process = Process(pid, started_ticks(pid))
        self.state, self.since = "starting", now

    def notice_ready(self) -> None:
        """Look for the `ready` line in what the log gained since the start."""
        with self.log.open("rb") as log:
            log.seek(self._log_offset)
            if any(line.startswith(b"ready ") for line in log):
                self.state = "running"

    def reap(self, now: float) -> int:
        """Take the ended process's exit code and plan its restart."""
        os.close(self.pidfd)
        self.pidfd = -1
        _, status = os.waitpid(self.process.pid, 0)
        self.process = Process(0, 0)
        if now - self.since > STABLE_AFTER_S:
            self._backoff_s = BACKOFF_FIRST_S
        self.postpone(now)
        return os.waitstatus_to_exitcode(status)

    def postpone(self, now: float) -> None:
        """Plan a start for later, the more so the more often it has come to this."""
        self.state, self.restart_at = "restarting", now + self._backoff_s
        self._backoff_s = min(2 * self._backoff_s, BACKOFF_MAX_S)

    def signal(self, signum: int) -> None:
        """Send a signal, if there is a process."""
        if self.pidfd >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signum)

    def last_words(self, lines: int = 8) -> str:
        """Return the end of the log, as a person wants to see it after a failed start."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])

    def entry(self) -> Entry:
        """Describe this child for the record."""
        return Entry(
            name=self.component.name,
            state=self.state,
            url=self.component.address.url,
            process=self.process,
            restarts=self.restarts,
            since=self.since,
        )


def spawn(argv: list[str], log: Path) -> int:
    """Start a program that reads nothing and writes to `log`; returns its process id."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    default = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGPIPE]
    return os.posix_spawn(
        argv[0],
        argv,
        os.environ,
        file_actions=actions,
        setsid=True,
        setsigdef=default,
        setsigmask=[],
    )


def rotate(log: Path, kept: int = 3) -> None:
    """Move an earlier run's log aside, keeping the last few."""
    for number in range(kept, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        newer = log.with_name(f"{log.name}.{number - 1}") if number > 1 else log
        if newer.exists():
            newer.replace(older)
