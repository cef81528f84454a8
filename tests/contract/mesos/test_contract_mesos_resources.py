"""Quota, reservations, volumes and their feedback (mesos.md, section 4, 53 to 66)."""

import contextlib
import uuid
from urllib.parse import urlencode

import pytest

from support.mesos_contract import amounts, name_of, scalar, task

PRINCIPAL = "contract"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def role():
    return f"contract-{uuid.uuid4().hex[:8]}"


def framework(target, role, **info):
    return target.framework(role=role, principal=PRINCIPAL, **info)


def reserved(role, labels=(), principal=PRINCIPAL, **scalars):
    reservation = {"principal": principal} if principal else {}
    if labels:
        reservation["labels"] = {"labels": [{"key": k, "value": v} for k, v in labels]}
    return [{**one, "role": role, "reservation": reservation} for one in amounts(**scalars)]


def volume(role, name, size=32):
    [disk] = reserved(role, disk=size)
    info = {
        "persistence": {"id": name, "principal": PRINCIPAL},
        "volume": {"container_path": "data", "mode": "RW"},
    }
    return {**disk, "disk": info}


def reserve(resources, **more):
    return {"type": "RESERVE", "reserve": {"resources": resources}, **more}


def unreserve(resources):
    return {"type": "UNRESERVE", "unreserve": {"resources": resources}}


def create(*volumes, **more):
    return {"type": "CREATE", "create": {"volumes": list(volumes)}, **more}


def destroy(*volumes):
    return {"type": "DESTROY", "destroy": {"volumes": list(volumes)}}


def launch(offer, *tasks):
    infos = [{"agent_id": offer["agent_id"], **one} for one in tasks]
    return {"type": "LAUNCH", "launch": {"task_infos": infos}}


def held(offer, name, role):
    """Return how much of a scalar an offer has reserved for a role by an operation."""
    return sum(
        one["scalar"]["value"]
        for one in offer["resources"]
        if one["name"] == name and one.get("role") == role and "reservation" in one
    )


def offer_with(mesos, condition):
    """Wait for an offer that is as wanted; others are declined."""
    while True:
        offer = mesos.offer(cpus=0)
        if condition(offer):
            return offer
        mesos.decline(offer)


@contextlib.contextmanager
def cleared(mesos, *resources):
    """Unreserve in the end."""
    try:
        yield
    finally:
        name, role = resources[0]["name"], resources[0]["role"]
        mesos.call("REVIVE")
        mesos.accept(
            [offer_with(mesos, lambda offer: held(offer, name, role))], unreserve(list(resources))
        )
        offer_with(mesos, lambda offer: not held(offer, name, role))


# reservations


def test_reserve_and_launch_in_one_accept(target, role):
    with framework(target, role) as mesos:
        needs = reserved(role, cpus=0.1, mem=32)
        offer = mesos.offer(0.5)
        made = task("t", resources=needs)
        mesos.accept([offer], reserve(needs), launch(offer, made))
        mesos.status(name_of(made), "TASK_RUNNING")
        # what is in use is not offered, and cannot be unreserved
        offer = mesos.offer()
        assert not held(offer, "cpus", role)
        mesos.accept([offer], unreserve(needs))
        with cleared(mesos, *needs):
            mesos.call("KILL", kill={"task_id": made["task_id"]})
            mesos.status(name_of(made), "TASK_KILLED")


@pytest.mark.parametrize("case", ["more than offered", "another role", "no principal"])
def test_bad_reservations_are_dropped_and_the_resources_offered_again(target, role, case):
    bad = {
        "more than offered": lambda offer: reserved(
            role, cpus=scalar(offer["resources"], "cpus") + 1
        ),
        "another role": lambda offer: reserved("elsewhere", cpus=0.1),
        "no principal": lambda offer: reserved(role, principal=None, cpus=0.1),
    }[case]
    with framework(target, role) as mesos:
        offer = mesos.offer(0.2)
        mesos.accept([offer], reserve(bad(offer), id={"value": "op"}))
        mesos.until(lambda: any(one["type"] == "UPDATE_OPERATION_STATUS" for one in mesos.heard))
        [told] = [one for one in mesos.heard if one["type"] == "UPDATE_OPERATION_STATUS"]
        status = told["update_operation_status"]["status"]
        assert status["state"] == "OPERATION_ERROR"
        assert status["operation_id"] == {"value": "op"}
        assert "uuid" not in status
        again = mesos.offer(0.2)
        assert scalar(again["resources"], "cpus") == scalar(offer["resources"], "cpus")


