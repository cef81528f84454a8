"""Operators reserve, and make volumes, of what nobody uses (mesos.md 1.2, 61)."""

import pytest

from comity.core.ids import AgentId
from comity.master import commands, inputs
from comity.resources import text
from comity.resources.amounts import Reservation, Resources
from comity.wire.mesos import codec, link, resources, scheduler, v1
from support.master_world import MasterWorld

HAS = "cpus:4;mem:1024"


def reserved(has, role="ads", principal="ops"):
    step = Reservation(role, True, principal)
    return Resources({kind._replace(reservations=(step,)): v for kind, v in text.parse(has)})


def command(world, agent="M-S0", principal="ops", **operation):
    world.step(
        inputs.OperationRequested(
            99, AgentId(agent), v1.Operation(**operation), principal=principal
        )
    )
    world.run(0)
    return world.replies[99].status


def reserve(bundle):
    return {"type": "RESERVE", "reserve": v1.Reserve(resources=resources.write(bundle))}


def unreserve(bundle):
    return {"type": "UNRESERVE", "unreserve": v1.Unreserve(resources=resources.write(bundle))}


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent(has=HAS)
    return made


def test_free_resources_are_reserved_and_the_agent_is_told(world):
    assert command(world, **reserve(reserved("cpus:1"))) == 202
    [event] = world.heard("link-a", link.EventApplyOperation)
    assert event.framework_id is None
    world.subscribe(role="other")
    [offer] = world.offers()
    assert resources.read(offer.resources) == text.parse("cpus:3;mem:1024")
    assert command(world, **unreserve(reserved("cpus:1"))) == 202
    assert world.state.agents["M-S0"].total == text.parse(HAS)


def test_offers_in_the_way_are_rescinded(world):
    world.subscribe(role="other")
    [offer] = world.offers()
    assert command(world, **reserve(reserved("cpus:1"))) == 202
    [rescind] = world.heard("s1", scheduler.EventRescind)
    assert rescind.rescind.offer_id == offer.id
    world.run(1)
    assert resources.read(world.offers()[0].resources) == text.parse("cpus:3;mem:1024")


def test_what_is_in_use_is_409_and_no_offer_is_rescinded(world):
    world.subscribe(role="other")
    world.launch("t", needs="cpus:2;mem:32")
    world.run(1)
    assert len(world.state.offers) == 1
    assert command(world, **reserve(reserved("cpus:3"))) == 409
    assert world.heard("s1", scheduler.EventRescind) == []
    assert world.state.agents["M-S0"].total == text.parse(HAS)


@pytest.mark.parametrize(
    ("agent", "operation", "words"),
    [
        ("M-S9", reserve(reserved("cpus:1")), "No agent found"),
        ("M-S0", reserve(text.parse("cpus:1")), "not dynamically reserved"),
        ("M-S0", reserve(reserved("cpus:1", principal="")), "no principal set"),
        ("M-S0", reserve(reserved("cpus:1", role="/x")), "slash"),
        ("M-S0", reserve(Resources()), "names no resources"),
    ],
)
def test_bad_commands_are_400(world, agent, operation, words):
    assert command(world, agent, **operation) == 400
    assert words in world.last_reply.body.decode()


def test_allocated_resources_are_not_the_operators(world):
    written = resources.write(reserved("cpus:1"), role="ads")
    operation = {"type": "RESERVE", "reserve": v1.Reserve(resources=written)}
    assert command(world, **operation) == 400


def test_forms_of_the_old_endpoints():
    named = codec.encode(resources.write(reserved("cpus:1"))).decode()
    ask = commands.of_form("/reserve", {"slaveId": "S", "resources": named}, "ops")
    item = ask(7)
    assert (item.to, item.agent_id, item.principal) == (7, "S", "ops")
    assert resources.read(item.operation.reserve.resources) == reserved("cpus:1")
    for form in ({}, {"slaveId": "S"}, {"slaveId": "S", "resources": "{"}):
        with pytest.raises(commands.FormInvalid):
            commands.of_form("/reserve", form, None)
