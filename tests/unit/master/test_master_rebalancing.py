"""Offers that are taken back: for quota, for weights, for their age."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.master.handlers import cycles, rebalancing
from comity.wire.mesos import scheduler
from support.master_world import MasterWorld, task


def world_of(agents, **frameworks):
    world = MasterWorld()
    for stream, role in frameworks.items():
        world.subscribe(stream, role=role)
    for number in range(agents):
        world.agent(f"link-{number}", has="cpus:2;mem:512")
    return world


def rebalance(world, change, *args):
    out = Outbox()
    change(world.state, *args, out)
    cycles.want_cycle(world.state, Instant(world.now), out)
    world._take(out)
    world.run(0)


def offered(world, role):
    return sum(
        one.resources.scalar("cpus") for one in world.state.offers.values() if one.role == role
    )


def test_offers_above_a_new_limit_are_rescinded():
    world = world_of(4, s1="a")
    assert offered(world, "a") == 8
    rebalance(world, rebalancing.set_quota, "a", {}, {"cpus": 3000})
    assert offered(world, "a") == 3
    assert len(world.heard("s1", scheduler.EventRescind)) == 3


def test_a_limit_that_is_kept_rescinds_nothing():
    world = world_of(2, s1="a")
    rebalance(world, rebalancing.set_quota, "a", {}, {"cpus": 4000})
    assert world.heard("s1", scheduler.EventRescind) == []


def test_offers_of_others_are_rescinded_for_a_guarantee():
    world = world_of(4, s1="a")
    rebalance(world, rebalancing.set_quota, "b", {"cpus": 4000}, {})
    assert offered(world, "a") == 4
    world.subscribe("s2", role="b")
    assert offered(world, "b") == 4


def test_offers_do_not_count_as_consumed_and_tasks_do():
    world = world_of(1, s1="a/x")
    assert rebalancing.consumed(world.state, "a") == {}
    assert world.state.allocator.consumed("a") == {"cpus": 2000, "mem": 512_000}
    assert world.accept(world.offers(), task("t", "cpus:1;mem:32")) == 202
    assert rebalancing.consumed(world.state, "a") == {"cpus": 1000, "mem": 32_000}


def test_a_new_weight_takes_effect_at_once():
    world = world_of(6, s1="a", s2="b")
    assert (offered(world, "a"), offered(world, "b")) == (6, 6)
    rebalance(world, rebalancing.set_weights, {"a": 2.0})
    assert (offered(world, "a"), offered(world, "b")) == (8, 4)


def test_the_weight_of_a_role_that_nobody_has_rescinds_nothing():
    world = world_of(2, s1="a/x")
    rebalance(world, rebalancing.set_weights, {"c": 2.0, "a/y": 3.0})
    assert world.heard("s1", scheduler.EventRescind) == []
    rebalance(world, rebalancing.set_weights, {"a": 2.0})
    assert len(world.heard("s1", scheduler.EventRescind)) == 2


def test_an_offer_that_is_too_old_is_rescinded_and_made_anew():
    world = MasterWorld(offer_timeout_s=30.0)
    world.agent()
    world.subscribe()
    [first] = world.offers()
    world.run(29.9)
    assert world.heard("s1", scheduler.EventRescind) == []
    world.run(0.2)
    [rescind] = world.heard("s1", scheduler.EventRescind)
    assert rescind.rescind.offer_id == first.id
    [second] = world.offers()
    assert second.id != first.id


def test_a_used_offer_is_never_rescinded():
    world = MasterWorld(offer_timeout_s=30.0)
    world.agent()
    world.subscribe()
    world.launch("t")
    world.run(40)
    assert "M-O0" not in {
        one.rescind.offer_id.value for one in world.heard("s1", scheduler.EventRescind)
    }
    assert "t" in world.state.frameworks["M-0000"].tasks