def test_reservations_with_different_labels_stay_apart(target, role):
    with framework(target, role) as mesos:
        one, two = (reserved(role, labels=[("k", value)], cpus=0.1) for value in "ab")
        mesos.accept([mesos.offer(0.5)], reserve(one), reserve(two))
        with cleared(mesos, *one, *two):
            offer = offer_with(mesos, lambda offer: held(offer, "cpus", role))
            parts = [one for one in offer["resources"] if one.get("role") == role]
            assert len(parts) == 2
            mesos.decline(offer)


def test_what_was_reserved_is_offered_again_in_spite_of_the_filter(target, role):
    with framework(target, role) as mesos:
        needs = reserved(role, cpus=0.1)
        mesos.accept([mesos.offer(0.5)], reserve(needs), refuse_s=600)
        with cleared(mesos, *needs):
            offer = offer_with(mesos, lambda offer: held(offer, "cpus", role))
            mesos.decline(offer)


# volumes


def test_a_volume_keeps_its_data_from_task_to_task(target, role):
    with framework(target, role) as mesos:
        disk = reserved(role, disk=32)
        kept = volume(role, "v1")
        needs = [*amounts(cpus=0.1, mem=32), kept]
        offer = mesos.offer(0.5)
        writes = task("writes", "echo kept > data/file", resources=needs)
        mesos.accept([offer], reserve(disk), create(kept), launch(offer, writes))
        mesos.status(name_of(writes), "TASK_FINISHED")
        offer = offer_with(mesos, lambda offer: any("disk" in one for one in offer["resources"]))
        [shown] = [one for one in offer["resources"] if "disk" in one]
        assert shown["disk"]["persistence"]["id"] == "v1"
        reads = task("reads", "test $(cat data/file) = kept", resources=needs)
        mesos.accept([offer], launch(offer, reads))
        mesos.status(name_of(reads), "TASK_FINISHED")
        with cleared(mesos, *disk):
            offer = offer_with(
                mesos, lambda offer: any("disk" in one for one in offer["resources"])
            )
            mesos.accept([offer], destroy(kept))


@pytest.mark.parametrize("case", ["unreserved", "twice", "host path"])
def test_volumes_that_are_refused(target, role, case):
    with framework(target, role) as mesos:
        disk = reserved(role, disk=64)
        made = volume(role, "v1")
        operations = {
            "unreserved": [create(made, id={"value": "bad"})],
            "twice": [reserve(disk), create(made, made, id={"value": "bad"})],
            "host path": [reserve(disk), create(_with_host_path(made), id={"value": "bad"})],
        }[case]
        mesos.accept([mesos.offer(0.2)], *operations)
        mesos.until(lambda: any(one["type"] == "UPDATE_OPERATION_STATUS" for one in mesos.heard))
        [told] = [one for one in mesos.heard if one["type"] == "UPDATE_OPERATION_STATUS"]
        assert told["update_operation_status"]["status"]["state"] == "OPERATION_ERROR"
        if case != "unreserved":
            with cleared(mesos, *disk):
                pass


def _with_host_path(made):
    info = {**made["disk"], "volume": {**made["disk"]["volume"], "host_path": "/tmp"}}
    return {**made, "disk": info}


# feedback


