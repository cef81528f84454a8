"""The input and output of containers through an agent's API: sessions, attaching, exit statuses.

A session is a container that ends with the connection which started it. Output comes as records;
input goes by a second, endless request.
"""

import contextlib
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, NamedTuple

import msgspec

from comity.runtime.http import Client, ClientStream, Headers, Response
from comity.sdk.rest import ApiError, decoded, error_of
from comity.wire import recordio
from comity.wire.mesos import codec, sessions
from comity.wire.mesos.containers import TTYInfo, WindowSize
from comity.wire.mesos.sessions import ProcessControl, ProcessData, ProcessIO

Json = dict[str, Any]
Window = tuple[int, int]
"""Rows and columns of a terminal."""

END_OF_INPUT = ProcessIO(type="DATA", data=ProcessData(type="STDIN", data=b""))
HEARTBEAT = ProcessIO(type="CONTROL", control=ProcessControl(type="HEARTBEAT"))

_JSON = "application/json"
_RECORDIO = "application/recordio"
_STREAMED: Headers = (
    ("Content-Type", _JSON),
    ("Accept", _RECORDIO),
    ("Message-Accept", _JSON),
)
_FED: Headers = (("Content-Type", _RECORDIO), ("Message-Content-Type", _JSON), ("Accept", _JSON))
_ANSWER_S = 600.0
_START_S = 600.0


class Piece(NamedTuple):
    """Some output."""

    is_error: bool
    data: bytes


def typed(data: bytes) -> ProcessIO:
    """Return input as a message."""
    return ProcessIO(type="DATA", data=ProcessData(type="STDIN", data=data))


def resized(window: Window) -> ProcessIO:
    """Return a terminal's new size as a message."""
    size = WindowSize(rows=window[0], columns=window[1])
    control = ProcessControl(type="TTY_INFO", tty_info=TTYInfo(window_size=size))
    return ProcessIO(type="CONTROL", control=control)


def exit_code(wait_status: int) -> int:
    """Return what a shell would say of an end: 128 and the signal's number for a signal."""
    signal = wait_status & 0x7F
    return 128 + signal if signal else wait_status >> 8


class Sessions:
    """Calls one agent; `base_url` may be a gateway's `/agent/<id>`."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self._url = f"{base_url.rstrip('/')}/api/v1"
        self._client = client
        self._headers = headers

    @contextlib.asynccontextmanager
    async def run(
        self, container_id: Json, command: Json, window: Window | None = None
    ) -> AsyncIterator[AsyncIterator[Piece]]:
        """Start a session and give what it writes; leaving ends it.

        Raises:
            ApiError: it does not start; the text says why.
        """
        body: Json = {"container_id": container_id, "command": command}
        if window is not None:
            size = {"rows": window[0], "columns": window[1]}
            body["container"] = {"type": "MESOS", "tty_info": {"window_size": size}}
        async with self._streamed("LAUNCH_NESTED_CONTAINER_SESSION", body) as output:
            yield output

    @contextlib.asynccontextmanager
    async def output(self, container_id: Json) -> AsyncIterator[AsyncIterator[Piece]]:
        """Give what a container writes from now on.

        Raises:
            ApiError: there is no such container, or nobody can be attached to it.
        """
        body = {"container_id": container_id}
        async with self._streamed("ATTACH_CONTAINER_OUTPUT", body) as output:
            yield output

    @contextlib.asynccontextmanager
    async def _streamed(self, kind: str, body: Json) -> AsyncIterator[AsyncIterator[Piece]]:
        data = msgspec.json.encode({"type": kind, kind.lower(): body})
        headers = (*self._headers, *_STREAMED)
        call = self._client.stream("POST", self._url, data, headers, timeout_s=_START_S)
        async with call as answer:
            await _checked(answer)
            yield _pieces(answer)

    async def send(self, container_id: Json, messages: AsyncIterable[ProcessIO]) -> None:
        """Give a container input as it comes, until there is no more.

        Raises:
            ApiError: there is no such container, or nobody can be attached to it.
        """
        headers = (*self._headers, *_FED)
        records = _records(container_id, messages)
        async with self._client.stream(
            "POST", self._url, records, headers, timeout_s=None
        ) as answer:
            await _checked(answer)

    async def wait(self, container_id: Json) -> int | None:
        """Return the wait status of a container once it has ended; None when nobody knows it."""
        body = {"container_id": container_id}
        found = await self._call("WAIT_CONTAINER", body, timeout_s=None)
        status = (found or {}).get("wait_container", {}).get("exit_status")
        return None if status is None else int(status)

    async def remove(self, container_id: Json) -> None:
        """Have an ended container forgotten."""
        await self._call("REMOVE_CONTAINER", {"container_id": container_id})

    async def containers(self) -> list[Json]:
        """List all containers, nested ones too."""
        found = await self._call("GET_CONTAINERS", {"show_nested": True, "show_standalone": True})
        listed: list[Json] = found["get_containers"].get("containers") or []
        return listed

    async def _call(self, kind: str, body: Json, *, timeout_s: float | None = _ANSWER_S) -> Any:
        data = msgspec.json.encode({"type": kind, kind.lower(): body})
        headers = (*self._headers, ("Content-Type", _JSON), ("Accept", _JSON))
        return decoded(
            await self._client.request("POST", self._url, data, headers, timeout_s=timeout_s)
        )


async def _checked(answer: ClientStream) -> None:
    if answer.status >= 400:
        kind = answer.header("content-type") or ""
        raise error_of(Response(answer.status, await answer.read(), kind))


async def _pieces(answer: ClientStream) -> AsyncIterator[Piece]:
    decoder = recordio.Decoder()
    async for data in answer:
        for record in decoder.feed(data):
            message = codec.decode(ProcessIO, record)
            if message.type == "DATA" and message.data is not None and message.data.data:
                yield Piece(message.data.type == "STDERR", message.data.data)


async def _records(container_id: Json, messages: AsyncIterable[ProcessIO]) -> AsyncIterator[bytes]:
    kind = "ATTACH_CONTAINER_INPUT"
    first = {"type": "CONTAINER_ID", "container_id": container_id}
    yield recordio.encode(msgspec.json.encode({"type": kind, kind.lower(): first}))
    async for message in messages:
        body = sessions.AttachContainerInputBody(type="PROCESS_IO", process_io=message)
        call = sessions.AttachContainerInput(attach_container_input=body)
        yield recordio.encode(codec.encode(call))


__all__ = [
    "END_OF_INPUT",
    "HEARTBEAT",
    "ApiError",
    "Piece",
    "Sessions",
    "Window",
    "exit_code",
    "resized",
    "typed",
]
