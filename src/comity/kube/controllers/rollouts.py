"""The arithmetic of a Deployment's rollout: who may grow, who must shrink, by how much."""

from typing import Any, NamedTuple

Json = dict[str, Any]

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAX = "deployment.kubernetes.io/max-replicas"


class Bounds(NamedTuple):
    """What a rollout keeps to."""

    replicas: int
    surge: int
    """Pods over `replicas` that may exist for a while."""
    unavailable: int
    """Pods under `replicas` that may be missing for a while."""

    @property
    def most(self) -> int:
        """The most pods that may exist."""
        return self.replicas + self.surge

    @property
    def least_available(self) -> int:
        """The fewest pods that must be available."""
        return self.replicas - self.unavailable


def bounds(deployment: Json) -> Bounds:
    """Return a Deployment's bounds: surge rounded up, unavailability down, never both 0."""
    spec = deployment["spec"]
    replicas = spec.get("replicas", 1)
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate" or replicas == 0:
        return Bounds(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = resolved(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = resolved(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Bounds(replicas, surge, min(unavailable, replicas))


def resolved(value: int | str, total: int, *, up: bool) -> int:
    """Return a number or a percentage of `total` as a number."""
    if isinstance(value, int):
        return value
    percent = int(value.rstrip("%"))
    return -(-percent * total // 100) if up else percent * total // 100


def size(replica_set: Json) -> int:
    """Return how many pods a ReplicaSet is asked for."""
    return int(replica_set["spec"].get("replicas", 1))


def count(replica_set: Json, field: str) -> int:
    """Return a count out of a ReplicaSet's status."""
    return int((replica_set.get("status") or {}).get(field, 0))


def grown(new: Json, everything: list[Json], limits: Bounds) -> int:
    """Return the size that the new ReplicaSet may have now."""
    present = sum(map(size, everything))
    if present >= limits.most:
        return size(new)
    return min(size(new) + limits.most - present, max(limits.replicas, size(new)))


def shrunk(new: Json, old: list[Json], limits: Bounds) -> dict[str, int]:
    """Return the sizes that old ReplicaSets may be reduced to now, by name.

    First those of their pods go that do not serve anyway; then as many that do as the available
    ones allow. Nothing is taken while the new pods that exist already are not available.
    """
    sizes = {each["metadata"]["name"]: size(each) for each in old}
    everything = [*old, new]
    missing_new = max(0, size(new) - count(new, "availableReplicas"))
    removable = sum(map(size, everything)) - limits.least_available - missing_new
    if removable <= 0:
        return sizes
    for each in old:
        name = each["metadata"]["name"]
        unhealthy = sizes[name] - count(each, "availableReplicas")
        taken = min(removable, max(0, unhealthy))
        if taken > 0:
            sizes[name] -= taken
            removable -= taken
    available = sum(count(each, "availableReplicas") for each in everything)
    spare = available - limits.least_available
    for each in old:
        name = each["metadata"]["name"]
        taken = min(spare, sizes[name])
        if taken > 0:
            sizes[name] -= taken
            spare -= taken
    return sizes


def proportional(active: list[Json], limits: Bounds) -> dict[str, int]:
    """Return sizes after a Deployment was scaled in the middle of a rollout, by name.

    Each ReplicaSet keeps its share of the whole; what rounding leaves goes to the largest.
    """
    present = sum(map(size, active))
    allowed = limits.most
    change = allowed - present
    ordered = sorted(
        active, key=lambda each: (size(each), each["metadata"].get("creationTimestamp", ""))
    )
    if change > 0:
        ordered.reverse()
    sizes, left = {}, change
    for each in ordered:
        share = _share(each, limits)
        part = max(min(share, left), 0) if change > 0 else min(max(share, left), 0)
        sizes[each["metadata"]["name"]] = size(each) + part
        left -= part
    if ordered and left:
        name = ordered[0]["metadata"]["name"]
        sizes[name] = max(0, sizes[name] + left)
    return sizes


def _share(replica_set: Json, limits: Bounds) -> int:
    """Return by how much a ReplicaSet changes to keep its share."""
    before = (replica_set["metadata"].get("annotations") or {}).get(MAX, "")
    if not before.isdigit() or int(before) == 0:
        return 0
    return round(size(replica_set) * limits.most / int(before)) - size(replica_set)
