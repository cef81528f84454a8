"""Journals of a real master and a real agent, and what replaying them shows."""

import json

import pytest

from comity.cli import comity
from comity.wire.mesos import v1
from support.kernel import Kernel, shell

SECRET = "correct-horse-battery"


@pytest.fixture
async def journals(tmp_path):
    """Run a task under a master and an agent that keep journals; return their files."""
    files = {name: tmp_path / f"{name}.jsonl" for name in ("master", "agent")}
    kernel = Kernel(tmp_path, "--journal", str(files["agent"]))
    kernel.master.argv += ["--journal", str(files["master"])]
    async with kernel, kernel.scheduler() as driver:
        variables = v1.Environment(variables=(v1.Variable(name="PASSWORD", value=SECRET),))
        await driver.launch({"id": "t1", **shell("true", environment=variables)})
        await driver.until_state("t1", v1.TaskState.FINISHED)
        await driver.launch({"id": "t2", **shell("sleep 1000")})
        await driver.until_state("t2", v1.TaskState.RUNNING)
    return files


def run(capsys, *argv):
    assert comity.main(["debug", "replay", *map(str, argv)]) == 0
    return capsys.readouterr().out


def document(capsys, file):
    return json.loads(run(capsys, file, "--state"))


async def test_a_replayed_master_and_agent_know_what_the_real_ones_knew(journals, capsys):
    [framework] = document(capsys, journals["master"])["frameworks"].values()
    assert {key: one["state"] for key, one in framework["tasks"].items()} == {"t2": "TASK_RUNNING"}
    assert [one["state"] for one in framework["completed_tasks"]] == ["TASK_FINISHED"]
    agent = document(capsys, journals["agent"])
    [executor] = agent["executors"].values()
    assert [one["state"] for one in executor["tasks"].values()] == ["TASK_RUNNING"]
    # uuids come from a seed in the journal, so acknowledgements meet their updates again.
    assert all(not one["pending"] for one in executor["tasks"].values())


async def test_secrets_are_in_no_journal_and_nobody_else_can_read_one(journals):
    for file in journals.values():
        assert SECRET not in file.read_text()
        assert "PASSWORD" in file.read_text()
        assert file.stat().st_mode & 0o777 == 0o600


async def test_the_inputs_are_listed_and_one_of_them_is_shown_in_full(journals, capsys):
    listed = run(capsys, journals["master"]).splitlines()
    number = next(line.split()[0] for line in listed if "call=Accept" in line)
    shown = run(capsys, journals["master"], "--until", number, "--diff")
    assert '+    "t1": {' in shown
    assert "sends: Send(stream=" in shown
    assert f"{len(listed) - 1} inputs of a machine" in listed[-1]


async def test_what_cannot_be_replayed_is_said(journals, capsys, tmp_path):
    other = tmp_path / "x"
    other.write_text("{}\n")
    for argv, text in (
        ([other], "is no journal"),
        ([tmp_path / "none"], "No such file"),
        ([journals["master"], "--until", "1000000"], "inputs only"),
        ([journals["master"], "--until", "0"], "counts inputs from 1"),
    ):
        assert comity.main(["debug", "replay", *map(str, argv)]) == 1
        assert text in capsys.readouterr().err
