"""Whole clusters for tests: `comity up` in a scratch directory, driven from outside only.

Every cluster has ports and agent addresses of its own, so several can run beside each other and
beside a developer's. `Cluster.down` checks that no process of it is left.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent.parent
CLIENTS = ROOT / ".clients" / "bin"
KUBECTL = CLIENTS / "kubectl"
UP_S, WAIT_S = 120, 90

T = TypeVar("T")
_numbers = itertools.count()


class CommandFailed(AssertionError):
    """A command of a test ended with another code than 0."""


class Cluster:
    """A running cluster: `urls` by component, and the command lines that people use."""

    def __init__(self, root: Path, *options: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.work_dir, self.home = root / "work", root / "home"
        self.home.mkdir(exist_ok=True)
        number = os.getpid() * 8 + next(_numbers)
        self.first_agent_ip = f"127.{100 + number // 200 % 100}.{number % 200}.11"
        self._options = options
        self.urls: dict[str, str] = {}
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{CLIENTS}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
        }

    def up(self, *options: str) -> None:
        """Start (or resume) it and wait until it is ready."""
        fixed = ("--detach", "--free-ports", "--first-agent-ip", self.first_agent_ip)
        self.comity("up", *fixed, *self._options, *options, timeout_s=UP_S)
        status = json.loads(self.comity("status", "--json"))
        self.urls = {item["name"]: item["url"] for item in status["components"]}

    def down(self) -> None:
        """Stop it and check that nothing of it runs any more."""
        self.comity("down")
        eventually(lambda: not self.processes(), "no process of the cluster is left", 10)

    def processes(self) -> list[str]:
        """List the processes that work in, or were told of, this cluster's directory."""
        return sorted(_processes_of(str(self.work_dir)))

    def comity(self, command: str, *arguments: str, timeout_s: float = WAIT_S) -> str:
        """Run a `comity` command on this cluster."""
        place = ("--work-dir", str(self.work_dir))
        return self.run("comity", command, *place, *arguments, timeout_s=timeout_s)

    def dcos(self, *arguments: str, **kwargs: Any) -> str:
        """Run a `dcos` command as this cluster's user."""
        return self.run("dcos", *arguments, **kwargs)

    def kubectl(self, *arguments: str, **kwargs: Any) -> str:
        """Run kubectl as this cluster's user."""
        return self.run(str(KUBECTL), *arguments, **kwargs)

    def run(self, *argv: str, timeout_s: float = WAIT_S, given: str = "") -> str:
        """Run a command and return what it printed; fails with everything it said."""
        done = subprocess.run(
            argv,
            input=given,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            env=self.environment,
            cwd=ROOT,
        )
        if done.returncode:
            raise CommandFailed(f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def pid(self, component: str) -> int:
        """Return a component's process id (0 while it has none)."""
        status = subprocess.run(
            ["comity", "status", "--json", "--work-dir", str(self.work_dir)],
            capture_output=True,
            text=True,
            env=self.environment,
        )
        components = json.loads(status.stdout)["components"]
        return next(item["pid"] for item in components if item["name"] == component)

    def get(self, component: str, path: str) -> Any:
        """GET a JSON document from a component."""
        return fetch(self.urls[component] + path)[1]

    def send(self, method: str, component: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a JSON document to a component; returns the status and the answer."""
        return fetch(self.urls[component] + path, method, body)

    def tasks(self) -> list[dict[str, Any]]:
        """List the master's tasks that have not ended, of every framework."""
        state = self.get("master", "/state")
        return [task for framework in state["frameworks"] for task in framework["tasks"]]

    def running(self, name_part: str) -> list[dict[str, Any]]:
        """List the running tasks whose name has a part."""
        return [
            task
            for task in self.tasks()
            if task["state"] == "TASK_RUNNING" and name_part in task["name"]
        ]


def kubectl(
    cluster: Cluster, *words: str, given: bytes = b"", code: int = 0
) -> tuple[bytes, bytes]:
    """Run kubectl with input, to an exit code; return what it wrote to stdout and stderr."""
    done = subprocess.run(
        [str(KUBECTL), *words],
        input=given,
        capture_output=True,
        timeout=60,
        env=cluster.environment,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stdout, done.stderr


def _processes_of(directory: str) -> Iterator[str]:
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            process = Path("/proc", pid)
            command = process.joinpath("cmdline").read_bytes().decode(errors="replace")
            where = os.readlink(process / "cwd")
            if int(pid) != os.getpid() and (directory in command or where.startswith(directory)):
                yield f"{pid} {command.replace(chr(0), ' ')}"


def fetch(url: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    """Make one request; the answer is decoded when it is JSON."""
    request = urllib.request.Request(url, method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _decoded(error.read())


def _decoded(body: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return body.decode(errors="replace")


def eventually(condition: Callable[[], T], expected: str, timeout_s: float = WAIT_S) -> T:
    """Wait until a condition holds and return what it gave; says what was expected if it does not.

    Errors of connections and commands count as "not yet": components restart in these tests.
    """
    deadline = time.monotonic() + timeout_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = value = condition()
            if value:
                return value
        except (OSError, CommandFailed, KeyError, StopIteration, ValueError) as error:
            last = error
        time.sleep(0.05)
    raise AssertionError(f"not within {timeout_s:g} s: {expected}; last seen: {last!r}")
