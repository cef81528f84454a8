"""`comity down` when things have gone wrong: it ends what there is, or says what it cannot end."""

import asyncio
import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from comity.cli import down, up
from comity.cli.cluster import leftovers, plan, record, strays, workdir
from comity.cli.cluster.record import Entry, Process, Record
from comity.core.errors import UserError
from comity.runtime.launcher.client import LauncherClient

SLEEP = "import time; time.sleep(600)"


class Work:
    """A work directory, and what is started in it."""

    def __init__(self, path, capsys):
        self.path, self._capsys = path, capsys
        self.started = []
        self.out = self.err = ""

    def make(self, state="running", *processes):
        workdir.claim(self.path).release()
        (self.path / "agent1").mkdir()
        entries = [
            Entry(f"agent{number}", "running", "http://127.0.0.1:1", process, 0, 0.0)
            for number, process in enumerate(processes, 1)
        ]
        record.save(self.path, Record(state, {}, [], entries))

    def start(self, *argv, **environment):
        child = subprocess.Popen(argv, env={**os.environ, **environment}, start_new_session=True)
        self.started.append(child)
        return child

    def sleeper(self, *words, **environment):
        return self.start(sys.executable, "-c", SLEEP, *words, **environment)

    async def launch(self):
        """Run a task under a launcher of the agent; return their processes."""
        client = LauncherClient(self.path / "agent1" / "launcher", lambda event: None)
        await client.connect()
        sandbox = self.path / "agent1" / "sandbox"
        sandbox.mkdir()
        told = {"PATH": os.environ["PATH"], "MESOS_SANDBOX": str(sandbox)}
        files = {each: str(sandbox / each) for each in ("stdout", "stderr")}
        argv = ["sleep", "600"]
        client.order(op="spawn", id="t", argv=argv, env=told, cwd=str(sandbox), **files)
        async with asyncio.timeout(20):
            while len(leftovers.find(self.path)) < 2:
                await asyncio.sleep(0.01)
        await client.close()

    def down(self, *, code=0):
        found = down.main(["--work-dir", str(self.path)])
        self.out, self.err = self._capsys.readouterr()
        assert found == code, (self.out, self.err)

    @property
    def state(self):
        return record.load(self.path).state


@pytest.fixture
def work(tmp_path, capsys):
    made = Work(tmp_path / "work", capsys)
    yield made
    for child in made.started:
        child.kill()
        child.wait()
    strays.end(leftovers.launchers(made.path))


@pytest.fixture
def broken(monkeypatch):
    """Let the clean-up of agents fail, as with a flag that is no more."""
    argv = [sys.executable, "-c", "raise SystemExit('no such flag: --recover')"]
    monkeypatch.setattr(plan, "stop_tasks_argv", lambda directory: argv)


@pytest.mark.parametrize("state", ["running", "stopped"])  # the latter as an old `up` may say
async def test_tasks_that_are_left_are_ended_whatever_the_record_says(work, state):
    work.make(state)
    await work.launch()
    await asyncio.to_thread(work.down)
    assert "is stopped" in work.out
    assert leftovers.find(work.path) == []
    assert work.state == "stopped"


async def test_a_clean_up_that_fails_is_told_and_the_tasks_are_ended_all_the_same(work, broken):
    work.make()
    await work.launch()
    await asyncio.to_thread(work.down, code=1)
    assert "no such flag: --recover" in work.err
    assert "down.log" in work.err
    assert leftovers.find(work.path) == []


def test_what_cannot_be_ended_is_named_and_nothing_called_stopped(work, monkeypatch):
    work.make()
    task = work.sleeper(MESOS_SANDBOX=f"{work.path}/agent1/sandbox")  # of no launcher that lives
    with monkeypatch.context() as patch:
        patch.setattr(leftovers, "SETTLE_S", 0.1)
        patch.setattr(strays, "end", list)  # as with processes of another user
        work.down(code=1)
    assert "is stopped" not in work.out + work.err
    assert f"process {task.pid}" in work.err
    assert f"kill -9 {task.pid}" in work.err
    assert work.state != "stopped"
    work.down()
    assert task.wait() == -signal.SIGTERM
    assert work.state == "stopped"


def test_components_of_a_killed_supervisor_are_ended_recorded_or_not(work):
    recorded, other = work.sleeper(), work.sleeper()
    work.make("running", Process(recorded.pid, record.started_ticks(recorded.pid)))
    place = ("--work-dir", str(work.path / "agent1"))
    unknown = work.start(sys.executable, "-c", SLEEP, "-m", "comity.agent", *place)
    work.down()
    assert recorded.wait() == unknown.wait() == -signal.SIGTERM
    assert other.poll() is None


def test_down_twice(work):
    work.make()
    work.down()
    assert "is stopped" in work.out
    work.down()
    assert "is stopped" in work.out


def test_down_where_nothing_ever_ran(work):
    workdir.claim(work.path).release()
    work.down()
    assert work.out == "nothing was running\n"


def test_down_beside_a_down_waits_for_it(work):
    work.make()
    script = (
        "import sys, pathlib\nfrom comity.cli.cluster import workdir\n"
        "workdir.claim(pathlib.Path(sys.argv[1]), 'down')\nprint('claimed', flush=True)\n"
        "sys.stdin.read()"
    )
    argv = [sys.executable, "-c", script, str(work.path)]
    first = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    work.started.append(first)
    with first.stdout, first.stdin:
        assert first.stdout.readline() == b"claimed\n"
        second = work.start(
            *(sys.executable, "-m", "comity", "down", "--work-dir", str(work.path)),
        )
        while not _waits_for_a_process(second.pid):
            assert second.poll() is None
            time.sleep(0.01)
    assert first.wait() == 0  # and not killed by the other
    assert second.wait() == 0


def _waits_for_a_process(pid):
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed while we look
            if "pidfd" in os.readlink(link):
                return True
    return False


def test_a_record_that_is_damaged_is_told(work):
    work.make()
    (work.path / record.NAME).write_text("{")
    with pytest.raises(UserError, match=r"cluster\.json cannot be read"):
        work.down()
    (work.path / record.NAME).unlink()
    task = work.sleeper("-m", "comity.agent", "--work-dir", str(work.path / "agent1"))
    work.down()
    assert task.wait() == -signal.SIGTERM


def test_somebody_elses_directory_is_told(work, monkeypatch):
    work.make()

    def refuse(path, flags, *mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(workdir.os, "open", refuse)
    with pytest.raises(UserError, match=r"cannot write in the work directory .*Permission denied"):
        work.down()


@pytest.mark.root
def test_a_full_disk_is_told_and_the_directory_stays_usable(tmp_path):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "comity", tmp_path], check=True)
    try:
        filler = tmp_path / ".filler"
        with pytest.raises(OSError, match="No space"):
            filler.write_bytes(bytes(1 << 20))
        place = tmp_path / "work"
        place.mkdir()
        with pytest.raises(UserError, match="No space left on device; make room"):
            up.main(["--work-dir", str(place), "--free-ports"])
        assert list(place.iterdir()) == []
        filler.unlink()
        workdir.claim(place).release()
    finally:
        subprocess.run(["umount", tmp_path], check=True)


@pytest.mark.root
def test_mounts_of_agents_are_left_overs(work):
    work.make("stopped")
    place = work.path / "agent1" / "a volume"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "comity", place], check=True)
    try:
        assert [one.remedy for one in leftovers.find(work.path)] == [f"umount {place}"]
    finally:
        subprocess.run(["umount", place], check=True)
    assert leftovers.find(work.path) == []
