"""How an agent starts its launcher, finds the one that runs, and talks to it."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comity.core.errors import ComityError
from comity.runtime.launcher import program


class LauncherGone(ComityError):
    """The launcher ended, and with it knowledge of the tasks: the agent must start anew."""


Event = dict[str, Any]

_TAKE_S = 5.0


class LauncherClient:
    """A connection to the launcher of one agent; events go to `on_event` as they come."""

    def __init__(self, directory: Path, on_event: Callable[[Event], None]) -> None:
        self._directory = directory
        self._on_event = on_event
        self._writer: asyncio.StreamWriter | None = None
        self._reader: asyncio.StreamReader | None = None
        self.was_running = False
        """Whether `connect` found a launcher that had outlived an earlier agent."""

    async def connect(self) -> Event:
        """Connect, starting a launcher if none runs; return its `hello`.

        Raises:
            LauncherGone: it cannot be started.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self.was_running = is_running(self._directory)
        if not self.was_running:
            _start(self._directory)
        for _ in range(500):
            try:
                self._reader, self._writer = await _open(self._directory)
                break
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0.01)
        else:
            raise LauncherGone(f"no launcher answers in {self._directory}")
        line = await self._reader.readline()
        if not line:
            raise LauncherGone("the launcher closed the connection at once")
        hello: Event = json.loads(line)
        return hello

    async def listen(self) -> None:
        """Give events to `on_event` until the launcher ends.

        Raises:
            LauncherGone: always, in the end.
        """
        assert self._reader is not None
        while line := await self._reader.readline():
            self._on_event(json.loads(line))
        raise LauncherGone("the launcher has ended")

    def order(self, **order: Any) -> None:
        """Send one order."""
        assert self._writer is not None
        self._writer.write(json.dumps(order).encode() + b"\n")

    def take_io(self, name: str) -> list[int]:
        """Return our own copies of the ends of one that is attached to: a terminal's, or three.

        Blocks for the moment that the launcher needs to answer.

        Raises:
            LauncherGone: it does not answer, or has no such ends.
        """
        handle = os.open(self._directory, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_TAKE_S)
                connection.connect(f"/proc/self/fd/{handle}/io")
                connection.sendall(name.encode() + b"\n")
                _, fds, _, _ = socket.recv_fds(connection, 16, 3)
        except OSError as error:
            raise LauncherGone(f"the launcher does not hand over {name}: {error}") from error
        finally:
            os.close(handle)
        if not fds:
            raise LauncherGone(f"the launcher has no input and output of {name}")
        return list(fds)

    async def close(self) -> None:
        """Disconnect; the launcher and its tasks stay."""
        if self._writer is not None:
            self._writer.close()


async def _open(directory: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    # Through a descriptor of the directory: a unix socket's path has 108 bytes at most.
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        path = f"/proc/self/fd/{handle}/socket"
        return await asyncio.open_unix_connection(path, limit=64 << 20)
    finally:
        os.close(handle)


def is_running(directory: Path) -> bool:
    """Whether a launcher holds the directory's lock."""
    try:
        lock = os.open(directory / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def _start(directory: Path) -> None:
    for stale in ("socket", "exits"):
        (directory / stale).unlink(missing_ok=True)
    argv = [sys.executable, "-I", "-S", program.__file__, str(directory.resolve())]
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Nobody waits for it: it outlives us, or its end ends us.
    os.posix_spawn(
        sys.executable,
        argv,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(directory / "log"), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigmask=[],
    )


async def stop(directory: Path, *, grace_s: float = 3.0) -> bool:
    """End the launcher of a directory with all its tasks; False when there was none."""
    if not is_running(directory):
        return False
    _, writer = await _open(directory)
    writer.write(json.dumps({"op": "stop", "grace": grace_s}).encode() + b"\n")
    await writer.drain()
    for _ in range(int((grace_s + 10) * 20)):
        if not is_running(directory):
            break
        await asyncio.sleep(0.05)
    else:
        os.kill(int((directory / "lock").read_text()), signal.SIGKILL)
    writer.close()
    return True
