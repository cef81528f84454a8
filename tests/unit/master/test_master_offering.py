"""Offers are spliced from fragments: byte for byte what encoding the message gives."""

import pytest

from comity.core.effects import Outbox, Send
from comity.core.instants import Instant
from comity.master import offer_views
from comity.master.handlers import offering
from comity.master.inputs import AllocationDue
from comity.master.state import Offer
from comity.resources import text
from comity.wire import recordio
from comity.wire.mesos import codec, resources, scheduler, v1
from comity.wire.mesos.codec import Format
from support.master_world import MasterWorld, executor, task

CAPABILITIES = [(), ("MULTI_ROLE",), ("MULTI_ROLE", "RESERVATION_REFINEMENT")]
ODD = 'a"b\\é"allocation_info":{"role":""}'


def world_of(format, can, role="r"):
    world = MasterWorld()
    world.agent(has="cpus:4;mem:1024;cpus(r):2;ports:[31000-31009]")
    roles = {"roles": (role, "s")} if can else {"role": role}
    world.subscribe(can=can, name=ODD, **roles)
    framework = world.state.frameworks["M-0000"]
    framework.format = format
    [agent] = world.state.agents.values()
    info = codec.replace(
        agent.info, attributes=(v1.Attribute(name=ODD, type="TEXT", text=v1.Text(value=ODD)),)
    )
    agent.info = info
    return world.state, framework, agent


def spliced(state, framework, agent, offer):
    """Return the event of one offer, as it is spliced."""
    made = offering.OfferWriter(state, framework)
    made.add(agent, offer)
    return made.event()


def encoded(framework, agent, offer, shown):
    """Return the event of one offer, as it is encoded."""
    message = offer_views.written(framework, agent, offer, shown)
    event = scheduler.EventOffers(offers=scheduler.OffersBody(offers=(message,)))
    return codec.encode(event, framework.format)


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("can", CAPABILITIES)
@pytest.mark.parametrize("role", ["r", "r/é"])
def test_a_spliced_offer_is_the_encoded_offer(format, can, role):
    state, framework, agent = world_of(format, can)
    shown = role if can else None
    free = text.parse("cpus:4;mem:1024;cpus(r):2;ports:[31000-31009]")
    for number in range(3):
        offer = Offer(f"M-O{number * 500}", framework.id, agent.id, role, free)
        expected = encoded(framework, agent, offer, shown)
        assert spliced(state, framework, agent, offer) == expected
    less = Offer("M-O9", framework.id, agent.id, role, text.parse("cpus:1;mem:32"))
    assert spliced(state, framework, agent, less) == encoded(framework, agent, less, shown)


@pytest.mark.parametrize("format", list(Format))
def test_fragments_follow_the_agent(format):
    state, framework, agent = world_of(format, ())
    free = text.parse("cpus:4")
    offer = Offer("M-O1", framework.id, agent.id, "r", free)
    before = spliced(state, framework, agent, offer)
    agent.info = codec.replace(agent.info, hostname="another")
    after = spliced(state, framework, agent, offer)
    assert before != after
    assert after == encoded(framework, agent, offer, None)


def test_executors_of_the_framework_are_in_its_offers_only():
    world = MasterWorld()
    world.agent()
    world.subscribe()
    assert world.accept(world.offers(), task("t", executor=executor("x")), refuse=0) == 202
    [offer] = world.offers()
    assert [one.value for one in offer.executor_ids] == ["x"]
    world.decline([offer], refuse=3600)
    world.subscribe("s2")
    [other] = world.offers("s2")
    assert other.executor_ids == ()


@pytest.mark.parametrize("format", list(Format))
def test_one_event_carries_all_offers_of_a_cycle(format):
    world = MasterWorld()
    for number in range(3):
        world.agent(f"link-{number}")
    world.subscribe()
    world.decline(world.offers(), refuse=0)
    framework = world.state.frameworks["M-0000"]
    framework.format = format
    out = Outbox()
    world.machine.step(AllocationDue(), Instant(world.now + 1), out)
    [send] = [one for one in out.sends if isinstance(one, Send)]
    [record] = recordio.Decoder().feed(send.data)
    event = codec.decode(codec.SCHEDULER_EVENT, record, format)
    assert len(event.offers.offers) == 3
    assert record == codec.encode(event, format)
    assert resources.read(event.offers.offers[0].resources) == text.parse(
        "cpus:4;mem:1024;ports:[31000-31009]"
    )
    assert isinstance(event, scheduler.EventOffers)
