"""Marathon pods as people drive them: `dcos marathon pod`, and their containers among all tasks."""

import json

import pytest

from support.clusters import CommandFailed, eventually

POD = {
    "id": "/shop/site",
    "volumes": [{"name": "pages"}],
    "networks": [{"mode": "host"}],
    "containers": [
        {
            "name": "writer",
            "exec": {"command": {"shell": "echo written > out/page; cat out/page; sleep 3600"}},
            "resources": {"cpus": 0.1, "mem": 32},
            "volumeMounts": [{"name": "pages", "mountPath": "out"}],
        },
        {
            "name": "web",
            "exec": {
                "command": {"shell": "cd in; exec python3 -m http.server $ENDPOINT_WEB"},
            },
            "resources": {"cpus": 0.1, "mem": 32},
            "endpoints": [{"name": "web", "hostPort": 0, "protocol": ["tcp"]}],
            "volumeMounts": [{"name": "pages", "mountPath": "in"}],
        },
    ],
}


def shown(cluster):
    return json.loads(cluster.dcos("marathon", "pod", "show", "/shop/site"))


def is_stable(cluster, count):
    found = shown(cluster)
    running = json.loads(cluster.dcos("marathon", "deployment", "list", "--json"))
    return not running and [one["status"] for one in found["instances"]] == ["STABLE"] * count


def test_a_pod_is_added_shown_scaled_killed_and_removed(cluster):
    said = cluster.dcos("marathon", "pod", "add", given=json.dumps(POD))
    assert said.startswith("Created deployment ")
    eventually(lambda: is_stable(cluster, 1), "the pod is stable")
    listed = cluster.dcos("marathon", "pod", "list")
    assert listed.splitlines()[1].split()[:4] == ["/shop/site", "writer,web", "1/1", "STABLE"]
    assert cluster.dcos("marathon", "pod", "list", "--quiet") == "/shop/site\n"
    assert cluster.dcos("marathon", "group", "list").splitlines()[1].split() == ["/shop", "0", "1"]

    (instance,) = shown(cluster)["instances"]
    tasks = {one["name"]: one["containerId"] for one in instance["containers"]}
    table = cluster.dcos("task")
    assert all(task_id in table for task_id in tasks.values())

    def has_said():
        return cluster.dcos("task", "log", tasks["writer"]) == "written\n"

    eventually(has_said, "the log of one container")

    assert cluster.dcos("task", "exec", tasks["web"], "--", "cat", "in/page") == "written\n"

    more = json.dumps(POD | {"scaling": {"kind": "fixed", "instances": 2}})
    assert "Created deployment" in cluster.dcos(
        "marathon", "pod", "update", "/shop/site", given=more
    )
    eventually(lambda: is_stable(cluster, 2), "two instances are stable")
    assert instance["id"] in {one["id"] for one in shown(cluster)["instances"]}
    killed = cluster.dcos("marathon", "pod", "kill", "/shop/site", instance["id"])
    assert killed == f"Killed instances: {instance['id']}\n"

    def is_replaced():
        ids = {one["id"] for one in shown(cluster)["instances"]}
        return instance["id"] not in ids and is_stable(cluster, 2)

    eventually(is_replaced, "another instance stands in")
    with pytest.raises(CommandFailed, match="already exists"):
        cluster.dcos("marathon", "pod", "add", given=json.dumps(POD))
    cluster.dcos("marathon", "pod", "remove", "/shop/site")
    eventually(lambda: not cluster.running("writer"), "the pod's tasks have ended")
    with pytest.raises(CommandFailed, match="Pod '/shop/site' does not exist"):
        cluster.dcos("marathon", "pod", "show", "/shop/site")
