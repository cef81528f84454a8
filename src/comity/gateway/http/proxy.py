"""Passing a request on and its answer back, as it comes.

Short answers are sent whole, with their length; long and endless ones are passed on piece by piece,
no faster than the client reads. Requests that are endless (RecordIO: input of containers)
are passed on alike, no faster than the upstream reads; one that breaks off breaks off there.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit

from comity.gateway import headers
from comity.gateway.headers import Headers
from comity.runtime.http import Client, ClientStream, Feed, HttpError, Request, Response, Stream

_log = logging.getLogger(__name__)

_WHOLE_MAX = 1 << 20
"""An answer that says it is at most this long is read whole before it is passed on."""

_SILENCE_MAX_S = 600.0
"""How long an upstream may take to begin its answer; Mesos calls like WAIT take their time."""


class Destination(NamedTuple):
    """Where a request goes."""

    url: str
    """The upstream's base URL."""
    path: str
    """The path there, still percent-encoded."""
    prefix: str
    """What the upstream's root is called at the gateway, without a slash at the end."""
    own: Headers = ()
    """The Authorization that we have there, if any."""


class Proxy:
    """Sends requests to upstreams."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pumps: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End the answers that are still being passed on."""
        for pump in list(self._pumps):
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def forward(
        self, request: Request, to: Destination, *, is_our_token: bool
    ) -> Response | Stream:
        """Ask the upstream what we were asked."""
        query = f"?{request.raw_query}" if request.raw_query else ""
        call = self._client.stream(
            request.method,
            f"{to.url.rstrip('/')}{to.path}{query}",
            request.body if request.feed is None else _whole(request.feed),
            headers.for_upstream(request.headers, request.peer, to.own, is_our_token=is_our_token),
            timeout_s=_SILENCE_MAX_S if request.feed is None else None,
        )
        stack = contextlib.AsyncExitStack()
        try:
            answer = await stack.enter_async_context(call)
            return await self._pass_on(request, answer, to, stack)
        except HttpError as error:
            await stack.aclose()
            _log.warning("%s %s: %s", request.method, to.url, error)
            host = urlsplit(to.url).netloc
            return plain(502, f"Bad gateway: {host} behind {to.prefix or '/'} does not answer.")
        except BaseException:
            await stack.aclose()
            raise

    async def _pass_on(
        self,
        request: Request,
        answer: ClientStream,
        to: Destination,
        stack: contextlib.AsyncExitStack,
    ) -> Response | Stream:
        passed = headers.for_client(answer.headers, to.url, to.prefix)
        content_type = answer.header("content-type") or ""
        length = answer.header("content-length")
        bodiless = request.method == "HEAD" or answer.status in (204, 304)
        if bodiless or (length is not None and length.isdigit() and int(length) <= _WHOLE_MAX):
            body = b"" if bodiless else await answer.read()
            await stack.aclose()
            return Response(answer.status, body, content_type, passed)
        stream = Stream(content_type, passed, status=answer.status)
        pump = asyncio.create_task(_pump(answer, stream, stack))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        stream.on_close(lambda: _cancel(pump))
        return stream


async def _whole(feed: Feed) -> AsyncIterator[bytes]:
    """Yield a request's body; one that broke off is an error, so that it breaks off upstream."""
    async for piece in feed:
        yield piece
    if not feed.is_whole:
        raise HttpError("the client broke off")


def _cancel(pump: "asyncio.Task[None]") -> None:
    pump.cancel()


async def _pump(answer: ClientStream, stream: Stream, stack: contextlib.AsyncExitStack) -> None:
    try:
        async for chunk in answer:
            if not stream.send(chunk):
                return
            await stream.drained()
        stream.close()
    except HttpError as error:
        # A broken upstream must not look like the end of its answer: cut the client off too.
        _log.warning("an answer broke off: %s", error)
        stream.abort()
    finally:
        await stack.aclose()


def plain(status: int, text: str, *more: tuple[str, str]) -> Response:
    """Return a sentence as an answer."""
    return Response(status, f"{text}\n".encode(), "text/plain; charset=utf-8", tuple(more))
