"""Reservations, volumes and feedback about them (mesos.md, section 4, 58 to 66 and 72)."""

import uuid

import pytest

from support.mesos_contract import name_of, scalar, task
from support.mesos_reservations import (
    ROLE,
    feedback,
    full,
    give_back,
    is_reserved,
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


def test_what_is_reserved_is_used_in_the_same_accept_and_offered_again(mesos):
    offer = mesos.offer(0.5)
    wanted = reserved(cpus=0.2, mem=32)
    made = task("t", "exit 0", resources=wanted)
    mesos.accept([offer], operation("RESERVE", wanted), launch(made, offer))
    mesos.status(name_of(made), "TASK_FINISHED")

    def whole(resources):
        return scalar([one for one in resources if is_reserved(one)], "cpus") >= 0.2

    again = offer_with(mesos, whole)
    [cpus] = [one for one in again["resources"] if is_reserved(one) and one["name"] == "cpus"]
    assert cpus["reservation"]["principal"] == "contract"
    mesos.accept([again], operation("UNRESERVE", wanted))
    offer_with(mesos, lambda resources: not any(map(is_reserved, resources)))


@pytest.mark.parametrize(
    "wanted",
    [
        reserved(cpus=100_000.0),
        reserved(cpus=0.1, role="another"),
        reserved(cpus=0.1, principal=None),
        reserved(cpus=0.1, principal="somebody-else"),
    ],
    ids=["more than offered", "another role", "no principal", "another principal"],
)
def test_a_reservation_that_is_not_valid_is_an_error_and_changes_nothing(mesos, target, wanted):
    offer = mesos.offer(0.5)
    name = str(uuid.uuid4())
    mesos.accept([offer], operation("RESERVE", wanted, id={"value": name}))
    status = feedback(mesos, name)
    assert status["state"] == "OPERATION_ERROR"
    assert "uuid" not in status or not status["uuid"]
    assert not [one for one in full(target) if one.get("role") == ROLE]


def test_an_operation_with_an_id_is_answered_until_acknowledged(mesos, target):
    offer = mesos.offer(0.5)
    name = str(uuid.uuid4())
    mesos.accept([offer], operation("RESERVE", reserved(cpus=0.1), id={"value": name}))
    status = feedback(mesos, name)
    assert status["state"] == "OPERATION_FINISHED"
    assert status["agent_id"]["value"] == target.agent_id
    body = {
        "agent_id": status["agent_id"],
        "operation_id": {"value": name},
        "uuid": status["uuid"]["value"],
    }
    answer = mesos.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=body)
    assert answer.status == 202
    broken = {**body, "uuid": "AAAA"}
    answer = mesos.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=broken)
    assert answer.status == 400


def test_reservations_with_different_labels_stay_apart(mesos, target):
    offer = mesos.offer(0.5)
    first, second = reserved(cpus=0.1, labels={"a": "1"}), reserved(cpus=0.1, labels={"a": "2"})
    mesos.accept([offer], operation("RESERVE", first + second))
    offer_with(mesos, lambda resources: sum(map(is_reserved, resources)) == 2)
    assert len([one for one in full(target) if one.get("role") == ROLE]) == 2


def test_a_volume_keeps_what_a_task_wrote(mesos):
    offer = mesos.offer(0.5)
    name = f"v-{uuid.uuid4().hex[:8]}"
    made = volume(name)
    writer = task("w", "echo kept > data/file")
    writer["resources"] = [*writer["resources"], made]
    mesos.accept(
        [offer],
        operation("RESERVE", reserved(disk=16.0)),
        operation("CREATE", [made]),
        launch(writer, offer),
    )
    mesos.status(name_of(writer), "TASK_FINISHED")

    def has_volume(resources):
        ids = [one["disk"]["persistence"]["id"] for one in resources if "disk" in one]
        return name in ids and scalar(resources, "cpus") >= 0.1

    again = offer_with(mesos, has_volume)
    [held] = [one for one in again["resources"] if "disk" in one]
    reader = task("r", "grep kept data/file")
    reader["resources"] = [*reader["resources"], held]
    mesos.accept([again], launch(reader, again))
    mesos.status(name_of(reader), "TASK_FINISHED")
    last = offer_with(mesos, has_volume)
    mesos.accept([last], operation("DESTROY", [held]))
    offer_with(mesos, lambda resources: not any("disk" in one for one in resources))


def test_a_volume_needs_a_reservation_and_an_id_of_its_own(mesos):
    offer = mesos.offer(0.5)
    plain = {name: value for name, value in volume("x").items() if name != "reservation"}
    name = str(uuid.uuid4())
    mesos.accept([offer], operation("CREATE", [{**plain, "role": "*"}], id={"value": name}))
    assert feedback(mesos, name)["state"] == "OPERATION_ERROR"
    offer = mesos.offer(0.5)
    twice = str(uuid.uuid4())
    made = volume(f"v-{uuid.uuid4().hex[:8]}")
    mesos.accept(
        [offer],
        operation("RESERVE", reserved(disk=32.0)),
        operation("CREATE", [made]),
        operation("CREATE", [made], id={"value": twice}),
    )
    assert feedback(mesos, twice)["state"] == "OPERATION_ERROR"


def test_operators_reserve_what_is_free(target):
    wanted = reserved(cpus=0.1)
    body = {"agent_id": {"value": target.agent_id}, "resources": wanted}
    try:
        call = {"type": "RESERVE_RESOURCES", "reserve_resources": body}
        assert target.post(V1, call).status == 202
        assert [one["name"] for one in full(target) if one.get("role") == ROLE] == ["cpus"]
        call = {"type": "UNRESERVE_RESOURCES", "unreserve_resources": body}
        assert target.post(V1, call).status == 202
        assert not [one for one in full(target) if one.get("role") == ROLE]
        more = {**body, "resources": reserved(cpus=100_000.0)}
        call = {"type": "RESERVE_RESOURCES", "reserve_resources": more}
        assert target.post(V1, call).status == 409
    finally:
        give_back(target)


FORMS = [
    "",
    "slaveId=nobody&resources=[]",
    "resources=[]",
    "slaveId={agent}",
    "slaveId={agent}&resources=x",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_form_that_is_not_valid_is_400(target, form):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    body = form.format(agent=target.agent_id).encode()
    assert target.post("/reserve", body, headers).status == 400


def test_the_status_of_an_operation_is_repeated_until_it_is_acknowledged(mesos):
    name = str(uuid.uuid4())
    mesos.accept([mesos.offer(0.5)], operation("RESERVE", reserved(cpus=0.1), id={"value": name}))
    first = feedback(mesos, name)
    mesos.heard.clear()
    again = feedback(mesos, name)  # after ten seconds
    assert (again["uuid"], again["state"]) == (first["uuid"], "OPERATION_FINISHED")
