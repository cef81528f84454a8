"""`kubectl exec` and `attach`: a client's channels on one side, a container on the other."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from msgspec import Struct

from comity.kube.node.http import channels
from comity.kube.node.http.channels import CLOSED_STDIN, RESIZE, STDERR, STDIN, STDOUT, Caller, flag
from comity.kube.node.state import Json
from comity.runtime.http import HttpError, Request, Response
from comity.sdk.rest import ApiError
from comity.sdk.sessions import END_OF_INPUT, Piece, Sessions, exit_code, resized, typed
from comity.wire.mesos.sessions import ProcessIO

_WAITING_MAX = 16
_SUCCESS = {"metadata": {}, "status": "Success"}


class Asked(Struct, frozen=True, kw_only=True):
    """What a client wants to have to do with a container."""

    container: Json
    """The container's id, as the agent knows it."""
    stdin: bool
    tty: bool
    command: tuple[str, ...] = ()
    ends_input: bool = True
    """Whether the end of the client's input is the container's; else others may attach later."""


def asked(request: Request, container: Json) -> Asked:
    """Return what a request wants."""
    command = tuple(request.query.get("command", ()))
    stdin, tty = flag(request, "stdin"), flag(request, "tty")
    return Asked(container=container, stdin=stdin, tty=tty, command=command)


class Streams:
    """Serves sessions in this node's containers."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    def exec(self, request: Request, ask: Asked) -> Response:
        """Run a command in a container; it ends with the connection."""

        async def serve(caller: Caller) -> None:
            await _told(caller, self._run(caller, ask))

        return channels.accept(request, serve)

    def attach(self, request: Request, ask: Asked) -> Response:
        """Join a container that has a terminal."""

        async def serve(caller: Caller) -> None:
            await _told(caller, self._join(caller, ask))

        return channels.accept(request, serve)

    def watch(self, request: Request, lines: AsyncIterator[bytes]) -> Response:
        """Join a container without a terminal: show what it writes from now on."""

        async def show(caller: Caller) -> Json | None:
            async for data in lines:
                await caller.send(STDOUT, data)
            return _SUCCESS

        async def serve(caller: Caller) -> None:
            showing = asyncio.create_task(show(caller))
            reading = asyncio.create_task(_gone(caller))
            await _first(showing, reading)
            if showing.done() and not showing.cancelled():
                await _told(caller, _finished(showing))

        return channels.accept(request, serve)

    async def _run(self, caller: Caller, ask: Asked) -> Json | None:
        session = {"value": f"exec-{uuid.uuid4()}", "parent": ask.container}
        command = {"shell": False, "value": ask.command[0], "arguments": list(ask.command)}
        window = (24, 80) if ask.tty else None
        async with self._sessions.run(session, command, window) as output:
            is_over = await self._joined(caller, session, output, ask)
        if not is_over:
            return None  # leaving has ended it, and nobody is there to be told
        status = await self._sessions.wait(session)
        with contextlib.suppress(ApiError, HttpError):  # it goes with the pod
            await self._sessions.remove(session)
        return _status(status)

    async def _join(self, caller: Caller, ask: Asked) -> Json | None:
        async with self._sessions.output(ask.container) as output:
            is_over = await self._joined(caller, ask.container, output, ask)
        return _SUCCESS if is_over else None

    async def _joined(
        self, caller: Caller, container: Json, output: AsyncIterator[Piece], ask: Asked
    ) -> bool:
        """Pass input and output on; whether the output came to its end before the client left."""

        async def show() -> None:
            async for piece in output:
                await caller.send(STDERR if piece.is_error else STDOUT, piece.data)

        news: asyncio.Queue[ProcessIO] = asyncio.Queue(_WAITING_MAX)
        feeding = asyncio.create_task(self._feed(container, news))
        showing = asyncio.create_task(show())
        reading = asyncio.create_task(_read(caller, news, ask))
        try:
            await _first(showing, reading)
            if not showing.cancelled():
                showing.result()
            return not showing.cancelled()
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

    async def _feed(self, container: Json, news: "asyncio.Queue[ProcessIO]") -> None:
        async def messages() -> AsyncIterator[ProcessIO]:
            while True:
                yield await news.get()

        await self._sessions.send(container, messages())


async def _first(showing: "asyncio.Task[Any]", reading: "asyncio.Task[Any]") -> None:
    """Wait for either, and end the other."""
    try:
        await asyncio.wait({showing, reading}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in (reading, showing):
            job.cancel()
        await asyncio.gather(showing, reading, return_exceptions=True)


async def _finished(showing: "asyncio.Task[Json | None]") -> Json | None:
    return showing.result()


async def _gone(caller: Caller) -> None:
    while await caller.receive() is not None:
        continue


async def _read(caller: Caller, news: "asyncio.Queue[ProcessIO]", ask: Asked) -> None:
    """Turn a client's messages into input until it leaves."""
    if not ask.stdin and not ask.tty and ask.command:
        await news.put(END_OF_INPUT)  # whoever reads nevertheless must not wait
    while (message := await caller.receive()) is not None:
        channel, data = message
        if channel == STDIN and ask.stdin and data:
            await news.put(typed(data))
        elif channel == RESIZE and ask.tty:
            window = _window(data)
            if window is not None:
                await news.put(resized(window))
        elif message == CLOSED_STDIN and ask.stdin and ask.ends_input:
            await news.put(END_OF_INPUT)


def _window(data: bytes) -> tuple[int, int] | None:
    try:
        size = msgspec.json.decode(data, type=dict[str, int])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None  # as a kubelet: a size that cannot be read changes nothing
    rows, columns = size.get("Height", 0), size.get("Width", 0)
    return (rows, columns) if 0 < rows < 1 << 16 and 0 < columns < 1 << 16 else None


async def _told(caller: Caller, work: Any) -> None:
    """Do what a client wants, and tell it how that ended."""
    try:
        status = await work
    except (ApiError, HttpError) as error:
        text = f"Internal error occurred: {error}"
        cause = {"message": str(error)}
        status = {
            "metadata": {},
            "status": "Failure",
            "message": text,
            "reason": "InternalError",
            "details": {"causes": [cause]},
            "code": 500,
        }
    if status is not None:
        await caller.finish(status)


def _status(wait_status: int | None) -> Json:
    """Return a command's end as a kubelet tells it (client-go: remotecommand v4)."""
    if wait_status == 0:
        return _SUCCESS
    code = 255 if wait_status is None else exit_code(wait_status)
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: exit status {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
