"""Services and Endpoints."""

from comity.kube.apiserver.validation import metadata
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import FieldError

Errors = list[FieldError]

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")


def service(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with a Service."""
    spec = obj.get("spec") or {}
    errors: Errors = []
    if spec.get("type") not in _TYPES:
        errors.append(FieldError.unsupported("spec.type", spec.get("type"), _TYPES))
    if spec.get("sessionAffinity") not in ("ClientIP", "None"):
        errors.append(
            FieldError.unsupported(
                "spec.sessionAffinity", spec.get("sessionAffinity"), ("ClientIP", "None")
            )
        )
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        errors.append(FieldError.required("spec.externalName"))
    is_headless = spec.get("clusterIP") == "None"
    if not spec.get("ports") and not is_headless and spec.get("type") != "ExternalName":
        errors.append(FieldError.required("spec.ports"))
    errors += _ports(spec.get("ports") or [])
    errors += metadata.labels(spec.get("selector") or {}, "spec.selector")
    if old is not None:
        errors += _unchanged(spec, old.get("spec") or {})
    return errors


def _ports(ports: list[Json]) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    taken: set[tuple[object, object]] = set()
    for i, each in enumerate(ports):
        at = f"spec.ports[{i}]"
        name = each.get("name", "")
        if len(ports) > 1 and not name:
            errors.append(FieldError.required(f"{at}.name"))
        elif name and not metadata.is_label(name):
            fault = metadata.name_fault("Namespace", name)
            errors.append(FieldError.invalid(f"{at}.name", name, fault))
        elif name in names:
            errors.append(FieldError.duplicate(f"{at}.name", name))
        names.add(name)
        if "port" in each and not 1 <= each["port"] <= 65535:
            text = "must be between 1 and 65535, inclusive"
            errors.append(FieldError.invalid(f"{at}.port", each["port"], text))
        if each.get("protocol") not in ("SCTP", "TCP", "UDP"):
            errors.append(
                FieldError.unsupported(
                    f"{at}.protocol", each.get("protocol"), ("SCTP", "TCP", "UDP")
                )
            )
        pair = (each.get("port"), each.get("protocol"))
        if pair in taken:
            errors.append(FieldError.duplicate(at, {"port": pair[0], "protocol": pair[1]}))
        taken.add(pair)
    return errors


def _unchanged(new: Json, old: Json) -> Errors:
    held = old.get("clusterIP")
    if held and new.get("type") != "ExternalName" and new.get("clusterIP", held) != held:
        text = "may not change once set"
        return [FieldError.invalid("spec.clusterIPs[0]", [new["clusterIP"]], text)]
    return []


def endpoints(obj: Json, old: Json | None) -> Errors:
    """Return what is wrong with Endpoints."""
    errors: Errors = []
    for i, subset in enumerate(obj.get("subsets") or []):
        at = f"subsets[{i}]"
        if not subset.get("addresses") and not subset.get("notReadyAddresses"):
            errors.append(
                FieldError.required(at, "must specify `addresses` or `notReadyAddresses`")
            )
        for j, port in enumerate(subset.get("ports") or []):
            if not 1 <= port.get("port", 1) <= 65535:
                text = "must be between 1 and 65535, inclusive"
                errors.append(FieldError.invalid(f"{at}.ports[{j}].port", port["port"], text))
    return errors
