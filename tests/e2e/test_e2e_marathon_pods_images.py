"""A Marathon pod of images in its sandbox: one network, one /dev/shm, one ephemeral volume."""

import json
import urllib.request

import pytest

from support.clusters import eventually
from support.image_clusters import image_cluster
from support.images import MARKS
from support.networks import MARKS as NETWORK_MARKS

pytestmark = [*MARKS, *NETWORK_MARKS]
_PROGRAMS = "sh echo cat sleep test true httpd wget readlink hostname"
READ = (
    "until wget -q -O - http://127.0.0.1:8080/page; do sleep 0.1; done; "
    "cat /shared/page /dev/shm/word; readlink /proc/self/ns/net; exec sleep 3600"
)
SERVE = (
    "echo in-memory > /dev/shm/word; echo from-the-volume > /srv/page; "
    "readlink /proc/self/ns/net > /srv/net; exec httpd -f -p 8080 -h /srv"
)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster whose agents find the image `box` in a layout."""
    with image_cluster(tmp_path_factory, _PROGRAMS) as made:
        yield made


def container(name, script, path, **fields):
    return {
        "name": name,
        "image": {"kind": "DOCKER", "id": "box"},
        "exec": {"command": {"shell": script}},
        "resources": {"cpus": 0.1, "mem": 32},
        "volumeMounts": [{"name": "v", "mountPath": path}],
        **fields,
    }


def test_two_image_containers_share_a_network_and_an_ephemeral_volume(cluster):
    endpoint = {"name": "web", "containerPort": 8080, "hostPort": 0, "protocol": ["tcp"]}
    check = {
        "http": {"endpoint": "web", "path": "/page", "scheme": "HTTP"},
        "delaySeconds": 0,
        "intervalSeconds": 2,
        "timeoutSeconds": 1,
    }
    pod = {
        "id": "/site",
        "networks": [{"mode": "container/bridge"}],
        "volumes": [{"name": "v"}],
        "containers": [
            container("web", SERVE, "/srv", endpoints=[endpoint], healthCheck=check),
            container("reader", READ, "/shared"),
        ],
    }
    cluster.dcos("marathon", "pod", "add", given=json.dumps(pod))

    def status():
        return json.loads(cluster.dcos("marathon", "pod", "show", "/site"))

    eventually(lambda: status()["status"] == "STABLE", "the pod is stable")
    (instance,) = status()["instances"]
    tasks = {one["name"]: one["containerId"] for one in instance["containers"]}
    (network,) = instance["networks"]
    (address,) = network["addresses"]
    assert network["name"] == "mesos-bridge"
    (web,) = [one for one in instance["containers"] if one["name"] == "web"]
    assert web["conditions"][0]["value"] == "true"
    port = web["endpoints"][0]["allocatedHostPort"]
    for place in (f"127.0.0.1:{port}", f"{address}:8080"):
        with urllib.request.urlopen(f"http://{place}/page", timeout=30) as answer:
            assert answer.read() == b"from-the-volume\n"

    def said():
        return cluster.dcos("task", "log", tasks["reader"]).splitlines()

    eventually(lambda: len(said()) == 4, "the reader has read by network and by volume")
    by_network, by_volume, in_memory, namespace = said()
    assert by_network == by_volume == "from-the-volume"
    assert in_memory == "in-memory"
    ran = cluster.dcos("task", "exec", tasks["web"], "--", "cat", "/srv/page", "/etc/passwd")
    assert ran.startswith("from-the-volume\nroot:")
    with urllib.request.urlopen(f"http://{address}:8080/net", timeout=30) as answer:
        assert answer.read().decode().strip() == namespace
    cluster.dcos("marathon", "pod", "remove", "/site")
    eventually(lambda: not cluster.tasks(), "nothing runs any more")
