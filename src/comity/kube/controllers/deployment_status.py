"""A Deployment's status: counts, whether it is available, and whether it gets on."""

from collections.abc import Iterator
from typing import Any

from comity.core.instants import Instant
from comity.kube.controllers.actions import Action, Again, Patch
from comity.kube.controllers.conditions import with_condition
from comity.kube.controllers.objects import condition, instant, key_of
from comity.kube.controllers.rollouts import Bounds, count, size
from comity.wire.kubernetes import timestamps

Json = dict[str, Any]

_COUNTS = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")


def actions(
    deployment: Json, new: Json | None, old: list[Json], limits: Bounds, now: Instant
) -> Iterator[Action]:
    """Yield what brings the status up to date, and when to look again by itself."""
    held = deployment.get("status") or {}
    sets = [*old, *([new] if new is not None else [])]
    status = _counts(deployment, new, sets)
    conditions = held.get("conditions") or []
    conditions = _availability(conditions, status, limits, now)
    conditions = _progress(deployment, conditions, status, new, old, now)
    conditions = _failures(conditions, sets, now)
    status["conditions"] = conditions
    differing = [
        name
        for name, value in status.items()
        if held.get(name, [] if name == "conditions" else 0) != value
    ]
    if differing:
        yield Patch("deployments", key_of(deployment), {"status": status}, "status")
    deadline = _deadline(deployment, conditions)
    if deadline is not None and deadline > now and not _is_complete(status, limits):
        yield Again(deadline)


def _counts(deployment: Json, new: Json | None, sets: list[Json]) -> Json:
    replicas = sum(count(each, "replicas") for each in sets)
    available = sum(count(each, "availableReplicas") for each in sets)
    return {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": replicas,
        "updatedReplicas": count(new, "replicas") if new is not None else 0,
        "readyReplicas": sum(count(each, "readyReplicas") for each in sets),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(size, sets)) - available),
    }


def _availability(conditions: list[Json], status: Json, limits: Bounds, now: Instant) -> list[Json]:
    if status["availableReplicas"] >= limits.least_available:
        reason, text, value = (
            "MinimumReplicasAvailable",
            "Deployment has minimum availability.",
            "True",
        )
    else:
        reason, text, value = (
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            "False",
        )
    return with_condition(conditions, "Available", value, reason, text, now)


def _is_complete(status: Json, limits: Bounds) -> bool:
    return all(status[name] == limits.replicas for name in _COUNTS if name != "readyReplicas")


def _progress(
    deployment: Json,
    conditions: list[Json],
    status: Json,
    new: Json | None,
    old: list[Json],
    now: Instant,
) -> list[Json]:
    """Say whether the rollout gets on, has finished, or has stood still for too long."""
    spec = deployment["spec"]
    if spec.get("progressDeadlineSeconds") is None:
        return conditions
    held = condition({"status": {"conditions": conditions}}, "Progressing")
    if spec.get("paused"):
        return _progressing(conditions, "Unknown", "DeploymentPaused", "Deployment is paused", now)
    if held is not None and held.get("reason") == "DeploymentPaused":
        text = "Deployment is resumed"
        return _progressing(conditions, "Unknown", "DeploymentResumed", text, now)
    name = new["metadata"]["name"] if new is not None else ""
    replicas = spec.get("replicas", 1)
    if new is not None and all(
        status[field] == replicas for field in ("replicas", "updatedReplicas", "availableReplicas")
    ):
        text = f'ReplicaSet "{name}" has successfully progressed.'
        return _progressing(conditions, "True", "NewReplicaSetAvailable", text, now)
    is_done = held is not None and held.get("reason") == "NewReplicaSetAvailable"
    if is_done and status["replicas"] == status["updatedReplicas"]:
        return conditions  # finished; pods that fail later are no matter of the rollout
    if held is None or _has_progressed(deployment.get("status") or {}, status):
        text = f'ReplicaSet "{name}" is progressing.'
        updated = _progressing(conditions, "True", "ReplicaSetUpdated", text, now)
        return _touched(updated, now)
    since = instant(held.get("lastUpdateTime"))
    if since is not None and now >= since + spec["progressDeadlineSeconds"]:
        text = f'ReplicaSet "{name}" has timed out progressing.'
        return _progressing(conditions, "False", "ProgressDeadlineExceeded", text, now)
    return conditions


def _progressing(
    conditions: list[Json], status: str, reason: str, message: str, now: Instant
) -> list[Json]:
    return with_condition(conditions, "Progressing", status, reason, message, now)


def _touched(conditions: list[Json], now: Instant) -> list[Json]:
    """Move the time from which the deadline counts."""
    stamp = timestamps.render(now)
    return [
        {**each, "lastUpdateTime": stamp} if each["type"] == "Progressing" else each
        for each in conditions
    ]


def _has_progressed(before: Json, after: Json) -> bool:
    """Whether there are more new pods, fewer old ones, or more available ones than before."""

    def old_pods(status: Json) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    return (
        after["updatedReplicas"] > before.get("updatedReplicas", 0)
        or old_pods(after) < old_pods(before)
        or after["readyReplicas"] > before.get("readyReplicas", 0)
        or after["availableReplicas"] > before.get("availableReplicas", 0)
        or after["observedGeneration"] > before.get("observedGeneration", 0)
    )


def _deadline(deployment: Json, conditions: list[Json]) -> Instant | None:
    held = condition({"status": {"conditions": conditions}}, "Progressing")
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    since = instant((held or {}).get("lastUpdateTime"))
    if since is None or seconds is None or deployment["spec"].get("paused"):
        return None
    return Instant(since + seconds)


def _failures(conditions: list[Json], sets: list[Json], now: Instant) -> list[Json]:
    """Show what a ReplicaSet says about pods that the API refuses."""
    for each in sets:
        failed = condition(each, "ReplicaFailure")
        if failed is not None and failed.get("status") == "True":
            return with_condition(
                conditions, "ReplicaFailure", "True", failed["reason"], failed["message"], now
            )
    return [each for each in conditions if each["type"] != "ReplicaFailure"]
