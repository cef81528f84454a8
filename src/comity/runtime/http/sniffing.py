"""TLS and plain connections on one port, told apart by their first byte (SUPPORT_DOWNGRADE)."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

_HANDSHAKE = b"\x16"
"""What TLS begins with; no method of HTTP does."""

_FIRST_BYTE_S = 30.0
_RETRY_S = 0.5

_log = logging.getLogger(__name__)


class Sniffing:
    """A listener with what is used of `asyncio.Server`.

    Raises:
        OSError: the address cannot be bound.
    """

    def __init__(
        self, factory: Callable[[], Any], context: ssl.SSLContext, host: str, port: int
    ) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._factory = factory
        self._context = context
        self._listener = socket.create_server((host, port), family=family, backlog=1024)
        self._listener.setblocking(False)
        self.sockets = (self._listener,)
        self._sorting: set[asyncio.Task[None]] = set()
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # too many open files, for example
                _log.warning("cannot accept a connection: %s", error)
                await asyncio.sleep(_RETRY_S)
                continue
            task = asyncio.create_task(self._sort(connection))
            self._sorting.add(task)
            task.add_done_callback(self._sorting.discard)

    async def _sort(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(_FIRST_BYTE_S):
                await _readable(connection)
            is_tls = connection.recv(1, socket.MSG_PEEK) == _HANDSHAKE
            await asyncio.get_running_loop().connect_accepted_socket(
                self._factory, connection, ssl=self._context if is_tls else None
            )
        except (OSError, TimeoutError):
            connection.close()  # a client that says nothing, or no TLS that we speak
        except asyncio.CancelledError:
            connection.close()
            raise

    def close(self) -> None:
        """Accept nothing any more."""
        self._accepting.cancel()
        for task in self._sorting:
            task.cancel()
        self._listener.close()

    async def wait_closed(self) -> None:
        """Wait until nothing of it runs."""
        for task in (self._accepting, *self._sorting):
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def _readable(connection: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()

    def note() -> None:
        if not arrived.done():
            arrived.set_result(None)

    loop.add_reader(connection, note)
    try:
        await arrived
    finally:
        loop.remove_reader(connection)
