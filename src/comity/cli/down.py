"""`comity down`: stop a cluster started by `comity up`, its tasks too."""

import argparse
import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.cli.cluster import plan, record, strays, workdir
from comity.cli.up import DEFAULT_WORK_DIR
from comity.core.errors import UserError

WAIT_S = 120.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="comity down", description="Stop a cluster started by `comity up`, its tasks too."
    )
    parser.add_argument("--work-dir", default=DEFAULT_WORK_DIR, help="as given to `comity up`")
    path = Path(parser.parse_args(argv).work_dir).expanduser().absolute()
    if not workdir.is_ours(path):
        raise UserError(f"{path} is not a cluster's work directory; nothing to stop")
    if workdir.is_busy(path):
        _stop_supervisor(path)
    return _sweep(path)


def _stop_supervisor(path: Path) -> None:
    pid = workdir.holder(path)
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        if workdir.is_busy(path):
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        ended = poller.poll(WAIT_S * 1000)
        os.close(pidfd)
        if not ended:
            raise UserError(f"process {pid} did not stop within {WAIT_S:g} s; see {path}/logs")


def _sweep(path: Path) -> int:
    """End what a killed supervisor left. After an orderly stop nothing is found."""
    claimed = workdir.claim(path)
    try:
        earlier = record.load(path)
        if earlier is None:
            print("nothing was running")
            return 0
        return _end(claimed, earlier)
    finally:
        claimed.release()


def _end(claimed: workdir.WorkDir, earlier: record.Record) -> int:
    problems = []
    if earlier.state != "stopped":
        strays.end(entry.process for entry in earlier.entries)
        agents = [e.name for e in earlier.entries if plan.kind_of(e.name) == "agent"]
        commands = [plan.stop_tasks_argv(claimed.path / name) for name in agents]
        problems = strays.run_all(commands, claimed.logs / "down.log")
        stopped = [
            e._replace(state="stopped", process=record.Process(0, 0)) for e in earlier.entries
        ]
        record.save(claimed.path, earlier._replace(state="stopped", entries=stopped))
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"the cluster in {claimed.path} is stopped")
    return 1 if problems else 0
