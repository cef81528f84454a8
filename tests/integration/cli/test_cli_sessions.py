"""`dcos task exec` and `dcos task attach` through a real gateway, under a terminal and without."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comity.wire.mesos import v1
from comity.wire.mesos.containers import TTYInfo
from support.kernel import Kernel, Process, shell
from support.ptys import Person

PROMPT = "# " if os.geteuid() == 0 else "$ "
DCOS = str(Path(sys.executable).parent / "dcos")


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


@pytest.fixture
async def driver(kernel):
    async with kernel.scheduler() as made:
        yield made


@pytest.fixture
async def env(kernel, tmp_path):
    args = ["--port", "0", "--work-dir", str(tmp_path / "g"), "--master", kernel.master.url]
    gateway = Process("comity.gateway", tmp_path / "gateway.log", *args)
    await gateway.start()
    yield {**os.environ, "DCOS_URL": gateway.url, "DCOS_DIR": str(tmp_path / "d"), "TERM": "vt100"}
    await gateway.end()


@pytest.fixture
async def task(driver):
    command = shell("echo $$ > pid; export SECRET=x; exec sleep 600")
    await driver.launch({"id": "web", **command})
    await driver.until_state("web", v1.TaskState.RUNNING)


async def dcos(env, *words, given=b"", code=0):
    child = await asyncio.create_subprocess_exec(
        DCOS, *words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    async with asyncio.timeout(60):
        out, err = await child.communicate(given)
    assert child.returncode == code, (out, err)
    return out, err


def living(marker):
    """List the processes whose command line holds a marker."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in command:
            found.append(int(pid))
    return found


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.02)


async def test_output_and_exit_code(env, task):
    out, err = await dcos(
        env, "task", "exec", "web", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7
    )
    assert (out, err) == (b"out\n", b"err\n")
    out, _ = await dcos(env, "task", "exec", "web", "sh", "-c", "kill -9 $$", code=137)
    out, _ = await dcos(env, "task", "exec", "web", "cat", "pid")
    assert out.strip().isdigit()  # where the task is
    out, _ = await dcos(env, "task", "exec", "web", "printenv", "MESOS_SANDBOX")
    assert out.strip()


async def test_stdin_goes_through_to_its_end(env, task):
    given = os.urandom(3_000_000)
    out, _ = await dcos(env, "task", "exec", "-i", "web", "--", "cat", given=given)
    assert out == given
    out, _ = await dcos(env, "task", "exec", "web", "--", "cat", given=b"not passed on", code=0)
    assert out == b""


async def test_refusals(env, task):
    _, err = await dcos(env, "task", "exec", "web", code=1)
    assert b"which command?" in err
    _, err = await dcos(env, "task", "exec", "-t", "web", "--", "sh", code=1)
    assert b"stdin is none" in err
    _, err = await dcos(env, "task", "exec", "nothing", "--", "sh", code=1)
    assert b"no task is called 'nothing'" in err
    _, err = await dcos(env, "task", "exec", "web", "--", "/no/such/program", code=127)
    assert b"/no/such/program" in err
    _, err = await dcos(env, "task", "attach", "web", code=1)
    assert b"tty_info" in err


async def test_a_shell_under_a_terminal(env, task):
    async with Person([DCOS, "task", "exec", "-it", "web", "--", "sh"], env, (31, 91)) as person:
        await person.sees(PROMPT)
        person.types("stty size; echo $TERM\r")
        await person.sees("31 91", "vt100")
        person.resize((40, 100))
        person.types("sleep 0.2; stty size\r")  # the size goes by another connection
        await person.sees("40 100")
        await person.sees(PROMPT)
        person.types("echo sl''eeps; sleep 600\r")
        await person.sees("sleeps")
        person.types("\x03")  # Ctrl-C is for what runs there
        await person.sees(PROMPT)
        person.types("echo still' 'here\r")
        await person.sees("still here")
        person.types("exit 5\r")
        assert await person.ends() == 5
        assert person.is_as_before()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_the_session_and_restores_the_terminal(env, task, signum):
    argv = [DCOS, "task", "exec", "-it", "web", "--", "sh", "-c", "echo up; exec sleep 86411"]
    async with Person(argv, env) as person:
        await person.sees("up")
        assert len(living("86411")) > 0
        person.child.send_signal(signum)
        assert await person.ends() == 128 + signum
        assert person.is_as_before()
    await until(lambda: not living("86411"))


async def test_who_vanishes_leaves_nothing(env, task):
    """Not even what a shell put in the background, each in a process group of its own."""
    async with Person([DCOS, "task", "exec", "-it", "web", "--", "sh"], env) as person:
        await person.sees(PROMPT)
        person.types("sleep 86422 & sleep 86422 & echo u''p; sleep 86422\r")
        await person.sees("up")
        await until(lambda: len(living("86422")) == 3)
        person.child.kill()
        await person.ends()
    await until(lambda: not living("86422"))


async def test_ctrl_c_ends_what_has_no_terminal(env, task):
    child = await asyncio.create_subprocess_exec(
        *[DCOS, "task", "exec", "web", "--", "sh", "-c", "echo up; exec sleep 86433"],
        stdout=subprocess.PIPE,
        env=env,
    )
    assert await asyncio.wait_for(child.stdout.readline(), 60) == b"up\n"
    child.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(child.wait(), 60) == 130
    await until(lambda: not living("86433"))


async def test_attach_to_a_task_with_a_terminal(env, driver):
    info = v1.ContainerInfo(type="MESOS", tty_info=TTYInfo())
    command = shell("while read x; do echo got $x; [ $x = end ] && exit 4; done")
    await driver.launch({"id": "console", **command, "container": info})
    await driver.until_state("console", v1.TaskState.RUNNING)
    async with Person([DCOS, "task", "attach", "console"], env) as person:
        person.types("one\r")
        await person.sees("got one")
        person.types("\x10\x11")
        await person.sees("detached")
        assert await person.ends() == 0
        assert person.is_as_before()
    async with Person([DCOS, "task", "attach", "console"], env) as person:
        person.types("end\r")
        await person.sees("got end")
        assert await person.ends() == 4
    await driver.until_state("console", v1.TaskState.FAILED)
