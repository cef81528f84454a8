"""`dcos task exec` and `attach` on Marathon's apps under a terminal, through a whole cluster."""

import json
import sys
from pathlib import Path

import pytest

from support.clusters import eventually
from support.ptys import Person

DCOS = str(Path(sys.executable).parent / "dcos")
ECHO = "while read x; do echo got $x; done; exec sleep 3600"


def app(cluster, name, cmd, **fields):
    """Run an app of one small task, which whoever uses it may enter."""
    body = {"id": f"/{name}", "cmd": cmd, "cpus": 0.1, "mem": 32, "instances": 1, **fields}
    path = cluster.home / f"{name}.json"
    path.write_text(json.dumps(body))
    cluster.dcos("marathon", "app", "add", str(path))
    eventually(lambda: cluster.dcos("task", "exec", name, "--", "true") == "", f"{name} runs")
    return name


@pytest.fixture
def env(cluster):
    return {**cluster.environment, "TERM": "vt100"}


async def test_attach_to_an_app_with_a_terminal(cluster, env):
    app(cluster, "console", ECHO, tty=True)
    async with Person([DCOS, "task", "attach", "console"], env, (31, 91)) as person:
        person.types("one\r")
        await person.sees("got one")
        person.child.kill()  # whoever vanishes leaves the task alone
        await person.ends()
    async with Person([DCOS, "task", "attach", "console"], env) as person:
        person.types("two\r")
        await person.sees("got two")
        person.types("\x10\x11")
        await person.sees("detached")
        assert await person.ends() == 0
        assert person.is_as_before()
    async with Person([DCOS, "task", "attach", "console"], env) as person:
        person.types("three\r")
        await person.sees("got three")
        cluster.dcos("marathon", "app", "remove", "console")
        assert await person.ends() == 128 + 15
        assert person.is_as_before()


async def test_a_session_in_an_app_that_goes(cluster, env):
    app(cluster, "leaving", "exec sleep 3600")
    argv = [DCOS, "task", "exec", "-it", "leaving", "--"]
    async with Person([*argv, "no-such-program"], env) as person:
        assert await person.ends() == 127
        assert b"no-such-program" in person.seen
        assert person.is_as_before()
    async with Person([*argv, "sh", "-c", "echo u''p; exec sleep 3600"], env) as person:
        await person.sees("up")
        cluster.dcos("marathon", "app", "remove", "leaving")
        assert await person.ends() == 128 + 9
        assert person.is_as_before()


def test_input_that_is_piped(cluster):
    app(cluster, "counting", "exec sleep 3600")
    words = ("task", "exec", "-i", "counting", "--", "wc", "-c")
    assert cluster.dcos(*words, given="x" * 300_000) == "300000\n"
