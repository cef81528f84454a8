"""Which node a pod goes to: filters that say why not, and a score for the rest."""

from typing import Any

from comity.kube.scheduler import pods
from comity.kube.scheduler.pods import Demand
from comity.kube.scheduler.state import ATTRIBUTE_LABEL, Node, annotation
from comity.resources import quantities, ranges
from comity.resources.amounts import Kind, Resources

Json = dict[str, Any]

REJECTIONS = {
    "Insufficient cpu": "OutOfcpu",
    "Insufficient memory": "OutOfmemory",
    "node(s) didn't have free ports for the requested pod ports": "NodePorts",
}
"""What a kubelet gives as the reason when a pod that is bound to it does not fit."""

_FATAL = ("NoSchedule", "NoExecute")


def why_not(pod: Json, demand: Demand, node: Node, extra: Resources) -> str | None:
    """Return why a pod cannot go to a node, in the words of kube-scheduler; None when it can.

    `extra` is what the node needs besides, for its executor.
    """
    obj = node.obj
    if obj is None:
        return "node(s) were not registered yet"
    wanted = pod["spec"].get("nodeName")
    if wanted and wanted != node.name:
        return "node(s) didn't match the requested node name"
    # Who is bound is past taints and selectors.
    fault = None if wanted else _of_node(pod, demand, obj)
    if fault is not None:
        return fault
    needed = demand.resources + extra
    if node.free.milli_of("cpus") < needed.milli_of("cpus"):
        return "Insufficient cpu"
    if node.free.milli_of("mem") < needed.milli_of("mem"):
        return "Insufficient memory"
    if not ranges.contains(node.free.ranges_of("ports"), needed.ranges_of("ports")):
        return "node(s) didn't have free ports for the requested pod ports"
    return None


def _of_node(pod: Json, demand: Demand, obj: Json) -> str | None:
    spec = obj.get("spec") or {}
    tolerated = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    if spec.get("unschedulable") and not pods.tolerates(pod, tolerated):
        return "node(s) were unschedulable"
    for taint in spec.get("taints") or ():
        if taint.get("effect") in _FATAL and not pods.tolerates(pod, taint):
            return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    labels = obj["metadata"].get("labels") or {}
    if not pods.matches_selector(pod, labels):
        return "node(s) didn't match Pod's node affinity/selector"
    if demand.needs_images and labels.get(f"{ATTRIBUTE_LABEL}comity_images") == "none":
        why = annotation(obj, f"{ATTRIBUTE_LABEL}comity_images_missing") or "no OCI runtime"
        return f"node(s) cannot run images: {why}"
    if demand.needs_host_image and (labels.get(f"{ATTRIBUTE_LABEL}comity_host_image") == "false"):
        return "node(s) forbid the image name 'host': use an image"
    return None


def choose(
    pod: Json, demand: Demand, nodes: list[tuple[Node, Resources]]
) -> tuple[Node | None, str]:
    """Return the best node for a pod, or None and the sentence that says why there is none."""
    best: tuple[float, int, str] | None = None
    found: Node | None = None
    reasons: dict[str, int] = {}
    for node, extra in nodes:
        fault = why_not(pod, demand, node, extra)
        if fault is not None:
            reasons[fault] = reasons.get(fault, 0) + 1
            continue
        score = (-_left(node, demand), node.pods + len(node.binding), node.name)
        if best is None or score < best:
            best, found = score, node
    if found is not None:
        return found, ""
    shown = ", ".join(f"{count} {text}" for text, count in sorted(reasons.items()))
    sentence = (
        f"0/{len(nodes)} nodes are available: {shown or 'no agent has offered resources yet'}."
    )
    return None, sentence


def _left(node: Node, demand: Demand) -> float:
    """Return how free a node would remain, from 0 to 1: the least of cpu and memory."""
    capacity = (node.obj or {}).get("status", {}).get("capacity") or {}
    shares = []
    for name, resource in (("cpu", "cpus"), ("memory", "mem")):
        total = _number(capacity.get(name))
        left = node.free.milli_of(resource) - demand.resources.milli_of(resource)
        if total:
            factor = 1000 if name == "cpu" else 1000 / (1 << 20)
            shares.append(left / (total * factor))
    return min(shares, default=0.0)


def _number(quantity: object) -> float:
    try:
        return float(quantities.parse(quantity)) if quantity else 0.0  # type: ignore[arg-type]
    except ValueError:
        return 0.0


def executor_needs(node: Node, cpus: float, mem: float) -> Resources:
    """Return what a node's executor needs when it does not run yet."""
    if node.has_executor:
        return Resources()
    port = node.kubelet_port
    return Resources.scalars(cpus=cpus, mem=mem) + Resources({Kind("ports"): ((port, port),)})
