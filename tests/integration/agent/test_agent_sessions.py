"""Sessions in containers, by raw HTTP (mesos.md 2.4, 82-84): output, input, terminals, ends."""

import asyncio
import base64
import json

import pytest

from comity.wire.mesos import v1
from comity.wire.mesos.containers import TTYInfo
from support.kernel import Kernel, shell
from support.sessions import (
    JSON,
    RECORDIO,
    Http,
    attach_input,
    inner,
    record,
    session,
    stdin,
    whose,
)


@pytest.fixture
async def kernel(tmp_path):
    async with Kernel(tmp_path) as made:
        yield made


@pytest.fixture
async def task(kernel):
    """A task that sleeps; gives the id of its container."""
    async with kernel.scheduler() as driver:
        await driver.launch({"id": "t", **shell("echo hi > here; exec sleep 600")})
        status = await driver.until_state("t", v1.TaskState.RUNNING)
        yield status.container_status.container_id.value


@pytest.fixture
async def http(kernel):
    made = []

    def connection():
        made.append(Http(kernel.agent.url))
        return made[-1]

    yield connection
    for one in made:
        one.close()


async def test_output_and_status_of_a_session(http, task):
    one = http()
    assert await one.ask(session(task, "cat here; echo oops >&2; exit 3")) == 200
    assert one.headers["content-type"] == JSON
    found = await one.output()
    assert found["STDOUT"] == b"hi\n"
    assert found["STDERR"] == b"oops\n"
    wait = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": inner(task)}}
    two = http()
    assert await two.ask(wait) == 200
    assert json.loads(await two.body())["wait_container"]["exit_status"] == 3 << 8


async def test_recordio_says_what_its_messages_are(http, task):
    one = http()
    status = await one.ask(session(task, "echo x"), Accept=RECORDIO, Message_Accept=JSON)
    assert status == 200
    assert one.headers["content-type"] == RECORDIO
    assert one.headers["message-content-type"] == JSON
    assert (await one.output())["STDOUT"] == b"x\n"


async def test_input_reaches_the_container_until_its_end(http, task):
    one, two = http(), http()
    assert await one.ask(session(task, "tr a-z A-Z; echo done")) == 200
    await attach_input(two)
    two.send(whose(task))
    two.send(stdin(b"hello ")[:7])
    two.send(stdin(b"hello ")[7:] + stdin(b"there\n"))
    two.send(stdin(b""))
    assert (await one.output())["STDOUT"] == b"HELLO THERE\ndone\n"
    two.writer.write(b"0\r\n\r\n")
    assert await two.answer() == 200


async def test_much_output_is_neither_lost_nor_cut(http, task):
    one = http()
    assert await one.ask(session(task, "head -c 5000000 /dev/zero; echo end >&2")) == 200
    found = await one.output()
    assert len(found["STDOUT"]) == 5_000_000
    assert found["STDERR"] == b"end\n"


async def test_a_terminal_has_a_size_that_changes(http, task):
    one, two = http(), http()
    script = "stty size; read x; stty size; test -t 0 && echo tty"
    assert await one.ask(session(task, script, tty=(20, 70))) == 200
    records = one.records()
    seen = ""

    async def until(words):
        nonlocal seen
        while words not in seen:
            message = await anext(records)
            seen += base64.b64decode(message["data"]["data"]).decode()

    await until("20 70")
    await attach_input(two)
    two.send(whose(task))
    resize = {"type": "TTY_INFO", "tty_info": {"window_size": {"rows": 33, "columns": 99}}}
    two.send(record({"type": "PROCESS_IO", "process_io": {"type": "CONTROL", "control": resize}}))
    two.send(stdin(b"\n"))
    await until("33 99")
    await until("tty")


async def test_a_session_ends_with_its_connection(http, task):
    one = http()
    assert await one.ask(session(task, "sleep 600")) == 200
    one.close()
    two = http()
    wait = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": inner(task)}}
    assert await two.ask(wait) == 200
    assert json.loads(await two.body())["wait_container"]["exit_status"] == 9


async def test_many_read_one_output(http, task):
    one, two = http(), http()
    assert await one.ask(session(task, "read x; echo $x", name="m", tty=(24, 80))) == 200
    attach = {
        "type": "ATTACH_CONTAINER_OUTPUT",
        "attach_container_output": {"container_id": inner(task, "m")},
    }
    assert await two.ask(attach) == 200
    three = http()
    await attach_input(three)
    three.send(whose(task, "m"))
    three.send(stdin(b"both\n"))
    first, second = await asyncio.gather(one.output(), two.output())
    assert b"both" in first["STDOUT"]
    assert b"both" in second["STDOUT"]


