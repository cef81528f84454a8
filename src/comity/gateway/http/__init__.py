"""The gateway's HTTP side: one handler that finds the route, checks the token, and answers.

What passes through is the same path, query, body and answer; what does not pass is our own login.
"""

import logging
import time
from urllib.parse import quote, unquote, urlsplit

from comity.core.instants import Instant
from comity.gateway import tokens
from comity.gateway.accounts import Accounts
from comity.gateway.config import Config
from comity.gateway.directory import Directory, NotReady
from comity.gateway.headers import Headers
from comity.gateway.http.own import Own
from comity.gateway.http.proxy import Destination, Proxy, plain
from comity.gateway.routes import Route, RouteTable, Target
from comity.runtime.http import Request, Response, Stream

_log = logging.getLogger(__name__)

_UNAUTHORIZED = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Log in first</title></head>
<body><h1>401: log in first</h1>
<p>On the command line: <code>dcos auth login</code>. In scripts: POST uid and password to
<code>/acs/api/v1/auth/login</code> and send the token as <code>Authorization: token=...</code>.</p>
</body></html>
"""


class Gateway:
    """Answers everything that comes in at the front door."""

    def __init__(
        self, config: Config, accounts: Accounts, directory: Directory, proxy: Proxy, own: Headers
    ) -> None:
        self._accounts = accounts
        self._directory = directory
        self._proxy = proxy
        self._own_headers = own
        self._own = Own(config, accounts)
        self._routes = RouteTable()
        self._upstreams = {
            Target.MASTER: config.master,
            Target.MARATHON: config.marathon,
            Target.COSMOS: config.cosmos,
        }

    def authenticate(self, request: Request) -> Response | None:
        """Ask for a token where the route needs one (given to the server when auth is on)."""
        route = self._routes.find(request.path)
        if route is not None and not route.needs_token:
            return None
        request.principal = self._who(request)
        if request.principal is not None:
            return None
        return Response(
            401, _UNAUTHORIZED, "text/html; charset=utf-8", (("WWW-Authenticate", "oauthjwt"),)
        )

    def _who(self, request: Request) -> str | None:
        headers = request.headers
        token = tokens.given(headers.get("authorization", ""), headers.get("cookie", ""))
        return self._accounts.who(token, Instant(time.time()))

    async def handle(self, request: Request) -> Response | Stream:
        """Answer one request."""
        if _comes_from_elsewhere(request):
            return plain(403, "A page of another site may not make this request.")
        route = self._routes.find(request.path)
        if route is None:
            return plain(404, f"The gateway has no route {request.path}; / lists what it has.")
        if route.target is Target.REDIRECT:
            return _redirect(route.status, route.to, request)
        if route.target is Target.ABSENT:
            return plain(404, f"{request.path}: {route.to}.")
        if route.target is Target.OWN:
            return await self._own.handle(request)
        try:
            to = await self._destination(route, request)
        except NotReady as error:
            return plain(503, f"Not ready: {error}", ("Retry-After", "1"))
        if isinstance(to, Response):
            return to
        return await self._proxy.forward(request, to, is_our_token=self._is_ours(request))

    def _is_ours(self, request: Request) -> bool:
        """Whether the Authorization header is a login here, which no upstream may see."""
        value = request.headers.get("authorization", "")
        return value.lower().startswith("token=") or self._who(request) is not None

    async def _destination(self, route: Route, request: Request) -> Destination | Response:
        rest = _raw_rest(request, route.path)
        if route.target is Target.SERVICE:
            return await self._service(rest, request)
        if route.target is Target.AGENT:
            return await self._agent(route, rest, request)
        if route.path.endswith("/"):
            prefix = route.path.rstrip("/") if route.to == "/" else ""
        else:
            prefix, rest = "", ""
        url = self._upstreams[route.target]
        return Destination(url, route.to + rest, prefix, self._own_headers)

    async def _service(self, rest: str, request: Request) -> Destination | Response:
        found = await self._directory.service(rest)
        if found is None:
            name = unquote(rest).partition("/")[0]
            return plain(404, f"There is no service {name!r}; `dcos task` shows what runs.")
        service, inner = found
        if not inner:
            return _redirect(301, request.path + "/", request)
        prefix = f"/service/{service.name}"
        if not service.strips_prefix:
            return Destination(service.url, prefix + inner, "")
        return Destination(service.url, inner, prefix)

    async def _agent(self, route: Route, rest: str, request: Request) -> Destination | Response:
        agent_id, slash, inner = rest.partition("/")
        url = await self._directory.agent(unquote(agent_id))
        if url is None:
            return plain(404, f"There is no agent {agent_id!r}; `dcos node` lists them.")
        if not slash:
            return _redirect(301, request.path + "/", request)
        return Destination(url, "/" + inner, f"{route.path}{agent_id}", self._own_headers)


def _raw_rest(request: Request, prefix: str) -> str:
    """Return what follows a route's path, still percent-encoded."""
    raw = request.raw_path
    return raw[len(prefix) :] if raw.startswith(prefix) else quote(request.path[len(prefix) :])


def _redirect(status: int, to: str, request: Request) -> Response:
    query = f"?{request.raw_query}" if request.raw_query else ""
    # `//x` would lead a browser to the host x.
    place = "/" + quote(to, safe="/:@!$&'()*+,;=~-._").lstrip("/") + query
    return plain(status, f"It is at {place}", ("Location", place))


def _comes_from_elsewhere(request: Request) -> bool:
    """Whether a page of another site makes this call with our user's cookie or from his machine."""
    origin = request.headers.get("origin")
    if origin is None or request.method in ("GET", "HEAD", "OPTIONS"):
        return False
    return urlsplit(origin).netloc != request.headers.get("host", "")
