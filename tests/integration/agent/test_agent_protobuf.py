"""Clients of other makers: protobuf by the official library over plain sockets, as mesos-go has it.

One connection carries the subscription, another the calls, pipelined and kept alive.
"""

import asyncio
import http.client
import socket
import sys
import textwrap
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.kernel import Kernel
from support.schemas import MESOS, Schema

PROTOBUF = "application/x-protobuf"
STATES = {0: "STARTING", 1: "RUNNING", 2: "FINISHED", 3: "FAILED", 4: "KILLED", 6: "STAGING"}
X = Schema(MESOS)


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


class Client:
    """A framework that speaks protobuf and blocks; run it in a thread."""

    def __init__(self, url):
        self.url = url
        address = urlsplit(url).netloc
        self.stream = http.client.HTTPConnection(address, timeout=60)
        self.calls = http.client.HTTPConnection(address, timeout=60)
        self.headers = {"Content-Type": PROTOBUF, "Accept": PROTOBUF}

    def subscribe(self, **framework):
        call = X.Call(type=1)
        call.subscribe.framework_info.MergeFrom(X.Framework(user="root", name="go", **framework))
        path = "/api/v1/scheduler"
        self.stream.request("POST", path, call.SerializeToString(), self.headers)
        self.response = self.stream.getresponse()
        assert self.response.status == 200, self.response.read()
        assert self.response.getheader("Content-Type") == PROTOBUF
        self.headers["Mesos-Stream-Id"] = self.response.getheader("Mesos-Stream-Id")
        subscribed = self.until(1)
        self.framework_id = subscribed.subscribed.framework_id

    def next(self):
        size = int(self.response.readline())
        return X.Event.FromString(self.response.read(size))

    def until(self, kind):
        while True:
            event = self.next()
            if event.type == kind:
                return event

    def call(self, kind, **body):
        call = X.Call(type=kind, framework_id=self.framework_id, **body)
        path = "/api/v1/scheduler"
        self.calls.request("POST", path, call.SerializeToString(), self.headers)
        answer = self.calls.getresponse()
        return answer.status, answer.read()

    def pipelined(self, *calls):
        """Write all calls before reading the first answer; return the statuses in order."""
        address = urlsplit(self.url)
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
        written = b""
        for call in calls:
            call.framework_id.MergeFrom(self.framework_id)
            body = call.SerializeToString()
            first = f"POST /api/v1/scheduler HTTP/1.1\r\nHost: {address.netloc}\r\n"
            written += f"{first}{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        with socket.create_connection((address.hostname, address.port), timeout=60) as raw:
            raw.sendall(written)
            answers, statuses = raw.makefile("rb"), []
            for _ in calls:
                statuses.append(int(answers.readline().split()[1]))
                headers = http.client.parse_headers(answers)
                answers.read(int(headers["Content-Length"] or 0))
            answers.close()
        return statuses

    def launch(self, offer, task):
        accept = X.Accept(offer_ids=[offer.id], filters=X.Filters(refuse_seconds=0))
        accept.operations.add(type=1, launch=X.Launch(task_infos=[task]))
        assert self.call(3, accept=accept) == (202, b"")

    def follow(self, name):
        """Acknowledge updates of a task until it ends; return its states."""
        seen = []
        while True:
            status = self.until(4).update.status
            assert status.task_id.value == name
            seen.append(STATES[status.state])
            acknowledge = X.Acknowledge(
                agent_id=status.agent_id, task_id=status.task_id, uuid=status.uuid
            )
            assert self.call(8, acknowledge=acknowledge) == (202, b"")
            if seen[-1] in ("FINISHED", "FAILED", "KILLED"):
                return seen

    def close(self):
        self.response.close()
        self.stream.close()
        self.calls.close()


def needs(cpus, mem):
    amounts = {"cpus": cpus, "mem": mem}
    return [X.Resource(name=k, type=0, scalar=X.Scalar(value=v)) for k, v in amounts.items()]


def run_a_command(url):
    client = Client(url)
    client.subscribe()
    [offer] = client.until(2).offers.offers
    assert {one.name for one in offer.resources} >= {"cpus", "mem", "ports"}
    task = X.Task(name="t", resources=needs(0.1, 32), agent_id=offer.agent_id)
    task.task_id.value = "t"
    task.command.value = "exit 0"
    client.launch(offer, task)
    seen = client.follow("t")
    status, _ = client.call(2)
    client.close()
    return seen, status


async def test_a_framework_in_protobuf_runs_a_command(kernel):
    seen, status = await asyncio.to_thread(run_a_command, kernel.master.url)
    assert seen == ["STARTING", "RUNNING", "FINISHED"]
    assert status == 202


