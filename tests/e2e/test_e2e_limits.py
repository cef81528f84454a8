"""Limits seen biting through Marathon's and Kubernetes's own APIs; requests alone hold nothing."""

import json

import pytest

from support.clusters import eventually
from support.image_clusters import apply_pod, image_cluster, pod_status
from support.images import MARKS

pytestmark = MARKS
TAKE = "dd if=/dev/zero of=/dev/null bs={}M count=1 2>/dev/null && echo took {}; "
OOM = "Memory limit exceeded: killed by the kernel"
QUOTA = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null"


def take(*sizes, then="exec sleep 3600"):
    """Return a script that takes so many megabytes, one size after the other."""
    return "".join(TAKE.format(size, size) for size in sizes) + then


EXCEED = take(80, then="exec dd if=/dev/zero of=/dev/null bs=300M count=1")
"""It is the container's first process that is killed."""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with image_cluster(tmp_path_factory, "sh echo sleep dd cat true") as made:
        yield made


@pytest.mark.parametrize("container", [None, {"type": "DOCKER", "docker": {"image": "box"}}])
def test_an_app_may_use_its_limits_and_no_more(cluster, container):
    own = {"container": container} if container else {}
    app = {"id": "/hog", "cmd": EXCEED, "cpus": 0.1, "mem": 32, **own}
    limits = {"mem": 128, "cpus": "unlimited"}
    assert cluster.send("POST", "marathon", "/v2/apps", {**app, "resourceLimits": limits})[0] == 201

    def failure():
        return cluster.send("GET", "marathon", "/v2/apps//hog")[1]["app"].get("lastTaskFailure")

    eventually(failure, "it takes too much")
    assert (failure()["state"], failure()["message"]) == ("TASK_FAILED", OOM)
    assert cluster.send("DELETE", "marathon", "/v2/apps//hog?force=true")[0] == 200
    free = {**app, "id": "/free", "cmd": take(300), "resourceLimits": {"mem": "unlimited"}}
    assert cluster.send("POST", "marathon", "/v2/apps", free)[0] == 201
    eventually(lambda: cluster.running("free"), "it runs")
    eventually(lambda: "took 300" in cluster.dcos("task", "log", "free"), "it takes what it likes")
    assert cluster.send("DELETE", "marathon", "/v2/apps//free?force=true")[0] == 200
    eventually(lambda: not cluster.running("free"), "it is gone")


def test_a_container_of_a_marathon_pod_may_use_its_own_limit(cluster):
    def part(name, script, mem):
        return {
            "name": name,
            "image": {"kind": "DOCKER", "id": "box"},
            "exec": {"command": {"shell": script}},
            "resources": {"cpus": 0.1, "mem": 32},
            "resourceLimits": {"mem": mem},
        }

    parts = [part("free", take(300), "unlimited"), part("hog", f"sleep 3; {EXCEED}", 128)]
    pod = {"id": "/parts", "containers": parts}
    cluster.dcos("marathon", "pod", "add", given=json.dumps(pod))

    def history():
        _, found = cluster.send("GET", "marathon", "/v2/pods//parts::status")
        return json.dumps(found.get("terminationHistory") or [])

    eventually(lambda: OOM in history(), "the history names the limit")
    cluster.dcos("marathon", "pod", "remove", "/parts", "--force")


def test_a_kubernetes_container_is_held_by_limits_alone(kubernetes):
    free = {"name": "free", "command": ["sh", "-c", take(300)]}
    free["resources"] = {"requests": {"memory": "16Mi", "cpu": "100m"}}
    hog = {"name": "hog", "command": ["sh", "-c", f"{QUOTA}; {EXCEED}"]}
    hog["resources"] = {
        "requests": {"memory": "16Mi", "cpu": "50m"},
        "limits": {"memory": "128Mi", "cpu": "200m", "ephemeral-storage": "1Mi"},
    }
    apply_pod(kubernetes, "limits", [free, hog], restartPolicy="Never")

    def ended():
        found = pod_status(kubernetes, "limits").get("containerStatuses") or ()
        return {one["name"]: one["state"].get("terminated") for one in found}

    eventually(lambda: ended().get("hog"), "one takes too much")
    assert (ended()["hog"]["reason"], ended()["hog"]["exitCode"]) == ("OOMKilled", 137)
    said = kubernetes.kubectl("logs", "limits", "-c", "hog").split()
    assert (said[0], said[-2:]) == ("20000", ["took", "80"])
    assert ended()["free"] is None
    eventually(lambda: "took 300" in kubernetes.kubectl("logs", "limits", "-c", "free"), "one may")
    text = "This node does not apply resources.limits.ephemeral-storage"
    eventually(lambda: text in kubernetes.kubectl("get", "events"), "an event says so")
    kubernetes.kubectl("delete", "pod", "limits", "--now")
