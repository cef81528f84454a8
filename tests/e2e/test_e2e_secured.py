"""A cluster whose every component asks who calls: apps and pods run, and their people get at them.

The components are started one by one, as on machines of their own (docs/howto/
authenticate-and-authorize.md).
"""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import pytest

from comity.runtime.http import Client
from support.clusters import KUBECTL
from support.kernel import Process

pytestmark = [pytest.mark.e2e]
SECRETS = {name: f"secret-of-{name}" for name in ("ops", "agent", "marathon", "kubernetes")}
DCOS = str(Path(sys.executable).parent / "dcos")


def credential(directory, name):
    path = directory / f"{name}.credential"
    path.write_text(json.dumps({"principal": name, "secret": SECRETS[name]}))
    path.chmod(0o600)
    return str(path)


async def command(*argv, home=None, expected=0):
    """Run a command as a person; return what it says."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8"}
    child = await asyncio.create_subprocess_exec(
        *argv, env=environment, stdin=-3, stdout=asyncio.subprocess.PIPE, stderr=-2
    )
    said, _ = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == expected, (argv, said.decode())
    return said.decode()


async def until(ask, wanted):
    """Ask until the answer has in it what is wanted."""
    async with asyncio.timeout(90):
        while True:
            with contextlib.suppress(AssertionError):
                if wanted in await ask():
                    return
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def cluster(directory):
    """Run all components with credentials; give the gateway, and what asks for credentials."""
    known = directory / "credentials"
    pairs = [{"principal": name, "secret": secret} for name, secret in SECRETS.items()]
    known.write_text(json.dumps({"credentials": pairs}))
    known.chmod(0o600)
    async with contextlib.AsyncExitStack() as stack:

        async def start(module, *arguments):
            log = directory / f"{module}.log"
            one = Process(f"comity.{module}", log, "--port", "0", *arguments)
            stack.push_async_callback(one.end)
            await one.start()
            return one.url

        def work(name):
            return ("--work-dir", str(directory / name))

        master = await start("master", *work("m"), "--credentials", str(known))
        to_master = ("--master", master)
        own = {name: ("--credential", credential(directory, name)) for name in SECRETS}
        clean = Process("comity.agent", directory / "x.log", *work("a"), "--recover=cleanup")
        stack.push_async_callback(_finished, clean.argv)
        agent = await start(
            "agent",
            *(*work("a"), *to_master, *own["agent"], "--credentials", str(known)),
            *("--resources", "cpus:8;mem:8192;disk:1000"),
        )
        marathon = await start("marathon", *work("mar"), *to_master, *own["marathon"])
        await start("kube", "--data-dir", str(directory / "k"), *to_master, *own["kubernetes"])
        gateway = await start(
            "gateway", *work("g"), *to_master, "--marathon", marathon, *own["ops"]
        )
        yield gateway, (master, agent)


async def _finished(argv):
    child = await asyncio.create_subprocess_exec(*argv)
    assert await child.wait() == 0


async def test_apps_and_pods_run_and_can_be_looked_into(tmp_path):
    async with cluster(tmp_path) as (gateway, guarded):
        for url in guarded:
            assert (await Client().request("GET", f"{url}/state")).status == 401

        async def dcos(*arguments):
            return await command(DCOS, *arguments, home=tmp_path)

        async def kubectl(*arguments):
            config = str(tmp_path / "k" / "admin.kubeconfig")
            return await command(str(KUBECTL), "--kubeconfig", config, *arguments, home=tmp_path)

        await dcos("cluster", "setup", gateway)
        app = {"id": "/app", "cmd": "echo from the app; sleep 600", "cpus": 0.1, "mem": 32}
        (tmp_path / "app.json").write_text(json.dumps(app))
        await dcos("marathon", "app", "add", str(tmp_path / "app.json"))
        script = "echo from the pod; sleep 600"
        await kubectl("run", "pod", "--image=host", "--command", "--", "sh", "-c", script)
        await until(lambda: dcos("task", "log", "app"), "from the app")
        await until(lambda: kubectl("logs", "pod"), "from the pod")
        assert await dcos("task", "exec", "app", "--", "echo", "in the app") == "in the app\n"
        assert await kubectl("exec", "pod", "--", "echo", "in the pod") == "in the pod\n"
        shown = await dcos("task")
        assert "marathon" in shown
        assert "kubernetes" in shown
