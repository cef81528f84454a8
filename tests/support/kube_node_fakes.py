"""An agent and an API server over real HTTP for the node executor: small, honest, in this process.

The agent runs containers as real processes; the API keeps pods, statuses, events, leases in dicts
and serves watches. Both can be stopped and started again on the same port.
"""

import asyncio
import base64
import itertools
import os
import signal
from pathlib import Path
from typing import Any

import msgspec

from comity.runtime.http import Request, Response, Server, Stream


def merge(target: dict[str, Any], change: dict[str, Any]) -> None:
    """Merge as a merge patch does, with conditions merged by type."""
    for key, value in change.items():
        if key == "conditions" and isinstance(target.get(key), list):
            rows = {row["type"]: row for row in target[key]}
            for row in value:
                merge(rows.setdefault(row["type"], {}), row)
            target[key] = list(rows.values())
        elif value is None:
            target.pop(key, None)
        elif isinstance(value, dict) and isinstance(target.get(key), dict):
            merge(target[key], value)
        else:
            target[key] = value


class FakeServer:
    def __init__(self) -> None:
        self.port = 0
        self._server: Server | None = None

    async def start(self) -> None:
        self._server = Server(self.handle)
        _, self.port = await self._server.start("127.0.0.1", self.port)

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None

    async def handle(self, request: Request) -> Response | Stream:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


