"""Quota, weights and what /roles says of them (mesos.md 1.2, 46-48, 53-57, 92, 94)."""

import pytest

from comity.core.instants import Instant
from comity.master import commands, inputs, metrics, roles
from comity.resources import text
from comity.wire.mesos import codec, link, resources, scheduler, v1
from comity.wire.mesos.quota import QuotaConfig, QuotaRequest, WeightInfo
from support.master_world import MasterWorld

HAS = "cpus:4;mem:1024"


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent(has=HAS)
    return made


def amounts(**found):
    return {name: v1.Scalar(value=value) for name, value in found.items()}


def config(role, guarantees=None, limits=None):
    return QuotaConfig(
        role=role, guarantees=amounts(**guarantees or {}), limits=amounts(**limits or {})
    )


def update(world, *configs, force=False):
    world.step(inputs.QuotaUpdated(88, configs, force))
    world.run(0)
    return world.replies[88].status


def why(world):
    return world.last_reply.body.decode()


def test_a_role_at_its_limit_gets_no_more(world):
    assert update(world, config("eng", limits={"cpus": 1, "mem": 512})) == 200
    world.subscribe(role="eng")
    [offer] = world.offers()
    assert resources.read(offer.resources).scalar("cpus") == 1
    world.subscribe("s2", role="other")
    world.run(1)
    [rest] = world.offers("s2")
    assert resources.read(rest.resources).scalar("cpus") == 3


def test_all_or_nothing(world):
    bad = config("ops/x", limits={"cpus": 1})
    assert update(world, config("eng", limits={"cpus": 1}), bad) == 400
    assert "nested role" in why(world)
    assert world.state.quotas == {}
    assert not [key for key in world.store if key.startswith("quotas/")]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (config("-x", limits={"cpus": 1}), "Invalid 'QuotaConfig.role'"),
        (config("eng", limits={"cpus": -1}), "Invalid limit configuration"),
        (config("eng", guarantees={"mem": 2e12}), "Invalid guarantee configuration"),
        (config("eng", {"cpus": 2}, {"cpus": 1}), "not contained within"),
        (config("eng", {"cpus": 5}), "exceed cluster capacity"),
    ],
)
def test_bad_quota_is_400(world, bad, words):
    assert update(world, bad) == 400
    assert words in why(world)


def test_a_limit_below_what_is_consumed_needs_force(world):
    world.subscribe(role="eng")
    world.launch("t", needs="cpus:2;mem:32")
    low = config("eng", limits={"cpus": 1})
    assert update(world, low) == 400
    assert "already consuming 'cpus:2; mem:32'" in why(world)
    assert update(world, low, force=True) == 200
    assert update(world, config("eng", {"cpus": 99}), force=True) == 200


def test_offers_above_a_new_limit_are_rescinded(world):
    world.subscribe(role="eng")
    [offer] = world.offers()
    assert update(world, config("eng", limits={"cpus": 1})) == 200
    [rescind] = world.heard("s1", scheduler.EventRescind)
    assert rescind.rescind.offer_id == offer.id


def test_a_guarantee_takes_back_what_others_were_offered(world):
    world.subscribe(role="other")
    world.offers()
    assert update(world, config("eng", {"cpus": 4}, {"cpus": 4})) == 200
    assert len(world.heard("s1", scheduler.EventRescind)) == 1
    world.run(2)
    assert [resources.read(one.resources).scalar("cpus") for one in world.offers()] in ([], [0.0])


LIMITS = config("eng", limits={"cpus": 1, "mem": 512})


def test_quota_survives_the_master_which_waits_for_most_agents(world):
    update(world, LIMITS)
    world.agent("link-b", has=HAS)
    other = MasterWorld(registry=world.store.items())
    assert other.state.quotas == {"eng": LIMITS}
    other.agent(has=HAS, agent_id="M-S0")
    other.subscribe(role="eng")
    other.run(5)
    assert other.offers() == []
    other.agent("link-b", has=HAS, agent_id="M-S1")
    other.run(2)
    assert len(other.offers()) == 1


def test_the_wait_for_agents_ends_by_itself(world):
    update(world, LIMITS)
    world.agent("link-b", has=HAS)
    other = MasterWorld(registry=world.store.items())
    other.agent(has=HAS, agent_id="M-S0")
    other.subscribe(role="eng")
    for _ in range(60):
        assert other.offers() == []
        other.run(10)
        other.agent_says(link.Pong())
    other.run(2)
    assert len(other.offers()) == 1


