"""Roles, reservations of several steps, volumes in use, old quota calls (mesos.md, 1.2 and 2.5)."""

import json
import uuid

import pytest

from support.mesos_contract import SCHEDULER, Stream, amounts, name_of, request, scalar, task

V1 = "/api/v1"
PRINCIPAL = "contract"
REFINING = {"capabilities": [{"type": "RESERVATION_REFINEMENT"}]}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def role(target):
    """Give a role of the test's own; what is reserved for it in the end is given back."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    yield name
    while held := reserved_for(target, name):
        for one in held:
            kind = "DESTROY_VOLUMES" if "disk" in one else "UNRESERVE_RESOURCES"
            field = "volumes" if "disk" in one else "resources"
            body = {"agent_id": {"value": target.agent_id}, field: [one]}
            target.post(V1, {"type": kind, kind.lower(): body})


def reserved_for(target, role):
    """Return what of the agent is reserved for a role, or below it."""
    [agent] = [
        one for one in target.get("/slaves").json()["slaves"] if one["id"] == target.agent_id
    ]
    full = agent["reserved_resources_full"]
    found = [
        one for name, held in full.items() if (name + "/").startswith(role + "/") for one in held
    ]
    return [
        {key: one[key] for key in one if key not in ("role", "reservation") or not refined(one)}
        for one in found
    ]


def refined(one):
    return "reservations" in one


def old(role, labels=None, **scalars):
    reservation = {"principal": PRINCIPAL}
    if labels is not None:
        reservation["labels"] = {"labels": [{"key": k, "value": v} for k, v in labels.items()]}
    return [{**one, "role": role, "reservation": reservation} for one in amounts(**scalars)]


def steps(*roles, **scalars):
    """Return resources that are reserved step by step, in the format of today."""
    stack = [{"type": "DYNAMIC", "role": role, "principal": PRINCIPAL} for role in roles]
    return [{**one, "reservations": stack} for one in amounts(**scalars)]


def operation(kind, resources, **fields):
    field = "volumes" if kind in ("CREATE", "DESTROY") else "resources"
    return {"type": kind, kind.lower(): {field: resources}, **fields}


def operate(target, kind, **body):
    return target.post(V1, {"type": kind, kind.lower(): body}).status


def feedback(mesos, name):
    def found():
        return [
            one["update_operation_status"]["status"]
            for one in mesos.heard
            if one["type"] == "UPDATE_OPERATION_STATUS"
            and one["update_operation_status"]["status"]["operation_id"]["value"] == name
        ]

    mesos.until(found)
    return found()[-1]["state"]


def offer_with(mesos, holds):
    while True:
        offer = mesos.offer(0.0)
        if holds(offer["resources"]):
            return offer
        mesos.decline(offer)


def held(resources, role):
    return scalar([one for one in resources if one.get("role") == role], "cpus")


def stack_of(one):
    return [each["role"] for each in one.get("reservations", [])]


# names

BAD_ROLES = [
    "",
    "/",
    "a/",
    "/a",
    "a//b",
    ".",
    "..",
    "a/./b",
    "a/..",
    "-a",
    "a/-b",
    "a/*",
    "*/a",
    "a b",
    "a\tb",
    "a\x7f",
]


@pytest.mark.parametrize("bad", BAD_ROLES)
def test_a_role_that_is_no_role_is_an_error_event(target, bad):
    info = {"user": "root", "name": "contract", "roles": [bad]}
    info["capabilities"] = [{"type": "MULTI_ROLE"}]
    body = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    stream = Stream(target.master, SCHEDULER, body)
    event = stream.next()
    assert event["type"] == "ERROR"
    assert event["error"]["message"]
    stream.close()


@pytest.mark.parametrize("good", ["a/b/c", "a.b", "a-b", "a/..b", "A_1", "é"])
def test_a_role_may_have_parents_and_most_characters(target, good):
    with target.framework(role=good) as mesos:
        mesos.decline(mesos.offer())


def test_parents_of_roles_are_shown_as_well(target, role):
    with target.framework(role=f"{role}/a/b"):
        names = {one["name"] for one in target.get("/roles").json()["roles"]}
        assert names >= {role, f"{role}/a", f"{role}/a/b"}


# reservations


def test_nothing_is_reserved_for_the_role_of_all(target):
    with target.framework(principal=PRINCIPAL) as mesos:
        name = str(uuid.uuid4())
        wanted = old("*", cpus=0.1)
        mesos.accept([mesos.offer()], operation("RESERVE", wanted, id={"value": name}))
        assert feedback(mesos, name) == "OPERATION_ERROR"


def test_what_an_operator_reserved_for_a_parent_is_offered_to_its_children(target, role):
    agent = {"value": target.agent_id}
    wanted = old(role, cpus=0.3)
    assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=wanted) == 202
    with target.framework(role=f"{role}/child", principal=PRINCIPAL) as mesos:
        offer = offer_with(mesos, lambda all: any(one.get("role") == role for one in all))
        [mine] = [one for one in offer["resources"] if one.get("role") == role]
        made = task("t", "exit 0", resources=[*amounts(mem=32), {**mine, "scalar": {"value": 0.2}}])
        mesos.launch(made, offer=offer)
        mesos.status(name_of(made), "TASK_FINISHED")


def test_the_same_reservation_twice_is_one(target, role):
    with target.framework(role=role, principal=PRINCIPAL) as mesos:
        for count in (1, 2):
            offer = mesos.offer(0.5)
            mesos.accept([offer], operation("RESERVE", old(role, {"a": "1"}, cpus=0.1)))
            wanted = pytest.approx(0.1 * count)
            mesos.decline(offer_with(mesos, lambda all, so=wanted: held(all, role) == so))
        assert len(reserved_for(target, role)) == 1


def test_a_reservation_can_be_refined_and_taken_back_step_by_step(target, role):
    child = f"{role}/child"
    with target.framework(role=child, principal=PRINCIPAL, **REFINING) as mesos:
        offer = mesos.offer(0.5)
        assert all(one.get("reservations", []) == [] for one in offer["resources"])
        assert not any("role" in one or "reservation" in one for one in offer["resources"])
        mesos.decline(offer)
        agent = {"value": target.agent_id}
        parent = steps(role, cpus=0.3)
        assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=parent) == 202
        offer = offer_with(mesos, lambda all: any(stack_of(one) == [role] for one in all))
        both = steps(role, child, cpus=0.3)
        mesos.accept([offer], operation("RESERVE", both))
        offer = offer_with(mesos, lambda all: any(stack_of(one) == [role, child] for one in all))
        # Who does not know of refinement sees nothing of it.
        with target.framework(role=child, principal=PRINCIPAL) as plain:
            mesos.decline(offer, refuse_s=600)
            for _ in range(2):
                offer = plain.offer()
                assert not any(one.get("role") in (role, child) for one in offer["resources"])
                plain.decline(offer)
            plain.call("SUPPRESS")
        mesos.call("REVIVE")
        offer = offer_with(mesos, lambda all: any(stack_of(one) == [role, child] for one in all))
        mesos.accept([offer], operation("UNRESERVE", both))
        offer_with(mesos, lambda all: any(stack_of(one) == [role] for one in all))


def test_where_both_formats_are_given_that_of_today_counts(target, role):
    # `/slaves` shows both, and operators give back what they were shown.
    agent = {"value": target.agent_id}
    [one] = steps(role, cpus=0.1)
    both = {**one, "role": "another", "reservation": {"principal": PRINCIPAL}}
    assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=[both]) == 202
    assert len(reserved_for(target, role)) == 1
    assert reserved_for(target, "another") == []


def test_a_source_that_is_not_offered_is_an_error(target, role):
    with target.framework(role=role, principal=PRINCIPAL) as mesos:
        name = str(uuid.uuid4())
        body = {"source": old(role, cpus=0.1), "resources": old(role, cpus=0.1)}
        moved = {"type": "RESERVE", "reserve": body, "id": {"value": name}}
        mesos.accept([mesos.offer()], moved)
        assert feedback(mesos, name) == "OPERATION_ERROR"


# volumes


def volume(role, name, **more):
    [disk] = old(role, disk=32)
    info = {
        "persistence": {"id": name, "principal": PRINCIPAL},
        "volume": {"container_path": "data", "mode": "RW", **more},
    }
    return {**disk, "disk": info}


def test_a_volume_in_use_is_not_destroyed(target, role):
    with target.framework(role=role, principal=PRINCIPAL) as mesos:
        offer, made = mesos.offer(0.5), volume(role, "v")
        keeps = task("keeps")
        keeps["resources"] = [*keeps["resources"], made]
        keeps["agent_id"] = offer["agent_id"]
        mesos.accept(
            [offer],
            operation("RESERVE", old(role, disk=32)),
            operation("CREATE", [made]),
            {"type": "LAUNCH", "launch": {"task_infos": [keeps]}},
        )
        mesos.status(name_of(keeps), "TASK_RUNNING")
        name = str(uuid.uuid4())
        mesos.accept([mesos.offer()], operation("DESTROY", [made], id={"value": name}))
        assert feedback(mesos, name) == "OPERATION_ERROR"
        agent = {"value": target.agent_id}
        assert operate(target, "DESTROY_VOLUMES", agent_id=agent, volumes=[made]) == 409
        assert operate(target, "UNRESERVE_RESOURCES", agent_id=agent, resources=[made]) in (
            400,
            409,
        )
        mesos.call("KILL", kill={"task_id": keeps["task_id"]})
        mesos.status(name_of(keeps), "TASK_KILLED")
        mesos.offers.clear()
        offer = offer_with(mesos, lambda all: any("disk" in one for one in all))
        mesos.decline(offer, refuse_s=600)
        assert operate(target, "DESTROY_VOLUMES", agent_id=agent, volumes=[made]) == 202


def test_a_volume_that_is_made_read_only_is_refused(target, role):
    with target.framework(role=role, principal=PRINCIPAL) as mesos:
        name = str(uuid.uuid4())
        mesos.accept(
            [mesos.offer()],
            operation("RESERVE", old(role, disk=32)),
            operation("CREATE", [volume(role, "v", mode="RO")], id={"value": name}),
        )
        assert feedback(mesos, name) == "OPERATION_ERROR"


def test_operators_make_and_destroy_volumes_by_call_and_by_form(target, role):
    agent = {"value": target.agent_id}
    assert operate(target, "RESERVE_RESOURCES", agent_id=agent, resources=old(role, disk=32)) == 202
    made = volume(role, "v")
    assert operate(target, "CREATE_VOLUMES", agent_id=agent, volumes=[made]) == 202
    assert operate(target, "CREATE_VOLUMES", agent_id=agent, volumes=[made]) in (400, 409)
    assert any("disk" in one for one in reserved_for(target, role))
    form = f"slaveId={target.agent_id}&volumes={json.dumps([made])}".encode()
    assert target.post("/destroy-volumes", form, FORM).status == 202
    assert target.post("/create-volumes", form, FORM).status == 202
    assert target.post("/destroy-volumes", form, FORM).status == 202
    assert target.post("/destroy-volumes", form, FORM).status in (400, 409)


# quota by the old calls


def test_the_old_calls_set_and_remove_a_quota(target, role):
    guarantee = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.5}}]
    body = {"role": role, "guarantee": guarantee}
    assert target.post("/quota", body).status == 200
    shown = target.get("/quota").json()
    assert role in {one["role"] for one in shown["infos"]}
    assert target.post("/quota", body).status == 400  # it is there
    assert request(target.master, "DELETE", f"/quota/{role}").status == 200
    assert request(target.master, "DELETE", f"/quota/{role}").status == 400
    request_ = {"quota_request": body}
    assert operate(target, "SET_QUOTA", **request_) == 200
    assert operate(target, "REMOVE_QUOTA", role=role) == 200
    assert operate(target, "REMOVE_QUOTA", role=role) == 400


def test_an_old_quota_beyond_the_cluster_is_409(target, role):
    guarantee = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 1e6}}]
    body = {"role": role, "guarantee": guarantee}
    assert target.post("/quota", body).status == 409
    assert target.post("/quota", {**body, "force": True}).status == 200
    assert request(target.master, "DELETE", f"/quota/{role}").status == 200


def test_the_configs_of_a_quota_stand_beside_its_infos(target, role):
    limits = {"cpus": {"value": 2.0}}
    configs = [{"role": role, "limits": limits}]
    assert operate(target, "UPDATE_QUOTA", quota_configs=configs) == 200
    status = target.post(V1, {"type": "GET_QUOTA"}).json()["get_quota"]["status"]
    [found] = [one for one in status["configs"] if one["role"] == role]
    assert found["limits"] == limits
    assert operate(target, "UPDATE_QUOTA", quota_configs=[{"role": role}]) == 200


def test_quotas_are_of_scalars_of_roles_at_the_top(target, role):
    for bad in (
        {"role": f"{role}/child", "limits": {"cpus": {"value": 1.0}}},
        {"role": role, "limits": {"cpus": {"value": -1.0}}},
        {"role": role, "guarantees": {"cpus": {"value": 2.0}}, "limits": {"cpus": {"value": 1.0}}},
    ):
        assert operate(target, "UPDATE_QUOTA", quota_configs=[bad]) == 400, bad
