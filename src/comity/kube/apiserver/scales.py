"""The scale subresource: a workload's replicas as autoscaling/v1 Scale, and back."""

from comity.wire.kubernetes import Json

DEFINITION = "io.k8s.api.autoscaling.v1.Scale"
KIND = "Scale"
API_VERSION = "autoscaling/v1"


def of(obj: Json) -> Json:
    """Return the Scale of a workload."""
    metadata = obj["metadata"]
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return {
        "kind": KIND,
        "apiVersion": API_VERSION,
        "metadata": {name: metadata[name] for name in kept if name in metadata},
        "spec": {"replicas": spec.get("replicas", 0)},
        "status": {"replicas": status.get("replicas", 0), "selector": _text(spec.get("selector"))},
    }


def _text(selector: Json | None) -> str:
    if not selector:
        return ""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return _pairs(selector)
    parts = [_pairs(selector.get("matchLabels") or {})]
    parts += [_expression(each) for each in selector.get("matchExpressions") or []]
    return ",".join(filter(None, parts))


def _pairs(labels: Json) -> str:
    return ",".join(f"{key}={labels[key]}" for key in sorted(labels))


def _expression(requirement: Json) -> str:
    key, operator = requirement["key"], requirement["operator"]
    if operator == "Exists":
        return str(key)
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {operator.lower()} ({','.join(requirement.get('values') or [])})"
