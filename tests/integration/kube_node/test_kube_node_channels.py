"""Channels of exec and attach in plain SPDY, as programs before WebSockets speak it."""

import asyncio
import json
from urllib.parse import urlencode

import pytest

from comity.kube.node.http import channels
from comity.kube.node.http.channels import CLOSED_STDIN, RESIZE, STDERR, STDIN, STDOUT
from comity.runtime.http import Server
from support.spdy import SpdyClient

V4, V3, V2, V1 = "v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"
FAILURE = {"metadata": {}, "status": "Failure", "message": "exit status 7"}


class Node:
    """Serves channels: what it hears is in `heard`, None last."""

    def __init__(self):
        self.callers, self.heard = asyncio.Queue(), asyncio.Queue()
        self.is_over = asyncio.Event()

    async def answer(self, request):
        return channels.accept(request, self.serve)

    async def serve(self, caller):
        self.callers.put_nowait(caller)
        reading = asyncio.create_task(self.read(caller))
        await self.is_over.wait()
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    async def read(self, caller):
        while (message := await caller.receive()) is not None:
            self.heard.put_nowait(message)
        self.heard.put_nowait(None)

    async def hears(self):
        return await asyncio.wait_for(self.heard.get(), 30)


@pytest.fixture
async def node():
    node = Node()
    server = Server(node.answer)
    node.address = await server.start("127.0.0.1", 0)
    yield node
    node.is_over.set()
    await server.stop()


async def opened(node, *kinds, protocols=(V4, V3, V2, V1), **query):
    """Connect and open streams; returns the client, their numbers, and the node's end."""
    client = SpdyClient()
    status, headers = await client.connect(node.address, f"/x?{urlencode(query)}", *protocols)
    assert status == 101
    assert headers["upgrade"] == "spdy/3.1"
    streams = {kind: client.opens(streamType=kind) for kind in kinds}
    await client.until(lambda: client.accepted >= set(streams.values()))
    return client, streams, await asyncio.wait_for(node.callers.get(), 30)


async def test_the_best_protocol_that_both_speak(node):
    client = SpdyClient()
    status, headers = await client.connect(node.address, "/x", "v5.channel.k8s.io", V4, V3)
    assert (status, headers["x-stream-protocol-version"]) == (101, V4)
    await client.closes()


@pytest.mark.parametrize(("protocols", "expected"), [((), 400), (("v9.channel.k8s.io",), 403)])
async def test_no_protocol_that_both_speak(node, protocols, expected):
    client = SpdyClient()
    status, headers = await client.connect(node.address, "/x", *protocols)
    assert status == expected
    if protocols:
        assert headers["x-accepted-stream-protocol-versions"]
    client.writer.close()


async def test_input_its_end_and_sizes(node):
    kinds = ("error", "stdin", "stdout", "resize")
    asked = {"stdin": "true", "stdout": "true", "stderr": "true", "tty": "true"}
    client, streams, _ = await opened(node, *kinds, **asked)
    client.sends(streams["stdin"], b"abc")
    assert await node.hears() == (STDIN, b"abc")
    size = b'{"Width":91,"Height":31}'
    client.sends(streams["resize"], size + b"\n" + size[:7])
    client.sends(streams["resize"], size[7:] + b"\n")
    for _ in range(2):
        channel, data = await node.hears()
        assert channel == RESIZE
        assert json.loads(data) == {"Width": 91, "Height": 31}
    client.pings(7)
    await client.until(lambda: client.pongs == [7])
    client.sends(streams["stdin"], b"", is_last=True)
    assert await node.hears() == CLOSED_STDIN
    await client.closes()
    assert await node.hears() is None


async def test_a_reset_of_input_ends_it(node):
    client, streams, _ = await opened(node, "error", "stdin", stdin="true")
    client.resets(streams["stdin"])
    assert await node.hears() == CLOSED_STDIN
    await client.closes()


@pytest.mark.parametrize(
    ("protocol", "told"),
    [
        (V4, json.dumps(FAILURE, separators=(",", ":")).encode()),
        (V3, b"exit status 7"),
        (V2, b"exit status 7"),
        (V1, b"exit status 7"),
    ],
)
async def test_the_end_is_told_as_each_version_does(node, protocol, told):
    asked = {"stdout": "true", "stderr": "true"}
    kinds = ("error", "stdout", "stderr")
    client, streams, caller = await opened(node, *kinds, protocols=(protocol,), **asked)
    await caller.send(STDOUT, b"out")
    await caller.send(STDERR, b"err")
    ending = asyncio.create_task(caller.finish(FAILURE))
    await client.until(lambda: client.ended == set(streams.values()))
    assert client.got == dict(zip(streams.values(), (told, b"out", b"err"), strict=True))
    await client.closes()
    await asyncio.wait_for(ending, 30)


async def test_success_is_silent_before_version_4(node):
    client, streams, caller = await opened(node, "error", protocols=(V2,))
    ending = asyncio.create_task(caller.finish({"metadata": {}, "status": "Success"}))
    await client.until(lambda: streams["error"] in client.ended)
    assert client.got == {streams["error"]: b""}
    await client.closes()
    await asyncio.wait_for(ending, 30)


async def test_streams_that_nobody_knows_are_reset(node):
    client, streams, _ = await opened(node, "error")
    twice, odd = client.opens(streamType="error"), client.opens(streamType="audio")
    await client.until(lambda: client.was_reset == {twice, odd})
    assert client.accepted == set(streams.values())
    await client.closes()


async def test_what_is_not_spdy_ends_the_connection(node):
    client, _, _ = await opened(node, "error")
    client.writer.write(b"\x80\x02" + bytes(6))  # version 2
    assert await node.hears() is None
    node.is_over.set()
    await client.until(lambda: client.is_gone)
    await client.closes()
