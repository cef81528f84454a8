"""Routes of the Kubernetes API: discovery, schemas, health, and resources by verb."""

import random
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from comity.kube.apiserver import codecs, discovery, openapi, patching, paths, views
from comity.kube.apiserver.http import requests
from comity.kube.apiserver.http.nodes import CONNECTIONS, Kubelets
from comity.kube.apiserver.inputs import (
    CollectionDeleted,
    ObjectDeleted,
    ObjectPatched,
    ObjectPosted,
    ObjectPut,
    PodBound,
    PodEvicted,
    ScalePatched,
    ScalePut,
    Target,
    WatchOpened,
)
from comity.kube.apiserver.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Request, Response, Stream
from comity.wire.kubernetes import schemas
from comity.wire.kubernetes.status import ApiError, bad_request, not_allowed, unknown_path

_WATCH_MIN_S = 1800.0
_POSTED = ("binding", "eviction", *CONNECTIONS)
_PUBLIC = ("/healthz", "/livez", "/readyz", "/version")

Answer = Response | Stream


class ApiHttp:
    """Handles every request that the API server gets."""

    def __init__(self, driver: Driver, state: State, kubelets: Kubelets) -> None:
        self._driver = driver
        self._state = state
        self._kubelets = kubelets
        self._chance = random.Random()  # noqa: S311 - spreads the ends of watches
        self._by_method: dict[str, Callable[[Request, Target], Awaitable[Answer]]] = {
            "GET": self._get,
            "HEAD": self._get,
            "POST": self._post,
            "PUT": self._put,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    async def handle(self, request: Request) -> Answer:
        """Answer one request; every refusal is a Status."""
        try:
            return await self._handle(request)
        except ApiError as error:
            status, body = codecs.refusal(error)
            return Response(status, body)

    async def _handle(self, request: Request) -> Answer:
        path = request.path.rstrip("/") or "/"
        if path.startswith(("/api/", "/apis/")) or path in ("/api", "/apis"):
            known = _discover(request, path)
            if known is not None:
                return known
            target = paths.parse(path)
            verb = self._by_method.get(request.method)
            if verb is None:
                raise not_allowed()
            return await verb(request, target)
        return _other(request, path)

    # reads

    async def _get(self, request: Request, target: Target) -> Answer:
        if target.subresource == "log":
            return await self._kubelets.log(request, target)
        if target.subresource in CONNECTIONS:
            return await self._kubelets.connect(request, target)
        if target.subresource in ("binding", "eviction", "finalize"):
            raise not_allowed()
        if requests.flag(request, "watch") and not target.subresource:
            return await self._watch(request, target)
        form = requests.form(request)
        await self._driver.settled()
        now = self._driver.clock.now()
        if target.name:
            return _shown(form, views.one(self._state, target, form, now))
        what = (requests.selection(request, target), requests.list_options(request))
        return _shown(form, views.page(self._state, target, what, form, now))

    async def _watch(self, request: Request, target: Target) -> Answer:
        version = request.arg("resourceVersion") or ""
        with_initial = requests.flag(request, "sendInitialEvents")
        match = request.arg("resourceVersionMatch") or ""
        if with_initial and match != "NotOlderThan":
            raise bad_request(
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
            )
        since = views.parse_revision(version)
        views.check_not_ahead(self._state, since)
        timeout_s = requests.number(request, "timeoutSeconds")
        if not timeout_s:
            timeout_s = int(self._chance.uniform(_WATCH_MIN_S, 2 * _WATCH_MIN_S))
        selection = requests.selection(request, target)
        form = requests.form(request)
        return await self._driver.ask(
            lambda to: WatchOpened(
                to=to,
                resource=target.resource,
                selection=selection,
                form=form,
                since=since or None,
                with_initial_events=with_initial,
                wants_bookmarks=requests.flag(request, "allowWatchBookmarks"),
                timeout_s=float(timeout_s),
            )
        )

    # writes

    async def _post(self, request: Request, target: Target) -> Answer:
        if (target.name and target.subresource not in _POSTED) or (
            target.resource.is_namespaced and not target.namespace
        ):
            raise not_allowed()
        if target.subresource in CONNECTIONS:
            return await self._kubelets.connect(request, target)
        body, duplicates = requests.body(request)
        options = requests.options(request, duplicates)
        given = _object(body)
        if target.subresource == "binding":
            return await self._ask(lambda to: PodBound(to, target, given, options))
        if target.subresource == "eviction":
            deletion = requests.read_deletion(given.get("deleteOptions") or {}, request)
            return await self._ask(lambda to: PodEvicted(to, target, given, deletion, options))
        return await self._ask(lambda to: ObjectPosted(to, target, given, options))

    async def _put(self, request: Request, target: Target) -> Answer:
        _must_name_object(target)
        body, duplicates = requests.body(request)
        options = requests.options(request, duplicates)
        given = _object(body)
        make = ScalePut if target.subresource == "scale" else ObjectPut
        return await self._ask(lambda to: make(to, target, given, options))

    async def _patch(self, request: Request, target: Target) -> Answer:
        _must_name_object(target)
        media_type = request.content_type
        patching.check_media_type(media_type)
        if requests.flag(request, "force"):
            raise bad_request("force may only be used with server-side apply")
        is_strict = request.arg("fieldValidation") != "Ignore"
        patch, duplicates = codecs.decode_json(request.body, codecs.JSON, is_strict=is_strict)
        options = requests.options(request, duplicates)
        make = ScalePatched if target.subresource == "scale" else ObjectPatched
        return await self._ask(lambda to: make(to, target, media_type, patch, options))

    async def _delete(self, request: Request, target: Target) -> Answer:
        if target.subresource:
            raise not_allowed()
        deletion, is_dry_run = requests.deletion(request)
        options = requests.options(request)
        if is_dry_run:
            options = msgspec.structs.replace(options, is_dry_run=True)
        if target.name:
            return await self._ask(lambda to: ObjectDeleted(to, target, deletion, options))
        if "deletecollection" not in target.resource.verbs:
            raise not_allowed()
        selection = requests.selection(request, target)
        return await self._ask(
            lambda to: CollectionDeleted(to, target, selection, deletion, options)
        )

    async def _ask(self, make: Callable[[int], Any]) -> Answer:
        return await self._driver.ask(make)


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise bad_request("the body must be a JSON object")
    return body


def _must_name_object(target: Target) -> None:
    if not target.name or target.subresource in (*_POSTED, "log"):
        raise not_allowed()


def _shown(form: codecs.Form, body: bytes) -> Response:
    return Response(200, body, form.content_type)


def _discover(request: Request, path: str) -> Response | None:
    """Return a discovery document, or None when the path is about resources."""
    parts = path.split("/")[1:]
    accept = request.headers.get("accept", "")
    if len(parts) == 1:
        for version in ("v2", "v2beta1"):
            wanted = f"g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
            if wanted in accept.replace(" ", ""):
                body = discovery.aggregated(core=parts[0] == "api", version=version)
                return Response(200, codecs.encode(body), f"application/json;{wanted}")
        plain = discovery.api_versions() if parts[0] == "api" else discovery.api_groups()
        return Response(200, codecs.encode(plain))
    found = None
    if parts[0] == "api" and len(parts) == 2:
        found = discovery.resource_list("", parts[1])
    elif parts[0] == "apis" and len(parts) == 2:
        found = discovery.group(parts[1])
    elif parts[0] == "apis" and len(parts) == 3:
        found = discovery.resource_list(parts[1], parts[2])
    return Response(200, codecs.encode(found)) if found is not None else None


def _other(request: Request, path: str) -> Response:
    """Answer what is not about resources: health, version, schemas."""
    if path.startswith(("/healthz", "/livez", "/readyz")):
        return Response(200, b"ok", "text/plain; charset=utf-8")
    if path == "/version":
        return Response(200, codecs.encode(_version()))
    if path == "/":
        shown = ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3"]
        return Response(200, codecs.encode({"paths": [*shown, "/readyz", "/version"]}))
    if path == "/openapi/v2":
        if "proto-openapi" in request.headers.get("accept", ""):
            return Response(200, openapi.SWAGGER_PROTOBUF, openapi.SWAGGER_PROTOBUF_TYPE)
        return Response(200, openapi.swagger())
    if path == "/openapi/v3":
        return Response(200, openapi.index())
    if path.startswith("/openapi/v3/"):
        parts = path.removeprefix("/openapi/v3/").split("/")
        if parts[0] == "api" and len(parts) == 2:
            found = openapi.document("", parts[1])
        elif parts[0] == "apis" and len(parts) == 3:
            found = openapi.document(parts[1], parts[2])
        else:
            found = None
        if found is not None:
            return Response(200, found)
    if path.startswith("/.well-known") or path.count("/") == 1:
        return Response(404, b"404 page not found\n", "text/plain; charset=utf-8")
    raise unknown_path()


def _version() -> dict[str, str]:
    name = schemas.version()
    major, minor = name.lstrip("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{name}+comity",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "cpython",
        "platform": "linux/amd64",
    }


def is_public(path: str) -> bool:
    """Whether a path is shown to anybody."""
    return path.startswith(_PUBLIC)
