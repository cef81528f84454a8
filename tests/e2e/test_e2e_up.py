"""`comity up`, `status` and `down` as people meet them."""

import json
import os
import signal
import socket
import subprocess

import pytest

from support.clusters import Cluster, CommandFailed, eventually

SLEEPER = {"id": "/sleeper", "cmd": "sleep 3600", "cpus": 0.1, "mem": 16, "instances": 2}


@pytest.fixture
def fresh(tmp_path):
    """Give a cluster that is not up yet; it is taken down whatever happens."""
    made = Cluster(tmp_path, "--cpus", "4", "--mem", "2048")
    yield made
    if made.work_dir.exists():
        made.comity("down")
        assert eventually(lambda: not made.processes(), "nothing is left", 10)


def test_status_shows_every_component(cluster):
    report = json.loads(cluster.comity("status", "--json"))
    assert report["state"] == "running"
    names = {item["name"] for item in report["components"]}
    assert names == {"master", "agent1", "agent2", "marathon", "cosmos", "gateway"}
    assert report["resources"]["agents"] == 2
    assert report["resources"]["total"]["cpus"] == 8
    assert "master" in cluster.comity("status")


def test_a_second_up_on_the_same_directory_is_refused(cluster):
    with pytest.raises(CommandFailed, match="another `comity up`"):
        cluster.up()


def test_agents_have_addresses_and_host_names_of_their_own(cluster):
    agents = cluster.get("master", "/slaves")["slaves"]
    assert len({agent["hostname"] for agent in agents}) == 2
    assert cluster.first_agent_ip in {agent["hostname"] for agent in agents}


def test_a_taken_port_is_named(fresh):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        with pytest.raises(CommandFailed, match=f"port {port} .*--gateway-port"):
            fresh.up("--gateway-port", port)


def test_a_foreign_directory_is_refused(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "letters").write_text("")
    with pytest.raises(CommandFailed, match="not empty"):
        Cluster(tmp_path).up()


def test_down_stops_tasks_and_up_resumes(fresh):
    fresh.up()
    status, _ = fresh.send("POST", "marathon", "/v2/apps", SLEEPER)
    assert status == 201
    eventually(lambda: len(fresh.running("sleeper")) == 2, "two sleepers run")
    before, urls = {task["id"] for task in fresh.running("sleeper")}, dict(fresh.urls)
    fresh.down()
    fresh.up()
    assert fresh.urls == urls
    eventually(lambda: len(fresh.running("sleeper")) == 2, "two sleepers run again")
    assert not before & {task["id"] for task in fresh.running("sleeper")}


def test_a_killed_supervisor_is_replaced_and_tasks_stay(fresh):
    fresh.up()
    fresh.send("POST", "marathon", "/v2/apps", SLEEPER)
    eventually(lambda: len(fresh.running("sleeper")) == 2, "two sleepers run")
    before = {task["id"] for task in fresh.running("sleeper")}
    report = json.loads(fresh.comity("status", "--json"))
    os.kill(report["supervisor"], signal.SIGKILL)
    eventually(lambda: _state(fresh) == "abandoned", "status says that it is abandoned")
    fresh.up()
    eventually(lambda: len(fresh.running("sleeper")) == 2, "both sleepers are known again")
    assert {task["id"] for task in fresh.running("sleeper")} == before


def _state(cluster):
    done = subprocess.run(
        ["comity", "status", "--json", "--work-dir", str(cluster.work_dir)],
        env=cluster.environment,
        capture_output=True,
        check=False,
    )
    return json.loads(done.stdout)["state"]


@pytest.mark.parametrize("how", ["--detach", "--free-ports"])  # in the background or not
def test_ctrl_c_amid_an_up_leaves_nothing(fresh, how):
    argv = ["comity", "up", "--work-dir", str(fresh.work_dir), how, "--free-ports"]
    argv += ["--first-agent-ip", fresh.first_agent_ip, "--cpus", "4", "--mem", "2048"]
    person = subprocess.Popen(
        argv, env=fresh.environment, start_new_session=True, stdout=subprocess.DEVNULL
    )
    eventually(lambda: len(fresh.processes()) > 3, "some of it is being started")
    person.send_signal(signal.SIGINT)
    assert person.wait(60) in (0, 130)
    assert fresh.processes() == []
    assert _state(fresh) == "stopped"


def test_an_up_that_is_killed_amid_its_start_is_taken_down_or_over(fresh):
    argv = ["comity", "up", "--work-dir", str(fresh.work_dir), "--free-ports"]
    argv += ["--first-agent-ip", fresh.first_agent_ip, "--cpus", "4", "--mem", "2048"]
    for step in ("down", "up"):
        person = subprocess.Popen(argv, env=fresh.environment, stdout=subprocess.DEVNULL)
        eventually(lambda: len(fresh.processes()) > 3, "some of it is being started")
        person.kill()
        person.wait()
        if step == "down":
            fresh.down()
    fresh.up()
    assert _state(fresh) == "running"


def test_down_ends_tasks_whose_launchers_were_killed_with_the_supervisor(fresh):
    fresh.up()
    fresh.send("POST", "marathon", "/v2/apps", SLEEPER)
    eventually(lambda: len(fresh.running("sleeper")) == 2, "two sleepers run")
    os.kill(json.loads(fresh.comity("status", "--json"))["supervisor"], signal.SIGKILL)
    for lock in fresh.work_dir.glob("agent*/launcher/lock"):
        os.kill(int(lock.read_text()), signal.SIGKILL)
    fresh.down()
    assert _state(fresh) == "stopped"
