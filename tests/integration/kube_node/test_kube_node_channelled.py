"""Channels in WebSockets as the Python client has them (v4.channel.k8s.io): ports, and exec."""

import asyncio
import contextlib
import json

import pytest

from comity.kube.node.http import channels, forwarding
from comity.kube.node.http.channels import STDIN, STDOUT
from comity.runtime.http import Server
from comity.runtime.http.duplex import connect
from comity.wire import websocket

V4 = "v4.channel.k8s.io"
MASK = b"abcd"


class Client:
    """One WebSocket by hand; gives whole messages."""

    async def connect(self, address, path):
        self.reader, self.writer = await asyncio.open_connection(*address)
        lines = [f"GET {path} HTTP/1.1", "Host: x", "Connection: Upgrade", "Upgrade: websocket"]
        lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"Sec-WebSocket-Protocol: {V4}"]
        self.writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 30)
        self.decoder, self.messages = websocket.Decoder(is_server=False), []
        return int(answer.split()[1])

    def sends(self, channel, data):
        self.writer.write(websocket.encode(websocket.BINARY, bytes((channel,)) + data, MASK))

    async def hears(self):
        """Return the next message: its channel and data; None at the end."""
        while not self.messages:
            data = await asyncio.wait_for(self.reader.read(1 << 16), 30)
            if not data:
                return None
            self.messages += self.decoder.feed(data)
        message = self.messages.pop(0)
        return None if message.kind == websocket.CLOSE else (message.data[0], message.data[1:])

    async def all(self):
        """Return what comes on each channel until the end."""
        found = {}
        while (message := await self.hears()) is not None:
            found[message[0]] = found.get(message[0], b"") + message[1]
        return found


@pytest.fixture
async def serve():
    servers, clients = [], []

    async def start(answer, path="/"):
        servers.append(Server(answer))
        clients.append(Client())
        status = await clients[-1].connect(await servers[-1].start("127.0.0.1", 0), path)
        return clients[-1], status

    yield start
    for each in clients:
        each.writer.close()
    for each in servers:
        await each.stop()


async def forward(request):
    return forwarding.accept(request, lambda port: connect("127.0.0.1", port))


@contextlib.asynccontextmanager
async def shouting():
    """Give the port of a server that answers a line in capitals and ends."""

    async def answer(reader, writer):
        writer.write((await reader.readline()).upper())
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_each_port_has_a_channel_and_one_for_errors(serve):
    async with shouting() as one, shouting() as two:
        client, status = await serve(forward, f"/?ports={one}&ports={two}")
        assert status == 101
        ports = [port.to_bytes(2, "little") for port in (one, one, two, two)]
        for channel, port in enumerate(ports):
            assert await client.hears() == (channel, port)
        client.sends(2, b"second\n")
        client.sends(0, b"first\n")
        assert await client.all() == {0: b"FIRST\n", 2: b"SECOND\n"}


async def test_a_port_that_nobody_listens_on(serve):
    async with shouting() as port:
        pass
    client, _ = await serve(forward, f"/?ports={port}")
    found = await client.all()
    assert found[0] == port.to_bytes(2, "little")
    assert f"an error occurred forwarding {port}".encode() in found[1]


@pytest.mark.parametrize("query", ["", "ports=", "ports=0", "ports=http", "ports=80,65536"])
async def test_ports_that_are_none(serve, query):
    _, status = await serve(forward, f"/?{query}")
    assert status == 400


async def test_exec_in_version_4(serve):
    async def echo(caller):
        message = await caller.receive()
        assert message == (STDIN, b"hello")
        await caller.send(STDOUT, b"hello, too")
        await caller.finish({"metadata": {}, "status": "Success"})

    async def answer(request):
        return channels.accept(request, echo)

    client, status = await serve(answer)
    assert status == 101
    client.sends(STDIN, b"hello")
    assert await client.hears() == (STDOUT, b"hello, too")
    channel, told = await client.hears()
    assert (channel, json.loads(told)["status"]) == (channels.ERROR, "Success")
