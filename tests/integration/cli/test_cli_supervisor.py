"""The supervisor over real processes: start, restart, stop, and what it says when it cannot."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from comity.cli.cluster import children, record, strays, workdir
from comity.cli.cluster.addresses import settle
from comity.cli.cluster.plan import Component
from comity.cli.cluster.supervisor import Contents, Supervisor
from comity.core.errors import UserError

MASTER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
        self.wfile.write(b'{"slaves": [{"active": true}]}')
    def log_message(self, *args): pass
server = http.server.HTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
sys.stderr.write("ready here\\n"); sys.stderr.flush()
server.serve_forever()
"""
READY = "import sys, time; sys.stderr.write('ready here\\n'); sys.stderr.flush(); time.sleep(600)"
BROKEN = "import sys; sys.exit('no such flag: --nonsense')"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + READY


def component(name, script, cleanup=()):
    address = settle("127.0.0.1", 0)
    kind = "agent" if name.startswith("agent") else name
    argv = [sys.executable, "-c", script, address.ip, str(address.port)]
    return Component(name, kind, address, argv, list(cleanup))


@pytest.fixture
def claimed(tmp_path):
    held = workdir.claim(tmp_path / "work")
    yield held
    held.release()


@pytest.fixture
def make(claimed):
    """Make supervisors; whatever they started is stopped at the end."""
    made = []

    def supervisor(*parts):
        made.append(Supervisor(list(parts), claimed, Contents({}, [])))
        return made[-1]

    yield supervisor
    for item in made:
        if item.state != "stopped":
            item.stop(print)


def entries(claimed):
    return {entry.name: entry for entry in record.load(claimed.path).entries}


def wait_for(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        time.sleep(0.02)


def test_starts_and_stops_everything(make, claimed, tmp_path):
    proof = tmp_path / "cleaned"
    cleanup = [sys.executable, "-c", f"open({str(proof)!r}, 'w')"]
    supervisor = make(component("master", MASTER), component("agent1", READY, cleanup))
    assert supervisor.start()
    alive = entries(claimed)
    assert {entry.state for entry in alive.values()} == {"running"}
    assert all(entry.process.is_alive() for entry in alive.values())
    supervisor.stop(print)
    assert not any(entry.process.is_alive() for entry in alive.values())
    assert proof.exists()
    assert record.load(claimed.path).state == "stopped"


def test_a_component_that_cannot_start_is_quoted(make):
    supervisor = make(component("master", MASTER), component("agent1", BROKEN))
    with pytest.raises(UserError, match=r"agent1 ended with 1 .*(?s:.*)no such flag: --nonsense"):
        supervisor.start()


def test_the_dead_are_started_again(make, claimed):
    supervisor = make(component("master", MASTER), component("agent1", READY))
    assert supervisor.start()
    before = entries(claimed)["agent1"]
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        os.kill(before.process.pid, signal.SIGKILL)
        wait_for(lambda: entries(claimed)["agent1"].restarts == 1)
        wait_for(lambda: entries(claimed)["agent1"].state == "running")
        assert entries(claimed)["agent1"].process != before.process
    finally:
        supervisor.interrupt()
        running.join()


def test_one_that_ignores_sigterm_is_killed(make, claimed, monkeypatch):
    monkeypatch.setattr("comity.cli.cluster.supervisor.STOP_S", 0.2)
    supervisor = make(component("master", MASTER), component("agent1", DEAF))
    assert supervisor.start()
    process = entries(claimed)["agent1"].process
    supervisor.stop(print)
    assert not process.is_alive()


def test_logs_of_earlier_runs_are_kept(make, claimed):
    for _ in range(2):
        supervisor = make(component("master", MASTER), component("agent1", READY))
        assert supervisor.start()
        supervisor.stop(print)
    assert (claimed.logs / "agent1.log").read_text() == "ready here\n"
    assert (claimed.logs / "agent1.log.1").read_text() == "ready here\n"


def test_strays_are_ended_but_a_reused_id_is_not(make, claimed):
    supervisor = make(component("master", MASTER), component("agent1", READY))
    assert supervisor.start()
    process = entries(claimed)["agent1"].process
    assert strays.end([process._replace(started_ticks=1)]) == []
    assert process.is_alive()
    assert strays.end([process]) == [process]
    assert not process.is_alive()


def test_commands_that_fail_are_reported(tmp_path):
    bad, good = [sys.executable, "-c", "raise SystemExit(4)"], [sys.executable, "-c", ""]
    problems = strays.run_all([bad, good], tmp_path / "log")
    assert len(problems) == 1
    assert "SystemExit(4)" in problems[0]


def test_a_clean_up_that_failed_is_told_and_nothing_called_stopped(make, claimed):
    cleanup = [sys.executable, "-c", "raise SystemExit('no such flag')"]
    supervisor = make(component("master", MASTER), component("agent1", READY, cleanup))
    assert supervisor.start()
    said = []
    assert not supervisor.stop(said.append)
    assert "no such flag" in said[0]
    assert record.load(claimed.path).state == "stopping"


def test_what_is_left_is_told_and_nothing_called_stopped(make, claimed, monkeypatch):
    monkeypatch.setattr("comity.cli.cluster.leftovers.SETTLE_S", 0.1)
    supervisor = make(component("master", MASTER), component("agent1", READY))
    assert supervisor.start()
    told = {**os.environ, "MESOS_SANDBOX": f"{claimed.path}/agent1/sandbox"}
    task = subprocess.Popen([sys.executable, "-c", READY], env=told, stderr=subprocess.DEVNULL)
    said = []
    try:
        assert not supervisor.stop(said.append)
    finally:
        task.kill()
        task.wait()
    assert f"kill -9 {task.pid}" in said[0]
    assert record.load(claimed.path).state == "stopping"


def test_a_full_disk_ends_no_cluster(make, claimed, monkeypatch, capsys):
    supervisor = make(component("master", MASTER), component("agent1", READY))
    assert supervisor.start()
    alive = entries(claimed)

    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    spawn = children.spawn
    monkeypatch.setattr(record, "save", full)
    monkeypatch.setattr(children, "spawn", full)
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        os.kill(alive["agent1"].process.pid, signal.SIGKILL)
        said = ""
        while "agent1 cannot be started" not in said:
            said += capsys.readouterr().out
            time.sleep(0.02)
        monkeypatch.undo()
        monkeypatch.setattr(children, "spawn", spawn)
        wait_for(lambda: entries(claimed)["agent1"].restarts > 1)
        wait_for(lambda: entries(claimed)["agent1"].state == "running")
    finally:
        supervisor.interrupt()
        running.join()
    assert alive["master"].process.is_alive()
