"""Offer filters, offer constraints, capabilities and regions, as schedulers meet them."""

import pytest

from comity.core.effects import CloseStream
from comity.master import inputs
from comity.resources import text
from comity.wire.mesos import codec, domains, link, resources, scheduler, v1
from comity.wire.mesos import constraints as wire
from support.master_world import MasterWorld

FW = v1.Id(value="M-0000")
EU = '{"fault_domain": {"region": {"name": "eu"}, "zone": {"name": "a"}}}'
US = '{"fault_domain": {"region": {"name": "us"}, "zone": {"name": "b"}}}'


def subscribe(world, constraints=None, stream="s1", framework_id=None, **info):
    """Subscribe with constraints as JSON has them."""
    named = v1.Id(value=framework_id) if framework_id else None
    given = {"user": "root", "name": "test", "id": named, **info}
    asked = codec.decode(wire.OfferConstraints, constraints) if constraints else None
    body = scheduler.SubscribeBody(
        framework_info=v1.FrameworkInfo(**given), offer_constraints=asked
    )

    world._to += 1
    call = scheduler.Subscribe(subscribe=body, framework_id=named)
    world.step(inputs.SchedulerSubscribed(world._to, call, stream, None))
    world.run(0)


def update(world, constraints=None, **changes):
    info = codec.replace(world.state.frameworks["M-0000"].info, **changes)
    asked = codec.decode(wire.OfferConstraints, constraints) if constraints else None
    body = scheduler.UpdateFrameworkBody(framework_info=info, offer_constraints=asked)
    return world.call(scheduler.UpdateFramework(framework_id=FW, update_framework=body))


def agent(world, name, attributes=(), domain=None, has="cpus:4;mem:1024"):

    world._to += 1
    info = v1.AgentInfo(
        hostname=name,
        resources=resources.write(text.parse(has)),
        attributes=tuple(attributes),
        domain=domains.parse(domain) if domain else None,
    )
    call = link.Subscribe(subscribe=link.SubscribeBody(agent_info=info))
    world.step(inputs.AgentSubscribed(world._to, call, f"link-{name}", "127.0.0.1"))
    world.run(0)
    return world._to


def rack(name):
    return v1.Attribute(name="rack", type="TEXT", text=v1.Text(value=name))


def one_of(*predicates, role="*"):
    """Return constraints of one group with the predicates on the attribute `rack`."""
    select = '{"selector":{"attribute_name":"rack"},"predicate":{'
    group = ",".join(select + each + "}}" for each in predicates)
    head = '{"role_constraints":{"' + role + '":{"groups":[{"attribute_constraints":['
    return (head + group + "]}]}}}").encode()


@pytest.mark.parametrize(
    ("predicate", "hosts"),
    [
        ('"exists":{}', {"r1", "r2", "number"}),
        ('"not_exists":{}', {"none"}),
        ('"text_equals":{"value":"r1"}', {"r1", "number"}),
        ('"text_not_equals":{"value":"r1"}', {"r2", "number", "none"}),
        ('"text_matches":{"regex":"r[2-9]"}', {"r2", "number"}),
        ('"text_not_matches":{"regex":"r"}', {"r1", "r2", "number", "none"}),
    ],
)
def test_constraints_choose_agents_by_an_attribute(predicate, hosts):
    world = MasterWorld()
    agent(world, "r1", [rack("r1")])
    agent(world, "r2", [rack("r2"), rack("r1")])
    agent(world, "number", [v1.Attribute(name="rack", type="SCALAR", scalar=v1.Scalar(value=1))])
    agent(world, "none")
    subscribe(world, one_of(predicate))
    assert {one.hostname for one in world.offers()} == hosts


def test_a_group_holds_when_all_do_and_one_group_is_enough():
    world = MasterWorld(domain=domains.parse(EU))
    for host, name, where in (("h1", "r1", EU), ("h2", "r1", None), ("h3", "r2", EU)):
        agent(world, host, [rack(name)], where)
    asked = (
        b'{"role_constraints":{"*":{"groups":['
        b'{"attribute_constraints":['
        b'{"selector":{"attribute_name":"rack"},"predicate":{"text_equals":{"value":"r1"}}},'
        b'{"selector":{"pseudoattribute_type":"REGION"},"predicate":{"exists":{}}}]},'
        b'{"attribute_constraints":['
        b'{"selector":{"pseudoattribute_type":"HOSTNAME"},'
        b'"predicate":{"text_equals":{"value":"h3"}}}]}]}}}'
    )
    subscribe(world, asked)
    assert {one.hostname for one in world.offers()} == {"h1", "h3"}


def test_constraints_are_replaced_by_an_update_and_forgotten_without_one():
    world = MasterWorld()
    agent(world, "h1", [rack("r1")])
    subscribe(world, one_of('"text_equals":{"value":"r2"}'))
    assert world.offers() == []
    assert update(world, one_of('"text_equals":{"value":"r1"}')) == 200
    offers = world.offers()
    assert len(offers) == 1
    assert update(world, one_of('"text_equals":{"value":"r2"}')) == 200
    world.decline(offers, refuse=0)
    world.run(3)
    assert world.offers() == []
    assert update(world) == 200
    assert len(world.offers()) == 1


