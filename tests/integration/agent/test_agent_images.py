"""Image containers by a real OCI runtime, from an OCI layout made here; nothing stays behind."""

import base64
import contextlib
import json
import tarfile
from pathlib import Path

import msgspec
import pytest

from comity.runtime.images import unpacking
from comity.runtime.images.errors import ImageInvalid
from comity.runtime.images.layouts import source_in
from comity.runtime.images.manifests import find
from comity.runtime.images.references import parse
from comity.wire.mesos import v1
from comity.wire.mesos.containers import TTYInfo
from support import sessions
from support.images import MARKS, busybox, image, layer, left_behind, output, write_layout
from support.kernel import Kernel, shell
from support.registries import LayoutRegistry

S = v1.TaskState
pytestmark = MARKS


@pytest.fixture
def layouts(tmp_path):
    """Give a directory with the image `box`: busybox in two layers, the second hiding a file."""
    directory = tmp_path / "layouts"
    base = busybox(
        ("etc/hidden", b"x", tarfile.REGTYPE),
        ("etc/shown", b"shown\n", tarfile.REGTYPE),
    )
    upper = layer([("etc/.wh.hidden", b"", tarfile.REGTYPE)])
    config = {"Env": ["FROM_IMAGE=yes", "PATH=/bin"], "Cmd": ["echo", "the image's command"]}
    write_layout(directory / "box", [base, upper], config)
    return directory


@pytest.fixture
async def kernel(tmp_path, layouts):
    async with Kernel(tmp_path, "--docker-registry", str(layouts)) as made:
        yield made
    assert left_behind(tmp_path) == []


def is_alive(pid):
    return Path(f"/proc/{pid}").exists()


async def test_an_image_with_its_own_command_environment_and_files(kernel):
    script = "echo $FROM_IMAGE; cat /etc/shown; ls /etc; echo kept > $MESOS_SANDBOX/file"
    async with kernel.scheduler() as mesos:
        await mesos.launch(
            {"id": "own", **image("box", shell=False)},
            {"id": "script", **image("box:latest", value=script)},
        )
        for task in ("own", "script"):
            await mesos.until(
                lambda task=task: mesos.states(task)[-1:] and mesos.last(task).state.is_terminal
            )
            assert mesos.last(task).state is S.FINISHED, mesos.last(task).message
        assert output(kernel, "own") == "the image's command\n"
        lines = output(kernel, "script").splitlines()
        assert lines[:2] == ["yes", "shown"]
        assert "hidden" not in lines
        (kept,) = kernel.directory.glob("a/slaves/*/**/executors/script/runs/latest/file")
        assert kept.read_text() == "kept\n"


async def test_programs_are_looked_for_where_the_image_says_unless_the_task_does(kernel):
    async with kernel.scheduler() as mesos:
        own = v1.Environment(variables=(v1.Variable(name="PATH", value="/mine:/bin"),))
        await mesos.launch(
            {"id": "its", **image("box", value="exec sleep 600")},
            {"id": "own", **image("box", value="exec sleep 600", environment=own)},
        )
        for task, path in (("its", b"/bin\n"), ("own", b"/mine:/bin\n")):
            running = await mesos.until_state(task, S.RUNNING)
            name = running.container_status.container_id.value
            session = sessions.Http(kernel.agent.url)
            assert (
                await session.ask(sessions.session(name, "echo $PATH; cat /proc/1/environ")) == 200
            )
            said = (await session.output())["STDOUT"]
            assert said.startswith(path)
            assert b"\0PATH=" + path.strip() + b"\0" in b"\0" + said[len(path) :]
            session.close()


async def test_volumes_that_an_image_declares_are_there_and_inside_of_it(kernel, layouts, tmp_path):
    out = tmp_path / "outside"
    links = layer([("away", str(out).encode(), tarfile.SYMTYPE)])
    volumes = {"/new/deep": {}, "/etc/shown": {}, "/away/in": {}, "/../../up": {}}
    write_layout(
        layouts / "volumes",
        [busybox(("etc/shown", b"x", tarfile.REGTYPE)), links],
        {
            "Env": ["PATH=/bin"],
            "Volumes": volumes,
        },
    )
    script = f"touch /new/deep/f && test -f /etc/shown && ls -d {out}/in /up"
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image("volumes", value=script)})
        await mesos.until(lambda: mesos.states("t")[-1:] and mesos.last("t").state.is_terminal)
        assert mesos.last("t").state is S.FINISHED, mesos.last("t").message
    assert not out.exists()


