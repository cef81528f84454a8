"""Column definitions and cells that many tables share."""

from collections.abc import Callable

from comity.core.instants import Instant
from comity.wire.kubernetes import Json, timestamps

Cells = Callable[[Json, Instant], list[object]]


def column(name: str, kind: str = "string", *, wide: bool = False, style: str = "") -> Json:
    """Return a TableColumnDefinition."""
    return {
        "name": name,
        "type": kind,
        "format": style,
        "description": name,
        "priority": 1 if wide else 0,
    }


NAME = column("Name", style="name")
AGE = column("Age")


def name(obj: Json) -> str:
    """Return an object's name."""
    return str(obj["metadata"]["name"])


def age(obj: Json, now: Instant) -> str:
    """Return how old an object is."""
    return timestamps.age(obj["metadata"].get("creationTimestamp"), now)


def labels(pairs: Json | None) -> str:
    """Return labels as `a=b,c=d`, `<none>` when there are none."""
    if not pairs:
        return "<none>"
    return ",".join(f"{key}={pairs[key]}" for key in sorted(pairs))


def selector(wanted: Json | None) -> str:
    """Return a label selector in the text form of queries."""
    if not wanted:
        return "<none>"
    parts = [f"{key}={value}" for key, value in sorted((wanted.get("matchLabels") or {}).items())]
    for each in wanted.get("matchExpressions") or []:
        key, operator = each["key"], each["operator"]
        if operator in ("In", "NotIn"):
            parts.append(f"{key} {operator.lower()} ({','.join(each.get('values') or [])})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts) or "<none>"


def containers(template: Json | None) -> tuple[str, str]:
    """Return the names and the images of a pod template's containers."""
    found = ((template or {}).get("spec") or {}).get("containers") or []
    names = ",".join(each["name"] for each in found)
    return names, ",".join(each.get("image", "") for each in found)
