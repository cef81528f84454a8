"""The real master machine on a simulated host."""

import uuid
from typing import Any

from comity.core.effects import CloseStream, OpenStream, Outbox, Reply, Send
from comity.master import inputs
from comity.master.config import MasterConfig
from comity.master.machine import Master, check_invariants
from comity.master.state import State, new_state
from comity.sim.clocks import NodeClocks, ProcessClock
from comity.sim.disk import Disk
from comity.sim.network import Connection, Network
from comity.sim.process import Point, Process
from comity.sim.serving import Request, Server
from comity.sim.watching import Watcher
from comity.sim.world import World
from comity.wire.mesos import codec, link, scheduler, v1

SCHEDULER = "/api/v1/scheduler"
STREAM_ID = "Mesos-Stream-Id"


class MasterNode:
    """A host with a master that is killed and started again."""

    def __init__(
        self, world: World, network: Network, config: MasterConfig, watcher: Watcher
    ) -> None:
        self.name = "master"
        self.clocks = NodeClocks(world)
        self.disk = Disk(world, self.name)
        self.process: Process | None = None
        self.restart_s = 1.0
        """How long its supervisor waits before it starts a master that died."""
        self._world = world
        self._network = network
        self._config = config
        self._watcher = watcher
        self._chance = world.chance(self.name)
        self._machine: Master | None = None
        self._server: Server | None = None

    @property
    def state(self) -> State | None:
        """Return the master's state, None while there is no process."""
        return self._machine.state if self._machine is not None else None

    # life and death

    def start(self) -> None:
        """Start a master process on what is on disk."""
        if self.process is not None:
            return
        self._network.switch(self.name, on=True)
        clock = ProcessClock(self.clocks)
        name = str(uuid.UUID(int=self._chance.getrandbits(128), version=4))
        info = v1.MasterInfo(id=name, ip=1, port=5050, pid="master@sim:5050", hostname=self.name)
        now = clock.now()
        state = new_state(self._config, info, now, self._chance.getrandbits(32))
        self._machine = Master(state)
        self.process = Process(self._world, self.name, self._machine, self.disk, clock, self)
        self._server = Server(self.process.put, inputs.StreamClosed)
        out = Outbox()
        self._machine.recover(self.disk.range(), now, out)
        for timer in out.timers:
            self.process.arm(timer)
        self._network.listen(self.name, self)
        if self._world.tracing:
            self._world.note(self.name, f"starts as {name}")

    def kill(self, *, power: bool = False) -> None:
        """Kill the process; what it had said may still arrive, unless the power went, too."""
        if power:
            self._network.switch(self.name, on=False)
        if self.process is None:
            return
        self.process.kill()
        self.disk.crash(power=power)
        self._network.listen(self.name, None)
        self._network.drop_process({id(self)}, power=power)
        self.process = self._machine = self._server = None

    def doom(self, point: Point) -> None:
        """Let the process die when it next gets to this point."""
        if self.process is not None:
            self.process.doom = point

    def freeze(self) -> None:
        """Stop the process, as SIGSTOP does."""
        if self.process is not None:
            self.process.pause()

    def thaw(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.resume()

    def spare(self) -> None:
        """Let the process not die at the point that it was doomed to."""
        if self.process is not None:
            self.process.doom = None

    def died(self, reason: str) -> None:
        """Bury the process; a supervisor starts another."""
        if self._world.tracing:
            self._world.note(self.name, reason)
        self.kill()
        self._world.after(self.restart_s, self.start)

    # what the process does

    def stepped(self) -> None:
        """Check what must hold between batches."""
        assert self._machine is not None
        self._watcher.master_stepped(self._machine.state)
        if self._watcher.is_thorough:
            check_invariants(self._machine.state)

    def acted(self) -> None:
        """Let the watcher look."""
        assert self._machine is not None
        self._watcher.master_acted(self._machine.state, self.disk)

    def answer(self, reply: Reply) -> None:
        """Settle a request."""
        assert self._server is not None
        self._server.answer(reply)

    def send(self, effect: OpenStream | Send | CloseStream) -> None:
        """Open, feed or end a stream."""
        assert self._server is not None
        self._server.send(effect)

    def launch(self, effect: Any) -> None:
        """Refuse: a master launches nothing."""
        raise AssertionError(f"a master cannot do {effect!r}")

    # what comes to it

    def received(self, connection: Connection, message: Request) -> None:
        """Turn a request into an input, as `master.http` does."""
        assert self._server is not None
        if message.path == SCHEDULER:
            self._scheduler_called(connection, message)
        else:
            self._agent_called(connection, message)

    def broken(self, connection: Connection) -> None:
        """Tell the machine of a stream that is over."""
        if self._server is not None:
            self._server.broken(connection)

    def _scheduler_called(self, connection: Connection, message: Request) -> None:
        assert self._server is not None
        content = codec.Format(message.headers["Content-Type"])
        call: scheduler.Call = codec.decode(codec.SCHEDULER_CALL, message.body, content)
        if isinstance(call, scheduler.Subscribe):
            subscribe, new = call, self._new_stream()
            wanted = codec.Format(message.headers["Accept"])
            self._server.ask(
                connection, lambda to: inputs.SchedulerSubscribed(to, subscribe, new, None, wanted)
            )
        else:
            called, shown = call, message.headers.get(STREAM_ID, "")
            self._server.ask(connection, lambda to: inputs.SchedulerCalled(to, called, shown))

    def _agent_called(self, connection: Connection, message: Request) -> None:
        assert self._server is not None
        shown = message.headers.get(link.LINK_ID, "")
        if shown:
            calls = codec.decode(codec.LINK_CALLS, message.body)
            self._server.ask(connection, lambda to: inputs.AgentCalled(to, calls, shown))
        else:
            call: link.Subscribe = codec.decode(codec.LINK_SUBSCRIBE, message.body)
            new, ip = self._new_stream(), connection.client.host
            self._server.ask(connection, lambda to: inputs.AgentSubscribed(to, call, new, ip))

    def _new_stream(self) -> str:
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def ask(self, make: Any) -> None:
        """Put an operator's request, whose answer nobody waits for."""
        if self.process is not None:
            self.process.put(make(-1))