async def test_a_running_image_container_survives_the_agent_and_dies_when_killed(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image("box", value="exec sleep 600")})
        running = await mesos.until_state("t", S.RUNNING)
        await kernel.restart_agent()
        assert is_alive(running.container_status.executor_pid)
        mesos.mesos.kill("t")
        await mesos.until_state("t", S.KILLED)


async def test_a_session_runs_inside_the_image_and_dies_with_its_connection(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image("box", value="exec sleep 600")})
        running = await mesos.until_state("t", S.RUNNING)
        name = running.container_status.container_id.value
        one = sessions.Http(kernel.agent.url)
        assert (
            await one.ask(sessions.session(name, "cat /etc/shown; echo $FROM_IMAGE; exit 5")) == 200
        )
        assert (await one.output())["STDOUT"] == b"shown\nyes\n"
        one.close()
        two = sessions.Http(kernel.agent.url)
        assert await two.ask(sessions.session(name, "echo $$; exec sleep 601", "u")) == 200
        assert "data" in await anext(two.records())
        assert len(sleepers("601")) == 1
        two.close()
        await mesos.until(lambda: not sleepers("601"))
        three = sessions.Http(kernel.agent.url)
        script = "test -t 0 && echo terminal"
        assert await three.ask(sessions.session(name, script, "v", tty=(24, 80))) == 200
        assert (await three.output())["STDOUT"] == b"terminal\r\n"
        three.close()


async def test_sessions_in_an_image_have_input_terminals_ends_and_refusals(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image("box", value="exec sleep 600")})
        running = await mesos.until_state("t", S.RUNNING)
        name = running.container_status.container_id.value
        made = [sessions.Http(kernel.agent.url) for _ in range(8)]
        one, two, three, four, five, six, seven, eight = made
        assert await one.ask(sessions.session(name, "tr a-z A-Z; exit 3", "a")) == 200
        await sessions.attach_input(two)
        two.send(sessions.whose(name, "a"))
        two.send(sessions.stdin(b"piped"))
        two.send(sessions.stdin(b""))
        assert (await one.output())["STDOUT"] == b"PIPED"
        wait = {"container_id": sessions.inner(name, "a")}
        assert await three.ask({"type": "WAIT_CONTAINER", "wait_container": wait}) == 200
        assert json.loads(await three.body())["wait_container"]["exit_status"] == 3 << 8
        script = "stty size; sleep 602 & sleep 602 & echo $((40 + 2)); read x; exec sleep 602"
        assert await four.ask(sessions.session(name, script, "b", tty=(20, 70))) == 200
        seen, records = b"", four.records()
        while b"42" not in seen:
            seen += base64.b64decode((await anext(records))["data"]["data"])
        assert b"20 70" in seen
        await mesos.until(lambda: len(sleepers("602")) == 2)
        await sessions.attach_input(five)
        five.send(sessions.whose(name, "b"))
        five.send(sessions.stdin(b"on\n"))
        await mesos.until(lambda: len(sleepers("602")) == 3)
        four.close()
        await mesos.until(lambda: not sleepers("602"))
        someone = sessions.session(name, "id -u; id -g", "d")
        someone["launch_nested_container_session"]["command"]["user"] = "1234:99"
        assert await eight.ask(someone) == 200
        assert (await eight.output())["STDOUT"] == b"1234\n99\n"
        for connection, tty in ((six, None), (seven, (24, 80))):
            refused = sessions.session(name, "", f"c{tty is None}", tty=tty)
            refused["launch_nested_container_session"]["command"] = {
                "shell": False,
                "value": "/no/such/program",
                "arguments": ["/no/such/program"],
            }
            assert await connection.ask(refused) == 400
            assert b"/no/such/program" in await connection.body(), tty
        for connection in made:
            connection.close()


async def test_an_image_with_a_terminal_of_its_own(kernel):
    async with kernel.scheduler() as mesos:
        task = image("box", value="test -t 0 && echo ready; read x; echo got $x; exit 9")
        task["container"] = msgspec.structs.replace(task["container"], tty_info=TTYInfo())
        await mesos.launch({"id": "t", **task})
        running = await mesos.until_state("t", S.RUNNING)
        await kernel.restart_agent()
        one = sessions.Http(kernel.agent.url)
        await sessions.attach_input(one)
        whose = running.container_status.container_id.value
        container = {"type": "CONTAINER_ID", "container_id": {"value": whose}}
        one.send(sessions.record(container))
        one.send(sessions.stdin(b"it\n"))
        await mesos.until_state("t", S.FAILED)
        assert "status 9" in mesos.last("t").message
        assert output(kernel, "t").splitlines() == ["ready", "it", "got it"]
        one.close()


