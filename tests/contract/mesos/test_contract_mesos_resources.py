"""Quota, and what reservations and volumes must not be (mesos.md, section 4, 53 to 64)."""

import contextlib
import uuid

import pytest

from support.mesos_contract import amounts, name_of, scalar, task

PRINCIPAL = "contract"


@pytest.fixture
def role():
    return f"contract-{uuid.uuid4().hex[:8]}"


def framework(target, role, **info):
    return target.framework(role=role, principal=PRINCIPAL, **info)


def reserved(role, **scalars):
    reservation = {"principal": PRINCIPAL}
    return [{**one, "role": role, "reservation": reservation} for one in amounts(**scalars)]


def volume(role, name, size=32):
    [disk] = reserved(role, disk=size)
    info = {
        "persistence": {"id": name, "principal": PRINCIPAL},
        "volume": {"container_path": "data", "mode": "RW"},
    }
    return {**disk, "disk": info}


def reserve(resources):
    return {"type": "RESERVE", "reserve": {"resources": resources}}


def unreserve(resources):
    return {"type": "UNRESERVE", "unreserve": {"resources": resources}}


def create(*volumes, **more):
    return {"type": "CREATE", "create": {"volumes": list(volumes)}, **more}


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


def test_what_was_reserved_is_offered_again_in_spite_of_the_filter(target, role):
    with framework(target, role) as mesos:
        needs = reserved(role, cpus=0.1)
        mesos.accept([mesos.offer(0.5)], reserve(needs), refuse_s=600)
        with cleared(mesos, *needs):
            offer = offer_with(mesos, lambda offer: held(offer, "cpus", role))
            mesos.decline(offer)


# volumes


@pytest.mark.parametrize("case", ["twice", "host path"])
def test_volumes_that_are_refused(target, role, case):
    with framework(target, role) as mesos:
        disk = reserved(role, disk=64)
        made = volume(role, "v1")
        operations = {
            "twice": [reserve(disk), create(made, made, id={"value": "bad"})],
            "host path": [reserve(disk), create(_with_host_path(made), id={"value": "bad"})],
        }[case]
        mesos.accept([mesos.offer(0.2)], *operations)
        mesos.until(lambda: any(one["type"] == "UPDATE_OPERATION_STATUS" for one in mesos.heard))
        [told] = [one for one in mesos.heard if one["type"] == "UPDATE_OPERATION_STATUS"]
        assert told["update_operation_status"]["status"]["state"] == "OPERATION_ERROR"
        with cleared(mesos, *disk):
            pass


def _with_host_path(made):
    info = {**made["disk"], "volume": {**made["disk"]["volume"], "host_path": "/tmp"}}
    return {**made, "disk": info}


# operators


def operate(target, kind, **body):
    return target.post("/api/v1", {"type": kind, kind.lower(): body}).status


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
