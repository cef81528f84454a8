"""The simulator itself: it finds nothing where nothing is wrong, and finds what is planted."""

import subprocess
import sys

import pytest

from comity.agent.handlers import killing, reporting
from comity.agent.handlers import tasks as agent_tasks
from comity.core.errors import UserError
from comity.sim import runs
from comity.sim.__main__ import main
from comity.sim.disk import Disk
from comity.sim.faults import FAULTS
from comity.wire.mesos import codec


@pytest.mark.parametrize("seed", range(1, 21))
def test_a_seed_is_well(seed):
    verdict, _ = runs.run(seed)
    assert not verdict.fault, runs.described(verdict)


def trace(hash_seed):
    argv = [sys.executable, "-m", "comity.sim", "--seed", "7", "--trace"]
    environment = {"PYTHONHASHSEED": hash_seed}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True).stdout


def test_the_same_seed_gives_the_same_trace_whatever_the_hashes():
    first, second = trace("1"), trace("2")
    assert first.count("\n") > 500
    assert first == second


def faults_of(seeds):
    return {runs.run(seed)[0].fault for seed in seeds}


def test_it_finds_an_agent_that_runs_a_task_twice(monkeypatch):
    launch = agent_tasks._run_command

    def twice(*args):
        launch(*args)
        launch(*args)

    monkeypatch.setattr(agent_tasks, "_run_command", twice)
    assert "correctness" in faults_of(range(1, 5))


def test_it_finds_an_agent_that_does_not_send_its_updates(monkeypatch):
    monkeypatch.setattr(reporting, "forward", lambda *args, **more: None)
    assert "liveness" in faults_of(range(1, 5))


def test_it_finds_a_machine_that_raises(monkeypatch):
    monkeypatch.setattr(killing, "kill", lambda *args: 1 / 0)
    assert "crash" in faults_of(range(1, 5))


def test_the_command_tries_many_seeds_and_says_what_it_did(capsys):
    assert main(["--seeds", "1-6", "--jobs", "2"]) == 0
    assert capsys.readouterr().out.startswith("6 seeds, 0 failed: ")


def test_the_command_replays_a_seed_and_its_exit_code_says_what_is_wrong(monkeypatch, capsys):
    assert main(["--seed", "1"]) == 0
    monkeypatch.setattr(reporting, "forward", lambda *args, **more: None)
    seed = next(seed for seed in range(1, 20) if runs.run(seed)[0].fault)
    assert main(["--seed", str(seed)]) == 3
    assert f"replay: comity sim --seed {seed} --trace" in capsys.readouterr().out


def test_the_command_says_what_a_range_looks_like(capsys):
    with pytest.raises(SystemExit):
        main(["--seeds", "9"])
    assert "write 1-2000" in capsys.readouterr().err


def test_every_fault_strikes_in_some_seed():
    struck = {name for seed in range(1, 61) for name in runs.run(seed)[0].faults}
    assert struck == set(FAULTS)


def test_a_big_cluster_is_measured(capsys):
    assert main(["--agents", "20", "--tasks", "100"]) == 0
    out = capsys.readouterr().out
    for phase in ("agents register", "tasks launched and running", "a new master knows all"):
        assert phase in out


def test_a_big_cluster_must_have_agents():
    with pytest.raises(UserError, match="1 or more"):
        main(["--agents", "0"])


def test_it_finds_a_disk_that_lies(monkeypatch):
    append = Disk.append

    def lying(disk, writes, done):
        append(disk, writes, lambda kept: None)
        done(True)

    monkeypatch.setattr(Disk, "append", lying)
    monkeypatch.setattr(Disk, "crash", lambda disk, *, power: disk.__dict__.update(_pending=()))
    assert "correctness" in faults_of(range(1, 40))


def test_it_finds_an_agent_that_takes_any_acknowledgement(monkeypatch):
    take = reporting.acknowledge

    def any_will_do(state, event, now, out):
        executor = state.tasks.get((event.framework_id.value, event.task_id.value))
        task = executor.tasks.get(event.task_id.value) if executor is not None else None
        if task is not None and task.pending:
            event = codec.replace(event, uuid=task.pending[0].uuid)
        return take(state, event, now, out)

    monkeypatch.setattr(reporting, "acknowledge", any_will_do)
    assert "correctness" in faults_of(range(1, 40))
