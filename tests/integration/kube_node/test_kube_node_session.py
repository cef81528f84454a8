"""The node executor over real HTTP and real processes, against a small agent and API."""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from comity.kube.node import config
from comity.kube.node.shell import session
from comity.runtime.http import Client
from comity.sdk.executor import Executor, Identity
from support.kube_node_fakes import FakeAgent, FakeApi


def stdout_of(rig, uid):
    return rig.sandbox / f"containers/{uid}/containers/{uid}-main-0/stdout"


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            try:
                if found := condition():
                    return found
            except (KeyError, IndexError, FileNotFoundError):
                pass
            await asyncio.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Rig:
    """A node executor between an agent and an API."""

    def __init__(self, sandbox: Path) -> None:
        self.port = free_port()
        self.sandbox = sandbox
        self.api = FakeApi()
        self.stop = asyncio.Event()
        self.client = Client(headers=(("Authorization", "Bearer kubelet-token"),))

    async def start(self) -> None:
        await self.api.start()
        data = {"apiserver": self.api.url, "token": "api-token", "kubeletToken": "kubelet-token"}
        self.agent = FakeAgent(self.sandbox, data, self.port)
        await self.agent.start()
        self.api.put("/api/v1/nodes/node-1", {"metadata": {"name": "node-1"}})
        environment = self.agent.environment()
        self.executor = Executor(Identity.from_environment(environment))
        serving = session.serve(config.from_environment(environment), self.executor, self.stop)
        self.serving = asyncio.ensure_future(serving)
        await until(lambda: self.agent.subscriptions)

    async def end(self) -> None:
        self.stop.set()
        await asyncio.wait_for(self.serving, 15)
        await self.executor.__aexit__(None, None, None)
        await self.client.close()
        await self.agent.end()
        await self.api.stop()

    def run(self, name: str, command: str, **spec: Any) -> None:
        container = spec.pop("container", {})
        pod = {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
            "spec": {
                "nodeName": "node-1",
                "terminationGracePeriodSeconds": 5,
                "containers": [
                    {"name": "main", "image": "host", "command": ["sh", "-c", command], **container}
                ],
                **spec,
            },
        }
        self.api.put(f"/api/v1/namespaces/default/pods/{name}", pod)
        self.agent.launch(f"task-{name}", pod)

    def phase(self, name: str) -> str:
        return str(self.api.pod(name)["status"]["phase"])

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.pod(name)["status"]["containerStatuses"][0]
        return found

    async def log(self, name: str, query: str = "") -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.port}/containerLogs/default/{name}/main?{query}"
        answer = await self.client.request("GET", url)
        return answer.status, answer.body.decode()


@pytest.fixture
async def rig(tmp_path):
    rig = Rig(tmp_path)
    await rig.start()
    yield rig
    await rig.end()


async def test_a_pod_runs_to_its_end(rig):
    rig.run("job", "echo hello; echo oops >&2; exit 3", restartPolicy="Never")
    await until(lambda: rig.phase("job") == "Failed")
    assert rig.status("job")["state"]["terminated"]["exitCode"] == 3
    await until(lambda: rig.agent.states("task-job")[-1] == "TASK_FAILED")
    assert rig.agent.states("task-job") == ["TASK_STARTING", "TASK_RUNNING", "TASK_FAILED"]
    status, text = await rig.log("job")
    assert status == 200
    assert sorted(text.splitlines()) == ["hello", "oops"]


async def test_a_condition_that_turned_true_has_no_stale_reason(rig):
    rig.run("web", "exec sleep 60")
    await until(lambda: rig.phase("web") == "Running")
    ready = next(
        row for row in rig.api.pod("web")["status"]["conditions"] if row["type"] == "Ready"
    )
    assert ready["status"] == "True"
    assert not {"reason", "message"} & ready.keys()


