"""`dcos kubernetes`: reach the Kubernetes that runs on the cluster."""

import argparse
import os
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from comity.cli.dcos import parsing, printing
from comity.cli.dcos.session import connected
from comity.core.errors import UserError
from comity.runtime.http import Client
from comity.sdk.gateway import Cluster
from comity.sdk.rest import HttpError

completed = parsing.as_given

Json = dict[str, Any]

_PACKAGE_LABEL = "DCOS_PACKAGE_NAME"
_TOKEN = "KUBERNETES_BOOTSTRAP_TOKEN"  # noqa: S105  a name, not a secret


def parser() -> argparse.ArgumentParser:
    """Return the group's parser."""
    commands = parsing.top(
        "kubernetes",
        "reach the Kubernetes that runs on the cluster",
        examples="""
        dcos package install kubernetes --yes --wait
        dcos kubernetes status
        dcos kubernetes kubeconfig --output ./kubeconfig
        kubectl --kubeconfig ./kubeconfig get nodes
        """,
    )
    config = commands.add(
        "kubeconfig",
        _kubeconfig,
        "add the cluster to ~/.kube/config, or write a kubeconfig elsewhere",
        examples="""
        dcos kubernetes kubeconfig && kubectl get nodes
        dcos kubernetes kubeconfig --output ./kubeconfig
        dcos kubernetes kubeconfig --output -
        """,
    )
    config.add_argument(
        "--output", metavar="FILE", help="write it here (mode 0600) instead; - is the screen"
    )
    status = commands.add("status", _status, "say whether it is up, and what it runs")
    parsing.add_json(status)
    for command in (config, status):
        command.add_argument("--app-id", default="", help="which of several installations")
    return commands.parser


class ControlPlane(NamedTuple):
    """Where a control plane answers."""

    app_id: str
    host: str
    api_port: int
    admin_port: int
    token: str

    @property
    def admin_url(self) -> str:
        """Base of its plain HTTP endpoints: health, and the kubeconfig for the token."""
        return f"http://{self.host}:{self.admin_port}"


async def _app(cluster: Cluster, app_id: str) -> Json:
    apps = await cluster.marathon.apps(label=f"{_PACKAGE_LABEL}==kubernetes")
    if app_id:
        apps = [app for app in apps if app["id"] == "/" + app_id.strip("/")]
    if not apps:
        raise UserError(
            f"{app_id or 'Kubernetes'} is not installed: dcos package install kubernetes --yes"
        )
    if len(apps) > 1:
        ids = ", ".join(app["id"] for app in apps)
        raise UserError(f"Kubernetes is installed several times; give --app-id: {ids}")
    return await cluster.marathon.app(apps[0]["id"])


def _control_plane(app: Json) -> ControlPlane:
    running = [task for task in app.get("tasks") or [] if task.get("state") == "TASK_RUNNING"]
    if not running:
        failure = (app.get("lastTaskFailure") or {}).get("message")
        because = f"; it failed last with: {failure}" if failure else ""
        raise UserError(
            f"{app['id']} is not running yet{because} (dcos marathon app show {app['id']})"
        )
    ports = running[0].get("ports") or []
    token = (app.get("env") or {}).get(_TOKEN)
    if len(ports) < 2 or not isinstance(token, str):
        raise UserError(f"{app['id']} does not look like the kubernetes package's app")
    return ControlPlane(app["id"], running[0]["host"], ports[0], ports[1], token)


async def _fetch_kubeconfig(client: Client, plane: ControlPlane) -> bytes:
    try:
        answer = await client.request(
            "GET",
            f"{plane.admin_url}/kubeconfig",
            headers=(("Authorization", f"Bearer {plane.token}"),),
        )
    except HttpError as error:
        raise UserError(f"{plane.app_id} is starting: {error}") from error
    if answer.status != 200:
        text = answer.body.decode("utf-8", "replace").strip()
        raise UserError(f"{plane.admin_url}/kubeconfig answers {answer.status}: {text}")
    return answer.body


async def _kubeconfig(args: argparse.Namespace) -> None:
    async with connected() as cluster:
        plane = _control_plane(await _app(cluster, args.app_id))
        text = await _fetch_kubeconfig(cluster.client, plane)
    if args.output == "-":
        print(text.decode(), end="")
    elif args.output is not None:
        _write(Path(args.output), text)
        printing.note(f"kubectl --kubeconfig {args.output} get nodes")
    else:
        _merge(text)


def _write(path: Path, text: bytes) -> None:
    """Write a file that only its owner may read; it holds a token."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".new")
        handle = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(text)
        draft.replace(path)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from error


def _merge(text: bytes) -> None:
    """Add to the user's own kubeconfig; kubectl joins the two, as it knows all that they hold."""
    held = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube" / "config")
    target = Path(held.split(os.pathsep)[0])
    if not target.exists():
        _write(target, text)
        printing.note(f"wrote {target}; try: kubectl get nodes")
        return
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise UserError(
            f"{target} exists, and kubectl, which would join the two, is not here; "
            "use --output FILE"
        )
    with tempfile.TemporaryDirectory() as folder:
        ours = Path(folder) / "kubeconfig"
        _write(ours, text)
        done = subprocess.run(
            [kubectl, "config", "view", "--flatten"],
            env={**os.environ, "KUBECONFIG": f"{ours}{os.pathsep}{held}"},
            capture_output=True,
            check=False,
        )
    if done.returncode != 0:
        raise UserError(f"kubectl cannot join them: {done.stderr.decode().strip()}")
    _write(target, done.stdout)
    printing.note(f"added to {target}")


async def _status(args: argparse.Namespace) -> int:
    async with connected() as cluster:
        app = await _app(cluster, args.app_id)
        found: Json = {
            "app": app["id"],
            "tasksRunning": app.get("tasksRunning", 0),
            "tasksHealthy": app.get("tasksHealthy", 0),
        }
        plane = _control_plane(app)
        found["api"] = f"https://{plane.host}:{plane.api_port}"
        try:
            health = await cluster.client.request("GET", f"{plane.admin_url}/healthz")
            found["health"] = "ok" if health.status == 200 else f"answers {health.status}"
        except HttpError as error:
            found["health"] = str(error)
        found["version"] = await _api_version(found["api"])
        state = await cluster.master.state()
    found["pods"] = _pods(state, app)
    if args.json:
        printing.json(found)
    else:
        printing.lines(f"{name + ':':14}{value}" for name, value in found.items())
    return 0 if found["health"] == "ok" else 1


async def _api_version(url: str) -> str:
    """Ask the API for its version, which is no secret and needs no token."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent, and only a version is believed
    client = Client(ssl=context)
    try:
        answer = await client.request("GET", f"{url}/version", timeout_s=5)
    except HttpError as error:
        return f"unknown ({error})"
    finally:
        await client.close()
    return _git_version(answer.body) if answer.status == 200 else "not told without a token"


def _git_version(body: bytes) -> str:
    import msgspec

    try:
        return str(msgspec.json.decode(body)["gitVersion"])
    except (msgspec.DecodeError, KeyError, TypeError):
        return "unknown"


def _pods(state: Json, app: Json) -> int:
    name = (app.get("labels") or {}).get("DCOS_PACKAGE_FRAMEWORK_NAME")
    return sum(
        len(framework.get("tasks") or [])
        for framework in state.get("frameworks", [])
        if framework.get("name") == name
    )
