"""A Mesos cluster seen from outside: the standard library, JSON, and nothing of ours.

The tests of tests/contract/mesos run against a master and an agent of ours, or against others:
`COMITY_CONTRACT_MASTER=http://10.0.0.1:5050` names a master with at least one agent that has some
cpus free, `COMITY_CONTRACT_AGENT=http://10.0.0.2:5051` one of its agents.
"""

import base64
import contextlib
import http.client
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WAIT_S = float(os.environ.get("COMITY_CONTRACT_WAIT", "60"))
SCHEDULER = "/api/v1/scheduler"
JSON = "application/json"
Document = dict[str, Any]


@dataclass
class Answer:
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, read as JSON."""
        return json.loads(self.body)


def request(
    url: str,
    method: str,
    path: str,
    body: object = None,
    headers: dict[str, str] | None = None,
) -> Answer:
    """Make one request on a connection of its own; dicts are sent as JSON."""
    given = dict(headers or {})
    if isinstance(body, dict):
        body = json.dumps(body).encode()
        given.setdefault("Content-Type", JSON)
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=WAIT_S)
    try:
        connection.request(method, path, body=body, headers=given)  # type: ignore[arg-type]
        answer = connection.getresponse()
        found = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, found, answer.read())
    finally:
        connection.close()


class Stream:
    """A RecordIO stream that a thread reads; `records` ends with None when the stream does."""

    def __init__(
        self,
        url: str,
        path: str,
        body: Document,
        headers: dict[str, str] | None = None,
        *,
        reads: bool = True,
    ) -> None:
        where = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            where.hostname or "", where.port, timeout=WAIT_S
        )
        given = {"Content-Type": JSON, **({"Accept": JSON} if headers is None else headers)}
        self._connection.request("POST", path, json.dumps(body), given)
        self._socket = self._connection.sock
        self._answer = self._connection.getresponse()
        self.status = self._answer.status
        self.headers = {name.lower(): value for name, value in self._answer.getheaders()}
        self.refusal = b"" if self.status == 200 else self._answer.read()
        self.records: queue.Queue[Document | None] = queue.Queue()
        if self.status == 200 and reads:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        data = b""
        with contextlib.suppress(OSError, ValueError, http.client.HTTPException, AttributeError):
            while True:
                part = self._answer.read1(65536)
                if not part:
                    break
                data += part
                while b"\n" in data:
                    head, _, rest = data.partition(b"\n")
                    if len(rest) < int(head):
                        break
                    self.records.put(json.loads(rest[: int(head)]))
                    data = rest[int(head) :]
        self.records.put(None)

    def next(self) -> Document | None:
        """Return the next record, or None at the end of the stream."""
        return self.records.get(timeout=WAIT_S)

    def close(self) -> None:
        """Drop the connection, as a scheduler that crashes does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(2)
        self._connection.close()


