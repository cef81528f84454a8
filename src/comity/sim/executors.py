"""A custom executor in its container: it runs tasks in itself and reports them, again and again.

It does what Mesos asks of executors: it keeps every update until the agent says that it is stored,
and tells an agent that is back what that may not know of. What its tasks do is in their `data`, in
the words of `launcher`.
"""

import uuid
from collections.abc import Callable

from comity.core.containers import Spec
from comity.core.ids import FrameworkId, TaskId
from comity.sim.network import Connection, Network
from comity.sim.serving import Answer, Chunk, Request
from comity.sim.watching import Watcher
from comity.sim.world import World
from comity.wire import recordio
from comity.wire.mesos import codec, v1
from comity.wire.mesos import executor as wire

PATH = "/api/v1/executor"
_BACKOFF_S = 0.5
_IDLE_S = 10.0


class SimExecutor:
    """One executor, from its container's start to its end."""

    def __init__(
        self,
        world: World,
        network: Network,
        host: str,
        spec: Spec,
        watcher: Watcher,
        leave: Callable[[], None],
    ) -> None:
        self.is_alive = True
        self.container_id = spec.id
        self._world = world
        self._network = network
        self._host = host
        self._watcher = watcher
        self._leave = leave
        self._chance = world.chance(host, "executor", spec.id)
        self._framework_id = v1.Id(value=spec.environment["MESOS_FRAMEWORK_ID"])
        self._executor_id = v1.Id(value=spec.environment["MESOS_EXECUTOR_ID"])
        self._stream: Connection | None = None
        self._calls: Connection | None = None
        self._decoder = recordio.Decoder()
        self._tasks: dict[str, v1.TaskInfo] = {}
        """Tasks whose ends are not stored yet."""
        self._unknown: dict[str, v1.TaskInfo] = {}
        """Tasks that no stored update tells of."""
        self._updates: dict[bytes, v1.TaskStatus] = {}
        """Updates that are not stored yet."""
        self._told: set[bytes] = set()
        """Those of them that SUBSCRIBE told of."""
        self._ended: set[str] = set()
        self._open()

    def kill(self) -> None:
        """End with the container."""
        self.is_alive = False
        self._network.drop_process({id(self)}, power=False)

    # the stream

    def _open(self) -> None:
        if not self.is_alive:
            return
        self._decoder = recordio.Decoder()
        self._stream = self._network.dial(self._host, self, self._host)
        self._told = set(self._updates)
        updates = tuple(wire.UpdateBody(status=one) for one in self._updates.values())
        body = wire.SubscribeBody(
            unacknowledged_tasks=tuple(self._unknown.values()), unacknowledged_updates=updates
        )
        call = wire.Subscribe(
            executor_id=self._executor_id, framework_id=self._framework_id, subscribe=body
        )
        self._stream.send(Request(PATH, {}, codec.encode(call)), to_server=True)

    def broken(self, connection: Connection) -> None:
        """Come back to the agent, or to the next one on this machine."""
        if self.is_alive and connection in (self._stream, self._calls):
            self._lose()

    def _lose(self) -> None:
        for each in (self._stream, self._calls):
            if each is not None:
                each.close(by_client=True)
        self._stream = self._calls = None
        self._world.after(_BACKOFF_S * (0.5 + self._chance.random()), self._open)

    def received(self, connection: Connection, message: Answer | Chunk) -> None:
        """Take what the agent says."""
        if connection is not self._stream or not self.is_alive:
            return
        if isinstance(message, Chunk):
            for record in self._decoder.feed(message.data):
                self._heard(codec.decode(codec.EXECUTOR_EVENT, record))
        elif message.opens:
            self._calls = self._network.dial(self._host, self, self._host)
            for status in [one for key, one in self._updates.items() if key not in self._told]:
                self._send(status)  # made while it was subscribing
        elif message.status == 503:
            self._lose()
        else:
            self._leave()  # the agent does not want it

    def _heard(self, event: wire.Event) -> None:
        if self._world.tracing:
            self._world.note(f"{self._host}/{self._executor_id.value}", f"< {event}")
        match event:
            case wire.EventSubscribed():
                # A task that was on its way when the agent died never comes.
                self._world.after(_IDLE_S, self._if_alive, self._leave_if_idle, ())
            case wire.EventLaunch():
                self._launch(event.launch.task)
            case wire.EventKill():
                self._after(0.05, self._end, event.kill.task_id.value, v1.TaskState.KILLED)
            case wire.EventAcknowledged():
                self._acknowledged(event.acknowledged.uuid)
            case wire.EventShutdown():
                self._after(0.05, self._leave)
            case _:
                pass

    def _after(self, delay_s: float, do: Callable[..., None], *args: object) -> None:
        self._world.after(delay_s * self._chance.random(), self._if_alive, do, args)

    def _if_alive(self, do: Callable[..., None], args: tuple[object, ...]) -> None:
        if self.is_alive:
            do(*args)

    # tasks

    def _launch(self, task: v1.TaskInfo) -> None:
        name = task.task_id.value
        key = (FrameworkId(self._framework_id.value), TaskId(name))
        self._watcher.container_ordered(self._host, key)
        self._tasks[name] = self._unknown[name] = task
        words = (task.data or b"serve").decode().split()
        if words[0] == "broken":
            self._after(0.1, self._end, name, v1.TaskState.FAILED)
            return
        self._after(0.1, self._run, name, words)

    def _run(self, name: str, words: list[str]) -> None:
        if name in self._ended:
            return
        self._report(name, v1.TaskState.RUNNING)
        if words[0] == "run":
            end = v1.TaskState.FAILED if int(words[2]) else v1.TaskState.FINISHED
            self._world.after(float(words[1]), self._if_alive, self._end, (name, end))

    def _end(self, name: str, state: v1.TaskState) -> None:
        if name in self._tasks and name not in self._ended:
            self._ended.add(name)
            self._report(name, state)

    def _report(self, name: str, state: v1.TaskState) -> None:
        status = v1.TaskStatus(
            task_id=v1.Id(value=name),
            state=state,
            source=v1.Source.EXECUTOR,
            executor_id=self._executor_id,
            uuid=uuid.UUID(int=self._chance.getrandbits(128), version=4).bytes,
        )
        assert status.uuid is not None
        self._updates[status.uuid] = status
        self._send(status)

    def _send(self, status: v1.TaskStatus) -> None:
        if self._calls is not None:
            update = wire.Update(
                executor_id=self._executor_id,
                framework_id=self._framework_id,
                update=wire.UpdateBody(status=status),
            )
            self._calls.send(Request(PATH, {}, codec.encode(update)), to_server=True)

    def _acknowledged(self, stored: bytes) -> None:
        status = self._updates.pop(stored, None)
        if status is None:
            return
        name = status.task_id.value
        self._unknown.pop(name, None)
        if status.state.is_terminal:
            self._tasks.pop(name, None)
            self._world.after(_IDLE_S, self._if_alive, self._leave_if_idle, ())

    def _leave_if_idle(self) -> None:
        if not self._tasks and not self._updates:
            self._leave()
