"""What tests of reservations and volumes say to a Mesos cluster over HTTP, and ask of it."""

import json

ROLE = "contract-r"


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
