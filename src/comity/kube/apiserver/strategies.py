"""What a kind does with a new or changed object beyond defaults: status, generation, admission.

`prepare_create` and `prepare_update` change the object they are given, which is the request's own.
"""

from collections.abc import Callable

from comity.core.instants import Instant
from comity.kube.apiserver import qos
from comity.wire.kubernetes import Json, timestamps
from comity.wire.kubernetes.resources import Resource

_TOLERATED = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATION_S = 300
_KEPT_LABELS = ("Pod", "Node")
"""Kinds whose labels may be changed through the status subresource."""


def prepare_create(resource: Resource, obj: Json) -> None:
    """Give a new object its first status and generation."""
    if resource.has_generation:
        obj["metadata"]["generation"] = 1
    if resource.has_status and resource.kind != "Node":
        obj["status"] = {}
    prepare = _ON_CREATE.get(resource.kind)
    if prepare is not None:
        prepare(obj)


def _pod(obj: Json) -> None:
    spec = obj["spec"]
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("priority", _PRIORITIES.get(spec.get("priorityClassName", ""), 0))
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    for key in _TOLERATED:
        if not any(_is_tolerated(each, key) for each in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _TOLERATION_S,
                }
            )
    obj["status"] = {"phase": "Pending", "qosClass": qos.class_of(spec)}


_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}


def _is_tolerated(toleration: Json, key: str) -> bool:
    is_effect = toleration.get("effect", "") in ("", "NoExecute")
    return is_effect and toleration.get("key", "") in ("", key)


def _namespace(obj: Json) -> None:
    obj["spec"] = {"finalizers": ["kubernetes"]}
    obj["status"] = {"phase": "Active"}


def _service(obj: Json) -> None:
    obj["status"] = {"loadBalancer": {}}


def _replicas(obj: Json) -> None:
    obj["status"] = {"replicas": 0}


_ON_CREATE: dict[str, Callable[[Json], None]] = {
    "Pod": _pod,
    "Namespace": _namespace,
    "Service": _service,
    "ReplicaSet": _replicas,
    "ReplicationController": _replicas,
}


def prepare_update(resource: Resource, old: Json, new: Json) -> Json:
    """Return the object that a write to the main path leaves: status stays, generation counts."""
    if resource.has_status:
        new = _with(new, "status", old.get("status"))
    if resource.kind == "Namespace":
        new = _with(new, "spec", old.get("spec"))
    if resource.has_generation:
        new["metadata"]["generation"] = _generation(old, new)
    return new


def prepare_status(resource: Resource, old: Json, new: Json) -> Json:
    """Return the object that a write to the status path leaves: all but status stays."""
    metadata = dict(old["metadata"])
    taken = ["annotations", "finalizers", "resourceVersion"]
    if resource.kind in _KEPT_LABELS:
        taken.append("labels")
    for name in taken:
        if name in new["metadata"]:
            metadata[name] = new["metadata"][name]
        elif name != "resourceVersion":
            metadata.pop(name, None)
    return _with({**old, "metadata": metadata}, "status", new.get("status", {}))


def _with(obj: Json, name: str, value: object) -> Json:
    out = {key: each for key, each in obj.items() if key != name}
    if value is not None:
        out[name] = value
    return out


def _generation(old: Json, new: Json) -> int:
    held = int(old["metadata"].get("generation", 1))
    mine = {key: each for key, each in new.items() if key not in ("metadata", "status")}
    theirs = {key: each for key, each in old.items() if key not in ("metadata", "status")}
    return held + (mine != theirs)


def mark_deleted(resource: Resource, obj: Json, now: Instant, grace_s: int) -> Json:
    """Return the object with its deletion begun, to be over after `grace_s`."""
    metadata = obj["metadata"] | {
        "deletionTimestamp": timestamps.render(now + grace_s),
        "deletionGracePeriodSeconds": grace_s,
    }
    if resource.has_generation and "deletionTimestamp" not in obj["metadata"]:
        metadata["generation"] = int(obj["metadata"].get("generation", 1)) + 1
    out = obj | {"metadata": metadata}
    if resource.kind == "Namespace":
        out["status"] = (obj.get("status") or {}) | {"phase": "Terminating"}
    return out
