"""Namespaces: what each one starts with, and how one ends."""

from collections.abc import Iterator
from typing import Any

from comity.kube.controllers.actions import Action, Create, EmptyNamespace, Replace
from comity.kube.controllers.objects import Key, is_deleting
from comity.kube.controllers.view import View

Json = dict[str, Any]

ROOT_CA = "kube-root-ca.crt"


def reconcile(key: Key, view: View, ca_pem: str) -> Iterator[Action]:
    """Yield what a living namespace lacks, or what ends a dying one."""
    namespace = view.get("namespaces", key)
    if namespace is None:
        return
    name = key[1]
    if is_deleting(namespace):
        if "kubernetes" in (namespace.get("spec") or {}).get("finalizers", []):
            yield EmptyNamespace(name)
        return
    if view.get("serviceaccounts", (name, "default")) is None:
        yield Create("serviceaccounts", _object("ServiceAccount", name, "default"))
    data = {"ca.crt": ca_pem}
    held = view.get("configmaps", (name, ROOT_CA))
    if held is None:
        yield Create("configmaps", {**_object("ConfigMap", name, ROOT_CA), "data": data})
    elif held.get("data") != data:
        yield Replace("configmaps", {**held, "data": data})


def _object(kind: str, namespace: str, name: str) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata}
