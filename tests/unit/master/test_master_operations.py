"""Reservations and volumes by frameworks, and what they hear of it (mesos.md 1.2, 58-66)."""

import pytest

from comity.core.instants import Instant
from comity.master import metrics
from comity.master.handlers import feedback as feedback_of_masters
from comity.resources import text
from comity.resources.amounts import Disk, Kind, Reservation, Resources
from comity.wire.mesos import link, resources, scheduler, v1
from comity.wire.mesos.operations import UUID, OperationRecord, OperationState, OperationStatus
from support.master_world import MasterWorld, task

FW = v1.Id(value="M-0000")
STATUS_UUID = b"s" * 6 + b"\x40" + b"s" * 9
HAS = "cpus:4;mem:1024;disk:1000"


@pytest.fixture
def world():
    made = MasterWorld()
    made.agent(has=HAS)
    made.subscribe(role="ads", principal="me")
    return made


def reserved(has, role="ads", principal="me", labels=()):
    step = Reservation(role, True, principal, labels)
    return Resources({kind._replace(reservations=(step,)): v for kind, v in text.parse(has)})


def volume(size="disk:100", name="v1", path="data"):
    [(kind, amount)] = reserved(size)
    disk = Disk(name, principal="me", container_path=path)
    return Resources({kind._replace(disk=disk): amount})


def reserve(bundle, **more):
    written = resources.write(bundle)
    return v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=written), **more)


def unreserve(bundle, **more):
    written = resources.write(bundle)
    return v1.Operation(type="UNRESERVE", unreserve=v1.Unreserve(resources=written), **more)


def create(bundle, **more):
    return v1.Operation(type="CREATE", create=v1.Create(volumes=resources.write(bundle)), **more)


def destroy(bundle, **more):
    written = resources.write(bundle)
    return v1.Operation(type="DESTROY", destroy=v1.Destroy(volumes=written), **more)


def launch(*tasks):
    return v1.Operation(type="LAUNCH", launch=v1.Launch(task_infos=tasks))


def accept(world, *operations, refuse=0.0):
    body = scheduler.AcceptBody(
        offer_ids=tuple(one.id for one in world.offers()),
        operations=operations,
        filters=v1.Filters(refuse_seconds=refuse),
    )
    assert world.call(scheduler.Accept(framework_id=FW, accept=body)) == 202
    return dict(world.last_reply.headers).get("Comity-Reason")


def offered(world):
    world.run(1)
    total = Resources()
    for one in world.offers():
        total = total + resources.read(one.resources)
    return total


def applied(world):
    return world.heard("link-a", link.EventApplyOperation)


def feedback(world):
    found = world.heard("s1", scheduler.EventUpdateOperationStatus)
    return [one.update_operation_status.status for one in found]


def test_what_was_reserved_is_offered_again_at_once_and_as_reserved(world):
    assert accept(world, reserve(reserved("cpus:1;mem:64")), refuse=3600.0) is None
    [event] = applied(world)
    assert event.info.type == "RESERVE"
    assert event.framework_id == FW
    again = Resources()
    for one in world.offers():
        again = again + resources.read(one.resources)
    assert again.contains(reserved("cpus:1;mem:64"))


def test_reserve_and_launch_in_one_accept(world):
    needs = reserved("cpus:1;mem:64")
    info = task("t")
    info = v1.TaskInfo(
        name="t",
        task_id=info.task_id,
        agent_id=info.agent_id,
        command=info.command,
        resources=resources.write(needs),
    )
    assert accept(world, reserve(needs), launch(info)) is None
    kinds = [type(one).__name__ for one in world.said["link-a"]]
    assert kinds.index("EventApplyOperation") < kinds.index("EventRunTasks")
    agent = world.state.agents["M-S0"]
    assert agent.used == needs
    # what is in use is not offered, so it cannot be unreserved
    world.run(1)
    left = [
        resources.read(one.resources)
        for one in world.heard("s1", scheduler.EventOffers)[-1].offers.offers
    ]
    assert left == [text.parse("cpus:3;mem:960;disk:1000")]
    body = scheduler.AcceptBody(
        offer_ids=tuple(v1.Id(value=one) for one in world.state.offers),
        operations=(unreserve(needs),),
    )
    world.call(scheduler.Accept(framework_id=FW, accept=body))
    assert "does not contain" in dict(world.last_reply.headers)["Comity-Reason"]


def test_unreserve_gives_back_to_all(world):
    accept(world, reserve(reserved("cpus:1")))
    assert accept(world, unreserve(reserved("cpus:1"))) is None
    assert world.state.agents["M-S0"].total == text.parse(HAS)


