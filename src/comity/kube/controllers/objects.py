"""Questions that every controller asks of an object's JSON."""

from typing import Any

from comity.core.instants import Instant
from comity.wire.kubernetes import timestamps

Json = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty when the kind has none) and name."""


def key_of(item: Json) -> Key:
    """Return the namespace and name of an object."""
    metadata = item["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def uid_of(item: Json) -> str:
    """Return an object's uid."""
    return str(item["metadata"].get("uid", ""))


def is_deleting(item: Json) -> bool:
    """Whether somebody has asked for the object's deletion."""
    return bool(item["metadata"].get("deletionTimestamp"))


def owners(item: Json) -> list[Json]:
    """Return the object's owner references."""
    return item["metadata"].get("ownerReferences") or []


def controller_of(item: Json) -> Json | None:
    """Return the owner reference that is marked as the controller."""
    for owner in owners(item):
        if owner.get("controller"):
            return owner
    return None


def controller_reference(owner: Json) -> Json:
    """Return the reference that a controller puts on what it makes."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def instant(text: str | None) -> Instant | None:
    """Return the instant that a timestamp of an object stands for; None when it has none."""
    if not text:
        return None
    try:
        return timestamps.parse(text)
    except ValueError:
        return None


def labels_of(item: Json) -> Json:
    """Return an object's labels."""
    return item["metadata"].get("labels") or {}


def selects(selector: Json | None, labels: Json) -> bool:
    """Whether a LabelSelector picks these labels; an empty one picks all, an absent one none."""
    if selector is None:
        return False
    if not includes(selector.get("matchLabels"), labels):
        return False
    return all(_meets(each, labels) for each in selector.get("matchExpressions") or [])


def includes(wanted: Json | None, labels: Json) -> bool:
    """Whether all wanted labels are there."""
    return all(labels.get(name) == value for name, value in (wanted or {}).items())


def _meets(expression: Json, labels: Json) -> bool:
    name, values = expression["key"], expression.get("values") or []
    operator = expression["operator"]
    if operator in ("In", "NotIn"):
        return (labels.get(name) in values) is (operator == "In")
    return (name in labels) is (operator == "Exists")


def condition(item: Json, kind: str) -> Json | None:
    """Return one of the object's status conditions."""
    for each in (item.get("status") or {}).get("conditions") or []:
        if each.get("type") == kind:
            found: Json = each
            return found
    return None


def is_active(pod: Json) -> bool:
    """Whether a pod counts as one that runs or will: not ended, not being deleted."""
    return not is_deleting(pod) and not has_ended(pod)


def has_ended(pod: Json) -> bool:
    """Whether all containers of a pod have ended for good."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def is_ready(pod: Json) -> bool:
    """Whether a pod says that it is ready."""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def available_at(pod: Json, min_ready_s: int) -> Instant | None:
    """Return when a ready pod counts as available; None when it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found.get("status") != "True":
        return None
    since = instant(found.get("lastTransitionTime"))
    return Instant((since if since is not None else Instant(0.0)) + min_ready_s)
