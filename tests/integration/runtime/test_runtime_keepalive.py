"""Connections whose peer may go without a word are watched by the kernel, at both ends."""

import asyncio
import contextlib
import socket

from comity.runtime.http import Client, Request, Server, Stream, keepalive
from comity.runtime.http.duplex import connect


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
