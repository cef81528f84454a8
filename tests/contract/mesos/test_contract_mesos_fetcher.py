"""What is fetched into a sandbox before a task starts (mesos.md, 1.3)."""

import base64
import contextlib
import gzip
import http.server
import io
import os
import socket
import tarfile
import threading
import zipfile

import pytest

from support.mesos_clusters import own
from support.mesos_contract import name_of, task


@pytest.fixture
def framework(target):
    with target.framework() as made:
        yield made


def fetching(text, *uris):
    return task("fetches", None, command={"value": text, "shell": True, "uris": list(uris)})


def finishes(framework, text, *uris):
    """Assert that a task that fetches and then looks finds what it looks for."""
    framework.launch(made := fetching(text, *uris))
    ended = framework.status(name_of(made), "TASK_FINISHED", "TASK_FAILED")
    assert ended["state"] == "TASK_FINISHED", ended["message"]


@contextlib.contextmanager
def served(files, moved=(), wants=None):
    """Serve files over HTTP on loopback; those in `moved` are elsewhere."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.lstrip("/")
            if wants is not None and self.headers["Authorization"] != wants:
                self.send_error(401)
                return
            if name in moved:
                self.send_response(302)
                self.send_header("Location", f"/{moved[name]}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200 if name in files else 404)
            self.send_header("Content-Length", str(len(files.get(name, b""))))
            self.end_headers()
            self.wfile.write(files.get(name, b""))

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tarred(mode):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{mode}") as tar:
        entry = tarfile.TarInfo("inner/file")
        entry.size = 5
        tar.addfile(entry, io.BytesIO(b"hello"))
    return data.getvalue()


def zipped():
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("inner/file", "hello")
    return data.getvalue()


ARCHIVES = {
    "a.tar": tarred(""),
    "a.tgz": tarred("gz"),
    "a.tar.gz": tarred("gz"),
    "a.tbz2": tarred("bz2"),
    "a.tar.bz2": tarred("bz2"),
    "a.txz": tarred("xz"),
    "a.tar.xz": tarred("xz"),
    "a.zip": zipped(),
}


@pytest.mark.parametrize("name", list(ARCHIVES))
def test_archives_are_extracted_by_their_names(framework, name):
    with served(ARCHIVES) as url:
        finishes(framework, "grep hello inner/file", {"value": f"{url}/{name}"})


def test_a_file_that_is_only_packed_is_unpacked(framework):
    with served({"note.gz": gzip.compress(b"hello")}) as url:
        finishes(framework, "grep hello note", {"value": f"{url}/note.gz"})


def test_what_is_not_to_be_extracted_stays_as_it_is(framework):
    with served(ARCHIVES) as url:
        uri = {"value": f"{url}/a.tgz", "extract": False}
        finishes(framework, "test -f a.tgz && ! test -e inner", uri)


def test_a_file_may_be_given_a_name_and_a_directory(framework):
    with served({"data": b"hello"}) as url:
        uri = {"value": f"{url}/data", "output_file": "some/where/else"}
        finishes(framework, "grep hello some/where/else", uri)


@pytest.mark.parametrize("name", ["/tmp/contract-escaped", "../escaped"])
def test_a_name_that_leads_out_of_the_sandbox_is_refused(framework, name):
    with served({"data": b"hello"}) as url:
        framework.launch(made := fetching("true", {"value": f"{url}/data", "output_file": name}))
        framework.status(name_of(made), "TASK_FAILED", "TASK_ERROR")


def test_who_moved_is_followed(framework):
    with served({"new": b"hello"}, moved={"old": "new"}) as url:
        finishes(framework, "grep hello old", {"value": f"{url}/old"})


def test_what_a_query_asks_for_is_no_part_of_the_name(framework):
    with served({"data?version=2": b"hello"}) as url:
        framework.launch(made := fetching("ls | grep data", {"value": f"{url}/data?version=2"}))
        framework.status(name_of(made), "TASK_FINISHED")


@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_file_of_the_machine_is_copied(framework, target, tmp_path, form):
    if target.directory is None:
        pytest.skip("the agent may be on another machine")
    found = tmp_path / "note"
    found.write_text("hello")
    tmp_path.chmod(0o755)
    finishes(framework, "grep hello note", {"value": form.format(found)})


def test_several_are_fetched(framework):
    with served({"one": b"1", "two": b"2"}) as url:
        finishes(
            framework,
            "test -e one && test -e two",
            {"value": f"{url}/one"},
            {"value": f"{url}/two"},
        )


@pytest.mark.parametrize(
    "value", ["http://127.0.0.1:1/nobody", "gopher://127.0.0.1/x", "hdfs://nobody/x", ""]
)
def test_what_cannot_be_fetched_fails_the_task(framework, value):
    framework.launch(made := fetching("true", {"value": value}))
    failed = framework.status(name_of(made), "TASK_FAILED", "TASK_ERROR")
    assert failed["message"]


def test_http_with_a_name_and_a_password(framework):
    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    with served({"note": b"hello"}, wants=expected) as url:
        finishes(
            framework, "grep hello note", {"value": url.replace("//", "//me:secret@") + "/note"}
        )
        framework.launch(made := fetching("true", {"value": f"{url}/note"}))
        framework.status(name_of(made), "TASK_FAILED")


HADOOP = """#!/bin/sh
[ "$1 $2" = "fs -copyToLocal" ] && [ "$3" = hdfs://name/note ] && echo hello > "$4"
"""


def test_what_only_hadoop_knows_is_left_to_it(tmp_path, monkeypatch):
    client = tmp_path / "hadoop"
    client.write_text(HADOOP)
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with own() as cluster:
        cluster.add()
        with cluster.target.framework() as mesos:
            finishes(mesos, "grep hello note", {"value": "hdfs://name/note"})
            mesos.launch(made := fetching("true", {"value": "hdfs://name/other"}))
            mesos.status(name_of(made), "TASK_FAILED")


# FTP: a server that knows as much of RFC 959 as a download needs


class FtpServer:
    """Serves one file, `note`, to whoever logs in as `who`."""

    def __init__(self, data, who="anonymous"):
        self.data, self.who = data, who
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                self._talk(self.listener.accept()[0])

    def _talk(self, control):
        passive = None
        with control, control.makefile("r", newline="\r\n") as lines:

            def say(text):
                control.sendall(f"{text}\r\n".encode())

            say("220 ready")
            for line in lines:
                word, _, rest = line.strip().partition(" ")
                match word.upper():
                    case "USER":
                        say("331 go on" if rest == self.who else "530 who?")
                    case "PASS":
                        say("230 in")
                    case "EPSV":
                        passive = socket.create_server(("127.0.0.1", 0))
                        say(f"229 here (|||{passive.getsockname()[1]}|)")
                    case "PASV":
                        passive = socket.create_server(("127.0.0.1", 0))
                        high, low = divmod(passive.getsockname()[1], 256)
                        say(f"227 here (127,0,0,1,{high},{low})")
                    case "SIZE":
                        say(f"213 {len(self.data)}" if rest.endswith("note") else "550 no")
                    case "RETR" if rest.endswith("note"):
                        say("150 now")
                        with passive, passive.accept()[0] as channel:
                            channel.sendall(self.data)
                        say("226 done")
                    case "RETR":
                        passive.close()
                        say("550 no such file")
                    case "QUIT":
                        say("221 bye")
                        return
                    case _:
                        say("200 fine")

    def close(self):
        self.listener.close()


@pytest.fixture
def ftp():
    """Give what starts servers."""
    made = []

    def start(data, **how):
        made.append(FtpServer(data, **how))
        return made[-1].port

    yield start
    for one in made:
        one.close()


def test_ftp(framework, ftp):
    port = ftp(b"hello")
    finishes(framework, "grep hello note", {"value": f"ftp://127.0.0.1:{port}/note"})


def test_ftp_with_a_name_and_a_password(framework, ftp):
    port = ftp(b"hello", who="me")
    finishes(framework, "grep hello note", {"value": f"ftp://me:secret@127.0.0.1:{port}/note"})


def test_a_password_is_not_shown(framework, ftp):
    port = ftp(b"hello")
    framework.launch(made := fetching("true", {"value": f"ftp://me:hush@127.0.0.1:{port}/note"}))
    assert "hush" not in framework.status(name_of(made), "TASK_FAILED")["message"]


def test_ftp_of_what_is_not_there(framework, ftp):
    port = ftp(b"hello")
    framework.launch(made := fetching("true", {"value": f"ftp://127.0.0.1:{port}/other"}))
    framework.status(name_of(made), "TASK_FAILED")
