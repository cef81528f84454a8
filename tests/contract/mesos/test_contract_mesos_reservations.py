"""Reservations, volumes and feedback about them (mesos.md, section 4, 58 to 66 and 72)."""

import json
import uuid

import pytest

from support.mesos_contract import name_of, scalar, task

V1 = "/api/v1"
ROLE = "contract-r"


@pytest.fixture
def mesos(target):
    """Give a framework of a role that may reserve; what it left reserved is given back."""
    info = {"role": ROLE, "principal": "contract", "failover_timeout": 0.0}
    with target.framework(**info) as made:
        yield made
    give_back(target)


def give_back(target):
    """Destroy and unreserve what is reserved for the role, until nothing is."""
    while True:
        held = [one for one in full(target) if one.get("role") == ROLE]
        if not held:
            return
        for one in held:
            kind = "/destroy-volumes" if "disk" in one else "/unreserve"
            field = "volumes" if "disk" in one else "resources"
            body = f"slaveId={target.agent_id}&{field}={json.dumps([one])}".encode()
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            assert target.post(kind, body, form).status in (202, 409)


def full(target):
    """Return the agent's reserved resources as operators are shown them."""
    [agent] = [
        one for one in target.get("/slaves").json()["slaves"] if one["id"] == target.agent_id
    ]
    return [one for held in agent["reserved_resources_full"].values() for one in held]


def reserved(principal="contract", role=ROLE, labels=None, **scalars):
    reservation = {"principal": principal} if principal else {}
    if labels:
        reservation["labels"] = {"labels": [{"key": k, "value": v} for k, v in labels.items()]}
    return [
        {
            "name": name,
            "type": "SCALAR",
            "scalar": {"value": value},
            "role": role,
            "reservation": reservation,
        }
        for name, value in scalars.items()
    ]


def volume(name, size=16.0):
    [made] = reserved(disk=size)
    disk = {
        "persistence": {"id": name, "principal": "contract"},
        "volume": {"container_path": "data", "mode": "RW"},
    }
    return {**made, "disk": disk}


def operation(kind, resources, **fields):
    field = "volumes" if kind in ("CREATE", "DESTROY") else "resources"
    return {"type": kind, kind.lower(): {field: resources}, **fields}


def launch(made, offer):
    return {"type": "LAUNCH", "launch": {"task_infos": [{"agent_id": offer["agent_id"], **made}]}}


def offer_with(mesos, holds):
    """Wait for an offer in which something is; others are declined."""
    while True:
        offer = mesos.offer(0.0)
        if holds(offer["resources"]):
            return offer
        mesos.decline(offer, refuse_s=0)


def is_reserved(one):
    return one.get("role") == ROLE and "reservation" in one


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


def feedback(mesos, name):
    """Wait for the status of an operation, and return it."""

    def found():
        return [
            one["update_operation_status"]["status"]
            for one in mesos.heard
            if one["type"] == "UPDATE_OPERATION_STATUS"
            and one["update_operation_status"]["status"]["operation_id"]["value"] == name
        ]

    mesos.until(found)
    return found()[-1]


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
