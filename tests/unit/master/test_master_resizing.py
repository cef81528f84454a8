"""Persistent volumes grow and shrink, and reservations change hands (mesos.md 1.2)."""

import pytest

from comity.core.ids import AgentId
from comity.master import commands, inputs
from comity.resources import operations, text
from comity.resources.amounts import Disk, Kind, Reservation, Resources, Source
from comity.wire.mesos import codec, link, resources, scheduler, v1
from comity.wire.mesos import operator as wire
from comity.wire.mesos.amounts import Empty
from comity.wire.mesos.operations import OperationState
from support.master_world import MasterWorld

FW = v1.Id(value="M-0000")
HAS = "cpus:4;mem:1024;disk:1000"


def reserved(has, role="ads", principal="me", dynamic=True, labels=()):
    step = Reservation(role, dynamic, principal, labels)
    return Resources({kind._replace(reservations=(step,)): v for kind, v in text.parse(has)})


def volume(size=100, name="v1", path="data", source=None, role="ads"):
    [(kind, amount)] = reserved(f"disk:{size}", role=role)
    disk = Disk(name, source, principal="me", container_path=path)
    return Resources({kind._replace(disk=disk): amount})


def one(bundle):
    [written] = resources.write(bundle)
    return written


def named(kind, body, name="op"):
    return v1.Operation(type=kind, id=v1.Id(value=name), **{kind.lower(): body})


def reserve(bundle, source=None):
    had = resources.write(source) if source is not None else ()
    return named("RESERVE", v1.Reserve(resources=resources.write(bundle), source=had))


def create(bundle):
    return named("CREATE", v1.Create(volumes=resources.write(bundle)))


def grow(held, addition):
    return named("GROW_VOLUME", v1.GrowVolume(volume=one(held), addition=one(addition)))


def shrink(held, subtract):
    body = v1.ShrinkVolume(volume=one(held), subtract=v1.Scalar(value=subtract))
    return named("SHRINK_VOLUME", body)


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent(has=HAS)
    made.subscribe(role="ads", principal="me")
    accept(made, reserve(reserved("disk:200")), create(volume()))
    return made


def accept(world, *asked):
    body = scheduler.AcceptBody(
        offer_ids=tuple(v1.Id(value=each) for each in world.state.offers),
        operations=asked,
        filters=v1.Filters(refuse_seconds=0.0),
    )
    assert world.call(scheduler.Accept(framework_id=FW, accept=body)) == 202
    world.run(1)
    return dict(world.last_reply.headers).get("Comity-Reason")


def applied(world):
    return [each.info.type for each in world.heard("link-a", link.EventApplyOperation)]


def offered(world):
    total = Resources()
    for each in world.state.offers.values():
        total = total + each.resources
    return total


def total(world):
    return world.state.agents["M-S0"].total


def refused(world):
    updates = world.heard("s1", scheduler.EventUpdateOperationStatus)
    return [each.update_operation_status.status for each in updates]


def test_a_volume_grows_and_is_offered_with_its_new_size(world):
    applied(world)
    assert accept(world, grow(volume(), reserved("disk:50"))) is None
    assert applied(world) == ["GROW_VOLUME"]
    assert total(world).contains(volume(150))
    assert offered(world).contains(volume(150) + reserved("disk:50"))
    assert offered(world).scalar("disk") == 1000


def test_a_volume_shrinks_and_the_rest_is_reserved_disk(world):
    assert accept(world, shrink(volume(), 30.5)) is None
    assert offered(world).contains(volume(69.5) + reserved("disk:130.5"))
    assert offered(world).scalar("disk") == 1000


def test_what_grew_cannot_be_used_by_the_same_accept(world):
    grown = volume(110)
    reason = accept(world, grow(volume(), reserved("disk:10")), shrink(grown, 5))
    assert "does not contain" in reason
    assert total(world).contains(grown)


def test_only_what_is_offered_grows(world):
    assert "does not contain" in accept(world, grow(volume(), reserved("disk:150")))
    assert "does not contain" in accept(world, grow(volume(99), reserved("disk:1")))
    assert total(world).contains(volume())


