"""The launcher: spawns, reaps, remembers, outlives whoever talks to it, and ends when told."""

import asyncio
import os
import signal

import pytest

from comity.runtime.launcher import client as launchers
from comity.runtime.launcher.client import LauncherClient, LauncherGone


@pytest.fixture
async def connect(tmp_path):
    """Give what connects to the launcher of one directory; it is stopped in the end."""
    clients, jobs = [], []
    directory = tmp_path / ("long-" * 20) / "launcher"  # longer than a socket's path may be

    async def open_one():
        events = []
        client = LauncherClient(directory, events.append)
        client.hello = await client.connect()
        client.events = events
        clients.append(client)
        jobs.append(asyncio.create_task(client.listen()))
        return client

    yield open_one
    await launchers.stop(directory)
    for job in jobs:
        with pytest.raises((LauncherGone, ConnectionResetError)):
            await job
    for client in clients:
        await client.close()


def order(name, tmp_path, *argv, **more):
    sandbox = tmp_path / name
    sandbox.mkdir(exist_ok=True)
    return {
        "op": "spawn",
        "id": name,
        "argv": list(argv),
        "env": {"PATH": os.environ["PATH"]},
        "cwd": str(sandbox),
        "stdout": str(sandbox / "stdout"),
        "stderr": str(sandbox / "stderr"),
        **more,
    }


async def until(events, kind, name):
    async with asyncio.timeout(20):
        while True:
            for event in events:
                if event["event"] == kind and event["id"] == name:
                    return event
            await asyncio.sleep(0.005)


async def test_output_directory_and_exit_status(connect, tmp_path):
    client = await connect()
    client.order(**order("a", tmp_path, "sh", "-c", "pwd; echo oops >&2; exit 3"))
    ended = await until(client.events, "exited", "a")
    assert os.waitstatus_to_exitcode(ended["status"]) == 3
    assert (tmp_path / "a" / "stdout").read_text().strip() == str(tmp_path / "a")
    assert (tmp_path / "a" / "stderr").read_text() == "oops\n"


async def test_a_program_that_is_not_there(connect, tmp_path):
    client = await connect()
    client.order(**order("a", tmp_path, "no-such-program"))
    failed = await until(client.events, "failed", "a")
    assert failed["error"] == "No such file or directory: no-such-program"


async def test_tasks_outlive_the_connection_and_exits_are_remembered(connect, tmp_path):
    first = await connect()
    first.order(**order("stays", tmp_path, "sleep", "600"))
    first.order(**order("ends", tmp_path, "sh", "-c", "sleep 0.2; exit 7"))
    pid = (await until(first.events, "started", "stays"))["pid"]
    await until(first.events, "started", "ends")
    await first.close()
    second = await connect()
    assert second.was_running
    assert second.hello["running"]["stays"] == pid
    if "ends" not in second.hello["exited"]:
        await until(second.events, "exited", "ends")
    third = await connect()
    assert os.waitstatus_to_exitcode(third.hello["exited"]["ends"]) == 7
    third.order(op="forget", ids=["ends"])
    # A connection ends the one before it, with what was not read from it: so wait for an answer.
    third.order(**order("later", tmp_path, "true"))
    await until(third.events, "exited", "later")
    fourth = await connect()
    assert set(fourth.hello["exited"]) == {"later"}


async def test_a_signal_reaches_the_whole_group(connect, tmp_path):
    client = await connect()
    client.order(**order("a", tmp_path, "sh", "-c", "sleep 600 & echo $!; wait"))
    await until(client.events, "started", "a")
    async with asyncio.timeout(20):
        while not (tmp_path / "a" / "stdout").read_text().strip():
            await asyncio.sleep(0.01)
    child = int((tmp_path / "a" / "stdout").read_text())
    client.order(op="signal", id="a", signal=int(signal.SIGKILL), tree=True)
    assert (await until(client.events, "exited", "a"))["status"] == signal.SIGKILL
    async with asyncio.timeout(20):
        while is_alive(child):
            await asyncio.sleep(0.01)


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_what_the_first_process_leaves_behind_ends_with_it(connect, tmp_path):
    client = await connect()
    stubborn = "trap '' TERM; while :; do sleep 0.1; done"
    client.order(**order("a", tmp_path, "sh", "-c", f'sh -c "{stubborn}" & echo $!'))
    await until(client.events, "exited", "a")
    child = int((tmp_path / "a" / "stdout").read_text())
    async with asyncio.timeout(20):
        while is_alive(child):
            await asyncio.sleep(0.01)


async def test_an_id_is_used_once(connect, tmp_path):
    client = await connect()
    client.order(**order("a", tmp_path, "sleep", "600"))
    await until(client.events, "started", "a")
    client.order(**order("a", tmp_path, "sleep", "600"))
    assert (await until(client.events, "failed", "a"))["error"] == "the id is taken"


async def test_stop_ends_a_task_that_ignores_sigterm(connect, tmp_path):
    client = await connect()
    client.order(**order("a", tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"))
    pid = (await until(client.events, "started", "a"))["pid"]
    assert await launchers.stop(client._directory, grace_s=0.3)
    assert not is_alive(pid)
    assert not await launchers.stop(client._directory)
