"""Connections as TCP makes them: in order, late, and sometimes broken without anybody's knowledge.

What is sent on a connection arrives in order or not at all. A lost packet is sent again, so loss is
delay; a partition holds back what was sent until it heals, or until the sender gives the connection
up; the other end may learn of that much later, or when it sends. Messages are reordered and
duplicated only as far as connections allow: between two connections, and by callers that try again.
"""

import random
from collections import deque
from typing import Any, Protocol

from comity.sim.world import World

_DELAY_S = 0.0005


class Endpoint(Protocol):
    """What is at one end of a connection."""

    def received(self, connection: "Connection", message: Any) -> None:
        """Take a message from the other end."""
        ...

    def broken(self, connection: "Connection") -> None:
        """Learn that the connection is over."""
        ...


class Side:
    """One end, and what is on its way from it to the other one."""

    __slots__ = ("arrival", "endpoint", "held", "host", "is_open", "sending")

    def __init__(self, host: str, endpoint: Endpoint | None) -> None:
        self.host = host
        self.endpoint = endpoint
        self.is_open = True
        self.arrival = 0.0
        """When the last of what was sent arrives: nothing overtakes it."""
        self.sending = 0
        self.held: deque[Any] = deque()


class Connection:
    """A connection between two hosts."""

    __slots__ = ("client", "has_vanished", "name", "network", "server")

    def __init__(self, network: "Network", name: str, client: Side, server: Side) -> None:
        self.network = network
        self.name = name
        self.client = client
        self.server = server
        self.has_vanished = False
        """Something between the hosts has forgotten the connection and drops its packets."""

    @property
    def is_local(self) -> bool:
        """Whether it stays within one machine, where nothing is late, lost or forgotten."""
        return self.client.host == self.server.host

    def send(self, message: Any, *, to_server: bool) -> None:
        """Send a message; one that finds its own end closed is lost."""
        source = self.client if to_server else self.server
        if source.is_open:
            self.network.carry(self, message, to_server=to_server)

    def close(self, *, by_client: bool) -> None:
        """Close one end; the other learns it after what was sent before."""
        source = self.client if by_client else self.server
        if source.is_open:
            self.network.carry(self, _END, to_server=by_client)
            source.is_open = False

    def break_end(self, side: Side) -> None:
        """Let one end notice that the connection is broken."""
        if side.is_open:
            side.is_open = False
            if side.endpoint is not None:
                side.endpoint.broken(self)


class _End:
    """The last that comes on a connection that was closed."""


_END = _End()


