"""Ports of a pod as channels of a WebSocket: v4.channel.k8s.io, as the Python client has them.

The query names the ports. Each has a channel for its bytes, 2n, and one for what went wrong, 2n+1;
the first message of each is the port's number, in two bytes, the lower first (kubelet's
portforward/websocket.go). A client cannot end one direction alone.
"""

import asyncio
import struct
from collections.abc import Awaitable, Callable

from comity.kube.node.http.pieces import Held, Pieces, joined
from comity.runtime.http import Duplex, HttpError, Request, Response, websockets
from comity.runtime.http.websockets import WebSocket

PROTOCOL = "v4.channel.k8s.io"
_PORTS_MAX = 100


def is_wanted(request: Request) -> bool:
    """Whether a client asks for channels."""
    return PROTOCOL in websockets.offered(request)


def accept(request: Request, dial: Callable[[int], Awaitable[Duplex]]) -> Response:
    """Answer a request for some ports."""
    texts = [text for given in request.query.get("ports", ()) for text in given.split(",")]
    if not 0 < len(texts) <= _PORTS_MAX or not all(map(_is_port, texts)):
        text = f'query parameter "ports" must name 1 to {_PORTS_MAX} ports, not {texts}\n'
        return Response(400, text.encode(), "text/plain")
    ports = [int(text) for text in texts]

    async def run(socket: WebSocket, protocol: str) -> None:
        await _serve(socket, ports, dial)

    return websockets.accept(request, (PROTOCOL,), run)


async def _serve(
    socket: WebSocket, ports: list[int], dial: Callable[[int], Awaitable[Duplex]]
) -> None:
    held = Held()
    pieces = [Pieces(held) for _ in ports]
    for number, port in enumerate(ports):
        for channel in (2 * number, 2 * number + 1):
            await socket.send(struct.pack("<BH", channel, port))

    async def forward(number: int) -> None:
        async def send(data: bytes) -> None:
            await socket.send(bytes((2 * number,)) + data)

        try:
            await joined(dial(ports[number]), pieces[number], send)
        except HttpError as error:
            text = f"an error occurred forwarding {ports[number]}: {error}"
            await socket.send(bytes((2 * number + 1,)) + text.encode())
        finally:
            pieces[number].drop()

    async def read() -> None:
        while (message := await socket.receive()) is not None:
            if message and message[0] % 2 == 0 and message[0] // 2 < len(ports):
                pieces[message[0] // 2].put(message[1:])
                await held.room()

    async def forward_all() -> None:
        await asyncio.gather(*(forward(number) for number in range(len(ports))))

    reading, forwarding = asyncio.create_task(read()), asyncio.create_task(forward_all())
    try:
        await asyncio.wait({reading, forwarding}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for job in (reading, forwarding):
            job.cancel()
        await asyncio.gather(reading, forwarding, return_exceptions=True)
    await socket.close()


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 1 << 16