class Scheduler:
    """A framework under test: what it heard, and calls in its name."""

    def __init__(self, target: "Target", **info: object) -> None:
        self.target = target
        self.info: Document = {"user": target.user, "name": "contract", **info}
        self.id: str = ""
        self.stream: Stream | None = None
        self.heard: list[Document] = []
        self.offers: list[Document] = []
        self.updates: list[Document] = []
        self.acknowledges = True
        self.is_over = False

    def subscribe(self, **fields: object) -> "Scheduler":
        """Open the stream, and wait until subscribed."""
        info = {**self.info, "id": {"value": self.id}} if self.id else self.info
        body: Document = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info, **fields}}
        if self.id:
            body["framework_id"] = {"value": self.id}
        self.stream = Stream(self.target.master, SCHEDULER, body)
        assert self.stream.status == 200, self.stream.refusal
        self.is_over = False
        self.offers = []
        first = self.next()
        assert first is not None
        assert first["type"] == "SUBSCRIBED", first
        self.id = first["subscribed"]["framework_id"]["value"]
        return self

    @property
    def stream_id(self) -> str:
        """Return the name of the open stream."""
        assert self.stream is not None
        return self.stream.headers["mesos-stream-id"]

    def next(self) -> Document | None:
        """Take the next event into account and return it; None at the end of the stream."""
        assert self.stream is not None
        event = self.stream.next()
        if event is None:
            self.is_over = True
            return None
        self.heard.append(event)
        match event["type"]:
            case "OFFERS":
                self.offers += event["offers"]["offers"]
            case "RESCIND":
                gone = event["rescind"]["offer_id"]
                self.offers = [one for one in self.offers if one["id"] != gone]
            case "UPDATE":
                self._updated(event["update"]["status"])
        return event

    def _updated(self, status: Document) -> None:
        self.updates.append(status)
        if self.acknowledges and "uuid" in status:
            self.acknowledge(status)

    def acknowledge(self, status: Document) -> None:
        """Acknowledge an update."""
        body = {name: status[name] for name in ("agent_id", "task_id", "uuid")}
        assert self.call("ACKNOWLEDGE", acknowledge=body).status == 202

    def until(self, condition: Callable[[], object]) -> None:
        """Read events until something holds."""
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert time.monotonic() < deadline, self.heard[-5:]
            assert self.next() is not None, f"the stream ended: {self.heard[-3:]}"

    def call(self, kind: str, **body: object) -> Answer:
        """Make a call on the subscribed stream."""
        call = {"type": kind, "framework_id": {"value": self.id}, **body}
        return self.target.post(SCHEDULER, call, {"Mesos-Stream-Id": self.stream_id})

    def offer(self, cpus: float = 0.1) -> Document:
        """Wait for an offer with some cpus and take it; offers with less are declined for long."""
        while True:
            self.until(lambda: self.offers)
            offer = self.offers.pop()
            if scalar(offer["resources"], "cpus") >= cpus and self._is_of_agent(offer):
                return offer
            self.decline(offer, refuse_s=600)

    def _is_of_agent(self, offer: Document) -> bool:
        return offer["agent_id"]["value"] == self.target.agent_id

    def decline(self, *offers: Document, refuse_s: float = 0.0) -> None:
        """Decline offers."""
        body = {
            "offer_ids": [one["id"] for one in offers],
            "filters": {"refuse_seconds": refuse_s},
        }
        assert self.call("DECLINE", decline=body).status == 202

    def accept(self, offers: list[Document], *operations: Document, refuse_s: float = 0.0) -> None:
        """Accept offers with some operations."""
        body = {
            "offer_ids": [one["id"] for one in offers],
            "operations": list(operations),
            "filters": {"refuse_seconds": refuse_s},
        }
        assert self.call("ACCEPT", accept=body).status == 202

    def launch(self, *tasks: Document, offer: Document | None = None) -> None:
        """Launch tasks on an offer; what has no agent gets that of the offer."""
        offer = offer or self.offer(sum(scalar(one["resources"], "cpus") for one in tasks))
        infos = [{"agent_id": offer["agent_id"], **one} for one in tasks]
        self.accept([offer], {"type": "LAUNCH", "launch": {"task_infos": infos}})

    def states(self, task_id: str) -> list[str]:
        """Return what was said of a task so far."""
        return [one["state"] for one in self.updates if one["task_id"]["value"] == task_id]

    def status(self, task_id: str, *states: str) -> Document:
        """Wait for a task's status in one of some states, and return it."""

        def found() -> list[Document]:
            return [
                one
                for one in self.updates
                if one["task_id"]["value"] == task_id and one["state"] in states
            ]

        self.until(found)
        return found()[-1]

    def end(self) -> None:
        """Tear the framework down, if it is subscribed."""
        if self.stream is not None and self.id and not self.is_over:
            self.call("TEARDOWN")
        if self.stream is not None:
            self.stream.close()