async def test_refusals(http, task):
    async def ask(body, **headers):
        return await http().ask(body, **headers)

    output = {"type": "ATTACH_CONTAINER_OUTPUT"}
    whole = {**output, "attach_container_output": {"container_id": {"value": task}}}
    one = http()
    assert await one.ask(whole) == 500
    assert b"I/O switchboard server was disabled for this container" in await one.body()
    unknown = {**output, "attach_container_output": {"container_id": {"value": "no"}}}
    assert await ask(unknown) == 404
    assert await ask(session("no", "true")) == 400
    assert await ask(whole, Accept=RECORDIO, Message_Accept="text/html") == 406
    assert await ask({"type": "GET_VERSION"}, Message_Accept=JSON) == 406
    assert await ask({"type": "GET_VERSION"}, Message_Content_Type=JSON) == 415
    two = http()
    await two.open(Content_Type=RECORDIO, Content_Length=0)
    assert await two.answer() == 400
    three = http()
    await three.open(Content_Type=RECORDIO, Message_Content_Type="text/plain", Content_Length=0)
    assert await three.answer() == 415
    four = http()
    await attach_input(four)
    four.send(stdin(b"before the id"))
    assert await four.answer() == 400


async def test_a_task_with_a_terminal_is_logged_and_can_be_attached(kernel, http):
    async with kernel.scheduler() as driver:
        info = v1.ContainerInfo(type="MESOS", tty_info=TTYInfo())
        command = shell("echo ready; read x; echo got $x")
        await driver.launch({"id": "t", **command, "container": info})
        status = await driver.until_state("t", v1.TaskState.RUNNING)
        name = status.container_status.container_id.value
        await kernel.restart_agent()
        one = http()
        await attach_input(one)
        one.send(record({"type": "CONTAINER_ID", "container_id": {"value": name}}))
        one.send(stdin(b"it\n"))
        await driver.until_state("t", v1.TaskState.FINISHED)
        [log] = (kernel.directory / "a").glob(
            "slaves/*/frameworks/*/executors/t/runs/latest/stdout"
        )
        async with asyncio.timeout(20):
            while b"got it" not in log.read_bytes():
                await asyncio.sleep(0.01)
        assert b"ready" in log.read_bytes()


async def call(http, kind, container_id, **body):
    connection = http()
    body = {"container_id": container_id, **body}
    status = await connection.ask({"type": kind, kind.lower(): body})
    return status, await connection.body()


async def test_a_standalone_container_is_of_no_framework(kernel, http):
    name = {"value": "alone"}
    script = {"value": "echo $0 > made; exec sleep 600"}
    assert (await call(http, "LAUNCH_CONTAINER", name, command=script))[0] == 200
    assert (await call(http, "LAUNCH_CONTAINER", name, command=script))[0] == 202
    sandbox = kernel.directory / "a" / "containers" / "alone"
    async with asyncio.timeout(20):
        while not (sandbox / "made").exists():
            await asyncio.sleep(0.01)
    await kernel.restart_agent()
    waiting = asyncio.create_task(call(http, "WAIT_CONTAINER", name))
    assert (await call(http, "REMOVE_CONTAINER", name))[0] == 500
    assert (await call(http, "KILL_CONTAINER", name))[0] == 200
    status, body = await waiting
    assert (status, json.loads(body)["wait_container"]["exit_status"]) == (200, 9)
    assert (await call(http, "REMOVE_CONTAINER", name))[0] == 200
    assert (await call(http, "WAIT_CONTAINER", name))[0] == 404


@pytest.mark.parametrize("value", ["", "a/b", "..", "a.b", "x" * 256, "a b"])
async def test_an_id_cannot_lead_out_of_the_sandboxes(kernel, http, value):
    status, body = await call(http, "LAUNCH_CONTAINER", {"value": value}, command={"value": "true"})
    assert status == 400
    assert b"ContainerID.value" in body


async def test_a_session_that_closes_its_output_ends_as_itself(http, task):
    one, two = http(), http()
    assert await one.ask(session(task, "exec >&- 2>&-; sleep 0.3; exit 6")) == 200
    assert await one.output() == {"STDOUT": b"", "STDERR": b""}
    one.close()
    wait = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": inner(task)}}
    assert await two.ask(wait) == 200
    assert json.loads(await two.body())["wait_container"]["exit_status"] == 6 << 8


async def until_gone(path):
    async with asyncio.timeout(30):
        while path.exists():
            await asyncio.sleep(0.02)


async def test_sandboxes_of_sessions_go_when_they_are_removed_or_their_client_vanishes(
    kernel, http, task
):
    one, two = http(), http()
    assert await one.ask(session(task, "echo up; exec sleep 600", "gone")) == 200
    assert await two.ask(session(task, "echo over", "over")) == 200
    assert await two.output() == {"STDOUT": b"over\n", "STDERR": b""}
    [root] = kernel.directory.glob("a/slaves/*/frameworks/*/executors/t/runs/latest/containers")
    wait = {"type": "WAIT_CONTAINER", "wait_container": {"container_id": inner(task, "over")}}
    three = http()
    assert await three.ask(wait) == 200  # whoever was there to its end may ask for its status
    assert (root / "over").is_dir()
    remove = {"type": "REMOVE_CONTAINER", "remove_container": {"container_id": inner(task, "over")}}
    four = http()
    assert await four.ask(remove) == 200
    await until_gone(root / "over")
    assert (root / "gone").is_dir()
    one.close()
    await until_gone(root / "gone")
    assert list(root.iterdir()) == []
