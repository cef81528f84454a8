"""Noticing peers that have gone without a word: a machine that lost its power or its network.

Sessions, watches and streams wait for their reader for as long as it takes. The kernel asks a
silent peer whether it is there; one that does not answer for a minute and a half has gone.
"""

import asyncio
import contextlib
import select
import socket

IDLE_S, INTERVAL_S, PROBES = 30, 10, 6


def watch(transport: asyncio.BaseTransport) -> None:
    """Have the kernel watch over a connection, if it is one of TCP."""
    found = transport.get_extra_info("socket")
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError):  # it is gone already, which is noticed in its own way
        found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_S)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, INTERVAL_S)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)


def has_left(transport: asyncio.BaseTransport) -> bool:
    """Whether the peer has closed its end, even if what it sent before has not been read.

    Who does not read, because what was read has nowhere to go, is told nothing by the event loop.
    """
    found = transport.get_extra_info("socket")
    if found is None or found.fileno() < 0:
        return True
    poller = select.poll()
    poller.register(found.fileno(), select.POLLRDHUP)
    return bool(poller.poll(0))
