"""Containers by an agent's API, sessions, and what is fetched before (mesos.md, 4: 82-84, 86)."""

import base64
import contextlib
import http.client
import http.server
import io
import json
import tarfile
import threading
import uuid
from urllib.parse import urlsplit

import pytest

from support.mesos_contract import JSON, Stream, name_of, request, task

V1 = "/api/v1"
RECORDIO = "application/recordio"
STREAMED = {"Accept": RECORDIO, "Message-Accept": JSON}


@pytest.fixture
def framework(target):
    with target.framework() as made:
        yield made


@pytest.fixture
def parent(framework):
    """Give the container of a task that runs."""
    made = task("parent")
    framework.launch(made)
    status = framework.status(name_of(made), "TASK_RUNNING")
    return status["container_status"]["container_id"]["value"]


def inside(parent, name=None):
    return {"value": name or f"n-{uuid.uuid4().hex[:8]}", "parent": {"value": parent}}


def call(target, kind, **body):
    return request(target.agent, "POST", V1, {"type": kind, kind.lower(): body})


def script(text):
    return {"value": text, "shell": True}


def test_the_same_container_twice_is_202(target, parent):
    one = inside(parent)
    first = call(target, "LAUNCH_CONTAINER", container_id=one, command=script("sleep 600"))
    again = call(target, "LAUNCH_CONTAINER", container_id=one, command=script("sleep 600"))
    assert (first.status, again.status) == (200, 202)
    assert call(target, "KILL_CONTAINER", container_id=one).status == 200
    waited = call(target, "WAIT_CONTAINER", container_id=one)
    assert waited.json()["wait_container"]["exit_status"] == 9
    assert call(target, "REMOVE_CONTAINER", container_id=one).status == 200


def test_a_nested_container_ends_with_its_status_and_may_be_removed_once_it_has(target, parent):
    one = inside(parent)
    kinds = ("LAUNCH_NESTED_CONTAINER", "REMOVE_NESTED_CONTAINER", "WAIT_NESTED_CONTAINER")
    launch, remove, wait = kinds
    assert call(target, launch, container_id=one, command=script("exit 3")).status == 200
    waited = call(target, wait, container_id=one).json()["wait_nested_container"]
    assert waited["exit_status"] == 3 << 8
    assert call(target, remove, container_id=one).status == 200
    assert call(target, wait, container_id=one).status == 404


def test_an_unknown_parent_is_400_and_an_unknown_container_404(target, parent):
    nowhere = inside("no-such-container")
    launched = call(target, "LAUNCH_CONTAINER", container_id=nowhere, command=script("true"))
    assert launched.status == 400
    unknown = inside(parent)
    for kind in ("WAIT_CONTAINER", "KILL_CONTAINER"):
        assert call(target, kind, container_id=unknown).status == 404


@pytest.fixture
def opened(target, parent):
    """Give what opens sessions: it returns the container and the stream."""
    streams = []

    def make(command, tty=None):
        one, stream = session(target, parent, command, tty)
        streams.append(stream)
        return one, stream

    yield make
    for each in streams:
        each.close()


def session(target, parent, command, tty):
    one = inside(parent)
    body = {"container_id": one, "command": script(command)}
    if tty is not None:
        body["container"] = {"type": "MESOS", "tty_info": {"window_size": tty}}
    kind = "LAUNCH_NESTED_CONTAINER_SESSION"
    stream = Stream(target.agent, V1, {"type": kind, kind.lower(): body}, STREAMED)
    assert stream.status == 200, stream.refusal
    return one, stream


def output(stream, until=None):
    """Return what comes by kind of stream, to the end or until a word has come."""
    found = {"STDOUT": b"", "STDERR": b""}
    while (record := stream.next()) is not None:
        if record["type"] == "DATA":
            found[record["data"]["type"]] += base64.b64decode(record["data"]["data"])
        if until is not None and until in found["STDOUT"]:
            break
    return found


def test_a_session_tells_both_streams_apart(target, opened):
    _, stream = opened("echo out; echo err >&2")
    assert output(stream) == {"STDOUT": b"out\n", "STDERR": b"err\n"}


def test_a_session_ends_with_its_connection(target, opened):
    one, stream = opened("echo here; exec sleep 600")
    output(stream, until=b"here\n")
    stream.close()
    # What was a session is killed; what was killed can be waited for, or is gone already.
    waited = call(target, "WAIT_NESTED_CONTAINER", container_id=one)
    assert waited.status == 404 or waited.json()["wait_nested_container"]["exit_status"] == 9


