"""The real agent machine on a simulated host, with a launcher that outlives it."""

from pathlib import Path
from typing import Any

from comity.agent.config import AgentConfig
from comity.agent.inputs import ExecutorCalled, ExecutorSubscribed, StreamClosed
from comity.agent.machine import Agent, check_invariants
from comity.agent.outbox import (
    DestroyContainer,
    EndAgent,
    KeepVolumes,
    LaunchContainer,
    LimitContainer,
    LinkVolumes,
    MakeSandbox,
    RemoveSandbox,
    SignalContainer,
    ToMaster,
)
from comity.agent.state import State
from comity.core.containers import Spec
from comity.core.effects import CloseStream, OpenStream, Reply, Send
from comity.core.ids import TaskId
from comity.resources.amounts import Resources
from comity.sim.clocks import NodeClocks, ProcessClock
from comity.sim.disk import Disk
from comity.sim.executors import PATH as EXECUTOR
from comity.sim.executors import SimExecutor
from comity.sim.launcher import SimLauncher
from comity.sim.linking import SimLink
from comity.sim.network import Connection, Network
from comity.sim.process import Point, Process
from comity.sim.serving import Request, Server
from comity.sim.watching import Watcher
from comity.sim.world import World
from comity.wire.mesos import codec, resources, v1
from comity.wire.mesos import executor as wire


