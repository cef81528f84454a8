"""Puts the API server together and runs it."""

import hmac
import random
import ssl as tls
from pathlib import Path

from msgspec import Struct

from comity.kube.apiserver.codecs import encode
from comity.kube.apiserver.http import ApiHttp
from comity.kube.apiserver.http.nodes import Kubelets
from comity.kube.apiserver.http.serving import is_public
from comity.kube.apiserver.inputs import ClusterStarted, WatchClosed
from comity.kube.apiserver.machine import ApiServer
from comity.kube.apiserver.shell import keys
from comity.kube.apiserver.shell.keys import Keys
from comity.kube.apiserver.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Authenticate, Request, Response, Router, Server
from comity.runtime.sqlite import SqliteStore
from comity.wire.kubernetes.status import unauthorized


class Settings(Struct, frozen=True, kw_only=True):
    """Where the API server listens and keeps its data."""

    ip: str
    port: int
    admin_port: int | None
    data_dir: Path
    bootstrap_token: str


_NO_TOKEN = Response(401, b"The bootstrap token is required.\n", "text/plain")


class RunningApi:
    """A started API server; `stop` it when done."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.keys = keys.ensure(settings.data_dir / "pki", _addresses(settings.ip))
        self.url = ""
        self._store = SqliteStore(settings.data_dir / "apiserver.sqlite")
        state = State(random.SystemRandom())
        machine = ApiServer(state)
        machine.recover(self._store.range(""))
        self.driver = Driver(machine, self._store, stream_closed=WatchClosed)
        self._kubelets = Kubelets(self.driver, state, self.keys.kubelet_token)
        http = ApiHttp(self.driver, state, self._kubelets)
        context = tls.SSLContext(tls.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.keys.certificate, self.keys.key)
        context.set_alpn_protocols(["http/1.1"])
        self._server = Server(
            http.handle, ssl=context, max_body=3 << 20, authenticate=authenticator(self.keys)
        )
        self._admin = Server(
            self._admin_router().handle,
            authenticate=self._admit if settings.bootstrap_token else None,
            asking_flag="KUBERNETES_BOOTSTRAP_TOKEN in the environment",
        )

    async def start(self) -> None:
        """Listen, and make what every cluster has."""
        settings = self.settings
        if settings.admin_port is not None:
            self._admin.check(settings.ip)
        _, port = await self._server.start(settings.ip, settings.port)
        self.url = f"https://{settings.ip}:{port}"
        text = keys.kubeconfig(self.url, self.keys.ca_pem, self.keys.tokens["admin"])
        path = settings.data_dir / "admin.kubeconfig"
        path.touch(mode=0o600)
        path.write_text(text)
        self.driver.put(ClusterStarted(settings.ip, port))
        if settings.admin_port is not None:
            await self._admin.start(settings.ip, settings.admin_port)

    def _admin_router(self) -> Router:
        """Serve health, and the kubeconfig to whoever has the bootstrap token."""
        router = Router()

        async def health(request: Request) -> Response:
            return Response(200, b"ok\n", "text/plain")

        async def kubeconfig(request: Request) -> Response:
            if not self.settings.bootstrap_token:
                return _NO_TOKEN
            text = (self.settings.data_dir / "admin.kubeconfig").read_bytes()
            return Response(200, text, "application/yaml")

        router.add("GET", "/healthz", health)
        router.add("GET", "/kubeconfig", kubeconfig)
        return router

    def _admit(self, request: Request) -> Response | None:
        """Let anybody ask for health, and who has the bootstrap token for the rest."""
        shown = request.headers.get("authorization", "").encode()
        expected = f"Bearer {self.settings.bootstrap_token}".encode()
        is_known = request.path == "/healthz" or hmac.compare_digest(shown, expected)
        return None if is_known else _NO_TOKEN

    async def stop(self) -> None:
        """Stop listening and close the store."""
        await self._admin.stop()
        await self._server.stop()
        await self._kubelets.close()
        self._store.close()


def _addresses(ip: str) -> list[str]:
    return sorted({ip, "127.0.0.1"})


def authenticator(known: Keys) -> Authenticate:
    """Return what knows callers by their bearer tokens; a few paths are for anybody."""
    principals = {token: name for name, token in known.tokens.items()}
    refusal = Response(401, encode(unauthorized().status()))

    def authenticate(request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        request.principal = principals.get(token.strip()) if scheme.lower() == "bearer" else None
        if request.principal is not None or (is_public(request.path) and not token):
            return None
        return refusal

    return authenticate