class Input:
    """A request that attaches to the input of a container, sent record by record."""

    def __init__(self, target, headers):
        where = urlsplit(target.agent)
        self.connection = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
        self.connection.putrequest("POST", V1)
        for name, value in {"Transfer-Encoding": "chunked", **headers}.items():
            self.connection.putheader(name, value)
        self.connection.endheaders()

    def send(self, **body):
        kind = "ATTACH_CONTAINER_INPUT"
        data = json.dumps({"type": kind, kind.lower(): body}).encode()
        record = b"%d\n%b" % (len(data), data)
        self.connection.send(b"%x\r\n%b\r\n" % (len(record), record))

    def data(self, data):
        held = {"type": "STDIN", "data": base64.b64encode(data).decode()}
        self.send(type="PROCESS_IO", process_io={"type": "DATA", "data": held})

    def control(self, **control):
        self.send(type="PROCESS_IO", process_io={"type": "CONTROL", "control": control})

    def end(self):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(b"0\r\n\r\n")  # it may have answered already
        status = self.connection.getresponse().status
        self.connection.close()
        return status


BY_RECORDS = {"Content-Type": RECORDIO, "Message-Content-Type": JSON}


def test_input_reaches_a_session_and_its_end_does(target, opened):
    one, stream = opened("echo ready; cat")
    output(stream, until=b"ready\n")
    given = Input(target, BY_RECORDS)
    given.send(type="CONTAINER_ID", container_id=one)
    given.data(b"hello\n")
    given.data(b"")  # the end of the input
    assert output(stream)["STDOUT"] == b"hello\n"
    assert given.end() == 200


def test_one_gives_input_at_a_time(target, opened):
    one, stream = opened("echo ready; cat")
    output(stream, until=b"ready\n")
    first, second = Input(target, BY_RECORDS), Input(target, BY_RECORDS)
    first.send(type="CONTAINER_ID", container_id=one)
    first.data(b"hello\n")
    output(stream, until=b"hello\n")
    second.send(type="CONTAINER_ID", container_id=one)
    assert second.end() == 409
    assert first.end() == 200
    third = Input(target, BY_RECORDS)
    third.send(type="CONTAINER_ID", container_id=one)
    third.data(b"again\n")
    third.data(b"")
    assert output(stream)["STDOUT"] == b"again\n"
    assert third.end() == 200


def test_a_terminal_has_the_size_that_was_asked_for_and_can_be_resized(target, opened):
    size = {"rows": 30, "columns": 100}
    command = "stty size; read line; stty size"
    one, stream = opened(command, tty=size)
    assert output(stream, until=b"30 100\r\n")["STDOUT"] == b"30 100\r\n"
    given = Input(target, BY_RECORDS)
    given.send(type="CONTAINER_ID", container_id=one)
    given.control(type="TTY_INFO", tty_info={"window_size": {"rows": 40, "columns": 120}})
    given.data(b"go\n")
    assert output(stream)["STDOUT"].endswith(b"40 120\r\n")
    given.end()


def test_streaming_input_needs_to_say_what_its_messages_are(target, opened):
    one, stream = opened("exec sleep 600")
    bare = Input(target, {"Content-Type": RECORDIO})
    bare.send(type="CONTAINER_ID", container_id=one)
    assert bare.end() == 400
    stream.close()


def test_no_other_call_takes_a_stream(target):
    headers = {**BY_RECORDS, "Accept": JSON}
    data = json.dumps({"type": "GET_VERSION"}).encode()
    answer = request(target.agent, "POST", V1, b"%d\n%b" % (len(data), data), headers)
    assert answer.status == 415


# what is fetched