async def test_a_pod_is_deleted_gracefully(rig):
    rig.run("web", "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    await until(lambda: rig.phase("web") == "Running")
    await until(lambda: "up" in stdout_of(rig, "uid-web").read_text())
    rig.api.delete_pod("web", 5)
    await until(lambda: rig.agent.states("task-web")[-1] == "TASK_KILLED")
    assert "/api/v1/namespaces/default/pods/web" not in rig.api.objects
    assert rig.agent.processes["uid-web-main-0"].returncode == 0
    await until(lambda: rig.agent.removed)


async def test_the_node_reports_itself(rig):
    lease = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1"
    await until(lambda: rig.api.objects[lease])
    status = await until(lambda: rig.api.objects["/api/v1/nodes/node-1"]["status"])
    assert status["daemonEndpoints"] == {"kubeletEndpoint": {"Port": rig.port}}
    ready = next(row for row in status["conditions"] if row["type"] == "Ready")
    assert ready["status"] == "True"


async def test_an_exec_probe_runs_inside(rig):
    probe = {"exec": {"command": ["sh", "-c", "echo checked; exit 1"]}, "periodSeconds": 1}
    rig.run("web", "sleep 60", container={"readinessProbe": probe})
    event = await until(lambda: [e for e in rig.api.events if e["reason"] == "Unhealthy"])
    assert event[0]["message"] == "Readiness probe failed: checked"
    assert not rig.status("web")["ready"]


async def test_an_http_probe_makes_the_pod_ready(rig):
    port = free_port()
    server = f"exec python3 -m http.server {port} --bind 127.0.0.1"
    probe = {"httpGet": {"port": port, "path": "/"}, "periodSeconds": 1, "failureThreshold": 30}
    rig.run("web", server, container={"startupProbe": probe, "readinessProbe": probe})
    await until(lambda: rig.status("web")["ready"])


async def test_configuration_reaches_the_container(rig):
    rig.api.put(
        "/api/v1/namespaces/default/configmaps/cfg",
        {"metadata": {"name": "cfg"}, "data": {"greeting": "hello", "site.conf": "x=1"}},
    )
    env = [{"name": "G", "valueFrom": {"configMapKeyRef": {"name": "cfg", "key": "greeting"}}}]
    mounts = [{"name": "conf", "mountPath": "/etc/conf"}]
    rig.run(
        "job",
        'echo "$G $(cat etc/conf/site.conf) $(cat "$COMITY_VOLUME_CONF/site.conf")"',
        restartPolicy="Never",
        volumes=[{"name": "conf", "configMap": {"name": "cfg"}}],
        container={"env": env, "volumeMounts": mounts},
    )
    await until(lambda: rig.phase("job") == "Succeeded")
    assert await rig.log("job") == (200, "hello x=1 x=1\n")
    assert "VolumesLinked" in {event["reason"] for event in rig.api.events}


async def test_an_image_that_cannot_run_says_why(rig):
    rig.run("web", "true", container={"image": "nginx"})
    text = 'Back-off pulling image "nginx": ErrImagePull: no images here'
    waiting = {"reason": "ImagePullBackOff", "message": text}
    await until(lambda: rig.status("web")["state"]["waiting"] == waiting)
    assert await rig.log("web") == (
        400,
        'container "main" in pod "web" is waiting to start: trying and failing to pull image\n',
    )
    told = [event["reason"] for event in rig.api.events if event["reason"] != "UnsupportedFields"]
    assert told == ["Pulling", "Failed", "Failed", "BackOff", "Failed"]


async def test_the_api_may_be_away(rig):
    rig.run("job", "until [ -e go ]; do sleep 0.05; done", restartPolicy="Never")
    await until(lambda: rig.phase("job") == "Running")
    await rig.api.stop()
    (rig.sandbox / "containers/uid-job/containers/uid-job-main-0/go").touch()
    await rig.agent.processes["uid-job-main-0"].wait()
    assert rig.agent.states("task-job")[-1] == "TASK_RUNNING"
    await rig.api.start()
    await until(lambda: rig.phase("job") == "Succeeded")
    await until(lambda: rig.agent.states("task-job")[-1] == "TASK_FINISHED")


async def test_the_agent_may_be_away(rig):
    rig.run("job", "until [ -e go ]; do sleep 0.05; done", restartPolicy="Never")
    await until(lambda: rig.phase("job") == "Running")
    await rig.agent.stop()
    (rig.sandbox / "containers/uid-job/containers/uid-job-main-0/go").touch()
    await rig.agent.processes["uid-job-main-0"].wait()
    await rig.agent.start()
    await until(lambda: rig.agent.states("task-job")[-1] == "TASK_FINISHED")
    assert rig.agent.subscriptions == 2


async def test_a_task_without_a_pod_fails(rig):
    rig.agent.launch("task-odd", {"no": "pod"})
    await until(lambda: rig.agent.states("task-odd") == ["TASK_FAILED"])


async def test_the_endpoint_asks_for_the_token(rig):
    url = f"http://127.0.0.1:{rig.port}/pods"
    await until(lambda: rig.api.objects["/api/v1/nodes/node-1"].get("status"))
    wrong = (("Authorization", "Bearer guess"),)
    assert (await rig.client.request("GET", url, headers=wrong)).status == 401
    assert (await rig.client.request("GET", url)).status == 200


async def test_following_a_log_ends_with_the_container(rig):
    rig.run(
        "job", "echo one; until [ -e go ]; do sleep 0.05; done; printf two", restartPolicy="Never"
    )
    await until(lambda: "one" in stdout_of(rig, "uid-job").read_text())
    await until(lambda: rig.phase("job") == "Running")
    url = f"http://127.0.0.1:{rig.port}/containerLogs/default/job/main?follow=true"
    received = b""
    async with asyncio.timeout(20), rig.client.stream("GET", url) as stream:
        async for chunk in stream:
            received += chunk
            (rig.sandbox / "containers/uid-job/containers/uid-job-main-0/go").touch()
    assert received == b"one\ntwo"


async def test_a_signal_ends_pods_and_process(tmp_path):
    rig = Rig(tmp_path)
    await rig.start()
    rig.run("web", "exec sleep 60")
    await until(lambda: rig.phase("web") == "Running")
    await rig.end()
    assert rig.agent.states("task-web")[-1] == "TASK_KILLED"
    assert rig.agent.processes["uid-web-main-0"].returncode == -signal.SIGTERM
