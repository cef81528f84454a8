"""mesos-go, the Go library for Mesos's API, against a whole cluster, in both encodings.

The program is tests/clients/mesos_go: it fails by itself at whatever the library refuses, does not
understand or waits for in vain. What it says and what the cluster shows afterwards is checked here.
"""

import pytest

from support.clusters import CLIENTS, eventually

LIFE = [
    "finished 5 commands",
    "failing: REASON_COMMAND_EXECUTOR_FAILED, Command exited with status 3",
    "killed a command",
    "executor runs 2 tasks",
    "executor said: heard talking",
    "executor ended",
    "group ended together",
    "volume kept its data",
    "gave all back",
    "reconnected",
    "the old scheduler was told: Framework failed over",
    "failed over",
    "torn down",
]
OPERATIONS = [
    "read the master",
    "changed the cluster and back",
    "read the agent",
    "ran nested containers",
    "held sessions",
    "attached",
    "ran a standalone container",
    "watched",
]
ENDS = {
    **{f"command-{number}": "TASK_FINISHED" for number in range(5)},
    **dict.fromkeys(("talking", "writer", "reader"), "TASK_FINISHED"),
    **dict.fromkeys(("killed", "stubborn", "first", "second", "lasting"), "TASK_KILLED"),
    "failing": "TASK_FAILED",
}


@pytest.fixture(scope="module")
def program():
    """Give the client's program."""
    found = CLIENTS / "mesos-go"
    if not found.exists():
        pytest.skip("the client on mesos-go is not here; `make clients` builds it if there is a go")
    return str(found)


def master_of(cluster):
    return cluster.urls["master"].removeprefix("http://")


def is_as_before(cluster):
    agents = cluster.get("master", "/slaves")["slaves"]
    used = [agent["used_resources"][name] for agent in agents for name in ("cpus", "mem")]
    return not any(used) and not any(agent["reserved_resources"] for agent in agents)


@pytest.mark.parametrize("codec", ["protobuf", "json"])
def test_a_framework_lives_its_life(cluster, program, codec):
    said = cluster.run(program, "schedule", codec, master_of(cluster), timeout_s=120).splitlines()
    framework_id = said[0].removeprefix("subscribed ")
    assert said[1:] == LIFE
    completed = cluster.get("master", "/frameworks")["completed_frameworks"]
    [own] = [one for one in completed if one["id"] == framework_id]
    assert {task["id"]: task["state"] for task in own["completed_tasks"]} == ENDS
    eventually(lambda: is_as_before(cluster), "nothing is used or reserved any more")


@pytest.mark.parametrize("codec", ["protobuf", "json"])
def test_an_operator_reads_changes_and_watches(cluster, program, codec):
    said = cluster.run(program, "operate", codec, master_of(cluster), timeout_s=120)
    assert said.splitlines() == OPERATIONS
    eventually(lambda: is_as_before(cluster), "nothing is used or reserved any more")