@contextlib.contextmanager
def served(files):
    """Serve files over HTTP on loopback; give the URL, and which were asked for."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            asked.append(name)
            self.send_response(200 if name in files else 404)
            self.send_header("Content-Length", str(len(files.get(name, b""))))
            self.end_headers()
            self.wfile.write(files.get(name, b""))

        def do_HEAD(self):
            name = self.path.lstrip("/")
            self.send_response(200 if name in files else 404)
            self.send_header("Content-Length", str(len(files.get(name, b""))))
            self.end_headers()

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def archive():
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        entry = tarfile.TarInfo("inner/file")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    return data.getvalue()


def fetching(text, *uris):
    return task("fetches", None, command={**script(text), "uris": list(uris)})


def test_a_cached_uri_is_fetched_once_for_two_tasks(framework):
    with served({"data": b"x"}) as (url, asked):
        for _ in range(2):
            made = fetching("test -e data", {"value": f"{url}/data", "cache": True})
            framework.launch(made)
            framework.status(name_of(made), "TASK_FINISHED")
        assert asked.count("data") == 1


def test_an_archive_is_extracted_and_what_is_executable_can_be_executed(framework):
    files = {"a.tar.gz": archive(), "tool": b"#!/bin/sh\nexit 0\n"}
    with served(files) as (url, _):
        made = fetching(
            'test "$(cat inner/file)" = hello && ./tool',
            {"value": f"{url}/a.tar.gz"},
            {"value": f"{url}/tool", "executable": True},
        )
        framework.launch(made)
        framework.status(name_of(made), "TASK_FINISHED")


def test_a_uri_that_cannot_be_fetched_fails_the_task(framework):
    with served({}) as (url, _):
        made = fetching("true", {"value": f"{url}/none"})
        framework.launch(made)
        failed = framework.status(name_of(made), "TASK_FAILED")
        assert failed["reason"] == "REASON_CONTAINER_LAUNCH_FAILED"


def test_a_variable_of_type_secret_is_in_the_environment(framework):
    secret = {"type": "VALUE", "value": {"data": base64.b64encode(b"hush").decode()}}
    variables = [{"name": "PASSWORD", "type": "SECRET", "secret": secret}]
    command = {**script('test "$PASSWORD" = hush'), "environment": {"variables": variables}}
    made = task("knows", None, command=command)
    framework.launch(made)
    framework.status(name_of(made), "TASK_FINISHED")


def test_a_tasks_own_container_can_be_waited_for(target, framework):
    made = task("ends", "sleep 1; exit 3")
    framework.launch(made)
    status = framework.status(name_of(made), "TASK_RUNNING")
    own = status["container_status"]["container_id"]
    waited = call(target, "WAIT_CONTAINER", container_id=own)
    assert waited.json()["wait_container"]["exit_status"] == 3 << 8


# containers of nobody, and who may listen


def test_a_container_of_no_framework_is_listed_only_when_asked_for(target):
    one = {"value": f"alone-{uuid.uuid4().hex[:8]}"}
    resources = [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}]
    launched = call(
        target,
        "LAUNCH_CONTAINER",
        container_id=one,
        command=script("sleep 600"),
        resources=resources,
    )
    assert launched.status == 200

    def listed(**body):
        shown = call(target, "GET_CONTAINERS", **body).json()["get_containers"]
        return one in [each["container_id"] for each in shown.get("containers", [])]

    assert not listed()
    assert listed(show_standalone=True)
    assert call(target, "KILL_CONTAINER", container_id=one, signal=15).status == 200
    waited = call(target, "WAIT_CONTAINER", container_id=one).json()["wait_container"]
    assert waited["exit_status"] == 15
    assert call(target, "REMOVE_CONTAINER", container_id=one).status == 200
    assert not listed(show_standalone=True)


def test_many_may_listen_to_one_container(target, opened):
    one, first = opened("read line; echo $line")
    body = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {"container_id": one}}
    others = [Stream(target.agent, V1, body, STREAMED) for _ in range(2)]
    given = Input(target, BY_RECORDS)
    given.send(type="CONTAINER_ID", container_id=one)
    given.data(b"all of you\n")
    for stream in (first, *others):
        assert output(stream)["STDOUT"] == b"all of you\n"
    given.end()
    for stream in others:
        stream.close()


def test_nobody_can_attach_to_what_was_not_made_for_it(target, parent):
    one = inside(parent)
    kind = "LAUNCH_NESTED_CONTAINER"
    assert call(target, kind, container_id=one, command=script("sleep 600")).status == 200
    body = {"type": "ATTACH_CONTAINER_OUTPUT", "attach_container_output": {"container_id": one}}
    stream = Stream(target.agent, V1, body, STREAMED)
    assert stream.status == 500
    assert b"I/O switchboard server was disabled for this container" in stream.refusal
    stream.close()


@pytest.mark.parametrize("prefix", ["WAIT", "KILL", "REMOVE"])
def test_the_names_of_before_nested_containers_still_work(target, parent, prefix):
    one = inside(parent)
    launched = call(target, "LAUNCH_NESTED_CONTAINER", container_id=one, command=script("exit 0"))
    assert launched.status == 200
    call(target, "WAIT_NESTED_CONTAINER", container_id=one)
    assert call(target, f"{prefix}_NESTED_CONTAINER", container_id=one).status in (200, 404)


def test_a_container_that_runs_is_not_removed(target, parent):
    one = inside(parent)
    call(target, "LAUNCH_CONTAINER", container_id=one, command=script("sleep 600"))
    assert call(target, "REMOVE_CONTAINER", container_id=one).status == 500


def test_streams_of_a_session_say_what_they_are(target, opened):
    _, stream = opened("echo out")
    assert stream.headers["content-type"] == RECORDIO
    assert stream.headers["message-content-type"] == JSON
    output(stream)
