"""A subscribed v1 stream: events coming and ordered calls going, as one thing that breaks whole.

Both halves of Mesos's v1 APIs for schedulers and executors have this shape. Who uses it decides
what a break means (resubscribe, or give up); here a break is only reported.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from urllib.parse import urljoin, urlsplit

from comity.core.errors import ComityError
from comity.runtime import tls
from comity.runtime.http import Client, ClientStream, Headers, HttpError, Response
from comity.runtime.http.pipeline import Pipeline
from comity.wire import recordio
from comity.wire.mesos.codec import Format

_SETTLE_S = 1.0


def media_headers(format: Format) -> Headers:
    """Return the headers that say what calls are, and what events shall be, written in."""
    return (("Content-Type", format.value), ("Accept", format.value))


class SubscribeRefused(ComityError):
    """The server understood the subscription and said no: trying again will not help."""


class NotSubscribed(ComityError):
    """A call was made while there is no subscription; subscribe events say when there is one."""


class CallRefused(ComityError):
    """A call was answered with something else than success.

    `status` is the HTTP status, `text` the server's reason.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


class Subscription:
    """One subscription. Made by `open`; iterate `records()`; `post` calls; `close` when done."""

    def __init__(
        self, stream: ClientStream, pipeline: Pipeline, path: str, headers: Headers
    ) -> None:
        self._stream = stream
        self._pipeline = pipeline
        self._path = path
        self._headers = headers

    @classmethod
    async def open(
        cls,
        client: Client,
        url: str,
        body: bytes,
        headers: Headers = (),
        *,
        carry: Sequence[str] = ("Mesos-Stream-Id",),
        format: Format = Format.JSON,
    ) -> "Subscription":
        """Subscribe at `url`, following a redirect to the leader.

        Headers of the answer named in `carry` go with every call.

        Raises:
            HttpError: nobody there, or not ready (503, 5xx): try again.
            SubscribeRefused: a 4xx with the server's reason.
        """
        headers = (*media_headers(format), *headers)
        for _ in range(3):
            stream = client.stream("POST", url, body, headers)
            await stream.__aenter__()
            if stream.status == 200:
                return await cls._with_calls(stream, url, headers, carry)
            text = (await stream.read()).decode(errors="replace").strip()
            location = stream.header("location")
            await stream.__aexit__(None, None, None)
            if stream.status == 307 and location:
                url = urljoin(url, location)
                continue
            if stream.status >= 500:
                raise HttpError(f"{url} answered {stream.status}: {text}")
            raise SubscribeRefused(f"{url} answered {stream.status}: {text}")
        raise HttpError(f"{url} redirects in a circle")

    @classmethod
    async def _with_calls(
        cls, stream: ClientStream, url: str, headers: Headers, carry: Sequence[str]
    ) -> "Subscription":
        parts = urlsplit(url)
        try:
            is_tls = parts.scheme == "https"
            port = parts.port or (443 if is_tls else 80)
            context = tls.calling() if is_tls else None
            pipeline = await Pipeline.connect(parts.hostname or "127.0.0.1", port, ssl=context)
        except HttpError:
            await stream.__aexit__(None, None, None)
            raise
        found = ((name, stream.header(name)) for name in carry)
        own: Headers = tuple((name, value) for name, value in found if value)
        return cls(stream, pipeline, parts.path, (*own, *headers))

    async def records(self, silence_s: float) -> AsyncIterator[list[bytes]]:
        """Yield the records that have arrived, in batches; return when the stream ends.

        Raises:
            HttpError: the connection broke, or nothing came for `silence_s` seconds.
        """
        decoder = recordio.Decoder()
        chunks = aiter(self._stream)
        while True:
            try:
                async with asyncio.timeout(silence_s):
                    data = await anext(chunks)
            except StopAsyncIteration:
                return
            except TimeoutError as error:
                raise HttpError(f"nothing heard for {silence_s:g} s") from error
            records = decoder.feed(data)
            if records:
                yield records

    def post(self, body: bytes) -> "asyncio.Future[Response]":
        """Send one call after those before it; the future is its answer."""
        return self._pipeline.post(self._path, body, self._headers)

    async def close(self) -> None:
        """Drop both connections; calls under way have a moment to be answered."""
        await self._pipeline.settled(_SETTLE_S)
        self._pipeline.close()
        await self._stream.__aexit__(None, None, None)


def check(response: Response) -> None:
    """Raise `CallRefused` unless the call succeeded."""
    if response.status not in (200, 202):
        raise CallRefused(response.status, response.body.decode(errors="replace").strip())
