"""An agent's link, as `agent.shell.linking` keeps it: subscribe, listen, call, start over."""

import random

from comity.agent import registration
from comity.agent.inputs import LinkLost, MasterSaid
from comity.agent.state import State
from comity.sim.network import Connection, Network
from comity.sim.process import Process
from comity.sim.serving import Answer, Chunk, Request
from comity.sim.world import World
from comity.wire import recordio
from comity.wire.mesos import codec, link

_BACKOFF_FIRST_S = 0.1
_BACKOFF_MAX_S = 1.0
_SILENCE_S = 120.0
_THAW_S = 0.1
"""How soon after it may go on a stopped process does."""


class SimLink:
    """The link of one agent process to the master."""

    def __init__(
        self, world: World, network: Network, host: str, state: State, process: Process
    ) -> None:
        self.is_over = False
        self.is_frozen = False
        self._world = world
        self._network = network
        self._host = host
        self._state = state
        self._put = process.put
        self._when_caught_up = process.when_caught_up
        self._chance: random.Random = world.chance(host, "link")
        self._delay_s = _BACKOFF_FIRST_S
        self._stream: Connection | None = None
        self._calls: Connection | None = None
        self._waiting: list[link.Call] = []
        self._link_id = ""
        self._decoder = recordio.Decoder()
        self._heard_at = 0.0
        self._silence_s = _SILENCE_S

    def open(self) -> None:
        """Subscribe."""
        if self.is_over:
            return
        if self.is_frozen:
            self._world.after(_THAW_S, self.open)
            return
        self._when_caught_up(self._subscribe)

    def _subscribe(self) -> None:
        if self.is_over:
            return
        self._link_id = ""
        self._decoder = recordio.Decoder()
        self._silence_s = _SILENCE_S
        self._stream = self._network.dial(self._host, self, "master")
        body = codec.encode(link.Subscribe(subscribe=registration.brought(self._state)))
        self._stream.send(Request(link.PATH, {}, body), to_server=True)
        self._heard_at = self._world.now
        self._world.after(self._silence_s, self._look, self._stream)

    def _look(self, stream: Connection) -> None:
        if stream is not self._stream or self.is_over:
            return
        if self.is_frozen:
            self._world.after(_THAW_S, self._look, stream)
            return
        silent_s = self._world.now - self._heard_at
        if silent_s >= self._silence_s:
            self._lose("nothing heard")
        else:
            self._world.after(max(0.01, self._silence_s - silent_s), self._look, stream)

    def send(self, call: link.Call) -> None:
        """Queue a call; those of one tick go as one request."""
        self._waiting.append(call)
        if len(self._waiting) == 1:
            self._world.after(0.0, self._flush)

    def _flush(self) -> None:
        if self.is_frozen:
            self._world.after(_THAW_S, self._flush)
            return
        calls, self._waiting = self._waiting, []
        if self._calls is not None and calls and not self.is_over:
            headers = {link.LINK_ID: self._link_id}
            self._calls.send(Request(link.PATH, headers, codec.encode(calls)), to_server=True)

    def received(self, connection: Connection, message: Answer | Chunk) -> None:
        """Take what the master says."""
        if connection is not self._stream:
            return  # answers to calls: the shell only logs refusals
        self._heard_at = self._world.now
        if isinstance(message, Answer):
            self._opened(message)
            return
        for record in self._decoder.feed(message.data):
            event: link.Event = codec.decode(codec.LINK_EVENT, record)
            if isinstance(event, link.EventRegistered):
                self._silence_s = event.registered.ping_timeout_seconds
            self._put(MasterSaid(event))

    def _opened(self, answer: Answer) -> None:
        if not answer.opens:
            self._lose(f"refused: {answer.status}")
            return
        self._delay_s = _BACKOFF_FIRST_S
        self._link_id = answer.headers[link.LINK_ID]
        self._waiting.clear()
        self._calls = self._network.dial(self._host, self, "master")

    def broken(self, connection: Connection) -> None:
        """Start over; when only the calls' connection broke, the stream's reader notices later."""
        if connection is self._stream:
            self._lose("the connection broke")
        elif connection is self._calls:
            self._calls = None

    def _lose(self, reason: str) -> None:
        was_open = bool(self._link_id)
        self.drop()
        if was_open:
            self._put(LinkLost(reason))
        wait_s = self._chance.uniform(self._delay_s / 2, self._delay_s)
        self._delay_s = min(self._delay_s * 2, _BACKOFF_MAX_S)
        self._world.after(wait_s, self.open)

    def drop(self) -> None:
        """Close what is open."""
        for connection in (self._stream, self._calls):
            if connection is not None:
                connection.close(by_client=True)
        self._stream = self._calls = None
