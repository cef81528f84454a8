"""Deployments, ReplicaSets and ReplicationControllers."""

from comity.kube.apiserver.validation import metadata, pods
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import FieldError

Errors = list[FieldError]


def deployment(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a Deployment."""
    spec = obj.get("spec") or {}
    errors = _workload(spec, old) + _strategy(spec.get("strategy") or {})
    for name in ("minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"):
        errors += _not_negative(spec, name)
    if spec.get("progressDeadlineSeconds", 600) <= spec.get("minReadySeconds", 0):
        errors.append(
            FieldError.invalid(
                "spec.progressDeadlineSeconds",
                spec["progressDeadlineSeconds"],
                "must be greater than minReadySeconds",
            )
        )
    return errors


def replica_set(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a ReplicaSet."""
    spec = obj.get("spec") or {}
    return _workload(spec, old) + _not_negative(spec, "minReadySeconds")


def replication_controller(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a ReplicationController, whose selector is a plain map."""
    spec = obj.get("spec") or {}
    errors = _not_negative(spec, "replicas") + _not_negative(spec, "minReadySeconds")
    selector = spec.get("selector") or {}
    if not selector:
        errors.append(FieldError.required("spec.selector"))
    template = spec.get("template")
    if template is None:
        return [*errors, FieldError.required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        errors.append(_mismatch("spec.template.metadata.labels", labels))
    return errors + pods.template(template, "spec.template")


def _mismatch(field: str, labels: Json) -> FieldError:
    return FieldError.invalid(field, labels, "`selector` does not match template `labels`")


def _not_negative(spec: Json, name: str) -> Errors:
    if spec.get(name, 0) < 0:
        text = "must be greater than or equal to 0"
        return [FieldError.invalid(f"spec.{name}", spec[name], text)]
    return []


def _workload(spec: Json, old: Json | None) -> Errors:
    errors = _not_negative(spec, "replicas")
    selector = spec.get("selector")
    if selector is not None:
        errors += _selector(selector)
    if old is not None and selector != (old.get("spec") or {}).get("selector"):
        errors.append(FieldError.invalid("spec.selector", selector, "field is immutable"))
    template = spec.get("template")
    if template is None:
        # A ReplicaSet's schema does not require its template; the API does.
        return [*errors, FieldError.required("spec.template")]
    labels = (template.get("metadata") or {}).get("labels") or {}
    if selector is not None and not matches(selector, labels):
        errors.append(_mismatch("spec.template.metadata.labels", labels))
    return errors + pods.template(template, "spec.template")


def _selector(selector: Json) -> Errors:
    given = selector.get("matchLabels") or {}
    errors = metadata.labels(given, "spec.selector.matchLabels")
    if not given and not selector.get("matchExpressions"):
        text = "empty selector is invalid for deployment"
        errors.append(FieldError.invalid("spec.selector", selector, text))
    for i, each in enumerate(selector.get("matchExpressions") or []):
        at = f"spec.selector.matchExpressions[{i}]"
        values = each.get("values") or []
        if each.get("operator") not in ("In", "NotIn", "Exists", "DoesNotExist"):
            text = "not a valid selector operator"
            errors.append(FieldError.invalid(f"{at}.operator", each.get("operator"), text))
        elif each["operator"] in ("In", "NotIn") and not values:
            text = "must be specified when `operator` is 'In' or 'NotIn'"
            errors.append(FieldError.required(f"{at}.values", text))
        elif each["operator"] in ("Exists", "DoesNotExist") and values:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(FieldError.forbidden(f"{at}.values", text))
    return errors


def matches(selector: Json, labels: Json) -> bool:
    """Whether a LabelSelector selects these labels."""
    given = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in given.items()):
        return False
    return all(_is_met(each, labels) for each in selector.get("matchExpressions") or [])


def _is_met(requirement: Json, labels: Json) -> bool:
    value = labels.get(requirement.get("key", ""))
    values = requirement.get("values") or []
    operator = requirement.get("operator")
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    return (value is not None) is (operator == "Exists")


def _strategy(strategy: Json) -> Errors:
    kind = strategy.get("type")
    if kind not in ("Recreate", "RollingUpdate"):
        known = ("Recreate", "RollingUpdate")
        return [FieldError.unsupported("spec.strategy.type", kind, known)]
    rolling = strategy.get("rollingUpdate")
    if kind == "Recreate" and rolling is not None:
        text = "may not be specified when strategy `type` is 'Recreate'"
        return [FieldError.forbidden("spec.strategy.rollingUpdate", text)]
    errors: Errors = []
    for name in ("maxUnavailable", "maxSurge"):
        errors += _share((rolling or {}).get(name, 0), f"spec.strategy.rollingUpdate.{name}")
    if not errors and all(
        str((rolling or {}).get(n)).rstrip("%") == "0" for n in ("maxUnavailable", "maxSurge")
    ):
        text = "may not be 0 when `maxSurge` is 0"
        at = "spec.strategy.rollingUpdate.maxUnavailable"
        errors.append(FieldError.invalid(at, (rolling or {})["maxUnavailable"], text))
    return errors


def _share(value: str | int, field: str) -> Errors:
    if isinstance(value, int):
        is_valid = value >= 0
    else:
        is_valid = value.endswith("%") and value[:-1].isdigit()
    text = "must be a number that is not negative, or a percentage (e.g. 25%)"
    return [] if is_valid else [FieldError.invalid(field, value, text)]
