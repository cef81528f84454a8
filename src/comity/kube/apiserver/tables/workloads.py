"""Tables of ReplicaSets, ReplicationControllers and Deployments."""

from comity.core.instants import Instant
from comity.kube.apiserver.tables.columns import (
    AGE,
    NAME,
    Cells,
    age,
    column,
    containers,
    labels,
    name,
    selector,
)
from comity.wire.kubernetes import Json

_WIDE = [
    column("Containers", wide=True),
    column("Images", wide=True),
    column("Selector", wide=True),
]
_REPLICAS = [
    NAME,
    column("Desired", "integer"),
    column("Current", "integer"),
    column("Ready", "integer"),
    AGE,
    *_WIDE,
]
_DEPLOYMENT = [
    NAME,
    column("Ready"),
    column("Up-to-date", "integer"),
    column("Available", "integer"),
    AGE,
    *_WIDE,
]


def _parts(obj: Json) -> tuple[Json, Json]:
    return obj.get("spec") or {}, obj.get("status") or {}


def _replica_set(obj: Json, now: Instant) -> list[object]:
    return _replicas(obj, now, selector(_parts(obj)[0].get("selector")))


def _replication_controller(obj: Json, now: Instant) -> list[object]:
    return _replicas(obj, now, labels(_parts(obj)[0].get("selector")))


def _replicas(obj: Json, now: Instant, wanted: str) -> list[object]:
    spec, status = _parts(obj)
    counts = [spec.get("replicas", 0), status.get("replicas", 0), status.get("readyReplicas", 0)]
    return [name(obj), *counts, age(obj, now), *containers(spec.get("template")), wanted]


def _deployment(obj: Json, now: Instant) -> list[object]:
    spec, status = _parts(obj)
    return [
        name(obj),
        f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 0)}",
        status.get("updatedReplicas", 0),
        status.get("availableReplicas", 0),
        age(obj, now),
        *containers(spec.get("template")),
        selector(spec.get("selector")),
    ]


TABLES: dict[str, tuple[list[Json], Cells]] = {
    "ReplicaSet": (_REPLICAS, _replica_set),
    "ReplicationController": (_REPLICAS, _replication_controller),
    "Deployment": (_DEPLOYMENT, _deployment),
}
