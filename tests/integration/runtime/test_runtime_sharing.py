"""Big reads: shared while nothing changed, never older than the question, compressed on request."""

import asyncio
import gzip

import pytest

from comity.runtime.http.messages import Request, Response
from comity.runtime.http.sharing import Sharing, compressed


class Loop:
    """A machine's loop with nothing to do."""

    def __init__(self):
        self.jobs = set()

    async def settled(self):
        return None

    def spawn(self, job):
        task = asyncio.create_task(job)
        self.jobs.add(task)
        task.add_done_callback(self.jobs.discard)


class Source:
    """Something that is read: counts how often it was built, and changes in between."""

    def __init__(self):
        self.version = 0
        self.built = 0
        self.slices = 3
        self.on_slice = lambda: None

    def warm(self):
        for _ in range(self.slices):
            self.on_slice()
            yield

    def build(self):
        self.built += 1
        return [b"[", [b"%d" % self.version] * 1000, b"]"]


@pytest.fixture
async def source():
    found = Source()
    found.loop = Loop()
    found.sharing = Sharing(found.loop, lambda: found.version)
    yield found
    await asyncio.gather(*found.loop.jobs)


def ask(source, **headers):
    request = Request("GET", "/", headers)
    return source.sharing.answer(request, "key", source.warm(), source.build)


async def test_equal_requests_share_one_document(source):
    answers = await asyncio.gather(*(ask(source) for _ in range(10)))
    assert source.built == 1
    assert len({b"".join(one.blocks) for one in answers}) == 1
    await ask(source)
    assert source.built == 1
    source.version += 1
    changed = await ask(source)
    assert source.built == 2
    assert b"".join(changed.blocks).startswith(b"[1,")


async def test_a_document_is_taken_after_the_last_slice(source):
    def change():
        source.version += 1

    source.on_slice = change
    answer = await ask(source)
    assert b"".join(answer.blocks).startswith(b"[3,")


async def test_who_asks_after_a_change_does_not_get_what_was_before(source):
    first = asyncio.create_task(ask(source))
    while source.built == 0:
        await asyncio.sleep(0)
    source.version += 1
    second = await ask(source)
    assert b"".join(second.blocks).startswith(b"[1,")
    assert b"".join((await first).blocks).startswith(b"[0,")


async def test_a_failure_is_the_askers(source):
    def fail():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await source.sharing.answer(Request("GET", "/", {}), "bad", iter(()), fail)


async def test_gzip_once_for_all_who_accept_it(source):
    plain = await ask(source)
    packed, again = await asyncio.gather(
        *(ask(source, **{"accept-encoding": "gzip"}),) * 1,
        ask(source, **{"accept-encoding": "deflate, gzip;q=0.5"}),
    )
    assert dict(packed.headers)["Content-Encoding"] == "gzip"
    assert packed.blocks is again.blocks
    assert gzip.decompress(b"".join(packed.blocks)) == b"".join(plain.blocks)
    refused = await ask(source, **{"accept-encoding": "gzip;q=0"})
    assert refused.header("Content-Encoding") is None


@pytest.mark.parametrize("size", [1023, 1024, 1 << 20])
async def test_other_answers_are_compressed_from_1_kb_on(size):
    request = Request("GET", "/", {"accept-encoding": "gzip"})
    answer = await compressed(request, Response(200, b"x" * size))
    if size < 1024:
        assert answer.body == b"x" * size
    else:
        assert answer.header("Content-Encoding") == "gzip"
        assert gzip.decompress(answer.body) == b"x" * size
