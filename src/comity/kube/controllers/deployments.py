"""Deployments: a rollout from the ReplicaSets of older pod templates to that of the present one.

One look does one thing: make the new ReplicaSet, let it grow, or let old ones shrink. Each changes
what the next look sees, until there is nothing left to do.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from comity.core.instants import Instant
from comity.kube.controllers import claims, deployment_status, revisions, rollouts
from comity.kube.controllers.actions import Action, Create, Delete, Event, Patch
from comity.kube.controllers.objects import (
    Key,
    has_ended,
    is_deleting,
    key_of,
    selects,
    uid_of,
)
from comity.kube.controllers.rollouts import Bounds, size
from comity.kube.controllers.view import View

Json = dict[str, Any]


class Rollout(NamedTuple):
    """A Deployment with its ReplicaSets."""

    deployment: Json
    new: Json | None
    old: list[Json]
    limits: Bounds

    @property
    def everything(self) -> list[Json]:
        """All ReplicaSets."""
        return [*self.old, *([self.new] if self.new is not None else [])]


def reconcile(key: Key, view: View, now: Instant) -> Iterator[Action]:
    """Yield the next step of one Deployment, and its status."""
    deployment = view.get("deployments", key)
    if deployment is None:
        return
    selector = deployment["spec"].get("selector")
    if not selector:
        return

    def picks(labels: Json) -> bool:
        return selects(selector, labels)

    sets = view.within("replicasets", key[0])
    yield from claims.claims("replicasets", deployment, sets, picks)
    own = claims.claimed(deployment, sets, picks)
    new = revisions.find_new(deployment, own)
    old = [each for each in own if each is not new]
    old.sort(key=lambda each: (each["metadata"].get("creationTimestamp", ""), key_of(each)))
    rollout = Rollout(deployment, new, old, rollouts.bounds(deployment))
    if not is_deleting(deployment):
        yield from _step(rollout, view)
    yield from deployment_status.actions(deployment, new, old, rollout.limits, now)


def _step(rollout: Rollout, view: View) -> Iterator[Action]:
    spec = rollout.deployment["spec"]
    if spec.get("paused"):
        yield from _rescale(rollout)
        return
    if rollout.new is not None:
        yield from _revision(rollout)
    if _was_scaled(rollout):
        yield from _rescale(rollout)
    elif (spec.get("strategy") or {}).get("type") == "Recreate":
        yield from _recreate(rollout, view)
    else:
        yield from _roll(rollout)
    yield from _prune(rollout)


def _revision(rollout: Rollout) -> Iterator[Action]:
    """Number the present template, on its ReplicaSet and on the Deployment."""
    new, deployment = rollout.new, rollout.deployment
    assert new is not None
    number = revisions.revision(new)
    newest = revisions.next_revision(rollout.old) if rollout.old else 1
    number = max(number, newest)
    wanted = revisions.annotations_for(deployment, rollout.limits, number)
    held = new["metadata"].get("annotations") or {}
    # The sizes are noted together with the scaling that they belong to, in _scaled.
    changed = {
        name: value
        for name, value in wanted.items()
        if held.get(name) != value and name not in (rollouts.DESIRED, rollouts.MAX)
    }
    if changed:
        change = {"metadata": {"uid": uid_of(new), "annotations": changed}}
        yield Patch("replicasets", key_of(new), change)
    if revisions.revision(deployment) != number:
        change = {"metadata": {"annotations": {revisions.REVISION: str(number)}}}
        yield Patch("deployments", key_of(deployment), change)


def _was_scaled(rollout: Rollout) -> bool:
    """Whether the Deployment's size differs from what its ReplicaSets were last sized for."""
    for each in rollout.everything:
        noted = (each["metadata"].get("annotations") or {}).get(rollouts.DESIRED, "")
        if size(each) > 0 and noted.isdigit() and int(noted) != rollout.limits.replicas:
            return True
    return False


