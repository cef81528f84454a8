"""Deactivated, draining and drained agents (mesos.md 1.4, 90)."""

import pytest

from comity.core.ids import AgentId
from comity.master import inputs
from comity.wire.mesos import link, scheduler, v1
from comity.wire.mesos.maintenance import DrainConfig
from support.master_world import MasterWorld, task

S0 = AgentId("M-S0")


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent()
    made.subscribe()
    return made


def ask(world, kind, *more, agent=S0):
    world.step(kind(77, agent, *more))
    world.run(0)
    return world.replies[77].status


def drain(world, agent=S0, **config):
    return ask(world, inputs.AgentDrained, DrainConfig(**config), agent=agent)


def end(world, name, state=v1.TaskState.KILLED):
    world.report(name, state)
    body = scheduler.AcknowledgeBody(
        agent_id=v1.Id(value=S0), task_id=v1.Id(value=name), uuid=b"u" * 6 + b"\x40" + b"u" * 9
    )
    world.call(scheduler.Acknowledge(framework_id=v1.Id(value="M-0000"), acknowledge=body))


def test_a_deactivated_agent_is_not_offered_and_its_tasks_stay(world):
    world.launch("t")
    world.run(1)
    assert ask(world, inputs.AgentDeactivated) == 200
    assert len(world.heard("s1", scheduler.EventRescind)) == 1
    world.offers()
    world.run(5)
    assert world.offers() == []
    assert not world.state.frameworks["M-0000"].tasks["t"].state.is_terminal
    assert ask(world, inputs.AgentReactivated) == 200
    world.run(1)
    assert len(world.offers()) == 1


def test_draining_ends_when_the_last_task_is_acknowledged(world):
    world.launch("t")
    assert drain(world, max_grace_period=v1.DurationInfo(nanoseconds=10**9)) == 200
    [told] = world.heard("link-a", link.EventDrain)
    assert told.config.max_grace_period.nanoseconds == 10**9
    world.run(2)
    assert world.state.draining[S0].state == "DRAINING"
    assert ask(world, inputs.AgentReactivated) == 400
    end(world, "t")
    world.run(2)
    assert world.state.draining[S0].state == "DRAINED"
    world.offers()
    world.run(5)
    assert world.offers() == []
    assert ask(world, inputs.AgentReactivated) == 200
    assert world.heard("link-a", link.EventDrain)[0].config is None
    world.run(1)
    assert len(world.offers()) == 1


def test_an_empty_agent_is_drained_at_once_and_may_be_marked_gone(world):
    assert drain(world, mark_gone=True) == 200
    assert S0 in world.state.gone_agents
    assert S0 not in world.state.agents
    assert "draining/M-S0" not in world.store


def test_draining_outlives_the_link_and_the_master(world):
    world.launch("t")
    drain(world)
    world.heard("link-a", link.EventDrain)
    other = MasterWorld(registry=world.store.items())
    running = v1.Task(
        name="t",
        task_id=v1.Id(value="t"),
        framework_id=v1.Id(value="M-0000"),
        agent_id=v1.Id(value=S0),
        state=v1.TaskState.RUNNING,
        resources=task("t").resources,
    )
    info = v1.FrameworkInfo(user="root", name="test", id=v1.Id(value="M-0000"))
    other.agent(agent_id=S0, frameworks=(info,), tasks=(running,))
    assert len(other.heard("link-a", link.EventDrain)) == 1
    other.subscribe(framework_id="M-0000")
    other.run(3)
    assert other.offers() == []
    assert other.state.draining[S0].state == "DRAINING"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        (inputs.AgentDrained, (DrainConfig(),)),
        (inputs.AgentDeactivated, ()),
        (inputs.AgentReactivated, ()),
    ],
)
def test_unknown_agents_are_400(world, kind, more):
    assert ask(world, kind, *more, agent=AgentId("M-S9")) == 400


def test_an_agent_that_is_not_deactivated_cannot_be_reactivated(world):
    assert ask(world, inputs.AgentReactivated) == 400
