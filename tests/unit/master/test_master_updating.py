"""UPDATE_FRAMEWORK (mesos.md 1.1, 40)."""

import pytest

from comity.wire.mesos import codec, link, scheduler, v1
from support.master_world import MasterWorld

FW = v1.Id(value="M-0000")


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent()
    made.subscribe(roles=("a", "b"), can=("MULTI_ROLE",), suppressed=("b",), principal="me")
    return made


def update(world, suppressed=(), **changes):
    info = codec.replace(world.state.frameworks["M-0000"].info, **changes)
    body = scheduler.UpdateFrameworkBody(framework_info=info, suppressed_roles=tuple(suppressed))
    return world.call(scheduler.UpdateFramework(framework_id=FW, update_framework=body))


def test_a_role_that_is_left_loses_its_offers(world):
    [offer] = world.offers()
    assert update(world, roles=("b", "c")) == 200
    [rescind] = world.heard("s1", scheduler.EventRescind)
    assert rescind.rescind.offer_id == offer.id
    world.run(1)
    assert {one.allocation_info.role for one in world.offers()} <= {"b", "c"}


def test_agents_that_run_its_tasks_hear_of_the_change():
    world = MasterWorld()
    world.agent()
    world.subscribe()
    world.launch("t")
    assert update(world, name="another") == 200
    [event] = world.heard("link-a", link.EventUpdateFramework)
    assert event.framework_info.name == "another"
    assert "t" in world.state.frameworks["M-0000"].tasks


def test_suppressed_roles_are_replaced(world):
    assert update(world, suppressed=("a",)) == 200
    world.decline(world.offers(), refuse=0)
    world.run(2)
    assert {one.allocation_info.role for one in world.offers()} == {"b"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"user": "nobody"}, "'FrameworkInfo.user' is unsupported"),
        ({"checkpoint": True}, "'FrameworkInfo.checkpoint' is unsupported"),
        ({"principal": "you"}, "principal"),
        ({"roles": ("-x",)}, "Supplied FrameworkInfo is not valid"),
        ({"id": v1.Id(value="other")}, "differs"),
        ({"suppressed": ("z",)}, "suppressed role 'z'"),
    ],
)
def test_what_cannot_be_changed_is_400_and_changes_nothing(world, changes, words):
    before = world.state.frameworks["M-0000"].info
    assert update(world, **changes) == 400
    assert words in world.last_reply.body.decode()
    assert world.state.frameworks["M-0000"].info == before
    assert len(world.state.offers) == 1
