"""Nodes whose executor has stopped renewing its lease: neither they nor their pods are ready.

Whether an agent is lost is for Mesos to say: the scheduler hears it and ends the pods' tasks. Here
only what people and Endpoints see is kept honest meanwhile. A node without running pods has no
executor, and no lease to renew.
"""

from collections.abc import Iterator
from typing import Any

from comity.core.instants import Instant
from comity.kube.controllers.actions import Action, Again, Event, Patch
from comity.kube.controllers.conditions import with_condition
from comity.kube.controllers.objects import condition, has_ended, instant, is_ready, key_of
from comity.kube.controllers.view import View
from comity.wire.kubernetes import timestamps

Json = dict[str, Any]

LEASES = "kube-node-lease"
GRACE_S = 40.0
"""How old a lease may be; Kubernetes's own default."""


def reconcile(name: str, view: View, now: Instant) -> Iterator[Action]:
    """Yield what a stale lease means for one node and its pods."""
    node = view.get("nodes", ("", name))
    lease = view.get("leases", (LEASES, name))
    if node is None or lease is None:
        return
    renewed = instant((lease.get("spec") or {}).get("renewTime"))
    pods = [pod for pod in view.all("pods") if pod["spec"].get("nodeName") == name]
    running = [pod for pod in pods if not has_ended(pod)]
    if renewed is None or not running:
        return
    if now < renewed + GRACE_S:
        yield Again(Instant(renewed + GRACE_S))
        return
    held = condition(node, "Ready")
    if held is not None and held.get("status") == "True":
        yield _unknown(node, now)
        text = f"Node {name} status is now: NodeNotReady"
        yield Event(node, "NodeNotReady", text, is_warning=True)
    for pod in running:
        if is_ready(pod):
            yield _unready(pod, now)


def _unknown(node: Json, now: Instant) -> Patch:
    conditions = with_condition(
        node["status"]["conditions"],
        "Ready",
        "Unknown",
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
        now,
        has_update_time=False,
    )
    return Patch("nodes", key_of(node), {"status": {"conditions": conditions}}, "status")


def _unready(pod: Json, now: Instant) -> Patch:
    stamp = timestamps.render(now)
    conditions = [
        {**each, "status": "False", "lastTransitionTime": stamp}
        if each.get("type") == "Ready"
        else each
        for each in pod["status"]["conditions"]
    ]
    return Patch("pods", key_of(pod), {"status": {"conditions": conditions}}, "status")
