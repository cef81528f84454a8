"""Endpoints, namespaces, garbage and nodes."""

import pytest

from comity.kube.controllers import garbage
from comity.kube.controllers.actions import Delete
from comity.kube.controllers.objects import condition, selects
from comity.kube.controllers.view import View
from comity.wire.kubernetes import timestamps
from support.kube_world import World


@pytest.fixture
def world():
    return World()


def pod(name, *, labels=None, ready=True, ip="10.0.0.1", ports=(), phase="Running", **spec):
    kind = {
        "type": "Ready",
        "status": "True" if ready else "False",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    container = {"name": "c", "ports": list(ports)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default", "labels": labels or {"app": "web"}},
        "spec": {"containers": [container], "nodeName": "n1", **spec},
        "status": {"phase": phase, "podIP": ip, "conditions": [kind]},
    }


def service(*ports, **spec):
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", "labels": {"team": "a"}},
        "spec": {"selector": {"app": "web"}, "ports": list(ports), **spec},
    }


PORT = {"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}
WEB = ("default", "web")


def subsets(world):
    return world.view.get("endpoints", WEB)["subsets"]


def ips(addresses):
    return [each["ip"] for each in addresses]


# endpoints


def test_addresses_of_ready_pods_and_of_others(world):
    world.put("services", service(PORT))
    world.put("pods", pod("b", ip="10.0.0.2"))
    world.put("pods", pod("a", ip="10.0.0.1"))
    world.put("pods", pod("c", ip="10.0.0.3", ready=False))
    world.put("pods", pod("d", ip="10.0.0.4", phase="Failed"))
    world.put("pods", pod("e", ip="10.0.0.5", labels={"app": "x"}))
    world.put("pods", pod("f", ip=""))
    world.settle()
    [subset] = subsets(world)
    assert ips(subset["addresses"]) == ["10.0.0.1", "10.0.0.2"]
    assert ips(subset["notReadyAddresses"]) == ["10.0.0.3"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    first = subset["addresses"][0]
    assert (first["nodeName"], first["targetRef"]["name"]) == ("n1", "a")
    held = world.view.get("endpoints", WEB)
    assert held["metadata"]["labels"] == {"team": "a"}
    world.delete("pods", ("default", "a"))
    world.settle()
    assert ips(subsets(world)[0]["addresses"]) == ["10.0.0.2"]


def test_named_ports_are_looked_up_in_each_pod(world):
    world.put("services", service({"port": 80, "targetPort": "http"}))
    for name, number in (("a", 1), ("b", 2)):
        ports = [{"name": "http", "containerPort": number}]
        world.put("pods", pod(name, ip=f"10.0.0.{number}", ports=ports))
    world.put("pods", pod("none", ip="10.0.0.9"))
    world.settle()
    assert [each["ports"][0]["port"] for each in subsets(world)] == [1, 2]


def test_no_pods_no_subsets_and_no_service_no_endpoints(world):
    made = world.put("services", service(PORT))
    world.settle()
    assert subsets(world) == []
    world.remove("services", made)
    world.settle()
    assert world.view.get("endpoints", WEB) is None


def test_nothing_is_written_when_nothing_changes(world):
    world.put("services", service(PORT))
    made = world.put("pods", pod("a"))
    world.settle()
    version = world.view.get("endpoints", WEB)["metadata"]["resourceVersion"]
    world.change(
        "pods", ("default", made["metadata"]["name"]), {"metadata": {"labels": {"x": "y"}}}
    )
    world.settle()
    assert world.view.get("endpoints", WEB)["metadata"]["resourceVersion"] == version


def test_headless_services(world):
    world.put("services", service(clusterIP="None", publishNotReadyAddresses=True))
    world.put("pods", pod("a", ready=False, hostname="h", subdomain="web"))
    world.settle()
    [subset] = subsets(world)
    assert subset["addresses"][0]["hostname"] == "h"
    assert "ports" not in subset
    labels = world.view.get("endpoints", WEB)["metadata"]["labels"]
    assert labels["service.kubernetes.io/headless"] == ""


def test_a_service_without_a_selector_is_left_alone(world):
    world.put("services", service(PORT, selector=None))
    world.settle()
    assert world.view.get("endpoints", WEB) is None


# namespaces


def namespace(name="team", **metadata):
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, **metadata},
        "spec": {"finalizers": ["kubernetes"]},
    }


def test_what_a_namespace_starts_with(world):
    world.put("namespaces", namespace())
    world.settle()
    assert world.view.get("serviceaccounts", ("team", "default")) is not None
    ca = world.view.get("configmaps", ("team", "kube-root-ca.crt"))
    assert ca["data"] == {"ca.crt": "CA"}
    world.remove("configmaps", ca)
    world.settle()
    assert world.view.get("configmaps", ("team", "kube-root-ca.crt")) is not None
    world.change("configmaps", ("team", "kube-root-ca.crt"), {"data": {"ca.crt": "other"}})
    world.settle()
    assert world.view.get("configmaps", ("team", "kube-root-ca.crt"))["data"] == {"ca.crt": "CA"}


