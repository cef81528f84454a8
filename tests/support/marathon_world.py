"""A Marathon machine in a world of its own: a fake master, agents, a store, timers and a clock.

No sockets and no loop. `step` gives the machine one input and applies its effects; `settle` lets
the world answer until nothing happens any more; `crash` loads a new machine from the store.
"""

import heapq
import itertools
import json
import random
from typing import Any

from comity.core.effects import CancelTimer, Outbox, Reply, Send, SetTimer
from comity.core.ids import TaskId
from comity.core.instants import Instant
from comity.marathon import inputs, outbox
from comity.marathon.config import Config
from comity.marathon.machine import Machine, load
from comity.marathon.state import Instance, State
from comity.wire.marathon.app_reads import NEW_APP, UPDATE
from comity.wire.marathon.pod_reads import NEW_POD
from comity.wire.mesos import v1

EPOCH = 1_700_000_000.0


class FakeAgent:
    """Resources of one agent and what runs there."""

    def __init__(self, number: int, cpus: float = 8, mem: float = 8192, **values: str) -> None:
        self.id = f"S{number}"
        self.host = f"127.0.0.{10 + number}"
        self.cpus, self.mem = cpus, mem
        self.first_port = 31000 + 100 * number
        self.ports = set(range(self.first_port, self.first_port + 100))
        self.values = values
        self.tasks: dict[str, v1.TaskInfo] = {}
        self.executors: dict[str, v1.ExecutorInfo] = {}
        """The executors of groups, by the ids of their tasks."""
        self.away: v1.Unavailability | None = None

    def offer(self, number: int) -> v1.Offer:
        """Return all that is free here."""
        free = sorted(self.ports - {p for one in self.holders() for p in _ports(one)})
        return v1.Offer(
            id=v1.Id(value=f"O{number}"),
            framework_id=v1.Id(value="F"),
            agent_id=v1.Id(value=self.id),
            hostname=self.host,
            unavailability=self.away,
            resources=(
                _scalar("cpus", self.cpus - self.used("cpus")),
                _scalar("mem", self.mem - self.used("mem")),
                _scalar("disk", 10000),
                v1.Resource(
                    name="ports",
                    type="RANGES",
                    ranges=v1.Ranges(range=tuple(v1.Range(begin=p, end=p) for p in free)),
                    role="*",
                ),
            ),
            attributes=tuple(
                v1.Attribute(name=name, type="TEXT", text=v1.Text(value=value))
                for name, value in self.values.items()
            ),
        )

    def holders(self) -> list[v1.TaskInfo | v1.ExecutorInfo]:
        """Return all that has resources here."""
        executors = {
            one.executor_id.value: one
            for task_id, one in self.executors.items()
            if task_id in self.tasks
        }
        return [*self.tasks.values(), *executors.values()]

    def used(self, name: str) -> float:
        return sum(
            one.scalar.value
            for holder in self.holders()
            for one in holder.resources
            if one.name == name and one.scalar is not None
        )


def _scalar(name: str, value: float) -> v1.Resource:
    return v1.Resource(name=name, type="SCALAR", scalar=v1.Scalar(value=value), role="*")


def _ports(task: v1.TaskInfo | v1.ExecutorInfo) -> list[int]:
    return [
        span.begin for one in task.resources if one.ranges is not None for span in one.ranges.range
    ]


