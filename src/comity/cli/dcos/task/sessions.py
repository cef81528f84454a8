"""`dcos task exec` and `dcos task attach`: commands in a task's container, and the task itself."""

import argparse
import asyncio
import contextlib
import os
import sys
import uuid
from collections.abc import AsyncIterator
from typing import Any

from comity.cli.dcos import parsing, terminal
from comity.cli.dcos.session import connected
from comity.cli.dcos.task import finding, sandboxes
from comity.core.errors import UserError
from comity.sdk.gateway import Cluster
from comity.sdk.rest import ApiError, HttpError
from comity.sdk.sessions import Piece, Sessions, Window, exit_code

Json = dict[str, Any]


def add_to(commands: parsing.Commands) -> None:
    """Add the commands."""
    run = commands.add(
        "exec",
        _exec,
        "run a command in a task's container; its exit code is the command's",
        examples="""
        dcos task exec web -- ls -l
        dcos task exec -it web -- sh
        dcos task exec -i web -- tee config.json < config.json
        dcos task exec --container php guestbook -- env
        """,
    )
    run.add_argument(
        "-i", "--interactive", action="store_true", help="pass stdin on to the command"
    )
    run.add_argument("-t", "--tty", action="store_true", help="give the command a terminal")
    run.add_argument("--user", default="", help="run it as this user (the task's)")
    _add_container(run)
    run.add_argument("task", help="id, name, part of them, or pattern")
    run.add_argument("words", nargs=argparse.REMAINDER, metavar="-- COMMAND [ARGUMENT...]")
    attach = commands.add(
        "attach",
        _attach,
        "attach to a task that was started with a terminal; Ctrl-P Ctrl-Q leaves it",
        examples="""
        dcos task attach console
        dcos task attach --no-stdin console
        """,
    )
    attach.add_argument("--no-stdin", action="store_true", help="only watch")
    _add_container(attach)
    attach.add_argument("task", help="id, name, part of them, or pattern")


def _add_container(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--container", default="", help="which container of a Kubernetes pod")


_NOT_FOUND = 127
"""The exit code of a shell, and of others like this, for a command that is not there."""


async def _exec(args: argparse.Namespace) -> int:
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    if not words:
        raise UserError("which command? dcos task exec TASK -- COMMAND [ARGUMENT...]")
    _need_terminal(wanted=args.tty)
    async with connected() as cluster:
        sessions, parent = await _place(cluster, args)
        session = {"value": f"exec-{uuid.uuid4()}", "parent": parent}
        size = terminal.window() if args.tty else None
        keys = terminal.Keys(reads=args.interactive, is_terminal=args.tty)
        try:
            async with sessions.run(session, _command(words, args), size) as output:
                code = await _joined(sessions, (session, output), keys, size)
        except ApiError as error:
            if error.status == 400 and "No such file" in error.message:
                raise UserError(error.message, exit_code=_NOT_FOUND) from error
            raise
        with contextlib.suppress(ApiError, HttpError):  # it goes with the task
            await sessions.remove(session)
    return code


async def _attach(args: argparse.Namespace) -> int:
    is_terminal = sys.stdin.isatty() and not args.no_stdin
    async with connected() as cluster:
        sessions, container = await _place(cluster, args)
        keys = terminal.Keys(
            reads=not args.no_stdin, is_terminal=is_terminal, can_detach=is_terminal
        )
        size = terminal.window() if is_terminal else None
        try:
            async with sessions.output(container) as output:
                feed = None if args.no_stdin else keys
                return await _joined(sessions, (container, output), feed, size)
        except ApiError as error:
            if error.status == 500 and "disabled" in error.message:
                raise UserError(
                    "this task was started without a terminal, so nobody can be attached to it: "
                    "give its container `tty_info`, or run a command beside it by `dcos task exec`"
                ) from error
            raise


def _need_terminal(*, wanted: bool) -> None:
    if wanted and not sys.stdin.isatty():
        raise UserError("--tty needs a terminal, and stdin is none; leave --tty out")


def _command(words: list[str], args: argparse.Namespace) -> Json:
    command: Json = {"shell": False, "value": words[0], "arguments": words}
    if args.user:
        command["user"] = args.user
    if args.tty and (kind := os.environ.get("TERM")):
        command["environment"] = {"variables": [{"name": "TERM", "value": kind}]}
    return command


async def _place(cluster: Cluster, args: argparse.Namespace) -> tuple[Sessions, Json]:
    """Return where sessions are asked for, and the container that is meant."""
    running = finding.chosen(finding.tasks(await cluster.master.state()), args.task)
    found = finding.one(running, args.task)
    sandboxes.agent_of(cluster, found)
    sessions = cluster.sessions(str(found.task["slave_id"]))
    inside = await sandboxes.pod_containers(sessions, found)
    if inside:
        return sessions, _chosen(inside, args.container, found.name)
    if args.container:
        raise UserError(f"{found.name} is no Kubernetes pod: leave --container out")
    for status in reversed(found.task.get("statuses") or []):
        container = (status.get("container_status") or {}).get("container_id")
        if container:
            return sessions, container
    raise UserError(f"{found.name} has no container yet ({found.task.get('state')})")


def _chosen(containers: dict[str, Json], name: str, pod: str) -> Json:
    if not name and len(containers) == 1:
        return next(iter(containers.values()))
    if name not in containers:
        names = ", ".join(sorted(containers))
        raise UserError(f"{pod} has these containers, choose one by --container: {names}")
    return containers[name]


async def _joined(
    sessions: Sessions,
    what: tuple[Json, AsyncIterator[Piece]],
    keys: terminal.Keys | None,
    size: Window | None,
) -> int:
    """Put this terminal and a container together until it ends; return its exit code."""
    container, output = what
    # Asked before its end: an agent forgets a task's container as soon as its end is acknowledged.
    waiting = asyncio.create_task(sessions.wait(container))
    try:
        async with terminal.ending():
            with terminal.raw(wanted=size is not None):
                await _passed(sessions, container, output, keys)
            if keys is not None and keys.detached.is_set():
                print("detached; the task goes on", file=sys.stderr)
                return 0
            status = await waiting
    except terminal.Ended as error:
        return error.exit_code
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    if status is None:
        raise UserError("the command has ended, and its agent does not know how")
    return exit_code(status)


async def _passed(
    sessions: Sessions, container: Json, output: AsyncIterator[Piece], keys: terminal.Keys | None
) -> None:
    async def show() -> None:
        async for piece in output:
            # Beside the loop: whoever reads our output slowly must not hold up keys and sizes.
            await asyncio.to_thread(_write, 2 if piece.is_error else 1, piece.data)

    showing = asyncio.create_task(show())
    jobs: set[asyncio.Task[Any]] = {showing}
    if keys is not None:
        jobs.add(asyncio.create_task(_fed(sessions, container, keys)))
    try:
        while not showing.done():
            done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
            for job in done:
                job.result()
            jobs -= done
            if keys is not None and keys.detached.is_set():
                return
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _fed(sessions: Sessions, container: Json, keys: terminal.Keys) -> None:
    try:
        await sessions.send(container, keys.messages())
    except ApiError as error:
        if error.status != 404:  # it has ended meanwhile
            raise


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