EXECUTOR = """
    import asyncio
    from comity.sdk.executor import Executor
    from comity.wire.mesos import codec, v1
    from comity.wire.mesos import executor as wire

    async def main():
        async with Executor.from_environment(format=codec.Format.PROTOBUF) as agent:
            async for event in agent.events():
                if isinstance(event, wire.EventLaunch):
                    for state in (v1.TaskState.RUNNING, v1.TaskState.FINISHED):
                        name = event.launch.task.task_id
                        agent.update(v1.TaskStatus(task_id=name, state=state))
                elif isinstance(event, wire.EventShutdown):
                    return

    asyncio.run(main())
"""


def run_an_executor(url, program):
    client = Client(url)
    client.subscribe(roles=["a"], capabilities=[X.Capability(type=6)])
    [offer] = client.until(2).offers.offers
    assert offer.allocation_info.role == "a"
    task = X.Task(name="t", resources=needs(0.1, 32), agent_id=offer.agent_id)
    task.task_id.value = "t"
    task.executor.executor_id.value = "x"
    task.executor.command.value = f"{sys.executable} {program}"
    task.executor.resources.extend(needs(0.1, 64))
    client.launch(offer, task)
    seen = client.follow("t")
    client.call(2)
    client.close()
    return seen


async def test_an_executor_in_protobuf_reports(kernel, tmp_path):
    program = tmp_path / "executor.py"
    program.write_text(textwrap.dedent(EXECUTOR))
    seen = await asyncio.to_thread(run_an_executor, kernel.master.url, program)
    assert seen == ["RUNNING", "FINISHED"]


PROGRAM = Path(__file__).resolve().parents[2] / "support" / "protobuf_executor.py"


def talk_to_an_executor(url):
    """Run the executor of another maker, and have it send back what it is sent."""
    client = Client(url)
    client.subscribe()
    [offer] = client.until(2).offers.offers
    task = X.Task(name="t", resources=needs(0.1, 32), agent_id=offer.agent_id)
    task.task_id.value = "t"
    task.executor.executor_id.value = "other"
    task.executor.command.value = f"{sys.executable} {PROGRAM}"
    task.executor.resources.extend(needs(0.1, 64))
    client.launch(offer, task)
    status = client.until(4).update.status
    assert STATES[status.state] == "RUNNING"
    message = X.Message(agent_id=offer.agent_id, data=b"\x00you")
    message.executor_id.value = "other"
    acknowledge = X.Acknowledge(agent_id=offer.agent_id, task_id=status.task_id, uuid=status.uuid)
    answers = client.pipelined(
        X.Call(type=8, acknowledge=acknowledge), X.Call(type=10, message=message)
    )
    assert answers == [202, 202]
    heard = client.until(5).message
    seen = client.follow("t")
    client.call(2)
    client.close()
    return heard.executor_id.value, heard.data, seen


async def test_an_executor_of_another_maker_hears_and_answers(kernel):
    found = await asyncio.to_thread(talk_to_an_executor, kernel.master.url)
    assert found == ("other", b"heard \x00you", ["FINISHED"])


def read(url, kind, path="/api/v1", accept=PROTOBUF):
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)
    body = X.ReadCall(type=kind).SerializeToString()
    connection.request("POST", path, body, {"Content-Type": PROTOBUF, "Accept": accept})
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, answer.getheader("Content-Type"), data


async def test_operators_read_in_protobuf(kernel):
    async with kernel.scheduler():
        status, kind, data = await asyncio.to_thread(read, kernel.master.url, 9)
        assert (status, kind) == (200, PROTOBUF)
        [agent] = X.Response.FromString(data).get_state.get_agents.agents
        assert agent.active
        status, kind, data = await asyncio.to_thread(read, kernel.agent.url, 3, "/slave(1)/api/v1")
        assert X.Response.FromString(data).get_version.version_info.version
        status, kind, data = await asyncio.to_thread(
            read, kernel.master.url, 3, accept="application/json"
        )
        assert (status, kind) == (200, "application/json")
        status, kind, data = await asyncio.to_thread(read, kernel.master.url, 3, accept="text/html")
        assert status == 406
        for kind in (*range(1, 18), 23, 24, 28, 33):
            status, *_ = await asyncio.to_thread(read, kernel.master.url, kind)
            assert status in (200, 400, 501), kind
        for kind in (*range(1, 14), 20, 26, 31):
            status, *_ = await asyncio.to_thread(read, kernel.agent.url, kind)
            assert status in (200, 400, 501), kind