def sleepers(seconds):
    """Return the processes that sleep for so long."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if path.read_bytes() == b"sleep\0" + seconds.encode() + b"\0":
                found.append(path.parent.name)
    return found


async def test_a_registry_with_tokens_is_asked_once(kernel, layouts):
    registry = LayoutRegistry(layouts / "box")
    host = await registry.start()
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "a", **image(f"{host}/box", shell=False)})
        await mesos.until_state("a", S.FINISHED)
        assert output(kernel, "a") == "the image's command\n"
        before = len(registry.asked)
        await mesos.launch({"id": "b", **image(f"{host}/box", shell=False)})
        await mesos.until_state("b", S.FINISHED)
        assert len(registry.asked) == before
        await mesos.launch({"id": "c", **image(f"{host}/box:none", shell=False)})
        failed = await mesos.until_state("c", S.FAILED)
        assert "is not in the registry" in failed.message
    await registry.stop()


async def test_a_pull_is_told_to_its_framework_and_holds_up_nobody_else(kernel, layouts):
    registry = LayoutRegistry(layouts / "box")
    registry.opened.clear()
    host = await registry.start()
    async with kernel.scheduler() as mesos:
        slow = [f"slow-{number}" for number in range(6)]
        name = f"{host}/box"
        await mesos.launch(*({"id": one, **image(name, shell=False)} for one in slow))
        text = f"Pulling image {name}"

        def told(text):
            starting = [one for one in mesos.statuses if one.state is S.STARTING]
            return {one.task_id.value for one in starting if (one.message or "").startswith(text)}

        await mesos.until(lambda: told(text) == set(slow))
        await mesos.launch({"id": "quick", **image("box", shell=False)})
        await mesos.until_state("quick", S.FINISHED)
        registry.opened.set()
        for one in slow:
            await mesos.until_state(one, S.FINISHED)
    await registry.stop()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("nothing", "no OCI layout of image nothing"),
        ("box:old", "box:old is not in the OCI layout"),
        ("Bad Name", "is not an image reference"),
    ],
)
async def test_an_image_that_is_not_to_be_had_says_why(kernel, name, text):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image(name, value="true")})
        failed = await mesos.until_state("t", S.FAILED)
        assert failed.reason is v1.Reason.CONTAINER_LAUNCH_FAILED
        assert text in failed.message


async def test_a_program_that_is_not_in_the_image_says_so(kernel):
    async with kernel.scheduler() as mesos:
        await mesos.launch({"id": "t", **image("box", value="/no/such", shell=False)})
        failed = await mesos.until_state("t", S.FAILED)
        assert "no such file" in failed.message.lower()


async def test_memory_limits_bite_and_are_named(kernel):
    async with kernel.scheduler() as mesos:
        hog = "x=x; while :; do x=$x$x; done"
        await mesos.launch(
            {"id": "image", **image("box", value=hog)}, {"id": "plain", **shell(hog)}
        )
        for task in ("image", "plain"):
            failed = await mesos.until_state(task, S.FAILED)
            assert failed.reason is v1.Reason.CONTAINER_LIMITATION_MEMORY


def test_a_layer_with_a_wrong_digest_is_refused(layouts, tmp_path):
    source = source_in(layouts, parse("box"))
    layer = find(source, parse("box")).document["layers"][0]
    (layouts / "box" / "blobs" / "sha256" / layer["digest"][7:]).write_bytes(b"changed")
    with pytest.raises(ImageInvalid, match="digest mismatch"):
        source.blob(parse("box"), layer, tmp_path / "layer")


@pytest.mark.parametrize(
    "entries",
    [
        [("../evil", b"x", tarfile.REGTYPE)],
        [("link", b"/tmp", tarfile.SYMTYPE), ("link/evil", b"x", tarfile.REGTYPE)],
        [("hard", b"../../etc/passwd", tarfile.LNKTYPE)],
    ],
)
def test_a_layer_cannot_write_outside_its_directory(tmp_path, entries):
    archive = tmp_path / "layer.tar"
    archive.write_bytes(layer(entries))
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(ImageInvalid):
        unpacking.unpack(archive, target)
    assert not (tmp_path / "evil").exists()
