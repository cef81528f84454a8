"""Forwarding of ports in plain SPDY: half-closed connections, large bodies, failures."""

import asyncio
import contextlib
import os

import pytest

from comity.kube.node.http import forwarding
from comity.kube.node.http.pieces import Held, Pieces
from comity.runtime.http import Server
from comity.runtime.http.duplex import connect
from support.spdy import SpdyClient

PROTOCOL = "portforward.k8s.io"


@pytest.fixture
async def client():
    """Give a client of a node whose pods are this machine."""

    async def answer(request):
        return forwarding.accept(request, lambda port: connect("127.0.0.1", port))

    server = Server(answer)
    client = SpdyClient()
    status, headers = await client.connect(await server.start("127.0.0.1", 0), "/", PROTOCOL)
    assert (status, headers["x-stream-protocol-version"]) == (101, PROTOCOL)
    yield client
    await client.closes()
    await server.stop()


@contextlib.asynccontextmanager
async def listening(serve):
    """Give the port of a server in the pod."""

    async def guarded(reader, writer):
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def connection(client, port, number=0):
    """Open the two streams of a connection: error, data."""
    headers = {"port": str(port), "requestID": str(number)}
    error = client.opens(streamType="error", **headers)
    return error, client.opens(streamType="data", **headers)


async def whole_then_answer(reader, writer):
    """Read to the end, and only then answer, as one who waits for a half-close."""
    data = await reader.read()
    writer.write(data[::-1])
    await writer.drain()


async def test_an_answer_after_the_end_of_what_was_sent(client):
    async with listening(whole_then_answer) as port:
        error, data = connection(client, port)
        client.sends(data, b"abc", is_last=True)
        await client.until(lambda: {error, data} <= client.ended)
    assert client.got == {error: b"", data: b"cba"}


async def test_many_at_once_with_large_bodies(client):
    async with listening(whole_then_answer) as port:
        bodies = [os.urandom(2_000_000) for _ in range(8)]
        streams = [connection(client, port, number)[1] for number in range(8)]
        for stream, body in zip(streams, bodies, strict=True):
            client.sends(stream, body, is_last=True)
        await client.until(lambda: set(streams) <= client.ended)
    assert all(
        client.got[stream] == body[::-1] for stream, body in zip(streams, bodies, strict=True)
    )


async def test_nobody_listens(client):
    async with listening(whole_then_answer) as port:
        pass
    error, data = connection(client, port)
    await client.until(lambda: error in client.ended and data in client.was_reset)
    assert f"an error occurred forwarding {port}".encode() in client.got[error]


async def test_who_resets_a_stream_is_gone_for_the_pod(client):
    gone = asyncio.Event()

    async def serve(reader, writer):
        writer.write(b"hello")
        await reader.read()
        gone.set()

    async with listening(serve) as port:
        _, data = connection(client, port)
        await client.until(lambda: client.got[data] == b"hello")
        client.resets(data)
        await asyncio.wait_for(gone.wait(), 30)


async def test_ports_that_are_none(client):
    error, data = connection(client, "http")
    await client.until(lambda: {error, data} <= client.was_reset)


async def test_streams_that_name_no_request(client):
    async with listening(whole_then_answer) as port:
        error = client.opens(streamType="error", port=str(port))
        data = client.opens(streamType="data", port=str(port))
        client.sends(data, b"abc", is_last=True)
        await client.until(lambda: {error, data} <= client.ended)
    assert client.got == {error: b"", data: b"cba"}


async def test_who_does_not_read_holds_up_neither_others_nor_the_node(client):
    """What waits for a pod is bounded, and a connection's end makes room again."""
    stuck = asyncio.Event()

    async def serve(reader, writer):
        await stuck.wait()

    async with listening(serve) as deaf, listening(whole_then_answer) as port:
        _, first = connection(client, deaf, 1)
        client.sends(first, bytes(8 << 20))
        _, second = connection(client, port, 2)
        client.sends(second, b"abc", is_last=True)
        await client.until(lambda: client.got[second] == b"cba")
        client.resets(first)
        stuck.set()


async def test_held_bytes_make_their_client_wait():
    held = Held(10)
    first, second = Pieces(held), Pieces(held)
    first.put(b"x" * 8)
    await held.room()
    second.put(b"y" * 8)
    waiting = asyncio.create_task(held.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert await first.get() == b"x" * 8
    await waiting
    first.put(b"z" * 8)
    second.drop()
    await held.room()
    second.put(b"late")
    assert await second.get() == b""
    first.end()
    assert [await first.get(), await first.get()] == [b"z" * 8, b""]
