"""Big reads: made in slices, shared by equal requests, sent in blocks, compressed beside the loop.

A request may share a document that is under way when its instant is still to come, or when nothing
has changed since: nobody gets what is older than the question. Between two slices, and between two
blocks, the loop belongs to others.
"""

import asyncio
import zlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, Protocol

from comity.core import splicing
from comity.core.splicing import Piece
from comity.runtime.http.messages import Request, Response

COMPRESS_MIN = 1024
"""Bodies from this size on are compressed for who accepts that, as by Mesos's libprocess."""

_BESIDE = 1 << 16
"""Bodies from this size on are compressed in a thread."""

_KEPT_S = 5.0
"""How long a document is kept for others that ask for the same."""

_LEVEL = 1


class Loop(Protocol):
    """What runs the machine that is read."""

    async def settled(self) -> None:
        """Wait until what readers can see is durable."""
        ...

    def spawn(self, job: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine that must not fail."""
        ...


class _Document:
    """One document, perhaps still under way."""

    def __init__(self) -> None:
        self.version: int | None = None
        """What was current when it was taken; None until then."""
        self.blocks: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self.compressed: asyncio.Future[list[bytes]] | None = None


class Sharing:
    """Answers big reads of one component."""

    def __init__(self, loop: Loop, version: Callable[[], int]) -> None:
        self._loop = loop
        self._version = version
        self._held: dict[Any, _Document] = {}

    async def blocks(
        self, key: Any, warm: Iterable[None], build: Callable[[], list[Piece]]
    ) -> "_Document":
        """Return the document `key`; `build` takes it at one instant, after `warm` is through."""
        document = self._held.get(key)
        if document is None or document.version not in (None, self._version()):
            document = self._held[key] = _Document()
            self._loop.spawn(self._make(key, document, warm, build))
        await asyncio.shield(document.blocks)
        return document

    async def _make(
        self,
        key: Any,
        document: _Document,
        warm: Iterable[None],
        build: Callable[[], list[Piece]],
    ) -> None:
        try:
            for _ in warm:
                await asyncio.sleep(0)
            await self._loop.settled()
            document.version = self._version()
            found = build()
            blocks = []
            for block in splicing.joined(found):
                blocks.append(block)
                await asyncio.sleep(0)
            document.blocks.set_result(blocks)
            asyncio.get_running_loop().call_later(_KEPT_S, self._forget, key, document)
        except Exception as error:
            self._forget(key, document)
            document.blocks.set_exception(error)  # who asked answers 500 and logs it
        finally:
            document.blocks.cancel()

    def _forget(self, key: Any, document: _Document) -> None:
        if self._held.get(key) is document:
            del self._held[key]

    async def answer(
        self,
        request: Request,
        key: Any,
        warm: Iterable[None],
        build: Callable[[], list[Piece]],
    ) -> Response:
        """Answer a request with a document, compressed when the client accepts that."""
        document = await self.blocks(key, warm, build)
        blocks = document.blocks.result()
        if not accepts_gzip(request) or sum(map(len, blocks)) < COMPRESS_MIN:
            return Response(200, blocks=blocks)
        if document.compressed is None:
            document.compressed = asyncio.get_running_loop().create_future()
            self._loop.spawn(_compress(document))
        packed = await asyncio.shield(document.compressed)
        return Response(200, headers=_GZIP, blocks=packed)


_GZIP = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))


async def _compress(document: _Document) -> None:
    assert document.compressed is not None
    try:
        packed = await asyncio.to_thread(gzipped, document.blocks.result())
        document.compressed.set_result(packed)
    finally:
        document.compressed.cancel()


def gzipped(blocks: Sequence[bytes]) -> list[bytes]:
    """Return blocks compressed as one gzip file."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    packed = [packer.compress(block) for block in blocks]
    packed.append(packer.flush())
    return [block for block in packed if block]


def accepts_gzip(request: Request) -> bool:
    """Whether a client accepts gzip."""
    for part in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def compressed(request: Request, answer: Response) -> Response:
    """Return an answer, compressed if it is long enough and the client accepts that."""
    size = len(answer.body)
    if size < COMPRESS_MIN or not accepts_gzip(request) or answer.header("Content-Encoding"):
        return answer
    if size < _BESIDE:
        packed = gzipped([answer.body])
    else:
        packed = await asyncio.to_thread(gzipped, [answer.body])
    headers = (*answer.headers, *_GZIP)
    return Response(answer.status, b"".join(packed), answer.content_type, headers)