class Network:
    """All hosts, and what lies between them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance: random.Random = world.chance("network")
        self.connections: dict[Connection, None] = {}
        self.delay_s = _DELAY_S
        """The usual time from host to host; faults raise it."""
        self.loss = 0.0
        """How many packets are lost and must be sent again."""
        self.give_up_s = 60.0
        """For how long TCP tries before it gives a connection up."""
        self._listeners: dict[str, Endpoint] = {}
        self._blocked: dict[tuple[str, str], int] = {}
        self._off: set[str] = set()
        self._count = 0

    # hosts

    def listen(self, host: str, endpoint: Endpoint | None) -> None:
        """Let connections to a host go to this endpoint, or be refused (None)."""
        if endpoint is None:
            self._listeners.pop(host, None)
        else:
            self._listeners[host] = endpoint

    def dial(self, host: str, endpoint: Endpoint, to: str) -> Connection:
        """Begin a connection; that nobody answers is told as its break."""
        self._count += 1
        client, server = Side(host, endpoint), Side(to, None)
        connection = Connection(self, f"{host}>{to}#{self._count}", client, server)
        self.connections[connection] = None
        return connection

    def drop_process(self, endpoints: set[int], *, power: bool) -> None:
        """End what a process had open; after a loss of power the others are not told."""
        for connection in list(self.connections):
            for side in (connection.client, connection.server):
                if id(side.endpoint) in endpoints and side.is_open:
                    is_client = side is connection.client
                    if power:
                        side.is_open = False
                        side.held.clear()
                    else:
                        connection.close(by_client=is_client)

    # partitions

    def block(self, source: str, target: str) -> None:
        """Let nothing pass from one host to another until `unblock`."""
        self._blocked[source, target] = self._blocked.get((source, target), 0) + 1

    def unblock(self, source: str, target: str) -> None:
        """End one block, and let pass what it held back."""
        left = self._blocked.get((source, target), 1) - 1
        if left:
            self._blocked[source, target] = left
            return
        self._blocked.pop((source, target), None)
        self._let_pass()

    def switch(self, host: str, *, on: bool) -> None:
        """Take a host from the network, or give it back."""
        if on:
            self._off.discard(host)
            self._let_pass()
        else:
            self._off.add(host)

    def heal(self) -> None:
        """End every block, and be as fast as usual."""
        self.hasten()
        self._blocked.clear()
        self._let_pass()

    def _let_pass(self) -> None:
        for connection in list(self.connections):
            for side, other in (
                (connection.client, connection.server),
                (connection.server, connection.client),
            ):
                if side.held and not self.is_blocked(side.host, other.host):
                    held, side.held = side.held, deque()
                    for message in held:
                        self.carry(connection, message, to_server=side is connection.client)

    def hasten(self) -> None:
        """Be as fast as usual."""
        self.delay_s, self.loss = _DELAY_S, 0.0

    def is_blocked(self, source: str, target: str) -> bool:
        """Whether nothing passes from one host to another."""
        return (source, target) in self._blocked or source in self._off or target in self._off

    # messages

    def carry(self, connection: Connection, message: Any, *, to_server: bool) -> None:
        """Send a message on its way."""
        source = connection.client if to_server else connection.server
        delay_s = _DELAY_S if connection.is_local else self.delay_s
        delay_s *= 0.5 + self.chance.random()
        while self.loss and not connection.is_local and self.chance.random() < self.loss:
            delay_s += 0.2  # TCP's least time before it sends again
        source.arrival = max(source.arrival, self.world.now + delay_s)
        source.sending += 1
        self.world.after(
            source.arrival - self.world.now, self._arrive, connection, message, to_server
        )

    def _arrive(self, connection: Connection, message: Any, to_server: bool) -> None:
        source, target = connection.client, connection.server
        if not to_server:
            source, target = target, source
        source.sending -= 1
        there = self.is_blocked(source.host, target.host)
        if there or self.is_blocked(target.host, source.host) or connection.has_vanished:
            # No acknowledgement comes back either way: in the end the sender gives up.
            self.world.after(self.give_up_s, self._give_up, connection, source)
        if connection.has_vanished:
            return
        if there or source.held:
            source.held.append(message)
            return
        if to_server and target.endpoint is None:
            target.endpoint = self._listeners.get(target.host)
        if not target.is_open or target.endpoint is None:
            target.is_open = False
            self._reset(connection, source)
        elif message is _END:
            connection.break_end(target)
        else:
            target.endpoint.received(connection, message)
        self._tidy(connection)

    def _give_up(self, connection: Connection, source: Side) -> None:
        target = connection.server if source is connection.client else connection.client
        is_cut = self.is_blocked(source.host, target.host) or self.is_blocked(
            target.host, source.host
        )
        if is_cut or connection.has_vanished:
            source.held.clear()
            connection.break_end(source)
            self._tidy(connection)

    def _reset(self, connection: Connection, source: Side) -> None:
        """Tell who sent to a closed end; the answer may be lost on its way, too."""
        if source.is_open:
            self.world.after(self.delay_s, self._on_reset, connection, source)

    def _on_reset(self, connection: Connection, source: Side) -> None:
        target = connection.server if source is connection.client else connection.client
        if not self.is_blocked(target.host, source.host):
            connection.break_end(source)
            self._tidy(connection)

    def _tidy(self, connection: Connection) -> None:
        client, server = connection.client, connection.server
        if not (client.is_open or server.is_open or client.sending or server.sending):
            self.connections.pop(connection, None)
