"""Task groups under any order of starts, ends, kills and restarts, against the rules in words.

The twin is as dumb as the rules: a group is a list of names, and a task has ended or not.
"""

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from comity.agent.inputs import ContainerExited, ContainerFailed, ContainerStarted, MasterSaid
from comity.agent.outbox import DestroyContainer, LaunchContainer, SignalContainer
from comity.agent.state import State
from comity.wire.mesos import link, v1
from support.agent_world import AgentWorld, info

S = v1.TaskState
PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
STATUSES = st.sampled_from([0, 3 << 8, 9])


def picture(state: State) -> dict[str, object]:
    """Return what must survive a restart."""
    return {
        task_id: (task.state, task.group, task.ending, task.container_id, len(task.pending))
        for (_, task_id), executor in sorted(state.tasks.items())
        for task in [executor.tasks[task_id]]
    }


class Groups(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.world = AgentWorld()
        self.ordered: list[str] = []
        self.running: list[str] = []
        self.groups: dict[str, int] = {}
        self.asked: set[str] = set()
        self.seen: dict[str, list[v1.TaskStatus]] = {}
        self.next = 0

    def take(self):
        """Look at what the machine asked for last."""
        for each in self.world.asked(LaunchContainer):
            self.ordered.append(each.spec.id)
        for each in self.world.asked(SignalContainer):
            assert each.container_id in self.running, "only what runs can be signalled"
        for each in self.world.asked(DestroyContainer):
            assert each.container_id not in self.running
        for status in self.world.updates:
            told = self.seen.setdefault(status.task_id.value, [])
            if all(one.uuid != status.uuid for one in told):
                told.append(status)

    @rule(size=st.integers(1, 3))
    def launch(self, size):
        names = [f"t{self.next + index}" for index in range(size)]
        self.next += size
        self.world.run_group(*(info(name) for name in names))
        self.take()
        number = len(self.groups)
        if any(one.is_shutting_down and not one.has_exited for one in self.executors()):
            return  # dropped
        self.groups |= dict.fromkeys(names, number)

    def executors(self):
        return list(self.world.agent.state.executors.values())

    @precondition(lambda self: self.ordered)
    @rule(data=st.data(), works=st.booleans())
    def start(self, data, works):
        name = data.draw(st.sampled_from(self.ordered))
        self.ordered.remove(name)
        if works:
            self.running.append(name)
            self.world.step(ContainerStarted(name, 42))
        else:
            self.world.step(ContainerFailed(name, "no"))
        self.take()

    @precondition(lambda self: self.running)
    @rule(data=st.data(), status=STATUSES)
    def end(self, data, status):
        name = data.draw(st.sampled_from(self.running))
        self.running.remove(name)
        self.world.step(ContainerExited(name, status))
        self.take()

    @precondition(lambda self: self.groups)
    @rule(data=st.data(), grace_s=st.sampled_from([None, 0, 60]))
    def kill(self, data, grace_s):
        name = data.draw(st.sampled_from(sorted(self.groups)))
        self.asked.add(name)
        self.world.kill(name, grace_s)
        self.take()

    @precondition(lambda self: self.seen)
    @rule(data=st.data())
    def acknowledge(self, data):
        name = data.draw(st.sampled_from(sorted(self.seen)))
        executor = self.world.agent.state.tasks.get(("F", name))
        if executor is not None and executor.tasks[name].pending:
            self.world.acknowledge(executor.tasks[name].pending[0].status)
            self.take()

    @rule()
    def shut_down(self):
        ids = {"framework_id": v1.Id(value="F"), "executor_id": v1.Id(value="e")}
        for one in self.executors():
            self.asked |= {task.task_id for task in one.live_tasks}
        self.world.step(MasterSaid(link.EventShutdownExecutor(**ids)))
        self.take()

    @rule(lost=st.booleans())
    def restart(self, lost):
        """Kill -9 the agent; what was ordered may have been started, or have been lost with it."""
        before = picture(self.world.agent.state)
        again = self.world.make()
        again.recover(sorted(self.world.stored.items()))
        assert picture(again.state) == before
        if not lost:
            self.running += self.ordered
        self.ordered = []
        self.world.restart(dict.fromkeys(self.running, 42))
        self.take()
        self.world.link()
        self.take()

    @invariant()
    def an_end_is_told_once_and_last(self):
        for told in self.seen.values():
            assert not any(one.state.is_terminal for one in told[:-1])

    @invariant()
    def an_executor_runs_while_it_has_a_task(self):
        for one in self.executors():
            assert one.has_exited is not bool(one.live_tasks)

    @invariant()
    def a_failed_task_ends_its_group_and_nothing_else(self):
        tasks = {
            task_id: executor.tasks[task_id]
            for (_, task_id), executor in self.world.agent.state.tasks.items()
        }
        told = {name: statuses[-1].state for name, statuses in self.seen.items()}
        states = told | {name: task.state for name, task in tasks.items()}
        failed = {
            self.groups[name]
            for name, state in states.items()
            if name in self.groups and state in (S.FAILED, S.KILLED)
        }
        for name, task in tasks.items():
            if task.state.is_terminal or name not in self.groups:
                continue
            if self.groups[name] in failed:
                assert task.ending is not None
            else:
                assert (task.ending is not None) == (name in self.asked)

    def teardown(self):
        """Everything ends, and nothing is left."""
        while self.ordered:
            self.running.append(self.ordered.pop())
            self.world.step(ContainerStarted(self.running[-1], 42))
            self.take()
        while self.running:
            self.world.step(ContainerExited(self.running.pop(), 9))
            self.take()
        for (_, name), executor in list(self.world.agent.state.tasks.items()):
            while executor.tasks.get(name) is not None:
                self.world.acknowledge(executor.tasks[name].pending[0].status)
        state = self.world.agent.state
        assert not state.tasks
        assert not state.executors
        assert not state.containers
        assert not state.children
        assert set(self.world.stored) <= {"agent"}


TestGroups = Groups.TestCase
TestGroups.settings = settings(max_examples=60, stateful_step_count=30, phases=PHASES)
