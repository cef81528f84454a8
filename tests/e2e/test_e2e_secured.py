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

from comity.runtime import tls
from comity.runtime.http import Client, HttpError
from support.certificates import Authority
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
async def cluster(directory, authority=None, asks=False):
    """Run all components with credentials; give the gateway, and what asks for credentials."""
    known = directory / "credentials"
    pairs = [{"principal": name, "secret": secret} for name, secret in SECRETS.items()]
    known.write_text(json.dumps({"credentials": pairs}))
    known.chmod(0o600)
    async with contextlib.AsyncExitStack() as stack:

        async def start(module, *arguments):
            log = directory / f"{module}.log"
            said = variables(authority, module, asks) if authority is not None else {}
            one = Process(f"comity.{module}", log, "--port", "0", *arguments, environment=said)
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
        theirs = _executors_own(authority) if asks else ()
        agent = await start(
            "agent",
            *theirs,
            *(*work("a"), *to_master, *own["agent"], "--credentials", str(known)),
            *("--resources", "cpus:8;mem:8192;disk:1000"),
        )
        marathon = await start("marathon", *work("mar"), *to_master, *own["marathon"])
        await start("kube", "--data-dir", str(directory / "k"), *to_master, *own["kubernetes"])
        gateway = await start(
            "gateway", *work("g"), *to_master, "--marathon", marathon, *own["ops"]
        )
        yield gateway, (master, agent)


def variables(authority, module, asks):
    """Return what a component is told of TLS: Mesos's own serve it, the others trust it.

    Where Mesos's `asks` for certificates of who calls, everybody has one.
    """
    said = {"LIBPROCESS_SSL_CA_FILE": str(authority.ca_file)}
    is_server = module in ("master", "agent", "gateway")
    if is_server or asks:
        said |= _certificate(authority, module)
    if is_server:
        said["LIBPROCESS_SSL_ENABLED"] = "true"
    if asks and module in ("master", "agent"):
        said["LIBPROCESS_SSL_REQUIRE_CLIENT_CERT"] = "true"
    return said


def _certificate(authority, name):
    cert_file, key_file = authority.issue(name)
    return {
        "LIBPROCESS_SSL_CERT_FILE": str(cert_file),
        "LIBPROCESS_SSL_KEY_FILE": str(key_file),
    }


def _executors_own(authority):
    """Return the flag by which executors get a certificate, such as the node's of Kubernetes."""
    own = _certificate(authority, "executors")
    return ("--executor-environment-variables", json.dumps(own))


async def _finished(argv):
    child = await asyncio.create_subprocess_exec(*argv)
    assert await child.wait() == 0


@pytest.mark.parametrize("kind", ["plain", "tls", "mutual"])
async def test_apps_and_pods_run_and_can_be_looked_into(tmp_path, kind):
    has_tls, asks = kind != "plain", kind == "mutual"
    authority = Authority(tmp_path / "pki") if has_tls else None
    trusted = ["--ca-certs", str(authority.ca_file)] if authority is not None else []
    known = tls.Settings(ca_file=trusted[1]) if trusted else tls.Settings()
    async with cluster(tmp_path, authority, asks) as (gateway, guarded):
        client = Client(ssl=tls.client_context(known))
        if asks:
            for url in guarded:
                with pytest.raises(HttpError):
                    await client.request("GET", f"{url}/state")
            own = authority.issue("somebody")
            known = known._replace(cert_file=str(own[0]), key_file=str(own[1]))
            client = Client(ssl=tls.client_context(known))
        for url in guarded:
            assert url.startswith("https://") is has_tls
            assert (await client.request("GET", f"{url}/state")).status == 401

        async def dcos(*arguments):
            return await command(DCOS, *arguments, home=tmp_path)

        async def kubectl(*arguments):
            config = str(tmp_path / "k" / "admin.kubeconfig")
            return await command(str(KUBECTL), "--kubeconfig", config, *arguments, home=tmp_path)

        await dcos("cluster", "setup", gateway, *trusted)
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