class World:
    """One Marathon, its master and agents."""

    def __init__(self, agents: int = 1, seed: int = 1, **config: Any) -> None:
        self.config = Config(**config)
        self.rng = random.Random(seed)
        self.now = Instant(EPOCH)
        self.store: dict[str, bytes] = {}
        self.replies: dict[int, Reply] = {}
        self.events: list[dict[str, Any]] = []
        self.effects: list[Any] = []
        self.launched: list[outbox.Accept] = []
        self.probes: list[outbox.Probe] = []
        self.agents = [FakeAgent(number) for number in range(agents)]
        self.states: dict[str, v1.TaskState] = {}
        """Tasks as the master knows them, ended ones included."""
        self.wants_offers = False
        self.hold_kills = False
        """Whether tasks ignore that they are killed."""
        self.hold_starts = False
        """Whether tasks stay in staging."""
        self._tokens = itertools.count(1)
        self._offers = itertools.count(1)
        self._open: dict[str, FakeAgent] = {}
        self.load()

    # the machine's life

    def load(self) -> None:
        """Start a process: state from the store, no timers."""
        state = load(self.store.items(), self.config, random.Random(self.rng.random()))
        self.machine = Machine(state)
        self.timers: dict[Any, float] = {}
        self._due: list[tuple[float, int, Any]] = []
        self.step(inputs.Started())

    def crash(self) -> None:
        """Lose the process and all that was not stored; offers and streams go with it."""
        self.wants_offers = False
        self._open.clear()
        self.load()

    @property
    def state(self) -> State:
        return self.machine.state

    def step(self, item: Any) -> None:
        """Give the machine one input and apply what it asks for, in the shell's order."""
        out = Outbox()
        self.machine.step(item, self.now, out)
        self.machine.check_invariants()
        for write in out.writes:
            if write.value is None:
                self.store.pop(write.key, None)
            else:
                self.store[write.key] = write.value
        self.replies |= {reply.to: reply for reply in out.replies}
        for effect in out.sends:
            if isinstance(effect, Send) and b"data: " in effect.data:
                self.events.append(json.loads(effect.data.partition(b"data: ")[2]))
        for timer in out.timers:
            self._arm(timer)
        for effect in out.launches:
            self.effects.append(effect)
            self._apply(effect)

    def _arm(self, timer: SetTimer | CancelTimer) -> None:
        if isinstance(timer, CancelTimer):
            self.timers.pop(timer.item, None)
        else:
            self.timers[timer.item] = timer.at
            heapq.heappush(self._due, (timer.at, next(self._tokens), timer.item))

    # the master

    def _apply(self, effect: Any) -> None:
        match effect:
            case outbox.Accept():
                self.launched.append(effect)
                agent = self._open.pop(effect.offer_id)
                for task in effect.tasks:
                    self._launch(agent, task)
                for group in effect.groups:
                    for task in group.task_group.tasks:
                        agent.executors[task.task_id.value] = group.executor
                        self._launch(agent, task)
            case outbox.Decline():
                for offer_id in effect.offer_ids:
                    del self._open[offer_id]
            case outbox.Revive():
                self.wants_offers = True
            case outbox.Suppress():
                self.wants_offers = False
            case outbox.Probe():
                self.probes.append(effect)
            case _:
                pass  # kills and reconciliations are answered by `answer`

    def _launch(self, agent: FakeAgent, task: v1.TaskInfo) -> None:
        instance = self.state.instance_of(TaskId(task.task_id.value))
        assert instance is not None
        assert f"instance/{instance.task_id}" in self.store, "launched before it was stored"
        agent.tasks[task.task_id.value] = task
        self.states[task.task_id.value] = v1.TaskState.STAGING

    def subscribe(self) -> None:
        """Let the master take us in."""
        self.wants_offers = True
        self.step(inputs.Subscribed("F", "http://master"))
        self.settle()

    def offer(self) -> bool:
        """Offer every agent that has anything free."""
        offers = []
        for agent in self.agents:
            offer = agent.offer(next(self._offers))
            self._open[offer.id.value] = agent
            offers.append(offer)
        before = len(self.states)
        self.step(inputs.OffersReceived(tuple(offers)))
        return len(self.states) > before

    def status(self, task_id: str, state: v1.TaskState, **fields: Any) -> None:
        """Report a task's state."""
        if state.is_terminal:
            for agent in self.agents:
                agent.tasks.pop(task_id, None)
        self.states[task_id] = state
        agent_id = next((a.id for a in self.agents if task_id in a.tasks), self.agents[0].id)
        status = v1.TaskStatus(
            task_id=v1.Id(value=task_id),
            agent_id=v1.Id(value=agent_id),
            state=state,
            uuid=b"u" * 16,
            **fields,
        )
        self.step(inputs.StatusReceived(status))

    def answer(self) -> bool:
        """Let agents start and end tasks as they were told; whether anything happened."""
        effects, self.effects = self.effects, []
        happened = False
        for effect in effects:
            if isinstance(effect, outbox.Kill):
                alive = effect.task_id in self.states and not (
                    self.states[effect.task_id].is_terminal
                )
                if self.hold_kills:
                    self.effects.append(effect)
                elif alive:
                    self.status(effect.task_id, v1.TaskState.KILLED)
                    happened = True
                else:
                    self.status(effect.task_id, v1.TaskState.UNKNOWN)
            elif isinstance(effect, outbox.Reconcile):
                every = [(task_id, "") for task_id in sorted(self.alive())]
                for task_id, _ in effect.tasks or every:
                    self.status(task_id, self.states.get(task_id, v1.TaskState.UNKNOWN))
                    happened = True
        if not self.hold_starts:
            for task_id, state in list(self.states.items()):
                if state is v1.TaskState.STAGING:
                    self.status(task_id, v1.TaskState.STARTING)
                    self.status(task_id, v1.TaskState.RUNNING)
                    happened = True
        return happened

    # time

    def fire(self) -> bool:
        """Fire the timers that are due; whether there were any."""
        fired = False
        while self._due and self._due[0][0] <= self.now:
            at, _, item = heapq.heappop(self._due)
            if self.timers.get(item) == at:
                del self.timers[item]
                self.step(item)
                fired = True
        return fired

    def settle(self) -> None:
        """Let everybody act until nobody has anything to do at this instant."""
        for _ in range(1000):
            busy = self.fire()
            if self.state.subscribed:
                busy |= self.answer()
                busy |= self.fire()
                if self.wants_offers:
                    busy |= self.offer()
            if not busy:
                return
        raise AssertionError("the world does not come to rest")

    def pass_time(self, seconds: float) -> None:
        """Let time pass from timer to timer, settling at each."""
        end = self.now + seconds
        while True:
            due = min((at for at in self.timers.values() if at <= end), default=None)
            if due is None:
                break
            self.now = Instant(max(self.now, due))
            self.settle()
        self.now = Instant(end)
        self.settle()

    # callers

    def ask(self, make: Any) -> tuple[int, Any]:
        """Make a call; return its status and body."""
        token = next(self._tokens)
        self.step(make(token))
        reply = self.replies.pop(token)
        return reply.status, json.loads(reply.body) if reply.body else None

    def post(self, force: bool = False, **app: Any) -> tuple[int, Any]:
        draft = read(NEW_APP, app)
        return self.ask(lambda to: inputs.AppPosted(to, draft, force, "peer", "/v2/apps"))

    def put(self, app_id: str, force: bool = False, **update: Any) -> tuple[int, Any]:
        return self.put_many([{"id": app_id, **update}], force=force)

    def put_many(self, updates: list[dict[str, Any]], force: bool = False) -> tuple[int, Any]:
        drafts = tuple(read(UPDATE, one) for one in updates)
        return self.ask(
            lambda to: inputs.AppsPut(
                to=to,
                drafts=drafts,
                partial=True,
                may_create=True,
                force=force,
                is_list=len(drafts) > 1,
                peer="peer",
                uri="/v2/apps",
            )
        )

    def delete(self, app_id: str, force: bool = True) -> tuple[int, Any]:
        return self.ask(lambda to: inputs.AppDeleted(to, app_id, force))

    def restart(self, app_id: str, force: bool = False) -> tuple[int, Any]:
        return self.ask(lambda to: inputs.AppRestarted(to, app_id, force))

    def cancel(self, deployment_id: str, force: bool = False) -> tuple[int, Any]:
        return self.ask(lambda to: inputs.DeploymentCancelled(to, deployment_id, force))

    def kill(self, app_id: str, task_id: str | None = None, **flags: Any) -> tuple[int, Any]:
        flags = {"host": None, "scale": False, "wipe": False, "force": False, **flags}
        return self.ask(
            lambda to: inputs.AppTasksKilled(to=to, app_id=app_id, task_id=task_id, **flags)
        )

    def post_pod(self, force: bool = False, **pod: Any) -> tuple[int, Any]:
        draft = read(NEW_POD, pod)
        return self.ask(lambda to: inputs.PodPosted(to, draft, force, "peer", "/v2/pods"))

    def put_pod(self, pod_id: str, force: bool = False, **pod: Any) -> tuple[int, Any]:
        draft = read(NEW_POD, {"id": pod_id, **pod})
        return self.ask(lambda to: inputs.PodPut(to, pod_id, draft, force, "peer", "/v2/pods"))

    def delete_pod(self, pod_id: str, force: bool = False) -> tuple[int, Any]:
        return self.ask(lambda to: inputs.PodDeleted(to, pod_id, force, "peer", "/v2/pods"))

    def kill_instances(self, pod_id: str, *instance_ids: str, is_list: bool) -> tuple[int, Any]:
        return self.ask(lambda to: inputs.PodInstancesKilled(to, pod_id, instance_ids, is_list))

    def listen(self, *types: str) -> None:
        self.step(inputs.EventsOpened(next(self._tokens), frozenset(types), "peer"))

    # what there is

    def tasks(self, app_id: str) -> list[Instance]:
        return list(self.state.of_app(app_id).values())

    def running(self, app_id: str) -> int:
        return sum(one.condition == "Running" and one.is_active for one in self.tasks(app_id))

    def alive(self) -> set[str]:
        """Task ids that agents have."""
        return {task_id for agent in self.agents for task_id in agent.tasks}


def read(reader: Any, value: dict[str, Any]) -> Any:
    """Read a body that is known to be well typed."""
    errors: dict[str, list[str]] = {}
    found = reader(value, "", errors)
    assert not errors, errors
    return found


def started(agents: int = 1, **config: Any) -> World:
    """Return a world that is subscribed and idle."""
    world = World(agents, **config)
    world.subscribe()
    return world