def test_an_agent_that_comes_back_with_other_attributes_is_seen_anew():
    world = MasterWorld()
    agent(world, "h1", [rack("r1")])
    subscribe(world, one_of('"text_equals":{"value":"r2"}'))
    world.run(2)
    assert world.offers() == []
    info = codec.replace(world.state.agents["M-S0"].info, attributes=(rack("r2"),))

    call = link.Subscribe(subscribe=link.SubscribeBody(agent_info=info))
    world.step(inputs.AgentSubscribed(99, call, "link-again", "127.0.0.1"))
    world.run(0)
    assert len(world.offers()) == 1


WRONG = [
    (b'{"role_constraints":{"other":{"groups":[]}}}', "not contained in the set of roles"),
    (b'{"role_constraints":{"*":{"groups":[]}}}', "empty 'RoleConstraints::groups'"),
    (b'{"role_constraints":{"*":{"groups":[{}]}}}', "empty RoleConstraints::Group"),
    (one_of(""), "Unknown predicate type"),
    (one_of('"text_matches":{"regex":"("}'), "Failed to construct regex"),
    (one_of('"text_matches":{"regex":"(a)\\\\1"}'), "not supported"),
    (one_of('"text_matches":{"regex":"((a{1,99}){1,99}){1,99}"}'), "too complex"),
    (
        one_of('"exists":{}').replace(b'"attribute_name":"rack"', b""),
        "Exactly one of 'AttributeConstraint::Selector::name'",
    ),
]


@pytest.mark.parametrize(("asked", "fault"), WRONG, ids=[fault for _, fault in WRONG])
def test_constraints_that_cannot_be_end_a_subscription_and_change_nothing_in_an_update(
    asked, fault
):
    world = MasterWorld()
    agent(world, "h1", [rack("r1")])
    subscribe(world, asked, stream="bad")
    [error] = world.heard("bad", scheduler.EventError)
    assert fault in error.error.message
    assert world.said["bad"][-1] == CloseStream.__name__
    subscribe(world, framework_id=None)
    assert update(world, asked, name="other") == 400
    assert fault.encode() in world.last_reply.body
    assert world.state.frameworks["M-0000"].info.name == "test"


def filters(**quantities):
    one = v1.ResourceQuantities(
        quantities={name: v1.Scalar(value=value) for name, value in quantities.items()}
    )
    minimum = v1.MinAllocatableResources(quantities=(one,))
    return {"*": v1.OfferFilters(min_allocatable_resources=minimum)}


def test_a_framework_says_what_offers_must_at_least_have():
    world = MasterWorld()
    agent(world, "small", has="cpus:2;mem:512")
    agent(world, "large", has="cpus:8;mem:512")
    subscribe(world, offer_filters=filters(cpus=4, mem=32))
    assert {one.hostname for one in world.offers()} == {"large"}
    assert update(world, offer_filters=filters(cpus=1)) == 200
    assert {one.hostname for one in world.offers()} == {"small"}


def test_a_filter_of_nothing_takes_the_smallest_offer():
    world = MasterWorld()
    agent(world, "tiny", has="disk:10")
    subscribe(world)
    assert world.offers() == []
    nothing = {"*": v1.OfferFilters(min_allocatable_resources=v1.MinAllocatableResources())}
    assert update(world, offer_filters=nothing) == 200
    assert len(world.offers()) == 1


def test_the_cluster_says_what_offers_must_at_least_have():
    world = MasterWorld(min_allocatable_resources="disk:5")
    agent(world, "h1", has="cpus:4;mem:512")
    agent(world, "h2", has="cpus:4;mem:512;disk:10")
    subscribe(world)
    assert {one.hostname for one in world.offers()} == {"h2"}


@pytest.mark.parametrize("quantity", [-1.0, float("nan"), float("inf")])
def test_filters_that_cannot_be_are_an_error(quantity):
    world = MasterWorld()
    subscribe(world, offer_filters=filters(cpus=quantity))
    [error] = world.heard("s1", scheduler.EventError)
    assert "min_allocatable_resources" in error.error.message


def test_agents_of_other_regions_are_for_frameworks_that_are_aware_of_regions():
    world = MasterWorld(domain=domains.parse(EU))
    agent(world, "near", domain=EU)
    agent(world, "far", domain=US)
    agent(world, "nowhere")
    subscribe(world)
    assert {one.hostname for one in world.offers()} == {"near", "nowhere"}
    aware = (v1.FrameworkCapability(type="REGION_AWARE"),)
    assert update(world, capabilities=aware) == 200
    assert {one.hostname for one in world.offers()} == {"far"}


def test_a_master_without_a_domain_takes_no_agent_with_one():
    world = MasterWorld()
    to = agent(world, "far", domain=US)
    assert world.replies[to].status == 400
    assert b"--domain" in world.replies[to].body


def test_a_master_may_want_every_agent_to_have_a_domain():
    world = MasterWorld(domain=domains.parse(EU), require_agent_domain=True)
    to = agent(world, "nowhere")
    assert world.replies[to].status == 400
    assert b"--domain" in world.replies[to].body
    agent(world, "near", domain=EU)
    subscribe(world)
    assert {one.hostname for one in world.offers()} == {"near"}


def test_gpus_are_kept_back_unless_the_master_is_told_otherwise():
    for filtered, seen in ((True, 0), (False, 1)):
        world = MasterWorld(filter_gpu_resources=filtered)
        agent(world, "h1", has="cpus:4;mem:512;gpus:1")
        subscribe(world)
        assert len(world.offers()) == seen
