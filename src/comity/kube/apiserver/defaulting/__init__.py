"""Defaults, which no published schema holds: what an absent field means, written into the object.

They apply to every write, as a Go server applies them while decoding. The functions change the
object they are given, which is the request's own.
"""

from collections.abc import Callable

from comity.kube.apiserver.defaulting import pods, services, workloads
from comity.wire.kubernetes import Json


def _secret(obj: Json) -> None:
    obj.setdefault("type", "Opaque")
    if text := obj.pop("stringData", None):
        obj["data"] = (obj.get("data") or {}) | {
            key: services.base64_text(value) for key, value in text.items()
        }


def _node(obj: Json) -> None:
    status = obj.setdefault("status", {})
    if "capacity" in status:
        status.setdefault("allocatable", dict(status["capacity"]))


def _namespace(obj: Json) -> None:
    labels = obj["metadata"].setdefault("labels", {})
    if name := obj["metadata"].get("name"):
        labels.setdefault("kubernetes.io/metadata.name", name)


_BY_KIND: dict[str, Callable[[Json], None]] = {
    "Pod": pods.pod,
    "Deployment": workloads.deployment,
    "ReplicaSet": workloads.replica_set,
    "ReplicationController": workloads.replication_controller,
    "Service": services.service,
    "Endpoints": services.endpoints,
    "Secret": _secret,
    "Node": _node,
    "Namespace": _namespace,
}


def apply(kind: str, obj: Json) -> None:
    """Write the kind's defaults into `obj`."""
    default = _BY_KIND.get(kind)
    if default is not None:
        default(obj)
