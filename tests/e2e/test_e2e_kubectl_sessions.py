"""kubectl's exec, attach, logs, cp and port-forward on pods, as people type them.

Over WebSockets, as kubectl does since 1.31, and over SPDY, as it and others did before.
"""

import asyncio
import contextlib
import http.client
import json
import os
import re
import select
import subprocess
from pathlib import Path

import pytest

from support.clusters import KUBECTL, eventually, kubectl
from support.ptys import Person

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: host
    command: [sh, -c, 'SCRIPT']
    stdin: TTY
    tty: TTY
    resources: {requests: {cpu: 10m, memory: 16Mi}}
"""


def pod(cluster, name, script, tty="false"):
    """Run a pod of one container."""
    text = POD.replace("NAME", name).replace("SCRIPT", script).replace("TTY", tty)
    cluster.kubectl("apply", "-f", "-", given=text)
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    return name


@pytest.fixture(scope="module", params=["websocket", "spdy"])
def over(kubernetes, request):
    """Give the cluster to a kubectl that speaks one of the two protocols."""
    kinds = ("REMOTE_COMMAND", "PORT_FORWARD")
    wanted = {f"KUBECTL_{kind}_WEBSOCKETS": str(request.param == "websocket") for kind in kinds}
    kubernetes.environment.update(wanted)
    yield kubernetes
    kubernetes.kubectl("delete", "pod", "--all")
    for name in wanted:
        del kubernetes.environment[name]


@pytest.fixture(scope="module")
def box(over):
    pod(over, "box", "echo up; exec sleep 3600")
    return over


def living(marker):
    """List the processes that have a word of their own on their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path("/proc", pid, "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if marker.encode() in command:
            found.append(pid)
    return found


def test_exec_passes_output_and_exit_codes(box):
    out, err = kubectl(
        box, "exec", "box", "--", "sh", "-c", "echo out; echo err >&2; exit 7", code=7
    )
    assert out == b"out\n"
    assert err.startswith(b"err\n")
    for _ in range(3):
        assert kubectl(box, "exec", "box", "--", "cat", given=b"not passed")[0] == b""


def test_exec_passes_stdin_to_its_end(box):
    given = os.urandom(3_000_000)
    assert kubectl(box, "exec", "-i", "box", "--", "cat", given=given)[0] == given


def test_refusals(box):
    _, err = kubectl(box, "exec", "box", "-c", "other", "--", "true", code=1)
    assert b"container other is not valid for pod box" in err
    _, err = kubectl(box, "exec", "nothing", "--", "true", code=1)
    assert b"not found" in err
    _, err = kubectl(box, "exec", "box", "--", "no-such-program", code=1)
    assert b"no-such-program" in err


def test_who_asks_for_no_upgrade_is_told(box):
    path = "/api/v1/namespaces/default/pods/box/exec?command=true&stdout=true"
    _, err = kubectl(box, "get", "--raw", path, code=1)
    assert b"Upgrade request required" in err


def test_cp_both_ways(box, tmp_path):
    (tmp_path / "there").write_bytes(os.urandom(5_000_000))
    kubectl(box, "cp", str(tmp_path / "there"), "box:copied")
    kubectl(box, "cp", "box:copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


async def test_a_shell_under_a_terminal(box):
    argv = [str(KUBECTL), "exec", "-it", "box", "--", "sh"]
    async with Person(argv, box.environment, (31, 91)) as person:
        await person.sees("# ")
        person.types("sleep 0.3; stty size\r")  # the size comes by another message
        await person.sees("31 91")
        person.resize((40, 100))
        person.types("sleep 0.3; stty size\r")
        await person.sees("40 100")
        person.types("exit 5\r")
        assert await person.ends() == 5


async def test_who_vanishes_leaves_nothing(box):
    argv = [str(KUBECTL), "exec", "-it", "box", "--", "sh", "-c", "echo up; exec sleep 86511"]
    async with Person(argv, box.environment) as person:
        await person.sees("up")
        person.child.kill()
        await person.ends()
    async with asyncio.timeout(60):
        while living("86511"):
            await asyncio.sleep(0.05)


async def test_who_vanishes_while_nobody_reads_its_input_leaves_nothing(box):
    """Every hop is full then, and none of them reads the next one's end."""
    argv = [str(KUBECTL), "exec", "-i", "box", "--", "sh", "-c", "echo up; exec sleep 86512"]
    child = await asyncio.create_subprocess_exec(
        *argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=box.environment
    )
    assert await asyncio.wait_for(child.stdout.readline(), 60) == b"up\n"
    pipe = child.stdin.transport.get_extra_info("pipe")
    await asyncio.to_thread(fill, pipe.fileno())
    child.kill()
    await child.wait()
    async with asyncio.timeout(60):
        while living("86512"):
            await asyncio.sleep(0.05)


def fill(pipe):
    """Write until nobody has taken anything for a while."""
    os.set_blocking(pipe, False)
    while select.select([], [pipe], [], 3)[1]:
        with contextlib.suppress(BlockingIOError):
            os.write(pipe, bytes(65536))


async def test_attach_to_a_terminal(over):
    script = "while read x; do echo got $x; [ $x = end ] && exec sleep 3600; done"
    pod(over, "console", script, tty="true")
    argv = [str(KUBECTL), "attach", "-it", "console"]
    async with Person(argv, over.environment) as person:
        person.types("one\r")
        await person.sees("got one")
        person.types("end\r")
        await person.sees("got end")
        person.child.kill()
        await person.ends()
    eventually(lambda: "got end" in over.kubectl("logs", "console"), "it is logged")


async def test_attach_without_a_terminal_shows_what_is_written(over):
    pod(over, "talker", "while :; do echo tick; sleep 0.2; done")
    child = await asyncio.create_subprocess_exec(
        str(KUBECTL), "attach", "talker", stdout=subprocess.PIPE, env=over.environment
    )
    try:
        for _ in range(3):
            assert await asyncio.wait_for(child.stdout.readline(), 60) == b"tick\n"
    finally:
        child.kill()
        await child.wait()


def test_port_forward(over):
    script = (
        'exec python3 -c "import http.server as h; h.test(h.SimpleHTTPRequestHandler, '
        'port=18474, bind=\\"127.0.0.1\\")"'
    )
    pod(over, "server", script.replace("'", "''"))
    listening = f":{18474:04X} 00000000:0000 0A"  # kubectl leaves after one refusal
    eventually(lambda: listening in Path("/proc/net/tcp").read_text(), "the pod listens")
    with subprocess.Popen(
        [str(KUBECTL), "port-forward", "pod/server", ":18474"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=over.environment,
    ) as child:
        try:
            first = child.stdout.readline()
            port = int(re.search(r"127.0.0.1:(\d+)", first)[1])

            def answers():
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", "/")
                answer = connection.getresponse()
                body = answer.read()
                connection.close()
                return answer.status == 200 and b"Directory listing" in body

            eventually(answers, "the pod's server answers")
            try:
                assert all(answers() for _ in range(20))
            except OSError as error:
                child.kill()
                raise AssertionError((error, child.stdout.read())) from None
        finally:
            child.kill()


def test_port_forward_to_nobody(box):
    with subprocess.Popen(
        [str(KUBECTL), "port-forward", "pod/box", ":18475"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=box.environment,
    ) as child:
        try:
            first = child.stdout.readline()
            port = int(re.search(r"127.0.0.1:(\d+)", first)[1])
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            connection.request("GET", "/")
            with pytest.raises((http.client.HTTPException, OSError)):
                connection.getresponse()
            connection.close()
            lines = iter(child.stdout.readline, "")
            assert any("refused" in line for line in lines)
        finally:
            child.kill()


def test_dcos_enters_the_same_pod(box):
    out = box.dcos("task", "exec", "box", "--", "sh", "-c", "echo in the pod")
    assert out == "in the pod\n"
    state = json.loads(box.dcos("task", "list", "box", "--json"))
    assert len(state) == 1
