"""An agent without a shell: tests step its machine and read what it asks for."""

import random
from pathlib import Path

from comity.agent.config import AgentConfig
from comity.agent.inputs import (
    ContainerStarted,
    ExecutorSubscribed,
    LauncherFound,
    MasterSaid,
    ProbeDone,
    ProbeDue,
)
from comity.agent.machine import HANDLERS, Agent, check_invariants
from comity.agent.outbox import LaunchContainer, RunProbe, ToMaster
from comity.agent.state import State
from comity.core.effects import CancelTimer, Outbox, SetTimer
from comity.core.instants import Instant
from comity.resources import text
from comity.wire import recordio
from comity.wire.mesos import codec, executor, link, resources, v1

FRAMEWORK = v1.FrameworkInfo(user="root", name="f", id=v1.Id(value="F"), checkpoint=True)


class AgentWorld:
    """An agent, its store, and what it asked for last."""

    def __init__(self):
        assert HANDLERS
        self.now = 1000.0
        self.stored = {}
        self.timers = {}
        self.chance = random.Random(1)
        self.agent = self.make()
        self.step(LauncherFound({}, {}))
        self.link()

    def link(self, *executors):
        """Let the agent find its master, which was told that these executors run."""
        body = link.RegisteredBody(
            agent_id=v1.Id(value="A"),
            master_info=v1.MasterInfo(id="m", ip=1),
            executors=tuple(
                link.ExecutorName(framework_id=v1.Id(value="F"), executor_id=v1.Id(value=name))
                for name in executors
            ),
        )
        return self.step(MasterSaid(link.EventRegistered(registered=body)))

    def make(self):
        state = State(
            config=AgentConfig(work_dir=Path("/work")),
            info=v1.AgentInfo(hostname="h"),
            ip="127.0.0.1",
            chance=self.chance,
            started_at=Instant(self.now),
        )
        return Agent(state)

    def restart(self, running=(), exited=()):
        self.agent = self.make()
        self.agent.recover(sorted(self.stored.items()))
        return self.step(LauncherFound(dict(running), dict(exited)))

    def step(self, item):
        self.out = Outbox()
        self.agent.step(item, Instant(self.now), self.out)
        check_invariants(self.agent.state)
        for write in self.out.writes:
            if write.value is None:
                self.stored.pop(write.key, None)
            else:
                self.stored[write.key] = write.value
        for timer in self.out.timers:
            if isinstance(timer, SetTimer):
                self.timers[timer.item] = timer.at
            else:
                assert isinstance(timer, CancelTimer)
                self.timers.pop(timer.item, None)
        return self.out

    def due(self, kind):
        """Return the timers of a kind that are set, and when they are due."""
        return {item: at for item, at in self.timers.items() if isinstance(item, kind)}

    def fire(self, kind):
        """Let the one timer of a kind come due."""
        [(item, at)] = self.due(kind).items()
        del self.timers[item]
        self.now = max(self.now, at)
        return self.step(item)

    def heard(self):
        """Return what executors heard in the last step."""
        return [
            codec.decode(codec.EXECUTOR_EVENT, record)
            for each in self.out.sends
            if hasattr(each, "data")
            for record in recordio.Decoder().feed(each.data)
        ]

    def task(self, task_id="t"):
        return self.agent.state.tasks["F", task_id].tasks[task_id]

    def statuses(self, task_id="t"):
        return [each.status for each in self.task(task_id).pending]

    def states(self, task_id="t"):
        return [each.state for each in self.statuses(task_id)]

    def asked(self, kind):
        return [each for each in self.out.launches if isinstance(each, kind)]

    @property
    def ended_executors(self):
        calls = [each.call for each in self.asked(ToMaster)]
        return [call for call in calls if isinstance(call, link.ExitedExecutor)]

    @property
    def updates(self):
        calls = [each.call for each in self.asked(ToMaster)]
        return [call.status for call in calls if isinstance(call, link.Update)]

    def run(self, task_id="t", framework=FRAMEWORK, running=(), **fields):
        event = link.EventRunTasks(
            framework_info=framework,
            tasks=(info(task_id, **fields),),
            running_executors=tuple(v1.Id(value=one) for one in running),
        )
        self.step(MasterSaid(event))
        launches = self.asked(LaunchContainer)
        return launches[0].spec.id if launches else None

    def acknowledge(self, status):
        event = link.EventAcknowledge(
            framework_id=v1.Id(value="F"), task_id=status.task_id, uuid=status.uuid
        )
        self.step(MasterSaid(event))

    def kill(self, task_id="t", grace_s=None):
        policy = None
        if grace_s is not None:
            policy = v1.KillPolicy(grace_period=v1.DurationInfo(nanoseconds=int(grace_s * 1e9)))
        ids = {"framework_id": v1.Id(value="F"), "task_id": v1.Id(value=task_id)}
        self.step(MasterSaid(link.EventKillTask(**ids, kill_policy=policy)))

    def run_group(self, *tasks, executor=None, framework=FRAMEWORK, starts=True):
        """Send a task group; return the ids of the containers that are to be launched."""
        event = link.EventRunTaskGroup(
            framework_info=framework,
            executor=executor or default(),
            task_group=v1.TaskGroupInfo(tasks=tasks),
            launch_executor=starts,
        )
        self.step(MasterSaid(event))
        return [each.spec.id for each in self.asked(LaunchContainer)]

    def start(self, task_id="t", **fields):
        """Run a command task and let it start; return its container's id."""
        container = self.run(task_id, **fields)
        self.step(ContainerStarted(container, 42))
        return container

    def probe(self, kind, *, well, task_id="t", **result):
        """Let a probe come due and end so."""
        self.now = self.timers.pop(ProbeDue("F", task_id, kind))
        self.step(ProbeDue("F", task_id, kind))
        [asked] = self.asked(RunProbe)
        self.step(ProbeDone(asked.key, asked.round, well, "detail", **result))
        return asked


def info(task_id="t", needs="cpus:1;mem:64", **fields):
    """Return a command task's info."""
    given = {"command": v1.CommandInfo(value="true"), **fields}
    return v1.TaskInfo(
        name="n",
        task_id=v1.Id(value=task_id),
        agent_id=v1.Id(value="A"),
        resources=resources.write(text.parse(needs)),
        **given,
    )


def custom(**fields):
    """Return an executor of the framework's."""
    return v1.ExecutorInfo(
        executor_id=v1.Id(value="e"),
        framework_id=v1.Id(value="F"),
        command=v1.CommandInfo(value="run"),
        **fields,
    )


def default():
    """Return a default executor."""
    return v1.ExecutorInfo(
        executor_id=v1.Id(value="e"),
        framework_id=v1.Id(value="F"),
        type=v1.ExecutorType.DEFAULT,
        resources=resources.write(text.parse("cpus:0.1;mem:32;disk:1")),
    )


def subscribe(**body):
    """Return the call of executor `e` that opens its stream."""
    ids = {"executor_id": v1.Id(value="e"), "framework_id": v1.Id(value="F")}
    call = executor.Subscribe(subscribe=executor.SubscribeBody(**body), **ids)
    return ExecutorSubscribed(7, call, "stream")