@dataclass
class Target:
    """The cluster under test."""

    master: str
    agent: str
    agent_id: str
    directory: Path | None = None
    """Where our own one keeps its sandboxes; None for another's."""
    user: str = os.environ.get("COMITY_CONTRACT_USER", os.environ.get("USER") or "root")

    def post(self, path: str, body: object, headers: dict[str, str] | None = None) -> Answer:
        """POST to the master."""
        return request(self.master, "POST", path, body, headers)

    def get(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """GET from the master."""
        return request(self.master, "GET", path, headers=headers)

    @contextlib.contextmanager
    def framework(self, *, subscribed: bool = True, **info: object) -> Iterator[Scheduler]:
        """Give a framework that is torn down at the end."""
        made = Scheduler(self, **info)
        try:
            yield made.subscribe() if subscribed else made
        finally:
            made.end()


def scalar(resources: list[Document], name: str) -> float:
    """Return a scalar's amount, over all roles."""
    return sum(one["scalar"]["value"] for one in resources if one["name"] == name)


def amounts(**scalars: float) -> list[Document]:
    """Return unreserved scalars."""
    return [
        {"name": name, "type": "SCALAR", "scalar": {"value": value}}
        for name, value in scalars.items()
    ]


def task(name: str, script: str | None = "sleep 600", **fields: object) -> Document:
    """Return a small task; a new id follows `name`."""
    made: Document = {
        "name": name,
        "task_id": {"value": f"{name}-{uuid.uuid4().hex[:8]}"},
        "resources": amounts(cpus=0.1, mem=32),
    }
    if script is not None:
        made["command"] = {"value": script, "shell": True}
    return {**made, **fields}


def name_of(made: Document) -> str:
    """Return a task's id."""
    found: str = made["task_id"]["value"]
    return found


def decoded(text: str) -> bytes:
    """Return bytes that JSON carries in base64."""
    return base64.b64decode(text, validate=True)


@contextlib.contextmanager
def cluster() -> Iterator[Target]:
    """Give the cluster that the environment names, or start one of ours."""
    named = os.environ.get("COMITY_CONTRACT_MASTER")
    if named:
        yield _existing(named, os.environ.get("COMITY_CONTRACT_AGENT"))
        return
    with tempfile.TemporaryDirectory() as text:
        directory = Path(text)
        with contextlib.ExitStack() as stack:
            master = stack.enter_context(_process("master", directory, "--port", "0"))
            resources = "cpus:8;mem:8192;disk:4096;ports:[31000-31999]"
            wanted = ["--port", "0", "--master", master, "--resources", resources]
            stack.callback(_stop_tasks, directory / "agent")
            agent = stack.enter_context(
                _process("agent", directory, *wanted, "--attributes", "rack:r1")
            )
            yield _existing(master, agent, directory / "agent")


def _existing(master: str, agent: str | None, directory: Path | None = None) -> Target:
    deadline = time.monotonic() + WAIT_S
    while True:
        shown = request(master, "GET", "/slaves").json()["slaves"]
        here = [one for one in shown if one["active"]]
        if agent is not None:
            port = urlsplit(agent).port
            here = [one for one in here if one["pid"].endswith(f":{port}")]
        if here:
            break
        assert time.monotonic() < deadline, "the master has no active agent"
        time.sleep(0.05)
    address = here[0]["pid"].partition("@")[2]
    return Target(master, agent or f"http://{address}", here[0]["id"], directory)


@contextlib.contextmanager
def _process(kind: str, directory: Path, *arguments: str) -> Iterator[str]:
    """Run a component of ours; give its URL once it is ready."""
    log = directory / f"{kind}.log"
    argv = [sys.executable, "-m", f"comity.{kind}", "--work-dir", str(directory / kind)]
    with log.open("wb") as file:
        child = subprocess.Popen([*argv, *arguments], stdout=file, stderr=file)
    try:
        yield _ready(child, log)
    finally:
        child.terminate()
        child.wait()


def _ready(child: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + WAIT_S
    while True:
        for line in log.read_text().splitlines():
            if line.startswith("ready "):
                return line.split()[1]
        assert child.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def _stop_tasks(directory: Path) -> None:
    argv = [sys.executable, "-m", "comity.agent", "--work-dir", str(directory), "--recover=cleanup"]
    subprocess.run(argv, check=True, stderr=subprocess.DEVNULL)
