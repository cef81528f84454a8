"""Validation: what an object must look like, with a cause for every field that does not.

Required fields come from the published schema (`shapes`); formats, cross-field rules and what may
not change come from here. Anything not checked here is stored as it was sent.
"""

from collections.abc import Callable

from comity.kube.apiserver.validation import metadata, pods, services, workloads
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.resources import Resource
from comity.wire.kubernetes.status import FieldError

Errors = list[FieldError]


def _configuration(obj: Json, old: Json | None) -> Errors:
    errors = []
    for part in ("data", "binaryData"):
        for key in obj.get(part) or {}:
            if not metadata.is_config_key(key):
                detail = (
                    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"
                )
                errors.append(FieldError.invalid(f"{part}[{key}]", key, detail))
    if old is not None and old.get("immutable"):
        changed = [part for part in ("data", "binaryData") if obj.get(part) != old.get(part)]
        changed += [] if obj.get("immutable") else ["immutable"]
        detail = "field is immutable when `immutable` is set"
        errors += [FieldError.forbidden(part, detail) for part in changed]
    if old is not None and obj.get("type") != old.get("type"):
        errors.append(FieldError.invalid("type", obj.get("type"), "field is immutable"))
    return errors


def _event(obj: Json, old: Json | None) -> Errors:
    involved = obj.get("involvedObject", {}).get("namespace", "")
    namespace = obj["metadata"].get("namespace", "")
    if involved and involved != namespace:
        return [
            FieldError.invalid(
                "involvedObject.namespace", involved, "does not match event.namespace"
            )
        ]
    return []


def _lease(obj: Json, old: Json | None) -> Errors:
    seconds = (obj.get("spec") or {}).get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        return [FieldError.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")]
    return []


_BY_KIND: dict[str, Callable[[Json, Json | None], Errors]] = {
    "Pod": pods.pod,
    "Service": services.service,
    "Endpoints": services.endpoints,
    "Deployment": workloads.deployment,
    "ReplicaSet": workloads.replica_set,
    "ReplicationController": workloads.replication_controller,
    "ConfigMap": _configuration,
    "Secret": _configuration,
    "Event": _event,
    "Lease": _lease,
}


def check(resource: Resource, obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a new object (`old` None) or with a change of `old`."""
    errors = metadata.check(resource, obj["metadata"], None if old is None else old["metadata"])
    check_kind = _BY_KIND.get(resource.kind)
    return errors + (check_kind(obj, old) if check_kind is not None else [])