def test_a_dying_namespace_is_emptied(world):
    world.put("namespaces", namespace(deletionTimestamp="2026-01-01T00:00:00Z"))
    world.settle()
    assert world.emptied == ["team"]
    assert world.view.get("serviceaccounts", ("team", "default")) is None


# garbage


def config(name, *owners, blocks=True):
    references = [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": blocks,
        }
        for owner in owners
    ]
    metadata = {"name": name, "namespace": "default", "ownerReferences": references}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}


def names(world):
    return [each["metadata"]["name"] for each in world.view.within("configmaps", "default")]


def test_dependents_go_with_their_last_owner(world):
    first, second = world.put("configmaps", config("a")), world.put("configmaps", config("b"))
    child = world.put("configmaps", config("child", first, second))
    world.put("configmaps", config("grandchild", child))
    world.remove("configmaps", first)
    world.settle()
    assert names(world) == ["b", "child", "grandchild"]
    world.remove("configmaps", second)
    world.settle()
    assert names(world) == []


def test_an_owner_that_never_was(world):
    world.put("configmaps", config("child", {"metadata": {"name": "ghost", "uid": "none"}}))
    world.settle()
    assert names(world) == []


def test_foreground_deletion_waits_for_the_dependents(world):
    owner = world.put("configmaps", config("owner"))
    world.put("pods", pod("child") | {"metadata": config("child", owner)["metadata"]})
    world.settle()
    world.delete("configmaps", ("default", "owner"), finalizer="foregroundDeletion")
    world.settle()
    assert names(world) == ["owner"]
    [child] = world.pods()
    assert "deletionTimestamp" in child["metadata"]
    world.remove("pods", child)
    world.settle()
    assert names(world) == []


def test_orphaning_lets_the_dependents_be(world):
    owner = world.put("configmaps", config("owner"))
    world.put("configmaps", config("child", owner))
    world.delete("configmaps", ("default", "owner"), finalizer="orphan")
    world.settle()
    assert names(world) == ["child"]
    assert world.view.get("configmaps", ("default", "child"))["metadata"]["ownerReferences"] == []


def test_old_pods(world, monkeypatch):
    monkeypatch.setattr(garbage, "ENDED_PODS_MAX", 1)
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {}}
    world.put("nodes", node)
    world.put("pods", pod("old", phase="Failed"))
    world.now += 10
    world.put("pods", pod("new", phase="Succeeded"))
    world.put("pods", pod("lost", nodeName="gone"))
    world.now += 100

    def deleted():
        return [action.key[1] for action in garbage.old_pods(world.view, world.now)]

    assert deleted() == ["lost", "old"]
    assert all(isinstance(each, Delete) for each in garbage.old_pods(world.view, world.now))


# nodes


def test_a_stale_lease(world):
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""}
    world.put(
        "nodes",
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": "n1"},
            "status": {"conditions": [ready]},
        },
    )
    world.put("pods", pod("a"))
    metadata = {"name": "n1", "namespace": "kube-node-lease"}
    renewed = timestamps.render(world.now)
    world.put("leases", {"metadata": metadata, "spec": {"renewTime": renewed}})
    world.settle()

    def state():
        return condition(world.view.get("nodes", ("", "n1")), "Ready")["status"]

    world.pass_time(39)
    assert state() == "True"
    world.pass_time(2)
    assert state() == "Unknown"
    assert condition(world.pods()[0], "Ready")["status"] == "False"
    assert [event.reason for event in world.events] == ["NodeNotReady"]


def test_a_node_without_pods_needs_no_lease(world):
    ready = {"type": "Ready", "status": "True"}
    node = {"metadata": {"name": "n1"}, "status": {"conditions": [ready]}}
    world.put("nodes", {"apiVersion": "v1", "kind": "Node", **node})
    metadata = {"name": "n1", "namespace": "kube-node-lease"}
    world.put("leases", {"metadata": metadata, "spec": {"renewTime": "2020-01-01T00:00:00Z"}})
    world.settle()
    assert condition(world.view.get("nodes", ("", "n1")), "Ready")["status"] == "True"


# selectors and the view


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        (None, False),
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selectors(selector, expected):
    assert selects(selector, {"a": "1"}) is expected


def item(version, uid="u", name="x"):
    metadata = {"name": name, "namespace": "n", "uid": uid, "resourceVersion": str(version)}
    return {"metadata": metadata}


def test_late_news_is_no_news():
    view = View()
    assert view.put("pods", item(10))
    assert not view.put("pods", item(9))
    assert not view.put("pods", item(10))
    assert view.put("pods", item(11))
    view.remove("pods", item(11))
    assert not view.put("pods", item(12))
    assert view.get("pods", ("n", "x")) is None
    view.removed("pods", item(13))
    assert view.put("pods", item(14, uid="other"))


def test_a_deletion_of_its_predecessor_does_not_touch_an_object():
    view = View()
    view.put("pods", item(10, uid="new"))
    view.removed("pods", item(11, uid="old"))
    assert view.get("pods", ("n", "x")) is not None
    assert view.missing("pods", [item(12, uid="new")]) == []
    assert [each["metadata"]["uid"] for each in view.missing("pods", [])] == ["new"]