class FakeApi(FakeServer):
    """Objects by path."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self._versions = itertools.count(1)
        self._watchers: set[Stream] = set()

    def put(self, path: str, given: dict[str, Any]) -> None:
        kind = "MODIFIED" if path in self.objects else "ADDED"
        given["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[path] = given
        self._tell(kind, path, given)

    def remove(self, path: str) -> None:
        self._tell("DELETED", path, self.objects.pop(path))

    def pod(self, name: str) -> dict[str, Any]:
        return self.objects[f"/api/v1/namespaces/default/pods/{name}"]

    def delete_pod(self, name: str, grace_s: int) -> None:
        found = self.pod(name)
        found["metadata"].update(
            deletionTimestamp="2026-01-01T00:00:00Z", deletionGracePeriodSeconds=grace_s
        )
        self.put(f"/api/v1/namespaces/default/pods/{name}", found)

    def _tell(self, kind: str, path: str, given: dict[str, Any]) -> None:
        if "/pods/" in path:
            line = msgspec.json.encode({"type": kind, "object": given}) + b"\n"
            for stream in list(self._watchers):
                stream.send(line)

    async def stop(self) -> None:
        self._watchers.clear()
        await super().stop()

    async def handle(self, request: Request) -> Response | Stream:
        assert request.headers["authorization"] == "Bearer api-token"
        body = msgspec.json.decode(request.body) if request.body else None
        if request.path == "/api/v1/pods":
            return self._pods(request)
        if request.method == "GET":
            if request.path.endswith("/services"):
                return Response(200, b'{"items": []}')
            return self._answer(self.objects.get(request.path))
        if request.method == "POST":
            if request.path.endswith("/events"):
                self.events.append(body)
            self.put(f"{request.path}/{body['metadata']['name']}", body)
            return Response(201, msgspec.json.encode(body))
        path = request.path.removesuffix("/status")
        found = self.objects.get(path)
        if found is None:
            return self._answer(None)
        if request.method == "DELETE":
            assert body["preconditions"]["uid"] == found["metadata"]["uid"]
            self.remove(path)
            return self._answer(found)
        assert request.method == "PATCH"
        merge(found, body)
        self.put(path, found)
        return self._answer(found)

    def _pods(self, request: Request) -> Response | Stream:
        if request.arg("watch"):
            stream = Stream()
            self._watchers.add(stream)
            stream.on_close(lambda: self._watchers.discard(stream))
            return stream
        items = [each for path, each in self.objects.items() if "/pods/" in path]
        body = {"metadata": {"resourceVersion": str(next(self._versions))}, "items": items}
        return Response(200, msgspec.json.encode(body))

    def _answer(self, found: dict[str, Any] | None) -> Response:
        if found is None:
            return Response(404, b'{"kind": "Status", "message": "not found", "code": 404}')
        return Response(200, msgspec.json.encode(found))


class FakeAgent(FakeServer):
    """The executor API, and containers as processes of this one."""

    def __init__(self, sandbox: Path, data: dict[str, Any], port: int) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.updates: list[dict[str, Any]] = []
        self.processes: dict[str, asyncio.subprocess.Process] = {}
        self.pods: set[str] = set()
        self.removed: list[str] = []
        self.subscriptions = 0
        self._data = data
        self._port_for_executor = port
        self._stream: Stream | None = None

    def environment(self) -> dict[str, str]:
        return {
            "MESOS_AGENT_ENDPOINT": f"127.0.0.1:{self.port}",
            "MESOS_CONTAINER_ID": "executor",
            "MESOS_SANDBOX": str(self.sandbox),
            "MESOS_FRAMEWORK_ID": "framework",
            "MESOS_EXECUTOR_ID": "kubernetes-node",
            "MESOS_CHECKPOINT": "1",
        }

    def states(self, task_id: str) -> list[str]:
        """The states that were reported, each once, in order."""
        seen: dict[str, None] = {}
        for status in self.updates:
            if status["task_id"]["value"] == task_id:
                seen[status["state"]] = None
        return list(seen)

    def launch(self, task_id: str, pod: dict[str, Any]) -> None:
        data = base64.b64encode(msgspec.json.encode(pod)).decode()
        task = {
            "name": task_id,
            "task_id": {"value": task_id},
            "agent_id": {"value": "agent"},
            "data": data,
        }
        self.send({"type": "LAUNCH", "launch": {"task": task}})

    def send(self, event: dict[str, Any]) -> None:
        assert self._stream is not None
        record = msgspec.json.encode(event)
        self._stream.send(b"%d\n%b" % (len(record), record))

    async def handle(self, request: Request) -> Response | Stream:
        call = msgspec.json.decode(request.body)
        if request.path == "/images":
            return Response(400, b"no images here") if call.get("pull", True) else Response(404)
        kind = call["type"]
        if request.path == "/api/v1/executor":
            return self._subscribe() if kind == "SUBSCRIBE" else self._executor_call(call)
        return await getattr(self, kind.lower())(call[kind.lower()])

    def _subscribe(self) -> Stream:
        self.subscriptions += 1
        self._stream = Stream()
        framework = {"name": "kubernetes", "user": "root", "id": {"value": "framework"}}
        port = self._port_for_executor
        executor = {
            "executor_id": {"value": "kubernetes-node"},
            "data": base64.b64encode(msgspec.json.encode(self._data)).decode(),
            "resources": [
                {
                    "name": "ports",
                    "type": "RANGES",
                    "ranges": {"range": [{"begin": port, "end": port}]},
                }
            ],
        }
        info = {"executor_info": executor, "framework_info": framework}
        agent = {"hostname": "node-1", "port": self.port, "resources": []}
        self.send({"type": "SUBSCRIBED", "subscribed": {**info, "agent_info": agent}})
        return self._stream

    def _executor_call(self, call: dict[str, Any]) -> Response:
        if call["type"] == "UPDATE":
            status = call["update"]["status"]
            self.updates.append(status)
            acknowledged = {"task_id": status["task_id"], "uuid": status["uuid"]}
            self.send({"type": "ACKNOWLEDGED", "acknowledged": acknowledged})
        return Response(202)

    # containers

    async def launch_container(self, call: dict[str, Any]) -> Response:
        name = call["container_id"]["value"]
        if name in self.processes or name in self.pods:
            return Response(202)
        if call.get("is_pod"):
            self.pods.add(name)
            return Response(200)
        parent = call["container_id"]["parent"]["value"]
        assert parent in {*self.pods, *self.processes}, "the parent is not there"
        image = (call.get("container") or {}).get("mesos", {}).get("image")
        if image:
            return Response(400, b"image: no images here")
        directory = self._directory(call["container_id"])
        directory.mkdir(parents=True)
        command = call["command"]
        variables = (command.get("environment") or {}).get("variables") or ()
        environment = {each["name"]: each["value"] for each in variables}
        try:
            with (
                (directory / "stdout").open("wb") as stdout,
                (directory / "stderr").open("wb") as stderr,
            ):
                self.processes[name] = await asyncio.create_subprocess_exec(
                    command["value"],
                    *command["arguments"][1:],
                    cwd=directory,
                    env={**os.environ, **environment},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    start_new_session=True,
                )
        except OSError as error:
            return Response(400, str(error).encode())
        return Response(200)

    def _directory(self, container_id: dict[str, Any]) -> Path:
        parents = []
        while "parent" in container_id:
            parents.append(container_id["value"])
            container_id = container_id["parent"]
        path = self.sandbox
        for each in reversed(parents):
            path = path / "containers" / each
        return path

    async def wait_container(self, call: dict[str, Any]) -> Response:
        process = self.processes.get(call["container_id"]["value"])
        if process is None:
            return Response(404)
        code = await process.wait()
        status = -code if code < 0 else code << 8
        body = {"type": "WAIT_CONTAINER", "wait_container": {"exit_status": status}}
        return Response(200, msgspec.json.encode(body))

    async def kill_container(self, call: dict[str, Any]) -> Response:
        self.pods.discard(call["container_id"]["value"])
        process = self.processes.get(call["container_id"]["value"])
        if process is None or process.returncode is not None:
            return Response(404)
        os.killpg(process.pid, call["signal"])
        return Response(200)

    async def remove_container(self, call: dict[str, Any]) -> Response:
        self.removed.append(call["container_id"]["value"])
        return Response(200)

    async def end(self) -> None:
        """Leave no process behind."""
        for process in self.processes.values():
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await self.stop()
