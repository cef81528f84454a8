"""Clients that we did not write, against a whole cluster."""

import json
from pathlib import Path

from support.clusters import eventually

HERE = Path(__file__).parent


def test_the_marathon_client_drives_an_app_through_its_life(cluster, clients):
    script = str(HERE / "marathon_client.py")
    said = cluster.run(str(clients / "python"), script, cluster.urls["marathon"], timeout_s=300)
    assert said.split() == ["created", "scaled", "updated", "killed", "deleted"]


def test_pymesos_runs_twenty_tasks(cluster, clients):
    master = cluster.urls["master"].removeprefix("http://")
    script = str(HERE / "pymesos_client.py")
    said = cluster.run(str(clients / "python"), script, master, "20", timeout_s=120)
    finished = [line for line in said.splitlines() if line.startswith("finished ")]
    assert len(finished) == 20
    eventually(lambda: not cluster.running("pymesos"), "the master has no pymesos task left")


def test_dcoss_own_command_line_drives_a_pod_through_its_life(cluster, clients):
    home = str(cluster.home / "official")

    def dcos(*arguments, given=""):
        argv = (str(clients / "python"), str(HERE / "dcos_client.py"), home, *arguments)
        return cluster.run(*argv, given=given)

    def pod(*arguments, given=""):
        return dcos("marathon", "pod", *arguments, given=given)

    def stable(count):
        found = json.loads(pod("show", "/site"))
        return [one["status"] for one in found["instances"]] == ["STABLE"] * count

    dcos("config", "set", "core.dcos_url", cluster.urls["gateway"])
    definition = {
        "id": "/site",
        "containers": [
            {
                "name": name,
                "exec": {"command": {"shell": f"echo {name}; exec sleep 600"}},
                "resources": {"cpus": 0.1, "mem": 32},
            }
            for name in ("one", "two")
        ],
    }
    assert pod("add", given=json.dumps(definition)).startswith("Created deployment ")
    eventually(lambda: stable(1), "the pod is stable")
    head, first, *containers = pod("list").splitlines()
    assert head.split()[:3] == ["ID+TASKS", "INSTANCES", "VERSION"]
    assert (first.split()[0], first.split()[3]) == ("/site", "STABLE")
    assert [line.split()[0] for line in containers] == ["|-one", "|-two"]
    (instance,) = json.loads(pod("show", "/site"))["instances"]
    one = instance["containers"][0]["containerId"]
    assert one in dcos("task")
    assert "one" in dcos("task", "log", one)
    definition["scaling"] = {"kind": "fixed", "instances": 2}
    pod("update", "--force", "/site", given=json.dumps(definition))
    eventually(lambda: stable(2), "two instances are stable")
    pod("kill", "/site", instance["id"])

    def replaced():
        present = json.loads(pod("show", "/site"))["instances"]
        return instance["id"] not in {one["id"] for one in present} and stable(2)

    eventually(replaced, "another instance stands in")
    pod("remove", "--force", "/site")
    eventually(lambda: not cluster.running("one"), "the pod's tasks have ended")
    assert pod("list").strip() == ""
