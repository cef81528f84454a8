"""Persistent volumes that grow and shrink, and reservations that change (mesos.md, 1.2)."""

import uuid

import pytest

from support.mesos_contract import name_of, scalar, task
from support.mesos_reservations import (
    ROLE,
    feedback,
    full,
    give_back,
    launch,
    offer_with,
    operation,
    reserved,
    volume,
)

V1 = "/api/v1"


@pytest.fixture
def mesos(target):
    """Give a framework of a role that may reserve; what it left reserved is given back."""
    info = {"role": ROLE, "principal": "contract", "failover_timeout": 0.0}
    with target.framework(**info) as made:
        yield made
    give_back(target)


@pytest.fixture
def made(mesos):
    """Make a volume of 16 MB with a file in it, and 16 MB that are reserved beside it."""
    found = volume(f"v-{uuid.uuid4().hex[:8]}")
    offer = mesos.offer(0.5)
    writer = task("w", "echo kept > data/file")
    writer["resources"] = [*writer["resources"], found]
    mesos.accept(
        [offer],
        operation("RESERVE", reserved(disk=32.0)),
        operation("CREATE", [found]),
        launch(writer, offer),
    )
    mesos.status(name_of(writer), "TASK_FINISHED")
    return found


def of_size(found, size):
    return {**found, "scalar": {"value": size}}


def holding(mesos, found):
    """Wait for an offer with a volume of that size, and all the rest of the agent."""

    def has(resources):
        sizes = [
            one["scalar"]["value"]
            for one in resources
            if one.get("disk", {}).get("persistence", {}).get("id")
            == found["disk"]["persistence"]["id"]
        ]
        return sizes == [found["scalar"]["value"]] and scalar(resources, "cpus") >= 0.5

    return offer_with(mesos, has)


def resize(kind, found, **fields):
    body = {"volume": found, **fields}
    return {"type": kind, kind.lower(): body}


def test_a_volume_grows_and_keeps_what_is_in_it(mesos, made):
    [addition] = reserved(disk=16.0)
    offer = holding(mesos, made)
    mesos.accept([offer], resize("GROW_VOLUME", made, addition=addition))
    grown = of_size(made, 32.0)
    again = holding(mesos, grown)
    reader = task("r", "grep kept data/file")
    reader["resources"] = [*reader["resources"], grown]
    mesos.accept([again], launch(reader, again))
    mesos.status(name_of(reader), "TASK_FINISHED")


def test_a_volume_shrinks_and_the_rest_stays_reserved(mesos, made, target):
    offer = holding(mesos, made)
    mesos.accept([offer], resize("SHRINK_VOLUME", made, subtract={"value": 6.0}))
    holding(mesos, of_size(made, 10.0))
    rest = [one for one in full(target) if one.get("role") == ROLE and "disk" not in one]
    assert sum(one["scalar"]["value"] for one in rest) == 22.0


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("GROW_VOLUME", {"addition": reserved(disk=100.0)[0]}),
        ("GROW_VOLUME", {"addition": reserved(disk=0.0)[0]}),
        ("GROW_VOLUME", {"addition": reserved(mem=1.0)[0]}),
        ("SHRINK_VOLUME", {"subtract": {"value": 16.0}}),
        ("SHRINK_VOLUME", {"subtract": {"value": 0.0}}),
    ],
    ids=["more than there is", "by nothing", "by memory", "to nothing", "not at all"],
)
def test_what_cannot_be_is_an_error_and_changes_nothing(mesos, made, kind, fields):
    offer = holding(mesos, made)
    name = str(uuid.uuid4())
    mesos.accept([offer], {**resize(kind, made, **fields), "id": {"value": name}})
    assert feedback(mesos, name)["state"] == "OPERATION_ERROR"
    holding(mesos, made)


def test_a_shared_volume_is_an_error(mesos):
    name = str(uuid.uuid4())
    shared = {**volume("shared"), "shared": {}}
    reserve = operation("RESERVE", reserved(disk=16.0))
    create = operation("CREATE", [shared], id={"value": name})
    mesos.accept([mesos.offer(0.5)], reserve, create)
    assert feedback(mesos, name)["state"] == "OPERATION_ERROR"


def test_operators_resize_volumes_that_nobody_uses(mesos, made, target):
    holding(mesos, made)
    agent_id = {"value": target.agent_id}
    [addition] = reserved(disk=16.0)
    grow = {"agent_id": agent_id, "volume": made, "addition": addition}
    assert target.post(V1, {"type": "GROW_VOLUME", "grow_volume": grow}).status == 202
    grown = of_size(made, 32.0)
    holding(mesos, grown)
    shrink = {"agent_id": agent_id, "volume": grown, "subtract": {"value": 31.0}}
    assert target.post(V1, {"type": "SHRINK_VOLUME", "shrink_volume": shrink}).status == 202
    holding(mesos, of_size(made, 1.0))
    absent = {"volume": grown, "agent_id": {"value": "nobody"}, "subtract": {"value": 1.0}}
    assert target.post(V1, {"type": "SHRINK_VOLUME", "shrink_volume": absent}).status == 400


def test_a_reservation_gets_other_labels_in_one_step(mesos, target):
    offer = mesos.offer(0.5)
    had, wanted = reserved(cpus=0.1), reserved(cpus=0.1, labels={"a": "1"})
    mesos.accept([offer], operation("RESERVE", had))

    def labelled(resources):
        return any("labels" in one.get("reservation", {}) for one in resources)

    offer = offer_with(mesos, lambda resources: any("reservation" in one for one in resources))
    change = {"type": "RESERVE", "reserve": {"source": had, "resources": wanted}}
    mesos.accept([offer], change)
    offer_with(mesos, labelled)
    assert len([one for one in full(target) if one.get("role") == ROLE]) == 1
