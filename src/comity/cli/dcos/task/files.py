"""`dcos task log` and `dcos task ls`: what is in the sandboxes."""

import argparse
import asyncio
import sys
import time

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.cli.dcos.task import finding, sandboxes
from comity.cli.dcos.task.finding import Found
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.mesos import Agent
from comity.sdk.rest import ApiError

_BLOCK = 1 << 16
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
        offset = await _print_tail(agent, path, args.lines)
        while args.follow:
            # Counted in the file's bytes, which the text of an answer does not always tell.
            _, size = await agent.read(path, -1)
            if size <= offset:
                await asyncio.sleep(_POLL_S)
                continue
            length = min(size - offset, _BLOCK)
            data, _ = await agent.read(path, offset, length)
            sys.stdout.write(data)
            sys.stdout.flush()
            offset += length


async def _print_tail(agent: Agent, path: str, lines: int) -> int:
    """Print the last lines; returns the offset after them."""
    try:
        _, size = await agent.read(path, -1)
    except ApiError as error:
        if error.status == 404:
            name = path.rpartition("/")[2]
            raise UserError(f"the sandbox has no file {name!r}; see `dcos task ls`") from error
        raise
    start, held = size, ""
    while start > 0 and held.count("\n") <= lines:
        begin = max(0, start - _BLOCK)
        data, _ = await agent.read(path, begin, start - begin)
        held, start = data + held, begin
    shown = held.splitlines(keepends=True)[-lines:] if lines else []
    sys.stdout.write("".join(shown))
    if shown and not shown[-1].endswith("\n"):
        sys.stdout.write("\n")
    sys.stdout.flush()
    return size


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
