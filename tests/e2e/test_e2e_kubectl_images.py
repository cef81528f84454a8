"""kubectl's exec, attach, cp, run -i and port-forward on pods of images, in their own networks."""

import http.client
import os
import re
import subprocess

import pytest

from support.clusters import KUBECTL, eventually, kubectl
from support.image_clusters import apply_pod, image_cluster
from support.images import MARKS
from support.ptys import Person

pytestmark = MARKS
_PROGRAMS = "sh echo cat ls sleep test id tar mkdir stty head tr httpd"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Give a cluster whose agents find the image `box` in a layout."""
    with image_cluster(tmp_path_factory, _PROGRAMS, env=["FROM_IMAGE=yes"]) as made:
        yield made


def pod(kubernetes, name, script, **fields):
    apply_pod(kubernetes, name, [{"command": ["sh", "-c", script], **fields}])
    kubernetes.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")


@pytest.fixture(scope="module")
def box(kubernetes):
    pod(kubernetes, "box", "echo up; exec sleep 3600")
    return kubernetes


def test_exec_is_inside_of_the_image(box):
    out, _ = kubectl(box, "exec", "box", "--", "sh", "-c", "echo $FROM_IMAGE; ls /; exit 4", code=4)
    assert out.split()[0] == b"yes"
    assert b"usr" not in out.split()
    given = os.urandom(1_000_000)
    assert kubectl(box, "exec", "-i", "box", "--", "cat", given=given)[0] == given
    _, err = kubectl(box, "exec", "box", "--", "nothing-like-it", code=1)
    assert b"nothing-like-it" in err


def test_a_kind_that_is_not_served_is_named(kubernetes):
    manifest = b"apiVersion: batch/v9\nkind: Nothing\nmetadata: {name: x}\nspec: {}\n"
    _, err = kubectl(kubernetes, "apply", "-f", "-", given=manifest, code=1)
    assert b'no matches for kind "Nothing" in version "batch/v9"' in err


def test_cp_both_ways(box, tmp_path):
    (tmp_path / "there").write_bytes(os.urandom(100_000))
    kubectl(box, "cp", str(tmp_path / "there"), "box:/copied")
    kubectl(box, "cp", "box:/copied", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == (tmp_path / "there").read_bytes()


async def test_a_shell_under_a_terminal(box):
    argv = [str(KUBECTL), "exec", "-it", "box", "--", "sh"]
    async with Person(argv, box.environment, (31, 91)) as person:
        await person.sees("# ")
        person.types("sleep 1; stty size\r")  # the size comes by another message
        await person.sees("31 91")
        person.types("exit 5\r")
        assert await person.ends() == 5


def test_input_that_is_piped_into_a_pod(kubernetes):
    words = ["run", "piped", "-i", "--image=box", "--restart=Never", "--command", "--"]
    script = "tr a-z A-Z; echo done; sleep 1"
    out, _ = kubectl(kubernetes, *words, "sh", "-c", script, given=b"hello\n")
    assert b"HELLO" in out or b"HELLO" in kubectl(kubernetes, "logs", "piped")[0]
    eventually(
        lambda: "Succeeded" in kubernetes.kubectl("get", "pod", "piped", "-o", "json"),
        "the end of the input ends the pod",
    )
    assert kubectl(kubernetes, "logs", "piped")[0] == b"HELLO\ndone\n"
    assert kubectl(kubernetes, "logs", "piped", "--since-time=2100-01-01T00:00:00Z")[0] == b""


async def test_attach_to_a_terminal(kubernetes):
    pod(
        kubernetes,
        "console",
        "while read x; do echo got $x; test $x = end && exec sleep 3600; done",
        **{"stdin": True, "tty": True},
    )
    async with Person([str(KUBECTL), "attach", "-it", "console"], kubernetes.environment) as person:
        person.types("end\r")
        await person.sees("got end")


def test_port_forward_reaches_what_listens_on_the_pods_own_loopback(kubernetes):
    serve = "mkdir /www; echo from the pod > /www/file; exec httpd -f -p 127.0.0.1:18480 -h /www"
    pod(kubernetes, "server", serve)
    listening = f":{18480:04X} 00000000:0000 0A"  # kubectl leaves after one refusal
    eventually(
        lambda: listening in kubernetes.kubectl("exec", "server", "--", "cat", "/proc/net/tcp"),
        "the pod listens",
    )
    with subprocess.Popen(
        [str(KUBECTL), "port-forward", "pod/server", ":18480"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=kubernetes.environment,
    ) as child:
        try:
            port = int(re.search(r"127.0.0.1:(\d+)", child.stdout.readline())[1])
            for _ in range(20):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request("GET", "/file")
                assert connection.getresponse().read() == b"from the pod\n"
                connection.close()
        except OSError as error:
            child.kill()
            raise AssertionError((error, child.stdout.read())) from None
        finally:
            child.kill()
