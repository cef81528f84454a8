"""Sessions and attaching: the calls of an agent's v1 API that are streams (Mesos: http.cpp)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Protocol

from comity.agent.handlers.nested import flat_id
from comity.agent.http.access import Access
from comity.agent.inputs import ContainerAsked, KillAsked
from comity.agent.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Feed, Request, Response, Stream
from comity.runtime.http.legacy import text
from comity.runtime.http.negotiation import Refused, message_format, streamed_format
from comity.wire import recordio
from comity.wire.mesos import codec, operator, sessions, v1
from comity.wire.mesos.codec import Format
from comity.wire.mesos.sessions import ProcessIO

_ENDING_S = 5.0
"""How long a session may go on that has closed its output."""


class Lines(Protocol):
    """The input and output of containers, as far as requests need them (shell.switchboard)."""

    def is_attachable(self, container_id: str) -> bool:
        """Whether somebody can be attached to a container."""
        ...

    def is_over(self, container_id: str) -> bool:
        """Whether a container writes no more."""
        ...

    def attach(self, container_id: str, stream: Stream, format: Format) -> bool:
        """Send a container's output to an endless answer."""
        ...

    def writing(self, container_id: str) -> AbstractContextManager[bool]:
        """Be the one who gives a container input; False where somebody else is."""
        ...

    async def feed(self, container_id: str, message: ProcessIO) -> None:
        """Give a container input."""
        ...


class Sessions:
    """Answers the calls that start containers for a client, or attach one to a container."""

    def __init__(self, driver: Driver, state: State, access: Access, lines: Lines) -> None:
        self._driver = driver
        self._state = state
        self._access = access
        self._lines = lines

    async def start(
        self, body: sessions.LaunchNestedContainerSessionBody, request: Request
    ) -> Response | Stream:
        """Start a container, stream what it writes, and end it with the connection."""
        streamed_format(request)  # refused before anything is started
        name = flat_id(body.container_id)
        launch = operator.LaunchContainerBody(
            container_id=body.container_id, command=body.command, container=body.container
        )
        answer = await self._driver.ask(
            lambda to: ContainerAsked(to, name, launch, is_session=True)
        )
        if answer.status != 200:
            return answer
        stream = self.output(body.container_id, request)
        if isinstance(stream, Stream):
            stream.on_close(lambda: self._driver.spawn(self._kill(name)))
        return stream

    async def _kill(self, name: str) -> None:
        is_over = self._lines.is_over(name)
        if is_over:
            # It has closed its output, not its client: it is about to end, as itself.
            await asyncio.sleep(_ENDING_S)
        await self._driver.ask(lambda to: KillAsked(to, name, 9, is_abandoned=not is_over))

    def output(self, container_id: v1.ContainerID, request: Request) -> Response | Stream:
        """Stream what a container writes from now on."""
        name = flat_id(container_id)
        kind, format, headers = streamed_format(request)
        fault = self._fault(name)
        if fault is not None:
            return fault
        stream = Stream(kind, headers)
        self._lines.attach(name, stream, format)
        return stream

    def _fault(self, name: str) -> Response | None:
        if name not in self._state.containers:
            return text(404, f"Container '{name}' cannot be found")
        if not self._lines.is_attachable(name):
            return text(500, "I/O switchboard server was disabled for this container")
        return None

    async def input(self, request: Request, feed: Feed) -> Response:
        """Read records of input as they come: first whose it is, then what it is."""
        calls = _input_calls(feed, message_format(request))
        try:
            first = await anext(calls, None)
            body = first.attach_container_input if first is not None else None
            if first is not None:
                self._access.check(self._state, request, first)
            if body is None or body.type != "CONTAINER_ID" or body.container_id is None:
                return text(400, "Expecting 'CONTAINER_ID' as the first record")
            name = flat_id(body.container_id)
            if (fault := self._fault(name)) is not None:
                return fault
            with self._lines.writing(name) as is_ours:
                if not is_ours:
                    return text(409, "Multiple input connections are not allowed")
                async for call in calls:
                    if call.attach_container_input.process_io is not None:
                        await self._lines.feed(name, call.attach_container_input.process_io)
        except (codec.DecodeFailed, recordio.RecordError) as error:
            return text(400, str(error))
        return Response(200, b"")


async def _input_calls(feed: Feed, format: Format) -> AsyncIterator[sessions.AttachContainerInput]:
    """Give the calls in a streamed request.

    Raises:
        Refused: another call is among them.
    """
    decoder = recordio.Decoder()
    async for piece in feed:
        for record in decoder.feed(piece):
            call = codec.decode(codec.AGENT_CALL, record, format)
            if not isinstance(call, sessions.AttachContainerInput):
                raise Refused(415, "Only ATTACH_CONTAINER_INPUT takes a streaming request")
            yield call
