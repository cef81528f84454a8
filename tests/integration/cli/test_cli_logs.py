"""`dcos task log --follow` over rotations, through a real gateway."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comity.wire.mesos import v1
from support.kernel import Kernel, Process, shell

DCOS = str(Path(sys.executable).parent / "dcos")
COUNT = 30_000


@pytest.fixture
async def kernel(tmp_path):
    size = ("--container-log-max-size", "20000", "--container-log-max-files", "50")
    async with Kernel(tmp_path, *size) as made:
        yield made


async def test_following_over_rotations_loses_nothing(kernel, tmp_path):
    args = ["--port", "0", "--work-dir", str(tmp_path / "g"), "--master", kernel.master.url]
    gateway = await Process("comity.gateway", tmp_path / "gateway.log", *args).start()
    env = {**os.environ, "DCOS_URL": gateway.url, "DCOS_DIR": str(tmp_path / "d")}
    script = f"""
        echo first; while [ ! -e go ]; do sleep 0.05; done
        for part in 1 2 3 4 5 6; do seq $((part * {COUNT // 6} - {COUNT // 6 - 1})) \\
            $((part * {COUNT // 6})); sleep 1.1; done
        echo last; exec sleep 600
    """
    async with kernel.scheduler() as driver:
        await driver.launch({"id": "web", **shell(script)})
        await driver.until_state("web", v1.TaskState.RUNNING)
        child = await asyncio.create_subprocess_exec(
            *[DCOS, "task", "log", "--follow", "web"], stdout=subprocess.PIPE, env=env
        )
        try:
            async with asyncio.timeout(60):
                assert await child.stdout.readline() == b"first\n"
                [log] = kernel.directory.glob(
                    "a/slaves/*/frameworks/*/executors/web/runs/latest/stdout"
                )
                (log.parent / "go").touch()
                found = [await child.stdout.readline() for _ in range(COUNT + 1)]
            assert found == [b"%d\n" % number for number in range(1, COUNT + 1)] + [b"last\n"]
            assert log.with_name("stdout.2").exists()
        finally:
            child.kill()
            await child.wait()
        tail = await asyncio.create_subprocess_exec(
            *[DCOS, "task", "log", "--lines", "20000", "web"], stdout=subprocess.PIPE, env=env
        )
        out, _ = await tail.communicate()
        assert out.split()[-20000:] == [b"%d" % n for n in range(COUNT - 19998, COUNT + 1)] + [
            b"last"
        ]
    await gateway.end()


async def test_following_goes_on_when_gateway_agent_and_master_were_killed(kernel, tmp_path):
    args = ["--port", "0", "--work-dir", str(tmp_path / "g"), "--master", kernel.master.url]
    gateway = await Process("comity.gateway", tmp_path / "gateway.log", *args).start()
    gateway.argv[gateway.argv.index("--port") + 1] = gateway.url.rpartition(":")[2]
    env = {**os.environ, "DCOS_URL": gateway.url, "DCOS_DIR": str(tmp_path / "d")}
    script = "for part in 1 2 3 4; do echo $part; while [ ! -e go$part ]; do sleep 0.05; done; done"
    async with kernel.scheduler() as driver:
        await driver.launch({"id": "web", **shell(f"{script}; exec sleep 600")})
        await driver.until_state("web", v1.TaskState.RUNNING)
        child = await asyncio.create_subprocess_exec(
            *[DCOS, "task", "log", "--follow", "web"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
        )
        [sandbox] = kernel.directory.glob("a/slaves/*/frameworks/*/executors/web/runs/latest")
        try:
            async with asyncio.timeout(60):
                assert await child.stdout.readline() == b"1\n"
                await gateway.end(signal.SIGKILL)
                assert b"trying again" in await child.stderr.readline()
                (sandbox / "go1").touch()
                gateway.url = ""
                await gateway.start()
                assert await child.stdout.readline() == b"2\n"
                await kernel.agent.end(signal.SIGKILL)
                assert b"trying again" in await child.stderr.readline()
                (sandbox / "go2").touch()
                await kernel.start_agent()
                assert await child.stdout.readline() == b"3\n"
                await kernel.restart_master()
                (sandbox / "go3").touch()
                assert await child.stdout.readline() == b"4\n"
        finally:
            child.kill()
            await child.communicate()
    await gateway.end()
