"""ReplicaSets and ReplicationControllers: as many pods as asked for, no more, no fewer.

Which pods go first when there are too many is Kubernetes's own order: those that run least.
"""

from collections.abc import Iterator
from typing import Any

from comity.core.instants import Instant
from comity.kube.controllers import claims
from comity.kube.controllers.actions import Action, Again, CreatePods, Delete, Event, Patch
from comity.kube.controllers.conditions import with_condition
from comity.kube.controllers.objects import (
    Key,
    available_at,
    controller_reference,
    includes,
    instant,
    is_active,
    is_deleting,
    is_ready,
    key_of,
    labels_of,
    selects,
    uid_of,
)
from comity.kube.controllers.view import View

Json = dict[str, Any]

BURST_MAX = 500
"""Pods created or deleted in one look."""

FAILURES_COUNT_S = 120.0
"""How long a failed pod counts as a sign that the next one will fail as well."""

REST_MAX_S = 30.0
"""The longest rest between two rounds of pods that keep failing."""

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


def reconcile(plural: str, key: Key, view: View, now: Instant) -> Iterator[Action]:
    """Yield what brings one ReplicaSet or ReplicationController nearer to its spec."""
    owner = view.get(plural, key)
    if owner is None:
        return
    picks = _selector(owner)
    pods = view.within("pods", key[0])
    yield from claims.claims("pods", owner, pods, picks)
    own = claims.claimed(owner, pods, picks)
    active = [pod for pod in own if is_active(pod)]
    if not is_deleting(owner):
        resting = _rests_until(owner, own, now)
        if resting is not None and len(active) < owner["spec"].get("replicas", 1):
            yield Again(resting)
        else:
            yield from _scale(owner, active)
    yield from _status(plural, owner, active, view, now)


def _selector(owner: Json) -> claims.Picks:
    spec = owner["spec"]
    selector = spec.get("selector")
    if owner["kind"] == "ReplicationController":
        wanted = selector or (spec.get("template") or {}).get("metadata", {}).get("labels") or {}
        return lambda labels: bool(wanted) and includes(wanted, labels)
    return lambda labels: selects(selector, labels)


def _rests_until(owner: Json, own: list[Json], now: Instant) -> Instant | None:
    """Return when pods that keep failing may be replaced again; None when that is now.

    Kubernetes replaces failed pods at once, which fills a cluster with them when none can run. Here
    a whole set may fail and come back at once; each further round within two minutes waits longer.
    """
    failed = [
        created
        for pod in own
        if (pod.get("status") or {}).get("phase") == "Failed"
        and (created := instant(pod["metadata"].get("creationTimestamp"))) is not None
        and created > now - FAILURES_COUNT_S
    ]
    rounds = len(failed) // max(1, owner["spec"].get("replicas", 1))
    if rounds < 2:
        return None
    until = Instant(max(failed) + min(REST_MAX_S, 2.0 ** (rounds - 2)))
    return until if until > now else None


def _scale(owner: Json, active: list[Json]) -> Iterator[Action]:
    wanted = owner["spec"].get("replicas", 1)
    missing = wanted - len(active)
    if missing > 0 and (owner["spec"].get("template") or {}).get("spec"):
        yield CreatePods(new_pod(owner), min(missing, BURST_MAX), owner)
    elif missing < 0:
        for pod in doomed(active, min(-missing, BURST_MAX)):
            yield Delete("pods", key_of(pod), uid_of(pod))
            text = f"Deleted pod: {pod['metadata']['name']}"
            yield Event(owner, "SuccessfulDelete", text)


def new_pod(owner: Json) -> Json:
    """Return a pod of the owner's template, to be named by the API."""
    template = owner["spec"]["template"]
    metadata = template.get("metadata") or {}
    made: Json = {
        "generateName": f"{owner['metadata']['name']}-",
        "namespace": owner["metadata"]["namespace"],
        "ownerReferences": [controller_reference(owner)],
    }
    for field in ("labels", "annotations", "finalizers"):
        if metadata.get(field):
            made[field] = metadata[field]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": made, "spec": template["spec"]}


def doomed(active: list[Json], count: int) -> list[Json]:
    """Return the pods to delete: unassigned, pending and unready ones before those that serve."""
    on_node: dict[str, int] = {}
    for pod in active:
        node = pod["spec"].get("nodeName", "")
        on_node[node] = on_node.get(node, 0) + 1
    return sorted(active, key=lambda pod: _rank(pod, on_node))[:count]


_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def _rank(pod: Json, on_node: dict[str, int]) -> tuple[Any, ...]:
    node = pod["spec"].get("nodeName", "")
    status = pod.get("status") or {}
    ready = is_ready(pod)
    ready_since = available_at(pod, 0) or Instant(0.0)
    created = instant(pod["metadata"].get("creationTimestamp")) or Instant(0.0)
    return (
        bool(node),
        _PHASES.get(status.get("phase", "Pending"), 0),
        ready,
        _deletion_cost(pod),
        -on_node[node],
        -ready_since if ready else 0.0,
        -_restarts(status),
        -created,
        pod["metadata"]["name"],
    )


def _deletion_cost(pod: Json) -> int:
    text = (pod["metadata"].get("annotations") or {}).get(DELETION_COST, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def _restarts(status: Json) -> int:
    return sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or [])


def _status(
    plural: str, owner: Json, active: list[Json], view: View, now: Instant
) -> Iterator[Action]:
    min_ready_s = owner["spec"].get("minReadySeconds") or 0
    template = (owner["spec"].get("template") or {}).get("metadata", {}).get("labels")
    times = [at for pod in active if (at := available_at(pod, min_ready_s)) is not None]
    held = owner.get("status") or {}
    status: Json = {
        "replicas": len(active),
        "fullyLabeledReplicas": sum(includes(template, labels_of(pod)) for pod in active),
        "readyReplicas": len(times),
        "availableReplicas": sum(at <= now for at in times),
        "observedGeneration": owner["metadata"].get("generation", 0),
        "conditions": _conditions(owner, view, now),
    }
    if any(held.get(name, _zero(value)) != value for name, value in status.items()):
        yield Patch(plural, key_of(owner), {"status": status}, "status")
    if later := [at for at in times if at > now]:
        yield Again(min(later))


def _zero(value: Any) -> Any:
    return [] if isinstance(value, list) else 0


def _conditions(owner: Json, view: View, now: Instant) -> list[Json]:
    conditions = (owner.get("status") or {}).get("conditions") or []
    failure = view.failures.get(uid_of(owner))
    if failure is None:
        return [each for each in conditions if each["type"] != "ReplicaFailure"]
    return with_condition(
        conditions, "ReplicaFailure", "True", "FailedCreate", failure, now, has_update_time=False
    )
