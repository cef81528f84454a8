"""Connections whose peer may go without a word are watched by the kernel, at both ends."""

import asyncio
import contextlib
import select
import socket

from comity.runtime.http import Client, Request, Server, Stream, keepalive
from comity.runtime.http.duplex import Duplex, Upgrade, connect


def is_watched(connection: socket.socket) -> bool:
    """Whether the kernel asks a silent peer whether it is there."""
    idle = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
    is_on = connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    return bool(is_on) and idle == keepalive.IDLE_S


class Watched:
    """Asks for what transports know, as asyncio's do."""

    def __init__(self, found: socket.socket) -> None:
        self.found = found

    def get_extra_info(self, name: str) -> socket.socket:
        return self.found


async def test_both_ends_of_a_stream_are_watched():
    stream = Stream()

    async def answer(request: Request) -> Stream:
        stream.send(b"x")
        return stream

    server = Server(answer)
    host, port = await server.start("127.0.0.1", 0)
    client = Client()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(server.stop)
        stack.push_async_callback(client.close)
        async with client.stream("GET", f"http://{host}:{port}/") as reading:
            assert await anext(aiter(reading)) == b"x"
            [accepted] = server.connections
            assert is_watched(accepted._transport.get_extra_info("socket"))
            assert is_watched(reading._exchange.transport.get_extra_info("socket"))
            stream.close()


async def test_a_connection_of_bytes_is_watched():
    listener = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    async with listener:
        duplex = await connect("127.0.0.1", listener.sockets[0].getsockname()[1])
        assert is_watched(duplex._transport.get_extra_info("socket"))
        duplex.close()
        await duplex.read()


def test_what_is_no_tcp_is_left_alone():
    one, other = socket.socketpair()
    keepalive.watch(Watched(one))
    assert not one.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    one.close()
    other.close()


async def switched(serve, nudge=b""):
    """Start a server whose connections switch to `serve`; return it and a client that switched."""

    async def run(duplex: Duplex) -> None:
        duplex.nudge = nudge
        await serve(duplex)

    async def answer(request: Request) -> Upgrade:
        return Upgrade((("Upgrade", "websocket"), ("Connection", "Upgrade")), run)

    server = Server(answer)
    client = socket.create_connection(await server.start("127.0.0.1", 0))
    client.sendall(
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    )
    assert b"101" in await asyncio.to_thread(client.recv, 4096)
    return server, client


def fill(client: socket.socket) -> None:
    """Send until nobody has taken anything for a while."""
    client.setblocking(False)
    while select.select([], [client], [], 1)[1]:
        client.send(bytes(65536))


async def test_who_leaves_while_it_is_not_read_from_is_missed():
    ended = asyncio.Event()

    async def serve(duplex: Duplex) -> None:
        try:
            await asyncio.Event().wait()  # as for a program that reads nothing
        finally:
            ended.set()

    server, client = await switched(serve, nudge=b"?")
    try:
        await asyncio.to_thread(fill, client)
        assert not ended.is_set()
        client.close()  # its end stands behind what nobody takes
        await asyncio.wait_for(ended.wait(), 60)
    finally:
        await server.stop()


async def test_who_stays_is_not_disturbed_and_what_it_sent_is_read():
    go_on, size = asyncio.Event(), 0

    async def serve(duplex: Duplex) -> None:
        nonlocal size
        await go_on.wait()
        while data := await duplex.read():
            size += len(data)
        duplex.write(b"done")

    server, client = await switched(serve)
    try:
        await asyncio.to_thread(fill, client)
        go_on.set()
        client.shutdown(socket.SHUT_WR)
        client.setblocking(True)
        assert await asyncio.to_thread(client.recv, 4) == b"done"
        assert size > 1 << 20
    finally:
        client.close()
        await server.stop()
