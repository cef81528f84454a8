"""The examples do what they say."""

import sys

from support.clusters import ROOT, eventually

SCHEDULER = ROOT / "examples" / "hello_scheduler.py"


def test_a_scheduler_of_ones_own_runs_its_tasks_and_leaves(cluster):
    said = cluster.run(sys.executable, str(SCHEDULER), cluster.urls["master"], "5")
    finished = {line.split()[0] for line in said.splitlines() if line.endswith("TASK_FINISHED")}
    assert finished == {f"hello-{number}" for number in range(5)}
    completed = cluster.get("master", "/state")["completed_frameworks"]
    assert "hello" in {framework["name"] for framework in completed}


def test_the_scheduler_is_shorter_than_forty_lines():
    assert len(SCHEDULER.read_text().splitlines()) < 40


def test_the_marathon_example_becomes_healthy_on_two_hosts(cluster):
    cluster.dcos("marathon", "app", "add", str(ROOT / "examples" / "hello.json"))
    eventually(
        lambda: cluster.get("marathon", "/v2/apps//hello")["app"]["tasksHealthy"] == 2,
        "both instances are healthy",
    )
    tasks = cluster.get("marathon", "/v2/apps//hello/tasks")["tasks"]
    assert len({task["host"] for task in tasks}) == 2
    cluster.dcos("marathon", "app", "remove", "/hello")
    eventually(lambda: not cluster.running("hello"), "its tasks have ended")


def test_the_guestbook_example_runs(kubernetes):
    path = str(ROOT / "examples" / "guestbook.yaml")
    kubernetes.kubectl("apply", "-f", path)
    kubernetes.kubectl("rollout", "status", "deployment/guestbook", "--timeout=120s", timeout_s=150)
    kubernetes.kubectl("delete", "-f", path, timeout_s=120)