class AgentNode:
    """A host with an agent that is killed and started again."""

    def __init__(
        self, world: World, network: Network, name: str, total: Resources, watcher: Watcher
    ) -> None:
        self.name = name
        self.total = total
        self.clocks = NodeClocks(world)
        self.disk = Disk(world, name)
        self.launcher = SimLauncher(world, name)
        self.launcher.on_started = self._container_started
        self.launcher.on_ended = self._container_ended
        self.executors: dict[str, SimExecutor] = {}
        self.process: Process | None = None
        self.machine: Agent | None = None
        self.link: SimLink | None = None
        self.restart_s = 1.0
        """How long its supervisor waits before it starts an agent that died."""
        self._world = world
        self._network = network
        self._watcher = watcher
        self._server: Server | None = None
        self._starts = 0
        self._streams = 0

    @property
    def state(self) -> State | None:
        """Return the agent's state, None while there is no process."""
        return self.machine.state if self.machine is not None else None

    # life and death

    def start(self) -> None:
        """Start an agent process on what is on disk and in the launcher."""
        if self.process is not None:
            return
        self._network.switch(self.name, on=True)
        self._starts += 1
        clock = ProcessClock(self.clocks)
        self.machine = self.recovered(clock)
        state = self.machine.state
        self.process = Process(self._world, self.name, self.machine, self.disk, clock, self)
        self._server = Server(self.process.put, StreamClosed)
        self._network.listen(self.name, self)
        self._watcher.agent_recovered(self.name, state)
        self.process.put(self.launcher.hello())
        self.launcher.tell = self.process.put
        self.link = SimLink(self._world, self._network, self.name, state, self.process)
        self._world.after(0.0, self.link.open)

    def recovered(self, clock: ProcessClock) -> Agent:
        """Return the machine that the durable pairs make."""
        info = v1.AgentInfo(
            hostname=self.name, port=5051, resources=resources.write(self.total), attributes=()
        )
        state = State(
            configured=self.total,
            config=AgentConfig(work_dir=Path("/sim") / self.name),
            info=info,
            ip="127.0.0.1",
            chance=self._world.chance(self.name, "uuid", str(self._starts)),
            started_at=clock.now(),
            total=self.total,
        )
        machine = Agent(state)
        machine.recover(self.disk.range())
        return machine

    def kill(self, *, power: bool = False) -> None:
        """Kill the process, or with the power the whole machine and its containers."""
        if self.process is not None:
            self.process.kill()
            assert self.link is not None
            self.link.is_over = True
            self.launcher.tell = None
            self.disk.crash(power=power)
            self._network.listen(self.name, None)
            self._network.drop_process({id(self), id(self.link)}, power=power)
            self.process = self.machine = self._server = self.link = None
        if power:
            self.launcher.power_off()
            self._network.switch(self.name, on=False)

    def doom(self, point: Point) -> None:
        """Let the process die when it next gets to this point."""
        if self.process is not None:
            self.process.doom = point

    def freeze(self) -> None:
        """Stop the process, as SIGSTOP does."""
        if self.process is not None:
            self.process.pause()
            self._freeze_link(is_frozen=True)

    def thaw(self) -> None:
        """Let it go on."""
        if self.process is not None:
            self.process.resume()
            self._freeze_link(is_frozen=False)

    def _freeze_link(self, *, is_frozen: bool) -> None:
        assert self.link is not None
        self.link.is_frozen = is_frozen

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

    def replace(self) -> None:
        """Kill the machine, and give its work directory and its containers up."""
        self.kill(power=True)
        self.disk.wipe()
        self._watcher.agent_wiped(self.name)

    # what the process does

    def stepped(self) -> None:
        """Check what must hold between batches."""
        assert self.machine is not None
        if self._watcher.is_thorough:
            check_invariants(self.machine.state)

    def acted(self) -> None:
        """Let the watcher look."""
        assert self.machine is not None
        self._watcher.agent_acted(self)

    def answer(self, reply: Reply) -> None:
        """Settle a request."""
        assert self._server is not None
        self._server.answer(reply)

    def send(self, effect: OpenStream | Send | CloseStream) -> None:
        """Open, feed or end a stream."""
        assert self._server is not None
        self._server.send(effect)

    def launch(self, effect: Any) -> None:
        """Begin one effect."""
        match effect:
            case ToMaster():
                assert self.link is not None
                self.link.send(effect.call)
            case LaunchContainer():
                self._launch(effect)
            case SignalContainer():
                self.launcher.signal(effect.container_id, int(effect.signal))
            case DestroyContainer():
                self.launcher.forget(effect.container_id)
            case EndAgent():
                self.replace()
                self._world.after(self.restart_s, self.start)
            case RemoveSandbox() | KeepVolumes() | LinkVolumes() | MakeSandbox() | LimitContainer():
                pass  # directories and links: nothing here looks at them
            case _:
                raise AssertionError(f"the simulator cannot do {effect!r}")

    def _launch(self, effect: LaunchContainer) -> None:
        state = self.state
        container = state.containers.get(effect.spec.id) if state is not None else None
        if state is not None and container is not None:
            key = container.task
            if container.executor is not None and state.executors[container.executor].is_command:
                key = (container.executor[0], TaskId(container.executor[1]))
            if key is not None:
                self._watcher.container_ordered(self.name, key)
        self.launcher.start(effect.spec)

    def _container_started(self, spec: Spec) -> None:
        self._watcher.container_started(self.name, spec)
        if spec.command == "executor":
            self.executors[spec.id] = SimExecutor(
                self._world,
                self._network,
                self.name,
                spec,
                self._watcher,
                lambda: self.launcher.leave(spec.id),
            )

    def _container_ended(self, container_id: str) -> None:
        executor = self.executors.pop(container_id, None)
        if executor is not None:
            executor.kill()

    # what comes to it

    def received(self, connection: Connection, message: Request) -> None:
        """Turn an executor's request into an input, as `agent.http` does."""
        assert self._server is not None
        assert message.path == EXECUTOR, message
        call: wire.Call = codec.decode(codec.EXECUTOR_CALL, message.body)
        if isinstance(call, wire.Subscribe):
            subscribe = call
            self._streams += 1
            new = f"executor-{self._starts}-{self._streams}"
            self._server.ask(connection, lambda to: ExecutorSubscribed(to, subscribe, new))
        else:
            called = call
            self._server.ask(connection, lambda to: ExecutorCalled(to, called))

    def broken(self, connection: Connection) -> None:
        """Tell the machine of a stream that is over."""
        if self._server is not None:
            self._server.broken(connection)
