"""Which controllers have to look again when an object has changed, and at what."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from comity.core.instants import Instant
from comity.kube.controllers import deployments, endpoints, garbage, namespaces, nodes, replicas
from comity.kube.controllers.actions import Action
from comity.kube.controllers.objects import (
    Key,
    condition,
    controller_of,
    includes,
    is_deleting,
    key_of,
    labels_of,
    owners,
    uid_of,
)
from comity.kube.controllers.view import Place, View

Json = dict[str, Any]


class Look(NamedTuple):
    """One controller's look at one object."""

    controller: str
    plural: str
    key: Key


_PLURALS = {"ReplicaSet": "replicasets", "ReplicationController": "replicationcontrollers"}


def reconcile(look: Look, view: View, now: Instant, ca_pem: str) -> Iterator[Action]:
    """Yield what a look asks for."""
    if look.controller == "replicas":
        return replicas.reconcile(look.plural, look.key, view, now)
    if look.controller == "deployments":
        return deployments.reconcile(look.key, view, now)
    if look.controller == "endpoints":
        return endpoints.reconcile(look.key, view)
    if look.controller == "namespaces":
        return namespaces.reconcile(look.key, view, ca_pem)
    if look.controller == "nodes":
        return nodes.reconcile(look.key[1], view, now)
    assert look.controller == "garbage", look
    return garbage.reconcile(Place(look.plural, look.key), view)


def changed(plural: str, old: Json | None, item: Json, view: View) -> Iterator[Look]:
    """Yield the looks that an added or modified object calls for."""
    yield from _garbage(plural, item)
    yield from _touched(plural, old, item, view)


def removed(plural: str, item: Json, view: View) -> Iterator[Look]:
    """Yield the looks that a deleted object calls for. It is no longer in the view."""
    for dependent_plural, dependent in view.dependents(uid_of(item)):
        yield Look("garbage", dependent_plural, key_of(dependent))
    for owner in owners(item):  # one that waits for its last dependent
        place = view.place(owner["uid"])
        if place is not None:
            yield Look("garbage", place.plural, place.key)
    yield from _touched(plural, None, item, view)
    if plural == "pods":
        yield from _deployment_of(item, view)
    namespace = view.get("namespaces", ("", item["metadata"].get("namespace", "")))
    if namespace is not None and is_deleting(namespace):
        yield Look("namespaces", "namespaces", key_of(namespace))


def _garbage(plural: str, item: Json) -> Iterator[Look]:
    if owners(item) or (is_deleting(item) and item["metadata"].get("finalizers")):
        yield Look("garbage", plural, key_of(item))


def _touched(plural: str, old: Json | None, item: Json, view: View) -> Iterator[Look]:
    key = key_of(item)
    if plural == "pods":
        yield from _pod(old, item, view)
    elif plural in _PLURALS.values():
        yield Look("replicas", plural, key)
        if plural == "replicasets":
            yield from _owners_of_set(old, item, view)
    elif plural == "deployments":
        yield Look("deployments", plural, key)
    elif plural in ("services", "endpoints"):
        yield Look("endpoints", "services", key)
    elif plural == "namespaces":
        yield Look("namespaces", plural, key)
    elif plural == "nodes" or (plural == "leases" and key[0] == nodes.LEASES):
        yield Look("nodes", "nodes", ("", key[1]))
    elif (plural, key[1]) in (("serviceaccounts", "default"), ("configmaps", namespaces.ROOT_CA)):
        yield Look("namespaces", "namespaces", ("", key[0]))


def _pod(old: Json | None, pod: Json, view: View) -> Iterator[Look]:
    namespace = key_of(pod)[0]
    states = [pod] if old is None else [old, pod]
    for state in states:
        holder = controller_of(state)
        if holder is not None and holder["kind"] in _PLURALS:
            yield Look("replicas", _PLURALS[holder["kind"]], (namespace, holder["name"]))
    if controller_of(pod) is None:
        for plural in _PLURALS.values():
            for owner in view.within(plural, namespace):
                yield Look("replicas", plural, key_of(owner))
    for service in view.within("services", namespace):
        selector = service["spec"].get("selector")
        if selector and any(includes(selector, labels_of(state)) for state in states):
            yield Look("endpoints", "services", key_of(service))
    node = pod["spec"].get("nodeName")
    if node and (old is None or condition(old, "Ready") != condition(pod, "Ready")):
        yield Look("nodes", "nodes", ("", node))


def _owners_of_set(old: Json | None, item: Json, view: View) -> Iterator[Look]:
    namespace = key_of(item)[0]
    for state in [item] if old is None else [old, item]:
        holder = controller_of(state)
        if holder is not None and holder["kind"] == "Deployment":
            yield Look("deployments", "deployments", (namespace, holder["name"]))
    if controller_of(item) is None:
        for owner in view.within("deployments", namespace):
            yield Look("deployments", "deployments", key_of(owner))


def _deployment_of(pod: Json, view: View) -> Iterator[Look]:
    """A Deployment that recreates waits for the last pod, which no count shows."""
    namespace = key_of(pod)[0]
    holder = controller_of(pod)
    if holder is None or holder["kind"] != "ReplicaSet":
        return
    replica_set = view.get("replicasets", (namespace, holder["name"]))
    above = controller_of(replica_set) if replica_set is not None else None
    if above is not None and above["kind"] == "Deployment":
        yield Look("deployments", "deployments", (namespace, above["name"]))
