"""What the gateway answers by itself: the page, metadata, users and logins."""

import base64
import ipaddress
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import msgspec

from comity.core.instants import Instant
from comity.gateway import tokens, users
from comity.gateway.accounts import Accounts
from comity.gateway.config import Config
from comity.runtime.http import Request, Response, Router, Stream

Json = dict[str, Any]

DCOS_VERSION = "2.3.0"
"""The DC/OS release whose interfaces we keep; clients choose their behaviour by it."""

_HOSTS = ("master.mesos", "leader.mesos")


class Own:
    """The gateway's own endpoints."""

    def __init__(self, config: Config, accounts: Accounts) -> None:
        self._config = config
        self._accounts = accounts
        self._page = resources.files("comity.gateway").joinpath("pages/index.html").read_bytes()
        self._router = Router(not_found=_not_found)
        routes: dict[tuple[str, str], Callable[..., Awaitable[Response]]] = {
            ("GET", "/"): self._index,
            ("GET", "/metadata"): self._metadata,
            ("GET", "/dcos-metadata/dcos-version.json"): self._version,
            ("GET", "/dcos-metadata/ui-config.json"): self._ui_config,
            ("GET", "/pkgpanda/active.buildinfo.full.json"): self._buildinfo,
            ("GET", "/mesos_dns/v1/hosts/{host}"): self._host,
            ("GET", "/acs/api/v1/auth/providers"): self._providers,
            ("POST", "/acs/api/v1/auth/login"): self._login,
            ("GET", "/acs/api/v1/auth/logout"): self._logout,
            ("GET", "/acs/api/v1/users"): self._list_users,
            ("GET", "/acs/api/v1/users/{uid}"): self._get_user,
            ("PUT", "/acs/api/v1/users/{uid}"): self._put_user,
            ("PATCH", "/acs/api/v1/users/{uid}"): self._patch_user,
            ("DELETE", "/acs/api/v1/users/{uid}"): self._delete_user,
        }
        for (method, path), handler in routes.items():
            self._router.add(method, path, handler)

    async def handle(self, request: Request) -> Response | Stream:
        """Answer one request."""
        return await self._router.handle(request)

    async def _index(self, request: Request) -> Response:
        policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
        headers = (
            ("Content-Security-Policy", f"{policy}; connect-src 'self'"),
            ("X-Frame-Options", "DENY"),
            ("Cache-Control", "no-cache"),
        )
        return Response(200, self._page, "text/html; charset=utf-8", headers)

    async def _metadata(self, request: Request) -> Response:
        return _json({"PUBLIC_IPV4": self._config.ip, "CLUSTER_ID": self._accounts.cluster_id})

    async def _version(self, request: Request) -> Response:
        from comity import __version__

        return _json(
            {
                "version": DCOS_VERSION,
                "dcos-variant": "open",
                "dcos-image-commit": f"comity-{__version__}",
                "bootstrap-id": f"comity-{__version__}",
            }
        )

    async def _ui_config(self, request: Request) -> Response:
        plugins = {"oauth": {"enabled": self._config.auth}}
        cluster = {"id": self._accounts.cluster_id, "firstUser": False}
        return _json({"uiConfiguration": {"plugins": plugins}, "clusterConfiguration": cluster})

    async def _buildinfo(self, request: Request) -> Response:
        return _json({})

    async def _host(self, request: Request, host: str) -> Response:
        """Answer for the master's names only; any other name is unknown, as Mesos-DNS says it."""
        address = urlsplit(self._config.master).hostname or ""
        name = host.rstrip(".")
        if name not in _HOSTS or not _is_ip(address):
            return _json([{"host": "", "ip": ""}])
        return _json([{"host": f"{name}.", "ip": address}])

    # logins

    async def _providers(self, request: Request) -> Response:
        return _json(
            {
                "dcos-users": {
                    "authentication-type": "dcos-uid-password",
                    "client-method": "dcos-usercredential-post-receive-authtoken",
                    "config": {"start_flow_url": "/acs/api/v1/auth/login"},
                    "description": "Users and passwords of this cluster",
                }
            }
        )

    async def _login(self, request: Request) -> Response:
        given = _body(request)
        if given is None:
            return _bad("ERR_INVALID_DATA", "Request has bad Content-Type or lacks JSON data")
        uid, password = given.get("uid"), given.get("password")
        if not isinstance(uid, str) or not isinstance(password, str):
            text = "Give uid and password; service tokens and OpenID logins are not supported"
            return _bad("ERR_INVALID_DATA", text)
        token = None
        if len(password.encode()) <= users.PASSWORD_BYTES_MAX:
            token = await self._accounts.login(uid, password, Instant(time.time()))
        if token is None:
            return _bad("ERR_INVALID_CREDENTIALS", "Bad user id or password", 401)
        info = base64.b64encode(msgspec.json.encode({"uid": uid, "is_remote": False})).decode()
        cookies = (
            ("Set-Cookie", f"{tokens.AUTH_COOKIE}={token}; HttpOnly; Path=/; SameSite=Lax"),
            ("Set-Cookie", f"{tokens.INFO_COOKIE}={info}; Path=/; SameSite=Lax"),
        )
        return _json({"token": token}, 200, *cookies)

    async def _logout(self, request: Request) -> Response:
        past = "Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/"
        cookies = [
            ("Set-Cookie", f"{name}=; {past}") for name in (tokens.AUTH_COOKIE, tokens.INFO_COOKIE)
        ]
        return _json({}, 200, *cookies)

    # users

    async def _list_users(self, request: Request) -> Response:
        wants_services = request.arg("type") == "service"
        listed = [] if wants_services else [user.shown() for user in self._accounts.all()]
        return _json({"array": listed})

    async def _get_user(self, request: Request, uid: str) -> Response:
        user = self._accounts.get(uid)
        return _no_user(uid) if user is None else _json(user.shown())

    async def _put_user(self, request: Request, uid: str) -> Response:
        given = _body(request)
        if given is None:
            return _bad("ERR_INVALID_DATA", "Request has bad Content-Type or lacks JSON data")
        if self._accounts.get(uid) is not None:
            return _bad("ERR_USER_EXISTS", f"User with uid `{uid}` already exists", 409)
        if not users.UID.fullmatch(uid):
            return _bad("ERR_INVALID_USER_ID", "Invalid user id: use letters, digits and ._%+@-")
        return await self._set_password(uid, given, 201)

    async def _patch_user(self, request: Request, uid: str) -> Response:
        given = _body(request)
        if given is None:
            return _bad("ERR_INVALID_DATA", "Request has bad Content-Type or lacks JSON data")
        if self._accounts.get(uid) is None:
            return _no_user(uid)
        return await self._set_password(uid, given, 204)

    async def _set_password(self, uid: str, given: Json, status: int) -> Response:
        password = given.get("password")
        if "public_key" in given:
            text = "Service accounts (public_key) are not supported; give a password"
            return _bad("ERR_INVALID_DATA", text)
        if not isinstance(password, str) or not password:
            text = "One of `password` or `public_key` must be provided"
            return _bad("ERR_INVALID_DATA", text)
        if len(password.encode()) > users.PASSWORD_BYTES_MAX:
            text = f"A password has at most {users.PASSWORD_BYTES_MAX} bytes"
            return _bad("ERR_INVALID_DATA", text)
        await self._accounts.set(uid, password, str(given.get("description") or ""))
        return Response(status)

    async def _delete_user(self, request: Request, uid: str) -> Response:
        if self._accounts.get(uid) is None:
            return _no_user(uid)
        if len(self._accounts.all()) == 1:
            return _bad("ERR_LAST_USER", "The last user cannot be removed: nobody could log in")
        await self._accounts.remove(uid)
        return Response(204)


def _body(request: Request) -> Json | None:
    if request.content_type != "application/json":
        return None
    try:
        return msgspec.json.decode(request.body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _json(value: Any, status: int = 200, *headers: tuple[str, str]) -> Response:
    return Response(status, msgspec.json.encode(value), "application/json", tuple(headers))


def _bad(code: str, text: str, status: int = 400) -> Response:
    return _json({"title": "Bad Request", "description": text, "code": code}, status)


def _no_user(uid: str) -> Response:
    return _bad("ERR_UNKNOWN_USER_ID", f"User with uid `{uid}` not known.", 404)


def _not_found(request: Request) -> Response:
    return _bad("ERR_NOT_FOUND", f"There is no {request.path} here", 404)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
