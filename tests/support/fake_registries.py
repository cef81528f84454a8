"""A registry of one image in this process, behaving as a test says; and stores to pull into."""

import contextlib
import gzip
import hashlib
import io
import json
import tarfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import credentials, manifests, sources
from comity.runtime.images.store import ImageStore

ME = credentials.Login("me", "secret")


def tar(entries):
    """Return an archive of (name, content) or (name, kind, link target)."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, *rest in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(rest[0], str):
                entry.size = len(rest[0])
                archive.addfile(entry, io.BytesIO(rest[0].encode()))
            else:
                entry.type, entry.linkname = rest[0], rest[1] if len(rest) > 1 else ""
                archive.addfile(entry)
    return data.getvalue()


def digest_of(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def described(data):
    return {"digest": digest_of(data), "size": len(data)}


class Made:
    """An image: its blobs by digest, and its manifest."""

    def __init__(self, *layers, **config):
        document = {"os": "linux", "architecture": manifests.architecture(), **config}
        self.config = json.dumps({**document, "config": {"Cmd": ["sh"]}}).encode()
        self.layers = layers
        self.blobs = {digest_of(one): one for one in (self.config, *layers)}
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": described(self.config),
                "layers": [described(one) for one in layers],
            }
        ).encode()


BASE = gzip.compress(tar([("file", "base")]), mtime=0)
OWN = gzip.compress(tar([("own", "mine")]), mtime=0)


class FakeRegistry:
    """Serves one image as `box`, in the ways that a test sets."""

    def __init__(self, made):
        self.made = made
        self.asked = []
        self.basic = self.bearer = None
        self.blobs_at = ""
        self.cuts = 0
        self.expires = False
        self.token, self.form = "t0", b""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.answer(self)

            def do_POST(self):
                outer.form = self.rfile.read(int(self.headers["Content-Length"]))
                outer.asked.append((self.path, self.headers.get("Authorization")))
                outer.send(self, 200, b'{"access_token":"%s"}' % outer.token.encode())

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def answer(self, request):
        given = request.headers.get("Authorization")
        self.asked.append((request.path.partition("?")[0], given))
        if request.path.startswith("/token"):
            if given != self.basic:
                return self.send(request, 401)
            return self.send(request, 200, b'{"token":"%s"}' % self.token.encode())
        if self.bearer is not None and given != f"Bearer {self.token}":
            challenge = f'Bearer realm="http://{self.host}/token",service="s",scope="x"'
            return self.send(request, 401, **{"WWW-Authenticate": challenge})
        if self.bearer is None and self.basic is not None and given != self.basic:
            return self.send(request, 401, **{"WWW-Authenticate": 'Basic realm="r"'})
        name = request.path.rpartition("/")[2]
        if "/manifests/" in request.path:
            known = name in {"latest", digest_of(self.made.manifest)}
            return self.send(request, 200 if known else 404, self.made.manifest if known else b"")
        if self.expires:
            self.token, self.expires = "t1", False
            return self.answer(request)
        if self.blobs_at:
            return self.send(request, 307, Location=f"{self.blobs_at}{request.path}")
        return self.blob(request, self.made.blobs.get(name))

    def blob(self, request, data):
        if data is None:
            return self.send(request, 404)
        start = int((request.headers.get("Range") or "bytes=0-")[6:-1])
        rest = data[start:]
        if self.cuts and len(rest) > 10:
            self.cuts -= 1
            request.send_response(206 if start else 200)
            request.send_header("Content-Length", str(len(rest)))
            request.end_headers()
            request.wfile.write(rest[: len(rest) // 2])
            request.close_connection = True
            return None
        return self.send(request, 206 if start else 200, rest)

    def send(self, request, status, body=b"", **headers):
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)


@contextlib.contextmanager
def serving():
    """Give what makes registries; all are closed in the end."""
    running = []

    def make(made=None):
        running.append(FakeRegistry(made or Made(BASE, OWN)))
        return running[-1]

    yield make
    for each in running:
        each.close()


def store(tmp_path, default="", logins=None, **rules):
    named = {host: sources.Rules(**rule) for host, rule in rules.pop("rules", {}).items()}
    known = logins if isinstance(logins, credentials.Keyring) else credentials.Keyring(logins or {})
    settings = sources.Settings(default=default, logins=known, rules=named)
    return ImageStore(tmp_path / "store", settings)


def content(layer, name):
    return Path(layer, name).read_text()


async def refused(kept, name):
    with pytest.raises(ImageRefused) as error:
        await kept.get(name)
    assert list((kept._directory / "pulls").iterdir()) == []
    assert list((kept._directory / "images").iterdir()) == []
    return str(error.value)