def test_an_operation_with_an_id_is_told_of_and_acknowledged(target, role):
    with framework(target, role) as mesos:
        needs = reserved(role, cpus=0.1)
        mesos.accept([mesos.offer(0.5)], reserve(needs, id={"value": "op"}))
        with cleared(mesos, *needs):
            told = "UPDATE_OPERATION_STATUS"
            mesos.until(lambda: any(one["type"] == told for one in mesos.heard))
            status = next(one for one in mesos.heard if one["type"] == told)
            status = status["update_operation_status"]["status"]
            assert status["state"] == "OPERATION_FINISHED"
            assert status["agent_id"]["value"] == target.agent_id
            mesos.heard.clear()
            assert mesos.call("RECONCILE_OPERATIONS", reconcile_operations={}).status == 202
            mesos.until(lambda: any(one["type"] == told for one in mesos.heard))
            body = {
                "agent_id": status["agent_id"],
                "operation_id": {"value": "op"},
                "uuid": status["uuid"]["value"],
            }
            answer = mesos.call("ACKNOWLEDGE_OPERATION_STATUS", acknowledge_operation_status=body)
            assert answer.status == 202
            mesos.heard.clear()
            asked = {"operations": [{"operation_id": {"value": "other"}}]}
            mesos.call("RECONCILE_OPERATIONS", reconcile_operations=asked)
            mesos.until(lambda: any(one["type"] == told for one in mesos.heard))
            [last] = [one for one in mesos.heard if one["type"] == told]
            assert last["update_operation_status"]["status"]["state"] == "OPERATION_UNKNOWN"


# operators


def operate(target, kind, **body):
    return target.post("/api/v1", {"type": kind, kind.lower(): body}).status


def test_operators_reserve_what_nobody_uses(target, role):
    agent = {"value": target.agent_id}
    needs = reserved(role, cpus=0.1)
    assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=needs) == 202
    assert operate(target, "UNRESERVE_RESOURCES", agent_id=agent, resources=needs) == 202
    assert operate(target, "UNRESERVE_RESOURCES", agent_id=agent, resources=needs) == 409
    much = reserved(role, cpus=1e6)
    assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=much) == 409
    assert operate(target, "RESERVE_RESOURCES", agent_id={"value": "no"}, resources=needs) == 400
    assert target.post("/reserve", urlencode({"slaveId": target.agent_id}), FORM).status == 400
    assert target.post("/reserve", urlencode({"resources": "[]"}), FORM).status == 400


def test_an_operators_reservation_takes_offers_back(target, role):
    agent = {"value": target.agent_id}
    with target.framework(role=f"{role}-other") as mesos:
        offer = mesos.offer()
        needs = reserved(role, cpus=scalar(offer["resources"], "cpus"))
        assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=needs) == 202
        mesos.until(lambda: any(one["type"] == "RESCIND" for one in mesos.heard))
        assert operate(target, "UNRESERVE_RESOURCES", agent_id=agent, resources=needs) == 202


# quota


@pytest.fixture
def quota(target, role):
    """Give what sets a role's quota; it is removed in the end."""

    def update(*configs, force=False):
        return operate(target, "UPDATE_QUOTA", quota_configs=list(configs), force=force)

    yield update
    assert update({"role": role}) == 200


def limits(role, **scalars):
    return {"role": role, "limits": {name: {"value": value} for name, value in scalars.items()}}


def guarantees(role, **scalars):
    amounts = {name: {"value": value} for name, value in scalars.items()}
    return {"role": role, "guarantees": amounts, "limits": amounts}


def test_quotas_are_set_all_or_none(target, role, quota):
    assert quota(limits(role, cpus=1), limits(f"{role}/below", cpus=1)) == 400
    found = target.post("/api/v1", {"type": "GET_QUOTA"}).json()["get_quota"]["status"]
    assert role not in {one["role"] for one in found.get("configs", [])}


def test_a_guarantee_above_the_cluster_needs_force(role, quota):
    much = guarantees(role, cpus=1e6)
    assert quota(much) == 400
    assert quota(much, force=True) == 200


def test_a_role_at_its_limit_gets_no_more_but_its_reservations(target, role, quota):
    with framework(target, role) as mesos:
        assert quota(limits(role, cpus=0.3, mem=64)) == 200
        mesos.call("REVIVE")
        offer = offer_with(mesos, lambda offer: scalar(offer["resources"], "cpus") <= 0.3)
        made = task("t", resources=amounts(cpus=0.3, mem=64))
        mesos.launch(made, offer=offer)
        mesos.status(name_of(made), "TASK_RUNNING")
        low = limits(role, cpus=0.1, mem=32)
        assert quota(low) == 400
        assert quota(low, force=True) == 200


def test_a_lower_limit_takes_offers_back(target, role, quota):
    with framework(target, role) as mesos:
        mesos.offer()
        assert quota(limits(role, cpus=0.1)) == 200
        mesos.until(lambda: any(one["type"] == "RESCIND" for one in mesos.heard))
