"""`comity down`: stop a cluster started by `comity up`, its tasks too."""

import argparse
import contextlib
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from comity.cli.cluster import leftovers, plan, record, strays, workdir
from comity.core.errors import UserError

WAIT_S = 120.0
LAUNCHER_S = 15.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(
        prog="comity down", description="Stop a cluster started by `comity up`, its tasks too."
    )
    parser.add_argument("--work-dir", default=workdir.DEFAULT, help="as given to `comity up`")
    path = Path(parser.parse_args(argv).work_dir).expanduser().absolute()
    if not workdir.is_ours(path):
        raise UserError(
            f"{path} is not a cluster's work directory; nothing to stop (--work-dir names another)"
        )
    if workdir.is_busy(path):
        _wait_for_holder(path)
    return _sweep(path)


def _wait_for_holder(path: Path) -> None:
    """Have the supervisor stop, or another `down` finish."""
    pid = workdir.holder(path)
    with contextlib.suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        if workdir.is_busy(path) and workdir.doing_of(path) == "up":
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        poller = select.poll()
        poller.register(pidfd, select.POLLIN)
        ended = poller.poll(WAIT_S * 1000)
        os.close(pidfd)
        if not ended:
            raise UserError(f"process {pid} did not stop within {WAIT_S:g} s; see {path}/logs")


def _sweep(path: Path) -> int:
    """End what a killed supervisor left, or an orderly stop did not end."""
    claimed = workdir.claim(path, "down")
    try:
        earlier = record.load(path)
        is_stopped = earlier is None or earlier.state == "stopped"
        if is_stopped and not leftovers.find(path):
            print("nothing was running" if earlier is None else _stopped(path))
            return 0
        problems = _end(claimed, earlier)
        left = leftovers.settle(path)
        if not left and earlier is not None:
            _record_end(path, earlier)
        return _report(path, problems, left)
    finally:
        claimed.release()


def _end(claimed: workdir.WorkDir, earlier: record.Record | None) -> list[str]:
    """End components, then agents' tasks; return what went wrong."""
    recorded = [entry.process for entry in earlier.entries] if earlier is not None else []
    strays.end({*recorded, *leftovers.components(claimed.path)})
    commands = [plan.stop_tasks_argv(directory) for directory in leftovers.agents(claimed.path)]
    problems = strays.run_all(commands, claimed.logs / "down.log")
    if problems:
        # What could not be cleaned up in order: by a signal, too, a launcher ends its tasks.
        strays.end(leftovers.launchers(claimed.path), LAUNCHER_S)
    strays.end(leftovers.tasks(claimed.path))  # those whose launcher was killed
    return problems


def _record_end(path: Path, earlier: record.Record) -> None:
    nobody = record.Process(0, 0)
    stopped = [each._replace(state="stopped", process=nobody) for each in earlier.entries]
    try:
        record.save(path, earlier._replace(state="stopped", entries=stopped))
    except OSError as error:
        print(f"{path / record.NAME} cannot be written: {error.strerror}", file=sys.stderr)


def _report(path: Path, problems: list[str], left: list[leftovers.Left]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    if not left:
        print(_stopped(path))
        return 1 if problems else 0
    print(f"the cluster in {path} is not stopped; left are:", file=sys.stderr)
    for one in left:
        print(f"  {one.what}", file=sys.stderr)
    again = workdir.command("down", path)
    print(f"run `{again}` again; what it cannot end, end yourself:", file=sys.stderr)
    for one in left:
        print(f"  {one.remedy}", file=sys.stderr)
    return 1


def _stopped(path: Path) -> str:
    return f"the cluster in {path} is stopped"
