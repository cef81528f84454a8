"""Marathon apps and Kubernetes pods on the same agents, in one list, within one set of totals."""

import json
import threading

from support.clusters import eventually, fetch

GUESTBOOK = """
apiVersion: v1
kind: ConfigMap
metadata: {name: guestbook}
data: {greeting: hello from the config}
---
apiVersion: v1
kind: Service
metadata: {name: guestbook}
spec:
  selector: {app: guestbook}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: guestbook}
spec:
  replicas: 2
  selector: {matchLabels: {app: guestbook}}
  template:
    metadata: {labels: {app: guestbook}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: host
        command: [sh, -c, 'echo "$GREETING $VERSION"; exec sleep 3600']
        env:
        - {name: VERSION, value: "one"}
        - name: GREETING
          valueFrom: {configMapKeyRef: {name: guestbook, key: greeting}}
        resources: {requests: {cpu: 100m, memory: 16Mi}}
"""
APP = {"id": "/web", "cmd": "exec sleep 3600", "cpus": 0.1, "mem": 16, "instances": 2}


class Ledger(threading.Thread):
    """Polls /state-summary and /state, and keeps whatever does not add up."""

    def __init__(self, master_url):
        super().__init__(daemon=True)
        self._url, self.looks, self.problems = master_url, 0, []
        self._stop_asked = threading.Event()

    def run(self):
        while not self._stop_asked.wait(0.02):
            _, state = fetch(self._url + "/state")
            self.looks += 1
            for agent in state["slaves"]:
                self._check(agent, state)

    def _check(self, agent, state):
        held = [
            holder["resources"]
            for framework in state["frameworks"]
            for holder in [*framework["tasks"], *framework.get("executors", [])]
            if holder.get("slave_id", holder.get("agent_id")) == agent["id"]
            and holder.get("state") not in ENDED
        ]
        for name in ("cpus", "mem"):
            used, total = agent["used_resources"].get(name, 0), agent["resources"][name]
            summed = sum(resources.get(name, 0) for resources in held)
            if used > total + 1e-6 or abs(used - summed) > 1e-3:
                self.problems.append((agent["hostname"], name, used, summed, total))

    def finish(self):
        self._stop_asked.set()
        self.join()


ENDED = {
    "TASK_FINISHED",
    "TASK_FAILED",
    "TASK_KILLED",
    "TASK_ERROR",
    "TASK_LOST",
    "TASK_DROPPED",
    "TASK_GONE",
}


def pods(cluster, *selector):
    """List the guestbook's pods."""
    listed = json.loads(cluster.kubectl("get", "pods", "-l", "app=guestbook", "-o", "json"))
    return listed["items"]


def ready(cluster, count):
    """Say whether exactly so many pods are there and ready."""
    conditions = [
        {c["type"]: c["status"] for c in pod["status"].get("conditions", [])}.get("Ready")
        for pod in pods(cluster)
    ]
    return conditions == ["True"] * count


def test_both_models_share_the_agents(kubernetes):
    cluster = kubernetes
    ledger = Ledger(cluster.urls["master"])
    ledger.start()
    status, _ = cluster.send("POST", "marathon", "/v2/apps", APP)
    assert status == 201
    eventually(lambda: len(cluster.running("web")) == 2, "the Marathon app runs")
    apps = {task["id"] for task in cluster.running("web")}

    assert "deployment.apps/guestbook created" in cluster.kubectl(
        "apply", "-f", "-", given=GUESTBOOK
    )
    cluster.kubectl("rollout", "status", "deployment/guestbook", "--timeout=120s", timeout_s=150)
    eventually(lambda: ready(cluster, 2), "two pods are ready")

    listed = cluster.dcos("task", "list")
    assert "web" in listed
    assert "guestbook" in listed
    hosts = {task["slave_id"] for task in cluster.running("guestbook")}
    assert hosts <= {agent["id"] for agent in cluster.get("master", "/slaves")["slaves"]}

    log = cluster.kubectl("logs", "deployment/guestbook")
    assert log.strip() == "hello from the config one"

    cluster.kubectl("set", "env", "deployment/guestbook", "VERSION=two")
    cluster.kubectl("rollout", "status", "deployment/guestbook", "--timeout=120s", timeout_s=150)
    eventually(lambda: ready(cluster, 2), "the old pods are gone and the new ready")
    name = pods(cluster)[0]["metadata"]["name"]
    assert cluster.kubectl("logs", name).strip() == "hello from the config two"

    cluster.kubectl("scale", "deployment/guestbook", "--replicas=4")
    eventually(lambda: ready(cluster, 4), "four pods are ready")
    endpoints = json.loads(cluster.kubectl("get", "endpoints", "guestbook", "-o", "json"))
    assert sum(len(part["addresses"]) for part in endpoints["subsets"]) >= 1

    cluster.kubectl("delete", "-f", "-", given=GUESTBOOK, timeout_s=120)
    eventually(lambda: not pods(cluster), "the pods are deleted")
    eventually(lambda: not cluster.running("guestbook"), "their tasks have ended")
    assert {task["id"] for task in cluster.running("web")} == apps
    ledger.finish()
    assert ledger.looks > 20
    assert not ledger.problems


def test_kubectl_shows_the_agents_as_nodes(kubernetes):
    nodes = json.loads(kubernetes.kubectl("get", "nodes", "-o", "json"))["items"]
    agents = kubernetes.get("master", "/slaves")["slaves"]
    assert {node["metadata"]["name"] for node in nodes} <= {agent["hostname"] for agent in agents}
    assert "NAME" in kubernetes.kubectl("get", "nodes")


def test_a_pod_whose_image_cannot_run_says_why(kubernetes):
    cluster = kubernetes
    manifest = "apiVersion: v1\nkind: Pod\nmetadata: {name: nowhere}\nspec:\n  containers:\n"
    manifest += "  - {name: main, image: 'no-such-image:1'}\n"
    cluster.kubectl("apply", "-f", "-", given=manifest)
    eventually(
        lambda: "no-such-image" in _waiting(cluster) or "image" in _events(cluster),
        "the pod's status or its events name the image",
    )
    assert "nowhere" in cluster.kubectl("describe", "pod", "nowhere")
    cluster.kubectl("delete", "pod", "nowhere", "--grace-period=0", "--force")


def _waiting(cluster):
    pod = json.loads(cluster.kubectl("get", "pod", "nowhere", "-o", "json"))
    states = pod["status"].get("containerStatuses", [])
    return " ".join(json.dumps(each["state"].get("waiting", {})) for each in states)


def _events(cluster):
    return cluster.kubectl("get", "events", "-o", "jsonpath={.items[*].message}")
