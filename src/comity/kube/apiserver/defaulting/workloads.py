"""Defaults of Deployments, ReplicaSets and ReplicationControllers."""

from comity.kube.apiserver.defaulting import pods
from comity.wire.kubernetes import Json


def deployment(obj: Json) -> None:
    """Write the defaults of a Deployment."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        rolling.setdefault("maxUnavailable", "25%")
        rolling.setdefault("maxSurge", "25%")
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    if "template" in spec:
        pods.template(spec["template"])


def replica_set(obj: Json) -> None:
    """Write the defaults of a ReplicaSet."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "template" in spec:
        pods.template(spec["template"])


def replication_controller(obj: Json) -> None:
    """Write the defaults of a ReplicationController, whose template's labels serve as its own."""
    spec = obj.setdefault("spec", {})
    spec.setdefault("replicas", 1)
    if "template" not in spec:
        return
    pods.template(spec["template"])
    labels = (spec["template"].get("metadata") or {}).get("labels")
    if labels:
        spec.setdefault("selector", dict(labels))
        obj["metadata"].setdefault("labels", dict(labels))