MOUNT = Source("MOUNT", root="/mnt/a")
BAD = [
    (grow(volume(), reserved("disk:50", role="other")), "Incompatible resources"),
    (grow(volume(), text.parse("disk:50")), "Incompatible resources"),
    (grow(volume(), reserved("mem:50")), "Incompatible resources"),
    (
        grow(
            volume(source=MOUNT),
            Resources({k._replace(disk=Disk(source=MOUNT)): v for k, v in reserved("disk:5")}),
        ),
        "Incompatible resources",
    ),
    (grow(reserved("disk:10"), reserved("disk:50")), "'disk.persistence' is not set"),
    (
        named(
            "GROW_VOLUME",
            v1.GrowVolume(
                volume=one(volume()),
                addition=codec.replace(one(reserved("disk:1")), scalar=v1.Scalar(value=0.0)),
            ),
        ),
        "must be greater than zero",
    ),
    (
        named(
            "GROW_VOLUME",
            v1.GrowVolume(
                volume=codec.replace(one(volume()), shared=Empty()),
                addition=one(reserved("disk:1")),
            ),
        ),
        "Growing a shared persistent volume is not supported",
    ),
    (named("GROW_VOLUME", None), "names no resources"),
    (shrink(volume(), 0), "must be greater than zero"),
    (shrink(volume(), -5), "must be greater than zero"),
    (shrink(volume(), 100), "must be smaller than the size"),
    (shrink(volume(source=MOUNT), 5), "MOUNT disk is not supported"),
    (shrink(reserved("disk:10"), 5), "'disk.persistence' is not set"),
    (shrink(volume(name="other"), 5), "does not contain"),
]


@pytest.mark.parametrize(("operation", "words"), BAD)
def test_a_bad_operation_is_dropped_with_its_reason_and_changes_nothing(world, operation, words):
    before, _ = total(world), refused(world)
    applied(world)
    assert words in accept(world, operation)
    [status] = refused(world)
    assert status.state is OperationState.ERROR
    assert words in status.message
    assert applied(world) == []
    assert total(world) == before
    assert offered(world) == before


# operators


def call(kind, **body):
    return (
        wire.GrowVolume(grow_volume=wire.GrowVolumeBody(**body))
        if kind == "grow"
        else (wire.ShrinkVolume(shrink_volume=wire.ShrinkVolumeBody(**body)))
    )


def command(world, asked, principal="me"):
    make = commands.of_call(asked, principal)
    world.step(make(98))
    world.run(0)
    return world.replies[98]


def test_operators_resize_what_nobody_uses(world):
    agent_id = v1.Id(value="M-S0")
    more = call("grow", agent_id=agent_id, volume=one(volume()), addition=one(reserved("disk:50")))
    assert command(world, more).status == 202
    assert total(world).contains(volume(150))
    less = call(
        "shrink", agent_id=agent_id, volume=one(volume(150)), subtract=v1.Scalar(value=100.0)
    )
    assert command(world, less).status == 202
    assert total(world).contains(volume(50) + reserved("disk:150"))


def test_operators_must_name_an_agent_and_a_volume_that_is_there(world):
    addition = one(reserved("disk:50"))
    nowhere = command(world, call("grow", volume=one(volume()), addition=addition))
    assert (nowhere.status, nowhere.body) == (400, b"No agent found with specified ID")
    agent_id = v1.Id(value="M-S0")
    absent = call("grow", agent_id=agent_id, volume=one(volume(name="x")), addition=addition)
    assert command(world, absent).status == 409
    wrong = call("grow", agent_id=agent_id, volume=addition, addition=addition)
    assert command(world, wrong).status == 400


# RESERVE with a source


def test_a_reservation_is_changed_in_one_step(world):
    other = reserved("disk:100", labels=(("k", "v"),))
    assert accept(world, reserve(other, source=reserved("disk:100"))) is None
    assert offered(world).contains(other)
    assert not offered(world).contains(reserved("disk:100"))


SOURCES = [
    (reserve(reserved("disk:90"), reserved("disk:100")), "identical resource quantities"),
    (reserve(reserved("disk:1"), reserved("disk:1", dynamic=False)), "static reservation"),
    (
        reserve(reserved("disk:1", labels=(("a", "b"),)), reserved("disk:1") + text.parse("mem:1")),
        "Invalid source: Mixed reservations",
    ),
    (reserve(reserved("cpus:9"), text.parse("cpus:9")), "does not contain"),
]


@pytest.mark.parametrize(("operation", "words"), SOURCES)
def test_a_bad_source_is_dropped_with_its_reason(world, operation, words):
    before = total(world)
    assert words in accept(world, operation)
    assert total(world) == before


def test_an_operator_moves_a_reservation_from_role_to_role(world):
    source, target = reserved("disk:100"), reserved("disk:100", role="sales", principal="ops")
    body = v1.Reserve(resources=resources.write(target), source=resources.write(source))
    operation = v1.Operation(type="RESERVE", reserve=body)
    world.step(inputs.OperationRequested(97, AgentId("M-S0"), operation, principal="ops"))
    assert world.replies[97].status == 202
    assert total(world).contains(target)


# the agent keeps what was resized


def test_resizing_is_what_is_checkpointed():
    held = volume() + reserved("disk:50")
    grown = operations.growing(volume(), reserved("disk:50")).applied_to(held)
    assert operations.checkpointed(grown) == volume(150)
    assert operations.with_checkpointed(text.parse("disk:1000"), grown) == grown + text.parse(
        "disk:850"
    )
    assert operations.shrinking(volume(150), 50_000).applied_to(grown) == held
    assert isinstance(next(iter(grown))[0], Kind)
