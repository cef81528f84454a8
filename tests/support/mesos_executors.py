"""A custom executor that the contract tests send along: the standard library, and one file."""

import base64
from typing import Any

from support.mesos_contract import amounts

SOURCE = r"""
import base64, http.client, json, os, signal, socket, sys, uuid

ENV = os.environ
IDS = {"framework_id": {"value": ENV["MESOS_FRAMEWORK_ID"]},
       "executor_id": {"value": ENV["MESOS_EXECUTOR_ID"]}}
HEADERS = {"Content-Type": "application/json", "Accept": "application/json"}
if "MESOS_EXECUTOR_AUTHENTICATION_TOKEN" in ENV:
    HEADERS["Authorization"] = "Bearer " + ENV["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"]


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(ENV["MESOS_DOMAIN_SOCKET"])


def connection():
    if "unix" in sys.argv:
        return Unix("localhost")
    host, _, port = ENV["MESOS_AGENT_ENDPOINT"].rpartition(":")
    return http.client.HTTPConnection(host, int(port))


def call(kind, **body):
    made = connection()
    made.request("POST", "/api/v1/executor", json.dumps({"type": kind, **IDS, **body}), HEADERS)
    answer = made.getresponse()
    answer.read()
    made.close()
    return answer.status


def note(**what):
    with open("events", "a") as file:
        file.write(json.dumps(what) + "\n")


def update(task_id, state, name=None, **more):
    name = name or base64.b64encode(uuid.uuid4().bytes).decode()
    status = {"task_id": task_id, "state": state, "source": "SOURCE_EXECUTOR", "uuid": name,
              **more}
    note(type="ANSWER", status=call("UPDATE", update={"status": status}))
    return name


def say(text):
    data = base64.b64encode(text).decode()
    note(type="ANSWER", status=call("MESSAGE", message={"data": data}))


def told(event):
    kind = event["type"]
    if kind == "LAUNCH":
        update(event["launch"]["task"]["task_id"], "TASK_RUNNING")
    elif kind == "LAUNCH_GROUP":
        for one in event["launch_group"]["task_group"]["tasks"]:
            update(one["task_id"], "TASK_RUNNING")
    elif kind == "KILL":
        update(event["kill"]["task_id"], "TASK_KILLED")
    elif kind == "MESSAGE":
        obey(base64.b64decode(event["message"]["data"]))
    elif kind == "SHUTDOWN":
        if "stubborn" not in sys.argv:
            sys.exit(0)


def obey(order):
    word, _, rest = order.partition(b" ")
    if word == b"twice":
        task_id = {"value": rest.decode()}
        name = update(task_id, "TASK_RUNNING", message="twice")
        update(task_id, "TASK_RUNNING", name, message="twice")
    elif word == b"end":
        state, _, task_id = rest.decode().partition(" ")
        update({"value": task_id}, state, data=base64.b64encode(b"\0\xff").decode())
    elif word == b"bad":
        status = json.loads(rest)
        say(b"%d" % call("UPDATE", update={"status": status}))
    elif word == b"forbidden":
        made = connection()
        made.request("GET", rest.decode())
        say(b"%d" % made.getresponse().status)
        made.close()
    elif word == b"exit":
        os._exit(int(rest))
    else:
        say(order)


def run():
    signal.signal(signal.SIGTERM, signal.SIG_IGN if "stubborn" in sys.argv else signal.SIG_DFL)
    made = connection()
    body = {"type": "SUBSCRIBE", **IDS,
            "subscribe": {"unacknowledged_tasks": [], "unacknowledged_updates": []}}
    made.request("POST", "/api/v1/executor", json.dumps(body), HEADERS)
    answer = made.getresponse()
    note(type="STREAM", status=answer.status, headers={
        name.lower(): value for name, value in answer.getheaders()})
    while True:
        head = b""
        while not head.endswith(b"\n"):
            part = answer.read(1)
            if not part:
                return
            head += part
        event = json.loads(answer.read(int(head)))
        note(**event)
        told(event)


note(type="ENVIRONMENT", variables=dict(ENV))
if "silent" in sys.argv:
    signal.pause()
try:
    run()
except (OSError, http.client.HTTPException):
    pass
if "stays" in sys.argv:
    signal.pause()
"""


def executor(name: str = "own", *words: str, **fields: object) -> dict[str, Any]:
    """Return an executor that does as it is told; needs python3 where it runs.

    It answers MESSAGE with the same, or obeys `twice TASK`, `end STATE TASK`, `bad STATUS`,
    `forbidden PATH`, `exit N`. As `silent` it does not subscribe, as `stubborn` not end, as
    `stays` not with its agent, and as `unix` it uses MESOS_DOMAIN_SOCKET. It notes all it sees
    in the file `events` of its sandbox.
    """
    source = base64.b64encode(SOURCE.encode()).decode()
    load = f"import base64; exec(base64.b64decode('{source}'))"
    return {
        "executor_id": {"value": name},
        "command": {
            "shell": False,
            "value": "python3",
            "arguments": ["python3", "-c", load, *words],
        },
        "resources": amounts(cpus=0.1, mem=32),
        **fields,
    }
