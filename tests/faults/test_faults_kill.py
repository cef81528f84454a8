"""kill -9 of each component: no running task and no acknowledged write is lost."""

import json
import os
import signal

import pytest

from support.clusters import eventually

APP = {"id": "/steady", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "instances": 3}
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: steady-pods}
spec:
  replicas: 2
  selector: {matchLabels: {app: steady-pods}}
  template:
    metadata: {labels: {app: steady-pods}}
    spec:
      containers:
      - {name: main, image: host, command: [sleep, "3600"]}
"""


@pytest.fixture(scope="module")
def steady(kubernetes):
    """Give a cluster with three app instances and two pods running."""
    cluster = kubernetes
    assert cluster.send("POST", "marathon", "/v2/apps", APP)[0] == 201
    cluster.kubectl("apply", "-f", "-", given=DEPLOYMENT)
    eventually(lambda: len(instances(cluster)) == 3, "three instances run")
    eventually(lambda: len(cluster.running("steady-pods")) == 2, "two pods run")
    eventually(lambda: len(ready_pods(cluster)) == 2, "two pods are ready")
    return cluster


def instances(cluster):
    """Return the running tasks of the app."""
    return [task for task in cluster.running("steady") if task["name"] == "steady"]


def ready_pods(cluster):
    """Return the containers of the pods that are Running; a restarted one has another id."""
    listed = json.loads(cluster.kubectl("get", "pods", "-o", "json"))["items"]
    return {
        container["containerID"]
        for pod in listed
        if pod["status"].get("phase") == "Running"
        for container in pod["status"]["containerStatuses"]
    }


def keep(cluster, name):
    """Have the Kubernetes API acknowledge a config map."""
    manifest = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n"
    cluster.kubectl("apply", "-f", "-", given=manifest + "data: {kept: 'yes'}\n")


def held(cluster):
    """Return every running task with its process, as the kernel and the master know it."""
    return {task["id"]: processes(cluster, task["id"]) for task in cluster.running("steady")}


def processes(cluster, task_id):
    """Return the ids of the processes whose environment names a task."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environment:
                if f"MESOS_TASK_ID={task_id}".encode() in environment.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            continue
    return sorted(found)


def restarts(cluster, component):
    """Return how often the supervisor has restarted a component, once it runs again."""
    status = json.loads(
        cluster.run("comity", "status", "--json", "--work-dir", str(cluster.work_dir))
    )
    found = next(item for item in status["components"] if item["name"] == component)
    return found["restarts"] if found["state"] == "running" else 0


@pytest.mark.parametrize("component", ["master", "agent1", "agent2", "marathon"])
def test_kill_9_loses_no_task_and_no_acknowledged_write(steady, component):
    cluster = steady
    before, earlier, nodes = held(cluster), restarts(cluster, component), ready_pods(cluster)
    key = f"/acknowledged-{component}"
    app = {"id": key, "cmd": "sleep 1", "cpus": 0.01, "mem": 8, "instances": 0}
    assert cluster.send("POST", "marathon", "/v2/apps", app)[0] == 201
    name = key.strip("/")
    keep(cluster, name)

    os.kill(cluster.pid(component), signal.SIGKILL)

    eventually(lambda: restarts(cluster, component) == earlier + 1, f"{component} runs again")
    eventually(lambda: held(cluster) == before, "every task runs on, in the same processes")
    eventually(lambda: cluster.get("marathon", f"/v2/apps/{name}")["app"]["id"], "the app is kept")
    kept = cluster.kubectl("get", "configmap", name, "-o", "jsonpath={.data.kept}")
    assert kept == "yes"
    assert ready_pods(cluster) == nodes
    eventually(lambda: _scales(cluster), "the cluster still does what it is told")


def _scales(cluster):
    """Launch one more task and take it away again: the whole path works."""
    cluster.send("PUT", "marathon", "/v2/apps/steady?force=true", {"instances": 4})
    eventually(lambda: len(instances(cluster)) == 4, "a fourth instance runs")
    cluster.send("PUT", "marathon", "/v2/apps/steady?force=true", {"instances": 3})
    return eventually(lambda: len(instances(cluster)) == 3, "three instances run")


def test_kill_9_of_the_kubernetes_control_plane_loses_nothing(steady):
    cluster = steady
    before, pods = held(cluster), ready_pods(cluster)
    keep(cluster, "acknowledged")
    (task,) = cluster.running("kubernetes")
    for pid in processes(cluster, task["id"]):
        os.kill(pid, signal.SIGKILL)
    eventually(
        lambda: any(t["id"] != task["id"] for t in cluster.running("kubernetes")),
        "Marathon starts another control plane",
    )
    eventually(lambda: cluster.dcos("kubernetes", "kubeconfig") or True, "its kubeconfig")
    eventually(
        lambda: cluster.kubectl("get", "configmap", "acknowledged", "-o", "name"),
        "it kept its data",
    )
    eventually(lambda: held(cluster) == before, "apps and pods run on, in the same processes")
    assert ready_pods(cluster) == pods
    cluster.kubectl("scale", "deployment/steady-pods", "--replicas=3")
    eventually(lambda: len(ready_pods(cluster)) == 3, "a third pod runs")
