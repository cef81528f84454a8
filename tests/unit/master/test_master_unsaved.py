"""Frameworks without checkpoints lose what they run on an agent whose connection breaks."""

import pytest

from comity.master import inputs
from comity.wire.mesos import link, scheduler, v1
from support.master_world import MasterWorld, executor, task

S = v1.TaskState
FW = v1.Id(value="M-0000")


def ready(checkpoint):
    world = MasterWorld()
    world.agent()
    world.subscribe(checkpoint=checkpoint, failover_timeout=3600.0)
    own = executor("x", "cpus:0.5;mem:32")
    assert world.accept(world.offers(), task("a"), task("b", executor=own), refuse=0) == 202
    for name in ("a", "b"):
        world.report(name, S.RUNNING)
    world.updates()
    return world


def brought(world):
    """Return what the agent says when it comes back: it still runs everything."""
    tasks = tuple(
        v1.Task(
            name=name,
            task_id=v1.Id(value=name),
            framework_id=FW,
            agent_id=v1.Id(value="M-S0"),
            state=S.RUNNING,
            executor_id=v1.Id(value="x") if name == "b" else None,
            resources=task(name).resources,
        )
        for name in ("a", "b")
    )
    one = link.LinkExecutor(framework_id=FW, executor_info=executor("x", "cpus:0.5;mem:32"))
    infos = tuple(each.info for each in world.state.frameworks.values())
    return {"agent_id": "M-S0", "tasks": tasks, "executors": (one,), "frameworks": infos}


def test_they_are_lost_and_what_they_held_is_free():
    world = ready(checkpoint=False)
    world.step(inputs.StreamClosed("link-a"))
    lost = {one.task_id.value: one for one in world.updates()}
    assert set(lost) == {"a", "b"}
    assert {one.state for one in lost.values()} == {S.LOST}
    assert {one.reason for one in lost.values()} == {v1.Reason.AGENT_DISCONNECTED}
    agent = world.state.agents["M-S0"]
    assert not agent.used
    assert not agent.executors
    assert not world.state.frameworks["M-0000"].tasks


def test_an_agent_that_was_only_cut_off_is_told_to_end_them():
    world = ready(checkpoint=False)
    told = brought(world)
    world.step(inputs.StreamClosed("link-a"))
    world.updates()
    world.agent("link-b", **told)
    ended = {one.executor_id.value for one in world.heard("link-b", link.EventShutdownExecutor)}
    assert ended == {"a", "x"}
    assert not world.updates()
    # Until they have ended, nobody else gets what they hold.
    agent = world.state.agents["M-S0"]
    assert agent.used.scalar("cpus") == 2.5
    for name in ("a", "b"):
        world.report(name, S.KILLED, name="link-b")
    exited = link.ExitedExecutor(framework_id=FW, executor_id=v1.Id(value="x"), status=0)
    world.agent_says(exited, name="link-b")
    assert not agent.used


def test_an_agent_that_was_unreachable_since_is_told_so_too():
    world = ready(checkpoint=False)
    told = brought(world)
    world.step(inputs.StreamClosed("link-a"))
    world.step(inputs.AgentReturnDue("M-S0"))
    assert "M-S0" in world.state.unreachable_agents
    world.updates()
    world.agent("link-b", **told)
    ended = {one.executor_id.value for one in world.heard("link-b", link.EventShutdownExecutor)}
    assert ended == {"a", "x"}


def test_what_was_only_unreachable_comes_back():
    world = ready(checkpoint=False)
    told = brought(world)
    for _ in range(world.state.config.pings_missed_max + 1):
        world.step(inputs.PingDue("M-S0", "link-a"))
    assert {one.reason for one in world.updates()} == {v1.Reason.AGENT_REMOVED}
    world.agent("link-b", **told)
    assert not world.heard("link-b", link.EventShutdownExecutor)
    assert {one.state for one in world.updates()} == {S.RUNNING}


def test_an_id_that_was_used_again_elsewhere_stays_that_of_the_new_task():
    world = ready(checkpoint=False)
    told = brought(world)
    world.step(inputs.StreamClosed("link-a"))
    world.offers()
    world.updates()
    world.agent("link-c")
    world.accept(world.offers(), task("a", agent_id="M-S1"), refuse=0)
    assert not world.updates()
    world.agent("link-b", **told)
    assert world.state.frameworks["M-0000"].tasks["a"].agent_id == "M-S1"
    assert set(world.state.agents["M-S0"].tasks) == {("M-0000", "b")}
    ended = {one.executor_id.value for one in world.heard("link-b", link.EventShutdownExecutor)}
    assert ended == {"a", "x"}


@pytest.mark.parametrize("breaks", [True, False])
def test_those_with_checkpoints_keep_theirs(breaks):
    world = ready(checkpoint=True)
    told = brought(world)
    if breaks:
        world.step(inputs.StreamClosed("link-a"))
    world.agent("link-b", **told)
    assert not world.updates()
    assert not world.heard("link-b", link.EventShutdownExecutor)
    assert set(world.state.frameworks["M-0000"].tasks) == {"a", "b"}


def test_an_agent_that_comes_back_before_its_end_was_seen_keeps_them():
    world = ready(checkpoint=False)
    world.agent("link-b", **brought(world))
    assert not world.updates()
    assert not world.heard("link-b", link.EventShutdownExecutor)
    assert set(world.state.frameworks["M-0000"].tasks) == {"a", "b"}


def test_an_agent_is_told_which_executors_it_said_were_running():
    world = ready(checkpoint=True)
    world.agent("link-b", **brought(world))
    [event] = world.heard("link-b", link.EventRegistered)
    [name] = event.registered.executors
    assert (name.framework_id, name.executor_id.value) == (FW, "x")


# framework ids


def test_a_framework_may_choose_its_id_and_come_back_with_it():
    world = MasterWorld()
    world.agent()
    world.subscribe(framework_id="driver-1", failover_timeout=60.0)
    subscribed = world.said["s1"][1].subscribed
    assert subscribed.framework_id.value == "driver-1"
    assert world.offers()[0].framework_id.value == "driver-1"
    world.step(inputs.StreamClosed("s1"))
    world.subscribe("s2", framework_id="driver-1", failover_timeout=60.0)
    assert list(world.state.frameworks) == ["driver-1"]


def test_ids_that_frameworks_chose_are_not_given_to_others():
    world = MasterWorld()
    world.subscribe(framework_id="M-0000")
    world.subscribe("s2")
    assert list(world.state.frameworks) == ["M-0000", "M-0001"]


def test_two_frameworks_may_use_the_same_task_id_on_one_agent():
    world = MasterWorld()
    world.agent()
    for stream, fw in (("s1", "M-0000"), ("s2", "M-0001")):
        world.subscribe(stream)
        offers = world.offers(stream)
        # What is left is refused for long, so that the other framework gets it.
        assert world.accept(offers, task("t"), refuse=600, stream=stream, fw=fw) == 202
        assert not world.updates(stream)
        world.run(1)
    agent = world.state.agents["M-S0"]
    assert set(agent.tasks) == {("M-0000", "t"), ("M-0001", "t")}
    assert agent.used.scalar("cpus") == 2
    world.report("t", S.FAILED, fw="M-0001")
    assert [one.state for one in world.updates("s2")] == [S.FAILED]
    assert not world.updates("s1")
    kill = scheduler.Kill(framework_id=FW, kill=scheduler.KillBody(task_id=v1.Id(value="t")))
    world.call(kill, "s1")
    [event] = world.heard("link-a", link.EventKillTask)
    assert event.framework_id == FW
