"""The quality-of-service class of a pod, from its requests and limits."""

from comity.resources import quantities
from comity.wire.kubernetes import Json

_COUNTED = ("cpu", "memory")


def class_of(spec: Json) -> str:
    """Return `Guaranteed`, `Burstable` or `BestEffort`."""
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    resources = [each.get("resources") or {} for each in containers]
    if not any(_given(each, part) for each in resources for part in ("requests", "limits")):
        return "BestEffort"
    return "Guaranteed" if all(map(_is_guaranteed, resources)) else "Burstable"


def _given(resources: Json, part: str) -> bool:
    held = resources.get(part) or {}
    return any(name in held and quantities.parse(held[name]) for name in _COUNTED)


def _is_guaranteed(resources: Json) -> bool:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    return all(
        name in limits
        and quantities.parse(limits[name]) == quantities.parse(requests.get(name, limits[name]))
        for name in _COUNTED
    )
