"""Ending what is not our child: components that a killed `up` left, and agents' tasks."""

import contextlib
import os
import select
import signal
from collections.abc import Iterable
from pathlib import Path

from comity.cli.cluster import children
from comity.cli.cluster.record import Process

TERM_S = 5.0
RUN_S = 60.0


def end(processes: Iterable[Process], term_s: float = TERM_S) -> list[Process]:
    """Ask the processes that still live to end, kill those that do not; return those that lived."""
    living = [process for process in processes if process.is_alive()]
    pidfds = list(filter(None, map(_open, living)))
    _send(pidfds, signal.SIGTERM)
    _send(_wait(pidfds, term_s), signal.SIGKILL)
    _wait(pidfds, term_s)
    for pidfd in pidfds:
        os.close(pidfd)
    return living


def _open(process: Process) -> int | None:
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(process.pid)
        if process.is_alive():
            return pidfd
        os.close(pidfd)
    return None


def _send(pidfds: Iterable[int], signum: int) -> None:
    for pidfd in pidfds:
        # Another user's is not ours to end: whoever asked sees that it stays.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(pidfd, signum)


def _wait(pidfds: list[int], timeout_s: float) -> list[int]:
    """Wait for processes to end, each for at most the timeout; return those that still run."""
    left = []
    for pidfd in pidfds:
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        if not poller.poll(timeout_s * 1000):
            left.append(pidfd)
    return left


def run_all(argvs: Iterable[list[str]], log: Path) -> list[str]:
    """Run commands at once and to their end; return a sentence for each that failed."""
    running = [(children.spawn(argv, log), argv) for argv in argvs]
    return [f"`{' '.join(argv)}` failed; see {log}" for pid, argv in running if not _succeeded(pid)]


def _succeeded(pid: int) -> bool:
    pidfd = os.pidfd_open(pid)
    if _wait([pidfd], RUN_S):
        _send([pidfd], signal.SIGKILL)
    os.close(pidfd)
    return os.waitpid(pid, 0)[1] == 0
