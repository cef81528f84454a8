"""An executor of another maker: the official protobuf library and http.client, nothing of ours.

Reports its task as running, sends back what the framework sends it, then reports the task finished
and ends when the agent has acknowledged that.
"""

import http.client
import os
import sys
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from support.schemas import EXECUTOR, Schema

X = Schema(EXECUTOR)
PATH = "/slave(1)/api/v1/executor"
HEADERS = {"Content-Type": "application/x-protobuf", "Accept": "application/x-protobuf"}
ACKNOWLEDGED, LAUNCH, MESSAGE = 4, 2, 5
RUNNING, FINISHED = 1, 2
SOURCE_EXECUTOR = 2


class Program:
    """The executor's two connections, and its one task."""

    def __init__(self, environ):
        self.ids = {
            "framework_id": X.Id(value=environ["MESOS_FRAMEWORK_ID"]),
            "executor_id": X.Id(value=environ["MESOS_EXECUTOR_ID"]),
        }
        address = environ["MESOS_AGENT_ENDPOINT"]
        self.stream = http.client.HTTPConnection(address, timeout=60)
        self.calls = http.client.HTTPConnection(address, timeout=60)
        self.task_id, self.last = None, b""

    def events(self):
        call = X.Call(type=1, subscribe=X.Subscribe(), **self.ids)
        self.stream.request("POST", PATH, call.SerializeToString(), HEADERS)
        response = self.stream.getresponse()
        assert response.getheader("Content-Type") == "application/x-protobuf", response.status
        while line := response.readline():
            yield X.Event.FromString(response.read(int(line)))

    def call(self, **body):
        call = X.Call(**self.ids, **body)
        self.calls.request("POST", PATH, call.SerializeToString(), HEADERS)
        answer = self.calls.getresponse()
        answer.read()
        assert answer.status == 202

    def report(self, state):
        self.last = uuid.uuid4().bytes
        status = X.Status(task_id=self.task_id, state=state, source=SOURCE_EXECUTOR)
        status.uuid, status.timestamp = self.last, time.time()
        status.executor_id.MergeFrom(self.ids["executor_id"])
        self.call(type=2, update=X.Update(status=status))
        return self.last

    def run(self):
        end = None
        for event in self.events():
            if event.type == LAUNCH:
                self.task_id = event.launch.task.task_id
                self.report(RUNNING)
            elif event.type == MESSAGE:
                self.call(type=3, message=X.CallMessage(data=b"heard " + event.message.data))
                end = self.report(FINISHED)
            elif event.type == ACKNOWLEDGED and event.acknowledged.uuid == end:
                return


if __name__ == "__main__":
    Program(os.environ).run()