def test_the_deprecated_forms(world):
    def ask(item):
        world.step(item)
        world.run(0)
        return world.replies[89].status

    guarantee = resources.write(text.parse("cpus:2"))
    request = QuotaRequest(role="eng", guarantee=guarantee)
    assert ask(inputs.QuotaSet(89, request)) == 200
    assert world.state.quotas["eng"].limits == amounts(cpus=2)
    assert ask(inputs.QuotaSet(89, request)) == 400
    much = QuotaRequest(role="ops", guarantee=resources.write(text.parse("cpus:9")))
    assert ask(inputs.QuotaSet(89, much)) == 409
    assert ask(inputs.QuotaSet(89, codec.replace(much, force=True))) == 200
    assert ask(inputs.QuotaSet(89, QuotaRequest(role="x"))) == 400
    assert ask(inputs.QuotaRemoved(89, "eng")) == 200
    assert ask(inputs.QuotaRemoved(89, "eng")) == 400


# weights


def weigh(world, *infos):
    world.step(inputs.WeightsUpdated(90, tuple(infos)))
    world.run(0)
    return world.replies[90].status


def test_weights_are_stored_and_offers_made_anew(world):
    world.subscribe(role="eng")
    world.offers()
    assert weigh(world, WeightInfo(role="eng", weight=2.5)) == 200
    assert len(world.heard("s1", scheduler.EventRescind)) == 1
    assert MasterWorld(registry=world.store.items()).state.weights == {"eng": 2.5}
    assert roles.weights(world.state) == [{"weight": 2.5, "role": "eng"}]


@pytest.mark.parametrize(
    "bad",
    [
        WeightInfo(role="eng", weight=0),
        WeightInfo(role="eng", weight=-1),
        WeightInfo(weight=1),
        WeightInfo(role="/x", weight=1),
    ],
)
def test_bad_weights_are_400_and_change_nothing(world, bad):
    assert weigh(world, WeightInfo(role="ok", weight=2), bad) == 400
    assert world.state.weights == {}


def test_two_roles_share_by_their_weights():
    world = MasterWorld()
    weigh(world, WeightInfo(role="a", weight=2))
    world.subscribe("sa", role="a")
    world.subscribe("sb", role="b")
    for number in range(9):
        world.agent(f"link-{number}", has="cpus:1;mem:100")
    mine, other = world.offers("sa"), world.offers("sb")
    assert (len(mine), len(other)) == (6, 3)


# roles


def test_roles_tell_of_frameworks_quota_weights_and_those_above(world):
    weigh(world, WeightInfo(role="ops/night", weight=3))
    update(world, config("eng", limits={"cpus": 3}))
    world.subscribe(roles=("eng/ads",), can=("MULTI_ROLE",))
    world.launch("t", needs="cpus:1;mem:32")
    shown = {one["name"]: one for one in roles.legacy_roles(world.state)["roles"]}
    assert set(shown) == {"*", "eng", "eng/ads", "ops", "ops/night"}
    assert shown["eng"]["allocated"] == {"cpus": 1.0, "mem": 32.0}
    assert shown["eng"]["quota"]["limit"] == {"cpus": 3.0}
    assert shown["eng"]["quota"]["consumed"] == {"cpus": 1.0, "mem": 32.0}
    assert shown["eng/ads"]["frameworks"] == ["M-0000"]
    assert shown["ops/night"]["weight"] == 3


def test_a_guarantee_is_a_number_beside_what_is_offered_and_used_of_it(world):
    update(world, config("eng", guarantees={"cpus": 2}, limits={"cpus": 3}))
    world.subscribe(role="eng")
    world.launch("t", needs="cpus:1;mem:32")  # and the rest, up to the limit, is offered
    world.run(1)
    found = metrics.snapshot(world.state, Instant(world.now))
    prefix = "allocator/mesos/quota/roles/eng/resources/cpus"
    assert (found[f"{prefix}/guarantee"], found[f"{prefix}/offered_or_allocated"]) == (2, 3)


def test_forms_of_the_old_endpoints():
    item = commands.of_json(("PUT", "/weights"), b'[{"role": "a", "weight": 2}]')(1)
    assert item.infos == (WeightInfo(role="a", weight=2.0),)
    for bad in (b"{", b'[{"role": "a"}]'):
        with pytest.raises(commands.FormInvalid):
            commands.of_json(("PUT", "/weights"), bad)
    with pytest.raises(commands.FormInvalid):
        commands.of_json(("POST", "/quota"), b"[")
