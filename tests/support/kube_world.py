"""A Kubernetes cluster in a dict: carries controllers' actions out at once, and plays the kubelet.

Time is a number that only `pass_time` moves. Nothing here decides what a controller should.
"""

import itertools

from comity.kube.controllers import routing
from comity.kube.controllers.actions import (
    Again,
    Create,
    CreatePods,
    Delete,
    DeleteOrphan,
    EmptyNamespace,
    Event,
    Patch,
    Replace,
)
from comity.kube.controllers.objects import has_ended, is_active, is_deleting, key_of, owners
from comity.kube.controllers.view import View
from comity.wire.kubernetes import timestamps


def merged(held, change):
    if not isinstance(change, dict) or not isinstance(held, dict):
        return change
    result = dict(held)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name, {}), value)
    return result


class World:
    """Objects, and the looks that their changes have called for."""

    def __init__(self, now=1_000_000.0):
        self.view = View()
        self.now = now
        self.looks = []
        self.timers = {}
        self.events = []
        self.emptied = []
        self.refuses_pods = ""
        self.after_each = lambda: None
        self._ids = itertools.count(1)

    # objects

    def put(self, plural, item):
        metadata = dict(item["metadata"])
        number = next(self._ids)
        metadata.setdefault("uid", f"uid-{number}")
        metadata.setdefault("creationTimestamp", timestamps.render(self.now + number / 1000))
        metadata.setdefault("generation", 1)
        metadata["resourceVersion"] = str(number)
        if "generateName" in metadata:
            metadata.setdefault("name", f"{metadata['generateName']}{number}")
        item = {**item, "metadata": metadata}
        old = self.view.get(plural, key_of(item))
        if old is not None and old.get("spec") != item.get("spec"):
            metadata["generation"] = old["metadata"]["generation"] + 1
        assert self.view.put(plural, item)
        self.looks += routing.changed(plural, old, item, self.view)
        self.after_each()
        return item

    def change(self, plural, key, change):
        return self.put(plural, merged(self.view.get(plural, key), change))

    def remove(self, plural, item):
        self.view.removed(plural, item)
        self.looks += routing.removed(plural, item, self.view)
        self.after_each()

    def delete(self, plural, key, *, finalizer=None):
        """Delete as a client does; pods on a node wait for the kubelet."""
        item = self.view.get(plural, key)
        metadata = {"deletionTimestamp": timestamps.render(self.now)}
        if finalizer:
            metadata["finalizers"] = [finalizer]
        waits = item["metadata"].get("finalizers") or finalizer
        waits = waits or (plural == "pods" and item["spec"].get("nodeName"))
        if waits:
            self.change(plural, key, {"metadata": metadata})
        else:
            self.remove(plural, item)

    # controllers

    def settle(self, limit=2000):
        """Look until nothing calls for a look."""
        for _ in range(limit):
            if not self.looks:
                return
            look = self.looks.pop(0)
            self.looks = [each for each in self.looks if each != look]
            for action in routing.reconcile(look, self.view, self.now, "CA"):
                self._act(look, action)
        raise AssertionError(f"never settles: {self.looks[:5]}")

    def pass_time(self, seconds):
        self.now += seconds
        due = [look for look, at in self.timers.items() if at <= self.now]
        for look in due:
            del self.timers[look]
        self.looks += due
        self.settle()

    def _act(self, look, action):
        getattr(self, f"_{type(action).__name__.lower()}")(look, action)

    def _create(self, look, action: Create):
        if self.view.get(action.plural, key_of(action.item)) is None:
            self.put(action.plural, action.item)

    def _createpods(self, look, action: CreatePods):
        uid = action.owner["metadata"]["uid"]
        if self.refuses_pods:
            self.view.failures[uid] = self.refuses_pods
            return
        for _ in range(action.count):
            self.put("pods", {**action.pod, "status": {"phase": "Pending"}})
        self.view.failures.pop(uid, None)

    def _replace(self, look, action: Replace):
        self.put(action.plural, action.item)

    def _patch(self, look, action: Patch):
        if self.view.get(action.plural, action.key) is not None:
            item = self.change(action.plural, action.key, action.change)
            if is_deleting(item) and not item["metadata"].get("finalizers"):
                self.remove(action.plural, item)

    def _delete(self, look, action: Delete):
        item = self.view.get(action.plural, action.key)
        if item is not None and item["metadata"]["uid"] == action.uid:
            if action.grace_s == 0:
                self.remove(action.plural, item)
            else:
                finalizer = "foregroundDeletion" if action.propagation == "Foreground" else None
                has_dependents = bool(self.view.dependents(action.uid))
                self.delete(action.plural, action.key, finalizer=has_dependents and finalizer)

    def _deleteorphan(self, look, action: DeleteOrphan):
        item = self.view.get(action.plural, action.key)
        if not any(self.view.knows(owner["uid"]) for owner in owners(item)):
            self._delete(look, Delete(action.plural, action.key, action.uid))

    def _emptynamespace(self, look, action: EmptyNamespace):
        self.emptied.append(action.name)

    def _event(self, look, action: Event):
        self.events.append(action)

    def _again(self, look, action: Again):
        self.timers[look] = min(action.at, self.timers.get(look, action.at))

    # the kubelet and the scheduler

    def pods(self, **labels):
        found = self.view.within("pods", "default")
        return [
            pod for pod in found if labels.items() <= (pod["metadata"].get("labels") or {}).items()
        ]

    def active(self, **labels):
        return [pod for pod in self.pods(**labels) if is_active(pod)]

    def start(self, pod, *, ready=True, node="n1"):
        """Bind a pod and let it run."""
        self.change("pods", key_of(pod), {"spec": {"nodeName": node}})
        stamp = timestamps.render(self.now)
        condition = {
            "type": "Ready",
            "status": "True" if ready else "False",
            "lastTransitionTime": stamp,
        }
        status = {"phase": "Running", "podIP": "10.0.0.1", "conditions": [condition]}
        self.change("pods", key_of(pod), {"status": status})

    def finish(self, pod, phase="Failed"):
        self.change("pods", key_of(pod), {"status": {"phase": phase, "conditions": []}})

    def run_all(self, rounds=50):
        """Start what is pending and end what is deleted, until nothing moves."""
        for _ in range(rounds):
            self.settle()
            pending = [p for p in self.active() if p["status"]["phase"] == "Pending"]
            ending = [p for p in self.pods() if is_deleting(p)]
            if not pending and not ending:
                return
            for pod in pending[:1]:
                self.start(pod)
            for pod in ending[:1]:
                self.remove("pods", pod)
        raise AssertionError("the cluster does not come to rest")

    def ended(self):
        return [pod for pod in self.pods() if has_ended(pod)]
