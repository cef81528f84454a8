"""Pods and apps of images made here, as root: who they are, what they see, and how they end."""

import pytest

from support.clusters import eventually
from support.image_clusters import apply_pod, image_cluster, pod_status
from support.images import MARKS

pytestmark = MARKS
_PROGRAMS = "sh echo cat ls sleep test true id touch hostname grep df stat tail ps"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster whose agents find the image `box` in a layout."""
    with image_cluster(tmp_path_factory, _PROGRAMS) as made:
        yield made


def apply(kubernetes, name, *containers, **spec):
    """Create a pod; scripts are run by the image's shell."""
    made = [{"command": ["sh", "-c", script], **each} for script, each in containers]
    apply_pod(kubernetes, name, made, **{"restartPolicy": "Never", **spec})


def status(kubernetes, name, container="main"):
    found = pod_status(kubernetes, name).get("containerStatuses") or [
        {"name": container, "state": {}}
    ]
    return next((one["state"] for one in found if one["name"] == container), {})


def ended(kubernetes, name, container="main"):
    eventually(lambda: "terminated" in status(kubernetes, name, container), f"{name} ends")
    return status(kubernetes, name, container)["terminated"]


def test_a_restricted_pod_has_no_more_than_it_asks_for(kubernetes):
    script = (
        "id -u; id -g; id -G; hostname; touch /x || echo read-only; touch /data/y && "
        "stat -c %g /data/y; grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; "
        "cat /etc/hosts"
    )
    context = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    mount = {"name": "data", "mountPath": "/data"}
    apply(
        kubernetes,
        "restricted",
        (script, {"securityContext": context, "volumeMounts": [mount]}),
        securityContext={
            **{"runAsUser": 1000, "runAsGroup": 1001, "runAsNonRoot": True},
            **{"fsGroup": 77, "supplementalGroups": [88]},
        },
        hostAliases=[{"ip": "10.9.8.7", "hostnames": ["elsewhere"]}],
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    assert ended(kubernetes, "restricted")["reason"] == "Completed"
    lines = kubernetes.kubectl("logs", "restricted").splitlines()
    assert lines[:2] == ["1000", "1001"]
    assert {"88", "77"} <= set(lines[2].split())
    assert "restricted" in lines
    assert "read-only" in lines
    assert "77" in lines
    assert "CapBnd:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert "Seccomp:\t2" in lines
    assert "10.9.8.7 elsewhere" in lines


def test_containers_of_a_pod_share_memory_and_a_volume_in_it(kubernetes):
    memory = {"medium": "Memory", "sizeLimit": "1Mi"}
    mounts = {"volumeMounts": [{"name": "m", "mountPath": "/m"}]}
    say = "echo word > /m/word; echo more > /dev/shm/word; df -k /m | tail -1"
    hear = "; ".join(
        f"until cat {path}/word 2>/dev/null; do sleep 0.1; done" for path in ("/m", "/dev/shm")
    )
    apply(
        kubernetes,
        "shared",
        (say, {"name": "say", **mounts}),
        (hear, {"name": "hear", **mounts}),
        volumes=[{"name": "m", "emptyDir": memory}],
    )
    assert ended(kubernetes, "shared", "hear")["exitCode"] == 0
    assert kubernetes.kubectl("logs", "shared", "-c", "hear").split() == ["word", "more"]
    assert kubernetes.kubectl("logs", "shared", "-c", "say").split()[1] == "1024"


def test_containers_of_a_pod_may_see_each_others_processes(kubernetes):
    apply(
        kubernetes,
        "processes",
        ("exec sleep 4321", {"name": "one"}),
        ("until ps | grep 'sleep 4321'; do sleep 0.1; done; ps", {"name": "two"}),
        shareProcessNamespace=True,
    )
    assert ended(kubernetes, "processes", "two")["exitCode"] == 0
    assert "/pause" in kubernetes.kubectl("logs", "processes", "-c", "two")
    kubernetes.kubectl("delete", "pod", "processes", "--grace-period", "1")


def test_who_takes_too_much_memory_is_told(kubernetes):
    limits = {"resources": {"limits": {"memory": "24Mi"}}}
    apply(kubernetes, "hog", ("x=x; while :; do x=$x$x; done", limits))
    found = ended(kubernetes, "hog")
    assert (found["reason"], found["exitCode"]) == ("OOMKilled", 137)


@pytest.mark.parametrize(
    ("name", "context", "text"),
    [
        ("rooted", {"runAsNonRoot": True}, "must not run as root"),
        ("local", {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}, "Localhost"),
    ],
)
def test_what_cannot_be_had_keeps_the_container_waiting(kubernetes, name, context, text):
    apply(kubernetes, name, ("true", {"securityContext": context}))
    eventually(
        lambda: text in status(kubernetes, name).get("waiting", {}).get("message", ""),
        f"{name} waits with the reason",
    )


def test_an_app_of_type_docker_runs_without_a_docker_engine(cluster, tmp_path):
    (tmp_path / "file").write_text("of the host\n")
    tmp_path.chmod(0o755)  # for the container's user
    parameters = {"user": "web", "hostname": "named", "cap-drop": "ALL", "ulimit": "nofile=64:64"}
    docker = {
        "image": "box",
        "parameters": [{"key": key, "value": value} for key, value in parameters.items()],
    }
    volume = {"containerPath": "/data", "hostPath": str(tmp_path), "mode": "RO"}
    script = (
        "id -un; hostname; ulimit -n; cat /data/file; touch /data/x || echo read-only; "
        "exec sleep 3600"
    )
    app = {
        **{"id": "/box", "cmd": script, "cpus": 0.1, "mem": 32},
        "container": {"type": "DOCKER", "docker": docker, "volumes": [volume]},
        "resourceLimits": {"mem": 64},
    }
    assert cluster.send("POST", "marathon", "/v2/apps", app)[0] == 201
    eventually(lambda: cluster.running("box"), "the app runs")
    eventually(lambda: "read-only" in cluster.dcos("task", "log", "box"), "it has written")
    lines = cluster.dcos("task", "log", "box").splitlines()
    assert lines[-5:] == ["web", "named", "64", "of the host", "read-only"]
    assert cluster.send("DELETE", "marathon", "/v2/apps/box")[0] == 200
