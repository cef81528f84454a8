"""Frameworks with several roles, and agents that are pinged late."""

from comity.wire.mesos import link, resources, scheduler
from support.master_world import MasterWorld, task


def test_the_agent_is_told_to_which_role_resources_belong():
    world = MasterWorld()
    world.agent()
    world.subscribe(roles=("a", "b"), can=("MULTI_ROLE",))
    offers = world.offers()
    role = offers[0].allocation_info.role
    world.accept(offers, task("t"))
    [run] = world.heard("link-a", link.EventRunTasks)
    assert resources.allocation_roles(run.tasks[0].resources) == {role}
    assert world.state.frameworks["M-0000"].tasks["t"].role == role


def test_a_master_that_was_stopped_pings_before_it_gives_agents_up():
    world = MasterWorld()
    world.agent()
    world.now += 3600
    world.run(0)
    assert "M-S0" in world.state.agents
    world.agent_says(link.Pong())
    world.run(60)
    assert "M-S0" in world.state.agents
    world.run(31)
    assert "M-S0" not in world.state.agents


def test_an_agent_that_was_away_hears_what_its_framework_is_now():
    world = MasterWorld()
    world.agent()
    world.subscribe(failover_timeout=60.0)
    old = world.state.frameworks["M-0000"].info
    world.subscribe("s2", framework_id="M-0000", failover_timeout=99.0)
    world.agent("link-b", agent_id="M-S0", frameworks=(old,))
    [event] = world.heard("link-b", link.EventUpdateFramework)
    assert event.framework_info.failover_timeout == 99.0


def test_a_bad_role_drops_the_whole_revive():
    world = MasterWorld()
    world.agent()
    world.subscribe(roles=("a",), can=("MULTI_ROLE",), suppressed=("a",))
    framework = world.state.frameworks["M-0000"]
    body = scheduler.RolesBody(roles=("a", "other"))
    revive = scheduler.Revive(framework_id=framework.info.id, revive=body)
    assert world.call(revive) == 202
    assert framework.suppressed == {"a"}
    assert world.offers() == []
