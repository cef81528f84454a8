"""What a pod asks of a node: resources, ports, images, tolerations. Pure reading of its JSON."""

from decimal import Decimal
from typing import Any

from msgspec import Struct

from comity.resources import quantities
from comity.resources.amounts import Kind, Resources

Json = dict[str, Any]

DEFAULT_CPU_MILLI = 10
DEFAULT_MEM_MB = 32.0
"""What a pod without requests is counted as: Mesos has no tasks of nothing."""
HOST_IMAGE = "host"
_MB = 1 << 20


class Demand(Struct, frozen=True):
    """What must be there for a pod to be placed."""

    resources: Resources
    needs_images: bool
    needs_host_image: bool


def demand_of(pod: Json) -> Demand:
    """Return what a pod demands.

    Raises:
        ValueError: a quantity cannot be read.
    """
    spec = pod["spec"]
    images = {
        each.get("image", "")
        for each in [*spec.get("containers", ()), *spec.get("initContainers", ())]
    }
    return Demand(_resources(spec), bool(images - {HOST_IMAGE}), HOST_IMAGE in images)


def _resources(spec: Json) -> Resources:
    cpu = max(_sum(spec, "containers", "cpu"), _most(spec, "initContainers", "cpu"))
    memory = max(_sum(spec, "containers", "memory"), _most(spec, "initContainers", "memory"))
    overhead = spec.get("overhead") or {}
    cpu += quantities.parse(overhead.get("cpu", 0))
    memory += quantities.parse(overhead.get("memory", 0))
    cpus_milli = int(cpu * 1000) or DEFAULT_CPU_MILLI
    mem_milli = int(memory * 1000 / _MB) or int(DEFAULT_MEM_MB * 1000)
    found = Resources({Kind("cpus"): cpus_milli, Kind("mem"): mem_milli})
    ports = host_ports(spec)
    if ports:
        found = found + Resources({Kind("ports"): tuple((port, port) for port in sorted(ports))})
    return found


def _requests(spec: Json, part: str, name: str) -> list[Decimal]:
    return [
        quantities.parse(((each.get("resources") or {}).get("requests") or {}).get(name, 0))
        for each in spec.get(part) or ()
    ]


def _sum(spec: Json, part: str, name: str) -> Decimal:
    return sum(_requests(spec, part, name), Decimal(0))


def _most(spec: Json, part: str, name: str) -> Decimal:
    return max(_requests(spec, part, name), default=Decimal(0))


def host_ports(spec: Json) -> set[int]:
    """Return the ports of the host that a pod names."""
    return {
        port["hostPort"]
        for each in spec.get("containers") or ()
        for port in each.get("ports") or ()
        if port.get("hostPort")
    }


def node_of(pod: Json) -> str:
    """Return the name of the node that a pod is bound to, empty while it is to none."""
    return str(pod["spec"].get("nodeName") or "")


def bound_to(pod: Json, node: str) -> Json:
    """Return a pod as it is when bound."""
    return pod | {"spec": pod["spec"] | {"nodeName": node}}


def has_ended(pod: Json) -> bool:
    """Whether a pod has come to its end."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_deleting(pod: Json) -> bool:
    """Whether a pod's deletion was asked for."""
    return "deletionTimestamp" in pod["metadata"]


def was_started(pod: Json) -> bool:
    """Whether a node has ever said anything of a pod."""
    status = pod.get("status") or {}
    said = ("startTime", "initContainerStatuses", "containerStatuses")
    return status.get("phase") not in (None, "Pending") or any(status.get(name) for name in said)


def failed_status(pod: Json, reason: str, message: str, at: str) -> Json:
    """Return the status of a pod whose node cannot say any more that its containers have ended."""
    held = pod.get("status") or {}
    status: Json = {"phase": "Failed", "reason": reason, "message": message}
    if conditions := held.get("conditions"):
        status["conditions"] = [_unready(each, at) for each in conditions]
    for name in ("initContainerStatuses", "containerStatuses"):
        if rows := held.get(name):
            status[name] = [_ended(each, at) for each in rows]
    return status


def _unready(condition: Json, at: str) -> Json:
    if condition["type"] not in ("Ready", "ContainersReady") or condition["status"] == "False":
        return condition
    return {
        **condition,
        "status": "False",
        "reason": "PodFailed",
        "lastTransitionTime": at,
    }


def _ended(row: Json, at: str) -> Json:
    """As a kubelet says of a container that it cannot find: unknown, 137."""
    if "terminated" in row.get("state", {}):
        return row
    started = (row.get("state", {}).get("running") or {}).get("startedAt")
    terminated: Json = {"exitCode": 137, "reason": "ContainerStatusUnknown", "finishedAt": at}
    if started:
        terminated["startedAt"] = started
    return {**row, "ready": False, "started": False, "state": {"terminated": terminated}}


def tolerates(pod: Json, taint: Json) -> bool:
    """Whether a pod may go where a taint is."""
    for each in pod["spec"].get("tolerations") or ():
        if each.get("effect") not in (None, "", taint.get("effect")):
            continue
        if not each.get("key") and each.get("operator") == "Exists":
            return True
        if each.get("key") != taint.get("key"):
            continue
        if each.get("operator") == "Exists" or each.get("value", "") == taint.get("value", ""):
            return True
    return False


def matches_selector(pod: Json, labels: dict[str, str]) -> bool:
    """Whether a node's labels satisfy a pod's nodeSelector and required node affinity."""
    wanted = pod["spec"].get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not required:
        return True
    terms = required.get("nodeSelectorTerms") or ()
    return any(
        all(_matches(labels, each) for each in term.get("matchExpressions") or ())
        for term in terms
        if term.get("matchExpressions")
    )


def _matches(labels: dict[str, str], requirement: Json) -> bool:
    held = labels.get(requirement["key"])
    values = requirement.get("values") or []
    match requirement["operator"]:
        case "In":
            return held in values
        case "NotIn":
            return held not in values
        case "Exists":
            return held is not None
        case "DoesNotExist":
            return held is None
        case "Gt" | "Lt" as operator:
            return _compares(held, values, operator)
        case _:
            return False


def _compares(held: str | None, values: list[str], operator: str) -> bool:
    try:
        left, right = int(held or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return left > right if operator == "Gt" else left < right
