"""Clients that we did not write, against a whole cluster."""

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