BAD = [
    (reserve(reserved("cpus:8")), "does not contain"),
    (reserve(reserved("cpus:1", role="other")), "allocated to role 'ads'"),
    (reserve(reserved("cpus:1", principal="")), "no principal set"),
    (reserve(reserved("cpus:1", principal="you")), "principal 'you'"),
    (reserve(text.parse("cpus:1")), "not dynamically reserved"),
    (unreserve(text.parse("cpus(ads):1")), "not dynamically reserved"),
    (unreserve(volume()), "destroy it first"),
    (create(volume()), "does not contain"),
    (destroy(volume()), "Persistent volumes not found"),
    (create(reserved("disk:10")), "'disk.persistence' is not set"),
    (create(volume(name="a/b")), "contains a slash"),
    (create(volume(path="")), "'disk.volume' is not set"),
    (v1.Operation(type="RESERVE"), "names no resources"),
    (
        v1.Operation(
            type="CREATE",
            create=v1.Create(volumes=resources.write(volume()) + resources.write(volume())),
        ),
        "the same persistence ID",
    ),
]


@pytest.mark.parametrize(("operation", "words"), BAD)
def test_a_bad_operation_is_dropped_with_its_reason_and_changes_nothing(world, operation, words):
    named = v1.Operation(
        type=operation.type,
        id=v1.Id(value="op"),
        reserve=operation.reserve,
        unreserve=operation.unreserve,
        create=operation.create,
        destroy=operation.destroy,
    )
    assert words in accept(world, named)
    assert applied(world) == []
    [status] = feedback(world)
    assert status.state is OperationState.ERROR
    assert words in status.message
    assert status.uuid is None
    assert offered(world) == text.parse(HAS)


def test_a_volume_is_made_used_and_destroyed(world):
    accept(world, reserve(reserved("disk:100")), create(volume()))
    assert [one.info.type for one in applied(world)] == ["RESERVE", "CREATE"]
    shown = [
        one
        for event in world.heard("s1", scheduler.EventOffers)
        for offer in event.offers.offers
        for one in offer.resources
        if one.disk is not None
    ]
    assert shown[-1].disk.persistence.id == "v1"
    assert shown[-1].disk.volume.container_path == "data"
    body = scheduler.AcceptBody(
        offer_ids=tuple(v1.Id(value=one) for one in world.state.offers),
        operations=(create(volume()), destroy(volume())),
    )
    world.call(scheduler.Accept(framework_id=FW, accept=body))
    assert "is used already" in dict(world.last_reply.headers)["Comity-Reason"]
    assert not any(kind.volume for kind, _ in world.state.agents["M-S0"].total)


def test_two_reservations_with_different_labels_stay_apart(world):
    one, two = (reserved("cpus:1", labels=(("k", v),)) for v in "ab")
    accept(world, reserve(one), reserve(two))
    total = world.state.agents["M-S0"].total
    assert total.contains(one)
    assert total.contains(two)


# feedback


def finished(world, event, state=OperationState.FINISHED):
    status = OperationStatus(operation_id=event.info.id, state=state, uuid=UUID(value=STATUS_UUID))
    call = link.UpdateOperation(operation_uuid=event.operation_uuid, status=status, framework_id=FW)
    assert world.agent_says(call) == 202


def acknowledge(world, uuid=STATUS_UUID, name="op"):
    body = scheduler.AcknowledgeOperationStatusBody(
        uuid=uuid, operation_id=v1.Id(value=name), agent_id=v1.Id(value="M-S0")
    )
    call = scheduler.AcknowledgeOperationStatus(framework_id=FW, acknowledge_operation_status=body)
    return world.call(call)


def test_an_operation_with_an_id_is_told_of_until_acknowledged(world):
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    [event] = applied(world)
    finished(world, event)
    finished(world, event)
    first, second = feedback(world)
    assert first == second
    assert (first.state, first.uuid.value) == (OperationState.FINISHED, STATUS_UUID)
    assert acknowledge(world, uuid=b"x" * 6 + b"\x40" + b"x" * 9) == 202
    assert "no status with this uuid" in dict(world.last_reply.headers)["Comity-Reason"]
    assert acknowledge(world, uuid=b"short") == 400
    assert acknowledge(world) == 202
    [told] = world.heard("link-a", link.EventAcknowledgeOperation)
    assert told.status_uuid == STATUS_UUID
    assert not world.state.agents["M-S0"].operations
    assert not world.state.frameworks["M-0000"].operations


def test_operations_are_counted_while_they_last_and_by_how_they_end_once(world):
    def numbers(*names):
        found = metrics.snapshot(world.state, Instant(world.now))
        return [found[f"master/operations/{name}"] for name in names]

    names = ("total", "pending", "reserve/pending", "create/total", "finished", "reserve/finished")
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    assert numbers(*names) == [1, 1, 1, 0, 0, 0]
    [event] = applied(world)
    finished(world, event)
    finished(world, event)
    assert numbers(*names) == [1, 0, 0, 0, 1, 1]
    acknowledge(world)
    assert numbers(*names) == [0, 0, 0, 0, 1, 1]
    accept(world, reserve(reserved("cpus:100")))
    assert numbers("error", "reserve/error", "reserve/total") == [1, 1, 0]


def test_an_operation_without_an_id_is_acknowledged_by_the_master(world):
    accept(world, reserve(reserved("cpus:1")))
    [event] = applied(world)
    finished(world, event)
    assert feedback(world) == []
    assert len(world.heard("link-a", link.EventAcknowledgeOperation)) == 1
    assert not world.state.agents["M-S0"].operations


