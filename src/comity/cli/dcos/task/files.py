"""`dcos task log` and `dcos task ls`: what is in the sandboxes."""

import argparse
import asyncio
import sys
import time
from functools import partial

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.cli.dcos.task import finding, sandboxes
from comity.cli.dcos.task.finding import Found
from comity.cli.dcos.task.following import TaskLog
from comity.cli.dcos.waiting import through_breaks
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError

_POLL_S = 0.5
_LONG = ("mode", "nlink", "uid", "gid", "size")


def add_to(commands: parsing.Commands) -> None:
    """Add the commands."""
    log = commands.add(
        "log",
        _log,
        "print what a task writes",
        examples="""
        dcos task log web
        dcos task log --follow web
        dcos task log --lines 100 web stderr
        """,
    )
    log.add_argument("task", help="id, name, part of them, or pattern")
    log.add_argument("file", nargs="?", default="stdout", help="stdout, stderr, or another file")
    log.add_argument("--follow", action="store_true", help="go on printing as the file grows")
    log.add_argument("--lines", type=int, default=10, help="how many of the last lines (10)")
    _add_scope(log)
    ls = commands.add("ls", _ls, "list the files of a task's sandbox")
    ls.add_argument("task", help="id, name, part of them, or pattern")
    ls.add_argument("path", nargs="?", default="", help="a directory in the sandbox")
    ls.add_argument("--long", action="store_true", help="also modes, sizes and times")
    _add_scope(ls)


def _add_scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="also tasks that have ended")
    parser.add_argument("--completed", action="store_true", help="only tasks that have ended")


async def _found(cluster: Cluster, args: argparse.Namespace) -> Found:
    """Return the task that is meant; the last that has ended when none that runs is."""
    found = finding.tasks(await cluster.master.state())
    meant = finding.chosen(found, args.task, completed=args.completed, every=args.all)
    if not meant and not args.all:
        meant = finding.chosen(found, args.task, completed=True)
    ended = finding.newest_of_one_name(meant)
    if ended is not None:
        printing.note(f"({ended.id}: {ended.task.get('state')})")
        return ended
    return finding.one(meant, args.task)


async def _log(args: argparse.Namespace) -> None:
    if args.lines < 0:
        raise UserError("--lines must not be negative")
    async with connected() as cluster:
        found = await _found(cluster, args)
        agent = sandboxes.agent_of(cluster, found)
        path = await sandboxes.log_path(agent, found, args.file)
        log = TaskLog(agent, path)
        offset = await _print_tail(log, args.lines)
        while args.follow:
            data, offset = await through_breaks(partial(log.read, offset))
            if not data:
                await asyncio.sleep(_POLL_S)
                continue
            sys.stdout.write(data)
            sys.stdout.flush()


async def _print_tail(log: TaskLog, lines: int) -> int:
    """Print the last lines; returns the offset after them."""
    shown, offset = await log.tail(lines)
    if not log.exists:
        raise UserError(f"the sandbox has no file {log.name!r}; see `dcos task ls`")
    sys.stdout.write(shown)
    if shown and not shown.endswith("\n"):
        sys.stdout.write("\n")
    sys.stdout.flush()
    return offset


async def _ls(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        found = await _found(cluster, args)
        agent = sandboxes.agent_of(cluster, found)
        folder = await sandboxes.folder(agent, found)
        path = f"{folder}/{args.path.strip('/')}".rstrip("/")
        try:
            entries = await agent.browse(path)
        except ApiError as error:
            if error.status == 404:
                raise UserError(f"the sandbox has no directory {args.path!r}") from error
            raise
    entries.sort(key=lambda entry: str(entry["path"]))
    names = [str(entry["path"]).rpartition("/")[2] for entry in entries]
    if not args.long:
        print("  ".join(names))
        return
    printing.table(
        ["MODE", "NLINK", "UID", "GID", "SIZE", "MTIME", "NAME"],
        (
            [*(entry[key] for key in _LONG), _when(entry["mtime"]), name]
            for entry, name in zip(entries, names, strict=True)
        ),
    )


def _when(seconds: float) -> str:
    return time.strftime("%b %d %H:%M", time.localtime(seconds))