def _rescale(rollout: Rollout) -> Iterator[Action]:
    """Apply a new size of the Deployment to what exists, in proportion."""
    active = [each for each in rollout.everything if size(each) > 0]
    if not active and rollout.new is not None:
        active = [rollout.new]
    if len(active) == 1:
        yield from _scaled(rollout, active[0], rollout.limits.replicas)
        return
    sizes = rollouts.proportional(active, rollout.limits) if active else {}
    for each in active:
        yield from _scaled(rollout, each, sizes[each["metadata"]["name"]])


def _recreate(rollout: Rollout, view: View) -> Iterator[Action]:
    old_active = [each for each in rollout.old if size(each) > 0]
    for each in old_active:
        yield from _scaled(rollout, each, 0)
    if old_active or _has_pods(rollout.old, view):
        return
    if rollout.new is None:
        yield from _create(rollout, rollout.limits.replicas)
    else:
        yield from _scaled(rollout, rollout.new, rollout.limits.replicas)


def _has_pods(sets: list[Json], view: View) -> bool:
    return any(not has_ended(pod) for each in sets for pod in view.controlled("pods", uid_of(each)))


def _roll(rollout: Rollout) -> Iterator[Action]:
    limits = rollout.limits
    if rollout.new is None:
        present = sum(map(size, rollout.old))
        yield from _create(rollout, max(0, min(limits.replicas, limits.most - present)))
        return
    if size(rollout.new) > limits.replicas:
        yield from _scaled(rollout, rollout.new, limits.replicas)
        return
    grown = rollouts.grown(rollout.new, rollout.everything, limits)
    if grown != size(rollout.new):
        yield from _scaled(rollout, rollout.new, grown)
        return
    sizes = rollouts.shrunk(rollout.new, rollout.old, limits)
    for each in rollout.old:
        yield from _scaled(rollout, each, sizes[each["metadata"]["name"]])


def _create(rollout: Rollout, replicas: int) -> Iterator[Action]:
    number = revisions.next_revision(rollout.old)
    made = revisions.new_replica_set(rollout.deployment, rollout.limits, number, replicas)
    yield Create("replicasets", made)
    text = f"Scaled up replica set {made['metadata']['name']} from 0 to {replicas}"
    yield Event(rollout.deployment, "ScalingReplicaSet", text)


def _scaled(rollout: Rollout, item: Json, replicas: int) -> Iterator[Action]:
    """Resize a ReplicaSet, and note for which size of the Deployment it was sized."""
    limits = rollout.limits
    sizes = {rollouts.DESIRED: str(limits.replicas), rollouts.MAX: str(limits.most)}
    held = item["metadata"].get("annotations") or {}
    resized = replicas != size(item)
    noted = all(held.get(name) == value for name, value in sizes.items())
    if not resized and (noted or replicas == 0):
        return
    metadata = {"uid": uid_of(item), "annotations": sizes}
    change: Json = {"metadata": metadata}
    if resized:
        change["spec"] = {"replicas": replicas}
    yield Patch("replicasets", key_of(item), change)
    if resized:
        direction = "up" if replicas > size(item) else "down"
        name = item["metadata"]["name"]
        text = f"Scaled {direction} replica set {name} from {size(item)} to {replicas}"
        yield Event(rollout.deployment, "ScalingReplicaSet", text)


def _prune(rollout: Rollout) -> Iterator[Action]:
    """Delete the oldest of the ReplicaSets that nobody may want to go back to."""
    keep = rollout.deployment["spec"].get("revisionHistoryLimit", 10)
    empty = [
        each
        for each in rollout.old
        if size(each) == 0
        and rollouts.count(each, "replicas") == 0
        and not is_deleting(each)
        and (each.get("status") or {}).get("observedGeneration", 0)
        >= each["metadata"].get("generation", 0)
    ]
    empty.sort(key=revisions.revision)
    for each in empty[: max(0, len(empty) - keep)]:
        yield Delete("replicasets", key_of(each), uid_of(each))