def reconcile(world, *asked):
    body = scheduler.ReconcileOperationsBody(
        operations=tuple(
            scheduler.ReconcileOperation(
                operation_id=v1.Id(value=name), agent_id=v1.Id(value=agent) if agent else None
            )
            for name, agent in asked
        )
    )
    call = scheduler.ReconcileOperations(framework_id=FW, reconcile_operations=body)
    assert world.call(call) == 202
    return [one.state for one in feedback(world)]


def test_reconciliation_of_operations(world):
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    assert reconcile(world) == [OperationState.PENDING]
    [event] = applied(world)
    finished(world, event)
    feedback(world)
    assert reconcile(world) == [OperationState.FINISHED]
    found = reconcile(world, ("op", "M-S0"), ("what", "M-S0"), ("what", "M-S9"), ("what", None))
    unknown = OperationState.UNKNOWN
    assert found == [OperationState.FINISHED, unknown, unknown, unknown]


def test_an_operation_that_never_reached_the_agent_is_dropped_when_it_is_back(world):
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    world.heard("link-a", link.EventApplyOperation)
    world.agent("link-b", has=HAS, agent_id="M-S0")
    assert [one.state for one in feedback(world)] == [OperationState.DROPPED]
    assert world.state.agents["M-S0"].total == text.parse(HAS)


def test_a_new_master_learns_reservations_and_operations_from_the_agent(world):
    kept = resources.write(reserved("cpus:1"), refined=True)
    other = MasterWorld(registry=world.store.items())
    other.agent(has=HAS, agent_id="M-S0", checkpointed_resources=kept)
    other.subscribe(framework_id="M-0000", role="ads", principal="me")
    assert offered(other) == reserved("cpus:1") + text.parse("cpus:3;mem:1024;disk:1000")


@pytest.fixture
def brought(world):
    """Give a new master whose agent brings an operation; its framework is not back yet."""
    status = OperationStatus(
        operation_id=v1.Id(value="op"), state=OperationState.FINISHED, uuid=UUID(value=STATUS_UUID)
    )
    record = OperationRecord(
        uuid=UUID(value=b"o" * 16),
        framework_id=FW,
        info=reserve(reserved("cpus:1"), id=v1.Id(value="op")),
        latest_status=status,
    )
    kept = resources.write(reserved("cpus:1"), refined=True)
    other = MasterWorld(registry=world.store.items())
    other.agent(has=HAS, agent_id="M-S0", checkpointed_resources=kept, operations=(record,))
    return other, link.UpdateOperation(operation_uuid=b"o" * 16, status=status, framework_id=FW)


def test_after_a_failover_an_operation_waits_for_its_framework(brought):
    world, repeated = brought
    world.agent_says(repeated)
    assert not world.heard("link-a", link.EventAcknowledgeOperation)
    world.subscribe(framework_id="M-0000", role="ads", principal="me")
    world.agent_says(repeated)
    assert [one.state for one in feedback(world)] == [OperationState.FINISHED]
    assert acknowledge(world) == 202
    assert "Comity-Reason" not in dict(world.last_reply.headers)
    assert len(world.heard("link-a", link.EventAcknowledgeOperation)) == 1
    assert not world.state.unclaimed_operations


def test_an_operation_whose_framework_never_comes_back_is_acknowledged_in_the_end(brought):
    world, repeated = brought
    world.now = Instant(world.now + feedback_of_masters.CLAIM_S)
    world.agent_says(repeated)
    assert len(world.heard("link-a", link.EventAcknowledgeOperation)) == 1
    assert not world.state.agents["M-S0"].operations
    assert not world.state.unclaimed_operations


def test_an_agent_that_cannot_apply_must_say_what_it_has(world):
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    [event] = applied(world)
    finished(world, event, OperationState.DROPPED)
    assert [one.state for one in feedback(world)] == [OperationState.DROPPED]
    assert world.said["link-a"][-1] == "CloseStream"


def test_a_lost_agent_loses_its_operations(world):
    accept(world, reserve(reserved("cpus:1"), id=v1.Id(value="op")))
    world.run(100)
    assert [one.state for one in feedback(world)] == [OperationState.UNREACHABLE]


def test_a_role_below_refines_what_is_reserved_above():
    world = MasterWorld()
    world.agent(has="cpus(eng):4;mem(eng):1024")
    world.subscribe(roles=("eng/ads",), can=("MULTI_ROLE", "RESERVATION_REFINEMENT"))
    stack = (Reservation("eng"), Reservation("eng/ads", True))
    refined = Resources({Kind("cpus", stack): 1000})
    written = resources.write(refined, refined=True)
    refine = v1.Operation(type="RESERVE", reserve=v1.Reserve(resources=written))
    assert accept(world, refine) is None
    total = world.state.agents["M-S0"].total
    assert total == refined + Resources({Kind("cpus", stack[:1]): 3000}) + Resources(
        {Kind("mem", stack[:1]): 1_024_000}
    )
