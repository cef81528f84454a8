"""What must never happen: the checkers of safety, and the record of what did happen.

The watcher sees what no component sees alone: what was launched where, what schedulers have
acknowledged, what was promised to whom. A broken rule is a `Violated` with a sentence.
"""

from typing import TYPE_CHECKING

from comity.core.containers import Spec
from comity.core.errors import ComityError
from comity.core.ids import FrameworkId, TaskId
from comity.master.state import State as MasterState
from comity.resources.amounts import NOTHING, Resources
from comity.sim.disk import Disk
from comity.wire.mesos import resources, v1

if TYPE_CHECKING:
    from comity.agent.state import Executor, State, Task
    from comity.sim.agents import AgentNode

TaskKey = tuple[FrameworkId, TaskId]


class Violated(ComityError):
    """Something happened that must never happen."""


class Watcher:
    """Remembers what was done and said, and objects."""

    def __init__(self, *, is_thorough: bool = True) -> None:
        self.is_thorough = is_thorough
        """Whether to look at whole states after every batch; too slow for big clusters."""
        self.launched: dict[TaskKey, str] = {}
        """Which agent was told to start a task's own container."""
        self.started = 0
        self.acknowledged: set[bytes] = set()
        """The uuids of updates that schedulers have acknowledged."""
        self.offers: dict[str, str] = {}
        """Which scheduler was given an offer."""
        self._seen: dict[str, dict[TaskKey, Task]] = {}
        self._registered: dict[str, str] = {}
        self._views = 0
        self._over: set[FrameworkId] = set()

    # agents

    def container_ordered(self, agent: str, key: TaskKey) -> None:
        """Check that a task is launched at most once, on one agent."""
        if key in self.launched:
            raise Violated(f"{key} is launched on {agent}, and before on {self.launched[key]}")
        self.launched[key] = agent

    def container_started(self, agent: str, spec: Spec) -> None:
        """Count."""
        self.started += 1

    def agent_wiped(self, agent: str) -> None:
        """Forget what an agent promised: its disk was taken from it."""
        self._seen.pop(agent, None)
        self._registered.pop(agent, None)

    def agent_recovered(self, agent: str, state: "State") -> None:
        """Check that an agent knows after a crash what it knew before."""
        seen = self._seen.get(agent, {})
        lost = [key for key in seen if key not in state.tasks and not self._is_done(key, seen[key])]
        if lost:
            raise Violated(f"{agent} has forgotten {lost} in a crash")
        if self._registered.get(agent, state.id) != state.id:
            raise Violated(f"{agent} was {self._registered[agent]} and is {state.id!r} now")

    def agent_acted(self, node: "AgentNode") -> None:
        """Check what an agent has and had; its state is durable now."""
        assert node.machine is not None
        state = node.machine.state
        if state.id:
            self._registered[node.name] = state.id
        if not self.is_thorough:
            return
        self._check_forgotten(node.name, state)
        held = _held(state)
        if not node.total.contains(held):
            raise Violated(f"{node.name} has {node.total} and runs tasks with {held}")
        self._views += 1
        if self._views % 16 == 0:
            assert node.process is not None
            found = _view(node.recovered(node.process.clock).state)
            if found != _view(state):
                raise Violated(f"{node.name} would recover as {found}, and is {_view(state)}")

    def _check_forgotten(self, name: str, state: "State") -> None:
        """A terminal update is kept until its scheduler has acknowledged it."""
        seen = self._seen.setdefault(name, {})
        for key in [key for key in seen if key not in state.tasks]:
            task = seen.pop(key)
            if not self._is_done(key, task):
                raise Violated(f"{name} has forgotten {key} in {task.state}, unacknowledged")
        for key, executor in state.tasks.items():
            seen[key] = executor.tasks[key[1]]

    # schedulers

    def offered(self, scheduler: str, offer_id: str) -> None:
        """Check that an offer has one owner, once."""
        if offer_id in self.offers:
            raise Violated(f"{offer_id} goes to {scheduler}, and went to {self.offers[offer_id]}")
        self.offers[offer_id] = scheduler

    def heard(self, framework_id: FrameworkId, task_id: TaskId, status: v1.TaskStatus) -> None:
        """Check that a status comes from where the task was launched."""
        if (framework_id, task_id) not in self.launched and status.state is v1.TaskState.RUNNING:
            raise Violated(f"{task_id} is said to run, and was never launched")

    def _is_done(self, key: TaskKey, task: "Task") -> bool:
        """Whether a task may be forgotten: its end is acknowledged, or its framework is over."""
        if key[0] in self._over:
            return True
        return any(
            one.state.is_terminal and one.uuid in self.acknowledged
            for one in task.statuses.values()
        )

    # the master

    def master_stepped(self, state: MasterState) -> None:
        """Learn which frameworks are over; what follows from it may be said half way to a crash."""
        self._over.update(state.completed_frameworks)

    def master_acted(self, state: MasterState, disk: Disk) -> None:
        """Check that what the master promised is on disk."""
        if not self.is_thorough:
            return
        for agent_id in state.agents:
            if f"agents/{agent_id}" not in disk:
                raise Violated(f"{agent_id} is registered, and not in the registry")
        for agent_id in state.unreachable_agents:
            if f"unreachable/{agent_id}" not in disk:
                raise Violated(f"{agent_id} is unreachable, and the registry does not say so")


def _held(state: "State") -> Resources:
    total = NOTHING
    for executor in state.executors.values():
        if executor.is_orphaned:
            continue
        total = total + _live(executor)
    return total


def _live(executor: "Executor") -> Resources:
    total = NOTHING if executor.is_command or executor.has_exited else executor.resources
    for task in executor.tasks.values():
        if not task.state.is_terminal:
            total = total + resources.read(task.info.resources)
    return total


def _view(state: "State") -> dict[str, tuple[str, list[bytes]]]:
    """Return what must be the same after a restart."""
    view: dict[str, tuple[str, list[bytes]]] = {"agent": (state.id, [])}
    view["total"] = (repr(state.total), [])
    for (framework_id, task_id), executor in sorted(state.tasks.items()):
        task = executor.tasks[task_id]
        pending = [one.uuid for one in task.pending]
        view[f"{framework_id}/{task_id}"] = (task.state.value, pending)
    return view
