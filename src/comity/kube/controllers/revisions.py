"""A Deployment's ReplicaSets: one per pod template it has had, numbered."""

import hashlib
from typing import Any

import msgspec

from comity.kube.controllers.objects import controller_reference
from comity.kube.controllers.rollouts import DESIRED, MAX, Bounds

Json = dict[str, Any]

HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
CHANGE_CAUSE = "kubernetes.io/change-cause"

_NOT_COPIED = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", REVISION, DESIRED, MAX}
)

_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and nothing that looks like something else: names stay harmless."""


def find_new(deployment: Json, sets: list[Json]) -> Json | None:
    """Return the oldest ReplicaSet with the Deployment's present pod template."""
    wanted = _comparable(deployment["spec"]["template"])
    matching = [each for each in sets if _comparable(each["spec"]["template"]) == wanted]
    matching.sort(key=lambda each: (each["metadata"].get("creationTimestamp", ""), _name(each)))
    return matching[0] if matching else None


def _name(item: Json) -> str:
    return str(item["metadata"]["name"])


def _comparable(template: Json) -> Json:
    metadata = dict(template.get("metadata") or {})
    metadata.pop("creationTimestamp", None)
    labels = dict(metadata.pop("labels", None) or {})
    labels.pop(HASH, None)
    annotations = metadata.pop("annotations", None) or {}
    return {**template, "metadata": {**metadata, "labels": labels, "annotations": annotations}}


def template_hash(template: Json, collisions: int) -> str:
    """Return a short name for a pod template."""
    text = msgspec.json.encode(_comparable(template), order="deterministic")
    number = int.from_bytes(
        hashlib.blake2b(text + collisions.to_bytes(4, "big"), digest_size=8).digest(), "big"
    )
    digits = []
    for _ in range(10):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def revision(item: Json) -> int:
    """Return the number that an object has; 0 when it has none."""
    text = (item["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def next_revision(sets: list[Json]) -> int:
    """Return the number for a template that becomes the present one."""
    return max(map(revision, sets), default=0) + 1


def annotations_for(deployment: Json, limits: Bounds, number: int) -> Json:
    """Return the annotations of a ReplicaSet of this Deployment."""
    own = deployment["metadata"].get("annotations") or {}
    copied = {name: value for name, value in own.items() if name not in _NOT_COPIED}
    return copied | {
        REVISION: str(number),
        DESIRED: str(limits.replicas),
        MAX: str(limits.most),
    }


def new_replica_set(deployment: Json, limits: Bounds, number: int, replicas: int) -> Json:
    """Return a ReplicaSet for the Deployment's present pod template."""
    spec = deployment["spec"]
    collisions = (deployment.get("status") or {}).get("collisionCount") or 0
    name = template_hash(spec["template"], collisions)
    template = dict(spec["template"])
    metadata = dict(template.get("metadata") or {})
    labels = {**(metadata.get("labels") or {}), HASH: name}
    template["metadata"] = {**metadata, "labels": labels}
    selector = dict(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH: name}
    made: Json = {"replicas": replicas, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        made["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{deployment['metadata']['name']}-{name}",
            "namespace": deployment["metadata"]["namespace"],
            "labels": labels,
            "annotations": annotations_for(deployment, limits, number),
            "ownerReferences": [controller_reference(deployment)],
        },
        "spec": made,
    }
