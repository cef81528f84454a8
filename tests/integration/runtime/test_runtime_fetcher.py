import io
import tarfile
import zipfile

import pytest

from comity.runtime.fetcher import FetchFailed, fetch_all
from comity.runtime.http import Response, Server
from comity.wire.mesos import v1


def make_tar(path, name="inside.txt", content=b"hello"):
    with tarfile.open(path, "w:gz") as tar:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return path


def test_a_local_archive_is_copied_and_extracted(tmp_path):
    archive = make_tar(tmp_path / "x.tar.gz")
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    fetch_all(
        (v1.URI(value=str(archive)), v1.URI(value=f"file://{archive}", extract=False)), sandbox
    )
    assert (sandbox / "inside.txt").read_bytes() == b"hello"
    assert (sandbox / "x.tar.gz").exists()


def test_output_file_and_executable(tmp_path):
    script = tmp_path / "run"
    script.write_text("#!/bin/sh\n")
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    fetch_all((v1.URI(value=str(script), output_file="bin/tool", executable=True),), sandbox)
    assert (sandbox / "bin" / "tool").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ({"value": "/no/such/file"}, "No such file"),
        ({"value": "gopher://x/y"}, "scheme 'gopher' is not supported"),
        ({"value": "relative"}, "must be absolute"),
        ({"value": "/etc/hosts", "output_file": "../../escape"}, "leads out of the sandbox"),
    ],
)
def test_what_cannot_be_fetched_is_named(tmp_path, uri, text):
    with pytest.raises(FetchFailed, match="Failed to fetch all URIs for container") as caught:
        fetch_all((v1.URI(**uri),), tmp_path)
    assert text in str(caught.value)


def test_an_archive_cannot_write_outside_the_sandbox(tmp_path):
    sandbox = tmp_path / "sandbox"
    sandbox.mkdir()
    with pytest.raises(FetchFailed):
        fetch_all((v1.URI(value=str(make_tar(tmp_path / "x.tar.gz", "../evil"))),), sandbox)
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../evil", "x")
    with pytest.raises(FetchFailed, match="leads out"):
        fetch_all((v1.URI(value=str(packed)),), sandbox)
    assert not (tmp_path / "evil").exists()


async def test_http(tmp_path):
    import asyncio

    async def serve(request):
        return Response(200, b"content", "text/plain")

    server = Server(serve)
    host, port = await server.start("127.0.0.1", 0)
    uri = v1.URI(value=f"http://{host}:{port}/dir/file.txt?x=1")
    await asyncio.to_thread(fetch_all, (uri,), tmp_path)
    assert (tmp_path / "file.txt").read_bytes() == b"content"
    await server.stop()
