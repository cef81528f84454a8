"""Pods and apps on networks of their own, through the whole stack, as root."""

import http.client
import json
import re
import subprocess
import time

import pytest

from support.clusters import KUBECTL, eventually
from support.image_clusters import apply_pod, image_cluster, pod_status
from support.images import MARKS
from support.networks import MARKS as NETWORK_MARKS

pytestmark = [*MARKS, *NETWORK_MARKS]
_PROGRAMS = "sh echo cat ls sleep test true httpd"
SERVE = "echo $WHO > /who; exec httpd -f -p 8080 -h /"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster whose agents find the image `box` in a layout."""
    with image_cluster(tmp_path_factory, _PROGRAMS, options=["--agents", "2"]) as made:
        yield made


def ask(host, port):
    deadline = time.monotonic() + 30
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            connection.request("GET", "/who")
            return connection.getresponse().read().decode().strip()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        finally:
            connection.close()


def apply(kubernetes, name, **spec):
    container = {
        "command": ["sh", "-c", SERVE],
        "env": [{"name": "WHO", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "ports": [{"name": "web", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"port": "web", "path": "/who"}, "periodSeconds": 1},
        **spec.pop("container", {}),
    }
    apply_pod(kubernetes, name, [container], {"app": name}, **spec)


def ready(kubernetes, name):
    def is_ready():
        found = pod_status(kubernetes, name).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in found)

    eventually(is_ready, f"{name} is ready")
    return pod_status(kubernetes, name)


def test_a_pod_has_an_address_of_its_own_which_services_point_to(kubernetes):
    apply(kubernetes, "web")
    found = ready(kubernetes, "web")
    address = found["podIP"]
    assert address != found["hostIP"]
    assert found["podIPs"] == [{"ip": address}]
    assert ask(address, 8080) == address
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": "web"}]},
    }
    kubernetes.kubectl("apply", "-f", "-", given=json.dumps(service))

    def endpoints():
        made = json.loads(kubernetes.kubectl("get", "endpoints", "web", "-o", "json"))
        subsets = made.get("subsets") or ()
        return [each["ip"] for subset in subsets for each in subset.get("addresses") or ()]

    eventually(lambda: endpoints() == [address], "the endpoints have the pod's address")
    kubernetes.kubectl("delete", "pod", "web")


def test_a_host_port_leads_to_the_pod_and_a_pod_of_the_host_network_has_none_of_its_own(kubernetes):
    port = {"name": "web", "containerPort": 8080, "hostPort": 31390}
    apply(kubernetes, "mapped", container={"ports": [port]})
    assert ask("127.0.0.1", 31390) == ready(kubernetes, "mapped")["podIP"]
    kubernetes.kubectl("delete", "pod", "mapped")
    own = "echo $WHO > /who; exec httpd -f -p $WHO:31380 -h /"
    probe = {"httpGet": {"port": 31380, "path": "/who"}, "periodSeconds": 1}
    apply(
        kubernetes,
        "hosted",
        hostNetwork=True,
        container={
            "command": ["sh", "-c", own],
            "ports": [{"containerPort": 31380}],
            "readinessProbe": probe,
        },
    )
    found = ready(kubernetes, "hosted")
    assert found["podIP"] == found["hostIP"]
    kubernetes.kubectl("delete", "pod", "hosted")


def test_a_forwarded_port_leads_into_the_pods_own_network(kubernetes):
    serve = "echo inside > /who; exec httpd -f -p 127.0.0.1:8080 -h /"
    apply(kubernetes, "inner", container={"command": ["sh", "-c", serve], "readinessProbe": None})
    ready(kubernetes, "inner")
    argv = [str(KUBECTL), "port-forward", "pod/inner", ":8080"]
    given = {"stdout": subprocess.PIPE, "text": True, "env": kubernetes.environment}
    with subprocess.Popen(argv, **given) as child:
        try:
            port = int(re.search(r"127.0.0.1:(\d+)", child.stdout.readline())[1])
            assert ask("127.0.0.1", port) == "inside"
        finally:
            child.kill()
    kubernetes.kubectl("delete", "pod", "inner")


def app(cluster, **fields):
    """Add an app of the image; return its tasks when they run."""
    container = {"type": "MESOS", "docker": {"image": "box"}, **fields.pop("container", {})}
    given = {"cmd": "echo $PORT0 > /who; exec httpd -f -p 8080 -h /", "cpus": 0.1, "mem": 32}
    given |= {"container": container, "instances": 1, **fields}
    path = cluster.home / "app.json"
    path.write_text(json.dumps(given))
    cluster.dcos("marathon", "app", "add", str(path))
    name = fields["id"]

    def tasks():
        shown = json.loads(cluster.dcos("marathon", "app", "show", name))
        return [one for one in shown["tasks"] if one["state"] == "TASK_RUNNING"]

    wanted = given["instances"]
    eventually(lambda: len(tasks()) == wanted and shown_healthy(cluster, name), f"{name} runs")
    return tasks()


def shown_healthy(cluster, name):
    shown = json.loads(cluster.dcos("marathon", "app", "show", name))
    return not shown.get("healthChecks") or shown["tasksHealthy"] == shown["instances"]


@pytest.mark.parametrize("kind", ["MESOS", "DOCKER"])
def test_instances_of_a_bridged_app_have_ports_of_the_offer_and_addresses(cluster, kind):
    mapping = {"containerPort": 8080, "hostPort": 0, "name": "web"}
    checks = [{"protocol": "HTTP", "path": "/who", "portIndex": 0, "intervalSeconds": 1}]
    if kind == "MESOS":
        checks = [
            {
                "protocol": "MESOS_HTTP",
                "path": "/who",
                "portIndex": 0,
                "delaySeconds": 0,
                "intervalSeconds": 1,
            }
        ]
    found = app(
        cluster,
        id=f"/web-{kind.lower()}",
        instances=2,
        networks=[{"mode": "container/bridge"}],
        container={"type": kind, "portMappings": [mapping]},
        healthChecks=checks,
    )
    addresses = [one["ipAddresses"][0]["ipAddress"] for one in found]
    assert len(set(addresses)) == 2
    for task, address in zip(found, addresses, strict=True):
        (port,) = task["ports"]
        assert ask(address, 8080) == ask(task["host"], port) == str(port)
    cluster.dcos("marathon", "app", "remove", f"/web-{kind.lower()}")
