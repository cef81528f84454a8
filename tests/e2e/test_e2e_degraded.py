"""A cluster of somebody who is not root: what can run does, and what cannot waits with the reason.

The same need, an image or a network of its own, in three worlds: each tells in its own form.
"""

import json
import os

import pytest

from support.clusters import Cluster, CommandFailed, eventually
from support.images import MARKS
from support.lesser_machines import as_nobody

pytestmark = MARKS
WHY = "the agent does not run as root; start it as root to run images"


class Nobodys(Cluster):
    """A cluster, and its user, who is not root."""

    def __init__(self, root, *options):
        super().__init__(root, *options)
        self._prefix = as_nobody(root)
        os.chown(self.home, 65534, 65534)

    def run(self, *argv, **kwargs):
        return super().run(*self._prefix, *argv, **kwargs)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    made = Nobodys(
        tmp_path_factory.mktemp("nobody"), "--agents", "1", "--cpus", "4", "--mem", "4096"
    )
    made.up()
    made.dcos("cluster", "setup", made.urls["gateway"])
    yield made
    made.down()


def pod(kubernetes, name, **container):
    made = {"name": "main", "image": "host", "command": ["sleep", "3600"], **container}
    spec = {"containers": [made], "terminationGracePeriodSeconds": 1}
    given = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    kubernetes.kubectl("apply", "-f", "-", given=json.dumps(given))


def status(kubernetes, name):
    return json.loads(kubernetes.kubectl("get", "pod", name, "-o", "json"))["status"]


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("image", {}, f"image 'box' cannot run on this agent: {WHY}"),
        (
            "bridged",
            {"networks": [{"mode": "container/bridge"}], "image": "host"},
            "network 'mesos-bridge' is not available on this agent: the agent does not run as root",
        ),
    ],
)
def test_an_app_waits_and_its_queue_says_why(cluster, name, fields, text):
    docker = {"image": fields.pop("image", "box")}
    app = {"id": f"/{name}", "cmd": "sleep 600", "cpus": 0.1, "mem": 32, **fields}
    app["container"] = {"type": "MESOS", "docker": docker}
    assert cluster.send("POST", "marathon", "/v2/apps", app)[0] == 201

    def told():
        _, found = cluster.send("GET", "marathon", "/v2/queue?embed=lastUnusedOffers")
        rows = [one for one in found["queue"] if one["app"]["id"] == f"/{name}"]
        return [each for one in rows for each in one["lastUnusedOffers"]]

    eventually(told, "an offer was of no use")
    assert told()[0]["reason"] == ["UnfulfilledConstraint"]
    assert text in told()[0]["message"]
    assert text in cluster.dcos("task")
    assert cluster.send("DELETE", "marathon", f"/v2/apps/{name}?force=true")[0] == 200


def test_pods_run_as_processes_and_what_they_cannot_have_is_said(kubernetes):
    cluster = kubernetes
    limited = {"resources": {"limits": {"memory": "32Mi"}}}
    pod(cluster, "plain", **limited)
    cluster.kubectl("wait", "--for=condition=Ready", "pod/plain", "--timeout=60s")
    assert cluster.kubectl("exec", "plain", "--", "id", "-un").strip() == "nobody"
    eventually(
        lambda: "On this node: the agent does not run as root" in cluster.kubectl("get", "events"),
        "an event says that limits are not held",
    )
    pod(cluster, "image", image="box")
    eventually(lambda: status(cluster, "image").get("conditions"), "it was looked at")
    [scheduled] = status(cluster, "image")["conditions"]
    assert (scheduled["type"], scheduled["status"]) == ("PodScheduled", "False")
    assert scheduled["reason"] == "Unschedulable"
    text = f"0/1 nodes are available: 1 node(s) cannot run images: {WHY}."
    assert scheduled["message"] == text
    pod(cluster, "other", securityContext={"runAsUser": 1000})

    def waiting():
        found = status(cluster, "other").get("containerStatuses") or [{"state": {}}]
        return found[0]["state"].get("waiting", {})

    eventually(lambda: waiting().get("message"), "it says why it does not start")
    assert "user '1000' cannot be had: the agent does not run as root" in waiting()["message"]
    cluster.kubectl("delete", "pod", "--all", "--now")
    with pytest.raises(CommandFailed, match="not found"):
        cluster.kubectl("get", "pod", "plain")
