"""Cosmos's HTTP API: one table of endpoints, versioned media types, errors in its own format.

A request says its version in Content-Type, and in Accept which version of the answer it wants;
the answer's Content-Type is the chosen Accept item, byte for byte.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from comity.cosmos import responses
from comity.cosmos.errors import CosmosError, json_decoding, json_parsing
from comity.cosmos.operations import Cosmos
from comity.runtime.http import Client, Request, Response, Router, Stream
from comity.sdk.rest import HttpError
from comity.wire.cosmos import media_types, requests
from comity.wire.cosmos.media_types import package, service

_log = logging.getLogger(__name__)

Json = dict[str, Any]
Call = Callable[[Cosmos, Any, int], Awaitable[Json]]
"""An operation: cosmos, the decoded request, the chosen version of the answer."""


class Endpoint(NamedTuple):
    """One POST endpoint."""

    request: type[msgspec.Struct]
    request_type: str
    response_types: dict[str, int]
    """The media types it can answer with, and the version each stands for, preferred first."""
    call: Call


def _versions(make: Callable[[str, int], str], name: str, *versions: int) -> dict[str, int]:
    return {make(name, version): version for version in versions or (1,)}


async def _search(cosmos: Cosmos, asked: requests.SearchRequest, _: int) -> Json:
    return {"packages": (await cosmos.repositories.catalogue()).search(asked.query)}


async def _describe(cosmos: Cosmos, asked: requests.DescribeRequest, version: int) -> Json:
    entry = await cosmos.find(asked.package_name, asked.package_version)
    return responses.described(entry.package, version)


async def _list_versions(cosmos: Cosmos, asked: requests.ListVersionsRequest, _: int) -> Json:
    entries = (await cosmos.repositories.catalogue()).named(asked.package_name)
    return {"results": {e.package.version: str(e.package.release_version) for e in entries}}


async def _render(cosmos: Cosmos, asked: requests.RenderRequest, _: int) -> Json:
    return {"marathonJson": await cosmos.render(asked)}


async def _install(cosmos: Cosmos, asked: requests.InstallRequest, version: int) -> Json:
    found, app_id = await cosmos.install(asked)
    return responses.installed(found, app_id, version)


async def _list(cosmos: Cosmos, asked: requests.ListRequest, _: int) -> Json:
    return {"packages": await cosmos.list_installed(asked)}


async def _uninstall(cosmos: Cosmos, asked: requests.UninstallRequest, _: int) -> Json:
    return {"results": await cosmos.uninstall(asked)}


async def _repositories(cosmos: Cosmos, asked: requests.RepositoryListRequest, _: int) -> Json:
    return {"repositories": cosmos.repositories.sources}


async def _add_repository(cosmos: Cosmos, asked: requests.RepositoryAddRequest, _: int) -> Json:
    return {"repositories": await cosmos.add_source(asked)}


async def _delete_repository(
    cosmos: Cosmos, asked: requests.RepositoryDeleteRequest, _: int
) -> Json:
    return {"repositories": await cosmos.remove_source(asked)}


async def _describe_service(cosmos: Cosmos, asked: requests.ServiceDescribeRequest, _: int) -> Json:
    return await cosmos.describe_service(asked)


async def _update_service(cosmos: Cosmos, asked: requests.ServiceUpdateRequest, _: int) -> Json:
    return await cosmos.update_service(asked)


def _package_endpoint(
    name: str, request: type[msgspec.Struct], call: Call, *versions: int
) -> Endpoint:
    answers = _versions(package, f"{name}-response", *versions)
    return Endpoint(request, package(f"{name}-request"), answers, call)


def _service_endpoint(name: str, request: type[msgspec.Struct], call: Call) -> Endpoint:
    return Endpoint(
        request, service(f"{name}-request"), _versions(service, f"{name}-response"), call
    )


ENDPOINTS: dict[str, Endpoint] = {
    "/package/search": _package_endpoint("search", requests.SearchRequest, _search),
    "/package/describe": _package_endpoint(
        "describe", requests.DescribeRequest, _describe, 3, 2, 1
    ),
    "/package/list-versions": _package_endpoint(
        "list-versions", requests.ListVersionsRequest, _list_versions
    ),
    "/package/render": _package_endpoint("render", requests.RenderRequest, _render),
    "/package/install": _package_endpoint("install", requests.InstallRequest, _install, 2, 1),
    "/package/list": _package_endpoint("list", requests.ListRequest, _list),
    "/package/uninstall": _package_endpoint("uninstall", requests.UninstallRequest, _uninstall),
    "/package/repository/list": _package_endpoint(
        "repository.list", requests.RepositoryListRequest, _repositories
    ),
    "/package/repository/add": _package_endpoint(
        "repository.add", requests.RepositoryAddRequest, _add_repository
    ),
    "/package/repository/delete": _package_endpoint(
        "repository.delete", requests.RepositoryDeleteRequest, _delete_repository
    ),
    "/cosmos/service/describe": _service_endpoint(
        "describe", requests.ServiceDescribeRequest, _describe_service
    ),
    "/cosmos/service/update": _service_endpoint(
        "update", requests.ServiceUpdateRequest, _update_service
    ),
}


class Api:
    """Answers HTTP requests with a Cosmos's operations."""

    def __init__(self, cosmos: Cosmos, client: Client) -> None:
        self._cosmos = cosmos
        self._client = client
        self.router = Router(not_found=_not_found, not_allowed=_not_allowed)
        for path, endpoint in ENDPOINTS.items():
            self.router.add("POST", path, self._handler(endpoint))
            if path.startswith("/cosmos"):  # as a gateway that strips the prefix sends it
                self.router.add("POST", path.removeprefix("/cosmos"), self._handler(endpoint))
        self.router.add("GET", "/capabilities", _capabilities)
        self.router.add("GET", "/package/resource", self._resource)
        self.router.add("GET", "/ping", _ping)

    def _handler(self, endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        decoder = msgspec.json.Decoder(endpoint.request)

        async def handle(request: Request) -> Response:
            try:
                chosen = _chosen_type(request, list(endpoint.response_types))
                _check_content_type(request, endpoint.request_type)
                asked = _decoded(request.body, decoder, endpoint.request)
                version = endpoint.response_types[chosen]
                answer = await endpoint.call(self._cosmos, asked, version)
            except CosmosError as error:
                return _error_response(error)
            return Response(200, msgspec.json.encode(answer), chosen)

        return handle

    async def _resource(self, request: Request) -> Response | Stream:
        """Pass on an image or archive that some package names, and nothing else."""
        url = request.arg("url") or ""
        try:
            allowed = (await self._cosmos.repositories.catalogue()).urls()
            if url not in allowed:
                raise CosmosError(
                    "Forbidden",
                    "Unable to complete request due to Forbidden response from service "
                    f"[ResourceProxyHandler] [{url}]: no package names this address",
                    {"serviceName": "ResourceProxyHandler", "destination": url},
                    403,
                )
            answer = await self._client.request("GET", url)
        except HttpError as error:
            refusal = CosmosError(
                "EndpointUriConnection",
                f"Could not access data at URI {url}",
                {"destination": url, "cause": str(error)},
                502,
            )
            return _error_response(refusal)
        except CosmosError as error:
            return _error_response(error)
        if answer.status != 200:
            text = f"Unexpected upstream http error: GET {url} {answer.status}"
            return _error_response(CosmosError("GenericHttpError", text, {"uri": url}))
        name = url.rstrip("/").rpartition("/")[2].replace('"', "")
        disposition = (("Content-Disposition", f'attachment; filename="{name}"'),)
        return Response(200, answer.body, answer.content_type, disposition)


def _chosen_type(request: Request, offered: list[str]) -> str:
    accept = request.headers.get("accept", "")
    chosen = media_types.choose(accept, offered)
    if chosen is None:
        raise _not_valid("Accept", f"should match one of: {', '.join(offered)}", offered, accept)
    for item in accept.split(","):
        if media_types.is_same(item, chosen):
            return _without_weight(item.strip())
    return chosen


def _without_weight(item: str) -> str:
    parts = [part for part in item.split(";") if not part.strip().lower().startswith("q=")]
    return ";".join(parts)


def _check_content_type(request: Request, expected: str) -> None:
    given = request.headers.get("content-type", "")
    if media_types.is_same(given, expected):
        return
    if media_types.parse(given)[0] == "application/json":  # curl by hand
        return
    raise _not_valid("Content-Type", f"should match one of: {expected}", [expected], given)


def _not_valid(header: str, rule: str, available: list[str], given: str) -> CosmosError:
    return CosmosError(
        "not_valid",
        f"Item header '{header}' is not valid: {rule}",
        {
            "invalidItem": {"type": "header", "name": header},
            "specified": [given],
            "available": available,
        },
    )


def _decoded(
    body: bytes, decoder: "msgspec.json.Decoder[Any]", kind: type[msgspec.Struct]
) -> msgspec.Struct:
    text = body.strip()
    if kind is requests.RepositoryListRequest and text in (b"", b"null"):
        return requests.RepositoryListRequest()
    shown = text[:1000].decode("utf-8", "replace")
    try:
        asked: msgspec.Struct = decoder.decode(text)
    except msgspec.ValidationError as error:
        raise json_decoding(kind.__name__, str(error), shown) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise json_parsing(kind.__name__, str(error), shown) from error
    return asked


def _error_response(error: CosmosError) -> Response:
    if error.status >= 500:
        _log.warning("%s: %s", error.kind, error.message)
    return Response(error.status, error.body(), media_types.ERROR)


def _not_found(request: Request) -> Response:
    text = f"Cosmos has no {request.path}"
    return _error_response(CosmosError("NotFound", text, None, 404))


def _not_allowed(request: Request, allowed: list[str]) -> Response:
    text = f"{request.method} {request.path} is not supported; use {' or '.join(allowed)}"
    response = _error_response(CosmosError("MethodNotAllowed", text, None, 405))
    response.headers = (("Allow", ", ".join(allowed)),)
    return response


async def _capabilities(request: Request) -> Response:
    try:
        chosen = _chosen_type(request, [media_types.CAPABILITIES])
    except CosmosError as error:
        return _error_response(error)
    return Response(200, responses.CAPABILITIES, chosen)


async def _ping(request: Request) -> Response:
    return Response(200, b"pong", "text/plain")
