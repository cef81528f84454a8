"""A real registry on loopback (Debian's docker-registry), and images of any kind pushed to it."""

import asyncio
import base64
import hashlib
import http.client
import json
import shutil
import socket
import subprocess
import time

import pytest

from comity.runtime.http import Response, Server

REGISTRY = shutil.which("docker-registry")
NEEDED = pytest.mark.skipif(REGISTRY is None, reason="docker-registry is not installed")
USER, PASSWORD = "tester", "s3cret"
_HASHED = "$2b$05$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"
_READY_S = 30


class Registry:
    """One registry; `is_closed` wants USER's password."""

    def __init__(self, directory, *, is_closed=False):
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.host = f"127.0.0.1:{free.getsockname()[1]}"
        config = {
            "version": "0.1",
            "log": {"level": "error"},
            "storage": {"filesystem": {"rootdirectory": str(directory / "stored")}},
            "http": {"addr": self.host},
        }
        if is_closed:
            (directory / "htpasswd").write_text(f"{USER}:{_HASHED}\n")
            config["auth"] = {"htpasswd": {"realm": "test", "path": str(directory / "htpasswd")}}
        (directory / "config.yml").write_text(json.dumps(config))
        self._process = None

    def start(self):
        """Serve, with what was pushed before."""
        self._process = subprocess.Popen(
            [REGISTRY, "serve", str(self._directory / "config.yml")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            try:
                self.ask("GET", "/v2/")
            except OSError:
                time.sleep(0.05)
            else:
                return self
        raise AssertionError("the registry does not answer")

    def stop(self):
        """End it; nobody listens at its address then."""
        self._process.terminate()
        self._process.wait()

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        self.stop()

    @property
    def docker_config(self):
        """What `docker login` would have written."""
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return {"auths": {self.host: {"auth": token}}}

    def ask(self, method, path, body=None, kind="application/octet-stream"):
        """Make a request as USER; return status, headers and body."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        headers = {"Authorization": f"Basic {token}", "Content-Type": kind}
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def push(self, name, layers, config=None, *, tag="1", architecture="amd64"):
        """Upload an image of tar files; return the digest of its manifest."""
        document = {"config": config or {}, "os": "linux", "architecture": architecture}
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._blob(name, json.dumps(document).encode(), _CONFIG),
            "layers": [self._blob(name, data, _LAYER) for data in layers],
        }
        return self._manifest(name, tag, manifest, _MANIFEST)

    def push_index(self, name, digests, *, tag="1"):
        """Upload an index of manifests that are there, by architecture; return its digest."""
        entries = []
        for architecture, digest in digests.items():
            _, _, data = self.ask("GET", f"/v2/{name}/manifests/{digest}")
            where = {"os": "linux", "architecture": architecture}
            one = {"mediaType": _MANIFEST, "digest": digest, "size": len(data), "platform": where}
            entries.append(one)
        index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": entries}
        return self._manifest(name, tag, index, _INDEX)

    def _manifest(self, name, tag, document, kind):
        data = json.dumps(document).encode()
        status, _, said = self.ask("PUT", f"/v2/{name}/manifests/{tag}", data, kind)
        assert status == 201, said
        return f"sha256:{hashlib.sha256(data).hexdigest()}"

    def _blob(self, name, data, kind):
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        status, headers, said = self.ask("POST", f"/v2/{name}/blobs/uploads/")
        assert status == 202, said
        place = headers["Location"].partition(self.host)[2]
        sign = "&" if "?" in place else "?"
        status, _, said = self.ask("PUT", f"{place}{sign}digest={digest}", data)
        assert status == 201, said
        return {"mediaType": kind, "digest": digest, "size": len(data)}

    def spoil(self, layer):
        """Change a byte of a layer where the registry keeps it."""
        digits = hashlib.sha256(layer).hexdigest()
        (path,) = (self._directory / "stored").glob(f"**/blobs/sha256/*/{digits}/data")
        data = bytearray(path.read_bytes())
        data[-1] ^= 1
        path.write_bytes(data)


class LayoutRegistry:
    """Serves one OCI layout by the distribution specification, to those with its token."""

    def __init__(self, layout):
        self.layout = layout
        self.url = ""
        self.asked = []
        self.opened = asyncio.Event()
        """While it is not set, layers do not come."""
        self.opened.set()

    async def start(self):
        """Serve; return the host. Once more, it is the same."""
        self._server = Server(self.handle)
        port = int(self.url.rpartition(":")[2] or 0)
        _, port = await self._server.start("127.0.0.1", port)
        self.url = f"http://127.0.0.1:{port}"
        return f"127.0.0.1:{port}"

    async def stop(self):
        """Serve no more."""
        await self._server.stop()

    async def handle(self, request):
        self.asked.append(request.path)
        if request.path == "/token":
            return Response(200, b'{"token": "let-me-in"}')
        if request.headers.get("authorization") != "Bearer let-me-in":
            challenge = f'Bearer realm="{self.url}/token",service="test"'
            return Response(401, b"", "", (("WWW-Authenticate", challenge),))
        kind, _, wanted = request.path.removeprefix("/v2/box/").partition("/")
        if kind == "manifests" and wanted == "latest":
            wanted = json.loads((self.layout / "index.json").read_text())["manifests"][0]["digest"]
        if kind == "blobs":
            await self.opened.wait()
        blob = self.layout / "blobs" / "sha256" / wanted.removeprefix("sha256:")
        if not blob.is_file():
            return Response(404, b"{}")
        return Response(200, blob.read_bytes(), "application/vnd.oci.image.manifest.v1+json")
