"""Secrets of Marathon's apps and pods: files of the agents' machine, in no answer and no log."""

import json

import pytest

from support.clusters import CommandFailed, eventually
from support.image_clusters import image_cluster
from support.images import MARKS

pytestmark = MARKS
PIN = "open-sesame-4711"
CHECK = 'test "$PIN" = "$(cat etc/pin)" && echo ${#PIN} letters && exec sleep 600'
SECRETS = {"pin": {"source": "team/pin"}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster whose agents have a secret, and the image `box`."""
    kept = tmp_path_factory.mktemp("secrets")
    (kept / "team").mkdir()
    (kept / "team/pin").write_text(PIN)
    with image_cluster(tmp_path_factory, options=("--secrets-dir", str(kept))) as made:
        yield made


def printed(cluster, name):
    """Wait for what a task says of its secrets."""

    def found():
        try:
            return "letters" in cluster.dcos("task", "log", name)
        except CommandFailed:  # there is no task yet
            return False

    eventually(found, f"{name} has its secrets")
    assert f"{len(PIN)} letters" in cluster.dcos("task", "log", name)


def check_unseen(cluster, shown):
    assert PIN not in shown
    for log in cluster.work_dir.glob("logs/*.log"):
        assert PIN not in log.read_text(), log
    for store in cluster.work_dir.glob("**/*.sqlite*"):
        assert PIN.encode() not in store.read_bytes(), store


def test_an_app_has_its_secrets(cluster):
    app = {
        "id": "/safe",
        "cmd": CHECK,
        "cpus": 0.1,
        "mem": 32,
        "env": {"PIN": {"secret": "pin"}},
        "secrets": SECRETS,
        "container": {
            "type": "MESOS",
            "docker": {"image": "box"},
            "volumes": [{"containerPath": "etc/pin", "secret": "pin"}],
        },
    }
    cluster.dcos("marathon", "app", "add", given=json.dumps(app))
    printed(cluster, "safe")
    check_unseen(cluster, cluster.dcos("marathon", "app", "show", "/safe"))


def test_a_pod_has_its_secrets(cluster):
    pod = {
        "id": "/safes",
        "secrets": SECRETS,
        "volumes": [{"name": "v", "secret": "pin"}],
        "containers": [
            {
                "name": "one",
                "image": {"kind": "DOCKER", "id": "box"},
                "exec": {"command": {"shell": CHECK}},
                "resources": {"cpus": 0.1, "mem": 32},
                "environment": {"PIN": {"secret": "pin"}},
                "volumeMounts": [{"name": "v", "mountPath": "etc/pin"}],
            }
        ],
    }
    cluster.dcos("marathon", "pod", "add", given=json.dumps(pod))
    printed(cluster, "one")
    check_unseen(cluster, cluster.dcos("marathon", "pod", "show", "/safes"))


def test_a_secret_that_no_agent_has_is_named(cluster):
    app = {
        "id": "/lost",
        "cmd": "sleep 600",
        "cpus": 0.1,
        "mem": 32,
        "env": {"PIN": {"secret": "pin"}},
        "secrets": {"pin": {"source": "team/nothing"}},
        "container": {"type": "MESOS", "docker": {"image": "box"}},
    }
    cluster.dcos("marathon", "app", "add", given=json.dumps(app))

    def failure():
        shown = json.loads(cluster.dcos("marathon", "app", "show", "/lost"))
        return shown.get("lastTaskFailure", {}).get("message", "")

    eventually(lambda: "team/nothing" in failure(), "the app says which secret is missing")
    cluster.dcos("marathon", "app", "remove", "--force", "/lost")
