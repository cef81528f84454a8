"""Endpoints: where the pods of a Service answer, ready ones apart from those that are not yet."""

from collections.abc import Iterator
from typing import Any

from comity.kube.controllers.actions import Action, Create, Delete, Replace
from comity.kube.controllers.objects import (
    Key,
    has_ended,
    includes,
    is_deleting,
    is_ready,
    labels_of,
    uid_of,
)
from comity.kube.controllers.view import View

Json = dict[str, Any]
Ports = tuple[tuple[str, int, str], ...]
"""Name, number and protocol of each port, in the Service's order."""

HEADLESS = "service.kubernetes.io/headless"


def reconcile(key: Key, view: View) -> Iterator[Action]:
    """Yield what brings the Endpoints of one Service up to date."""
    service, held = view.get("services", key), view.get("endpoints", key)
    if service is None:
        if held is not None:
            yield Delete("endpoints", key, uid_of(held))
        return
    selector = service["spec"].get("selector")
    if not selector or service["spec"].get("type") == "ExternalName":
        return  # somebody else says where such a Service is
    pods = [pod for pod in view.within("pods", key[0]) if includes(selector, labels_of(pod))]
    wanted = _subsets(service, pods)
    labels = dict(labels_of(service))
    if service["spec"].get("clusterIP") == "None":
        labels[HEADLESS] = ""
    if held is None:
        metadata = {"name": key[1], "namespace": key[0], "labels": labels}
        kind = {"apiVersion": "v1", "kind": "Endpoints"}
        yield Create("endpoints", {**kind, "metadata": metadata, "subsets": wanted})
    elif held.get("subsets", []) != wanted or labels_of(held) != labels:
        metadata = {**held["metadata"], "labels": labels}
        yield Replace("endpoints", {**held, "metadata": metadata, "subsets": wanted})


def _subsets(service: Json, pods: list[Json]) -> list[Json]:
    """Group addresses by the ports they answer on: a named port may differ from pod to pod."""
    publishes_all = bool(service["spec"].get("publishNotReadyAddresses"))
    groups: dict[Ports, tuple[list[Json], list[Json]]] = {}
    for pod in pods:
        if has_ended(pod) or (is_deleting(pod) and not publishes_all):
            continue
        ports = _ports(service, pod)
        address = _address(service, pod)
        if address is None or ports is None:
            continue
        ready, unready = groups.setdefault(ports, ([], []))
        (ready if publishes_all or is_ready(pod) else unready).append(address)
    return [_subset(ports, *groups[ports]) for ports in sorted(groups)]


def _subset(ports: Ports, ready: list[Json], unready: list[Json]) -> Json:
    subset: Json = {}
    for field, addresses in (("addresses", ready), ("notReadyAddresses", unready)):
        if addresses:
            subset[field] = sorted(addresses, key=lambda a: (a["ip"], a["targetRef"]["uid"]))
    if ports:
        subset["ports"] = [
            {**({"name": name} if name else {}), "port": number, "protocol": protocol}
            for name, number, protocol in ports
        ]
    return subset


def _address(service: Json, pod: Json) -> Json | None:
    ip = (pod.get("status") or {}).get("podIP")
    if not ip:
        return None
    metadata, spec = pod["metadata"], pod["spec"]
    address: Json = {"ip": ip}
    if spec.get("hostname") and spec.get("subdomain") == service["metadata"]["name"]:
        address["hostname"] = spec["hostname"]
    if spec.get("nodeName"):
        address["nodeName"] = spec["nodeName"]
    address["targetRef"] = {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": uid_of(pod),
    }
    return address


def _ports(service: Json, pod: Json) -> Ports | None:
    """Return the numbers that the Service's ports have in a pod; None when one is not there."""
    found = []
    for port in service["spec"].get("ports") or []:
        protocol = port.get("protocol", "TCP")
        number = _target(port.get("targetPort", port["port"]), protocol, pod)
        if number is not None:
            found.append((port.get("name", ""), number, protocol))
    if service["spec"].get("ports") and not found:
        return None
    return tuple(found)


def _target(target: int | str, protocol: str, pod: Json) -> int | None:
    if isinstance(target, int):
        return target
    for container in pod["spec"].get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == target and port.get("protocol", "TCP") == protocol:
                return int(port["containerPort"])
    return int(target) if target.isdigit() else None
