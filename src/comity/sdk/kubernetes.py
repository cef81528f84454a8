"""A client of the Kubernetes API: any served resource by its plural name, objects as dicts."""

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec

from comity.core.errors import ComityError
from comity.runtime.http import Client
from comity.sdk.rest import HttpError, Query, Rest, decoded
from comity.wire.kubernetes.resources import RESOURCES, Resource

Json = dict[str, Any]
Key = tuple[str, str]
"""(namespace, name); the namespace of a cluster-wide object is empty."""

BY_PLURAL: dict[str, Resource] = {each.plural: each for each in RESOURCES}
BY_KIND: dict[tuple[str, str], Resource] = {
    (each.api_version, each.kind): each for each in RESOURCES
}

_WATCH_S = 300


class WatchExpired(ComityError):
    """The API no longer has the changes since our list: list again."""


def path_of(plural: str, key: Key | None = None, namespace: str = "") -> str:
    """Return the path of an object, or of a collection (of one namespace)."""
    resource = BY_PLURAL[plural]
    base = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.version}"
    within = key[0] if key is not None else namespace
    if resource.is_namespaced and within:
        base += f"/namespaces/{within}"
    return f"{base}/{plural}" + (f"/{key[1]}" if key is not None else "")


class Api:
    """Calls to the API server."""

    def __init__(self, url: str, token: str, client: Client) -> None:
        self._rest = Rest(url, client, (("Authorization", f"Bearer {token}"),))

    async def get(self, plural: str, key: Key) -> Json:
        """Return an object."""
        return cast("Json", await self._rest.call("GET", path_of(plural, key)))

    async def list(self, plural: str, namespace: str = "") -> tuple[list[Json], str]:
        """Return the objects of a kind, complete with kind, and the list's version."""
        found = await self._rest.call("GET", path_of(plural, namespace=namespace))
        resource = BY_PLURAL[plural]
        named = {"apiVersion": resource.api_version, "kind": resource.kind}
        return [{**named, **item} for item in found["items"]], found["metadata"]["resourceVersion"]

    async def watch(self, plural: str, version: str) -> AsyncIterator[Json]:
        """Yield watch events until the server ends the watch.

        Raises:
            HttpError: the connection broke, or there is none.
            WatchExpired: the version is too old.
        """
        query: Query = {
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_S),
        }
        async with self._rest.stream("GET", path_of(plural), query=query) as stream:
            if stream.status == 410:
                raise WatchExpired(plural)
            if stream.status != 200:
                raise HttpError(f"the watch of {plural} answered {stream.status}")
            rest = b""
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event: Json = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        raise WatchExpired(plural)
                    yield event

    async def create(self, plural: str, item: Json) -> Json:
        """Create an object."""
        path = path_of(plural, namespace=item["metadata"].get("namespace", ""))
        return cast("Json", await self._rest.call("POST", path, item))

    async def replace(self, plural: str, key: Key, item: Json, subresource: str = "") -> Json:
        """Replace an object."""
        path = path_of(plural, key) + (f"/{subresource}" if subresource else "")
        return cast("Json", await self._rest.call("PUT", path, item))

    async def patch(self, plural: str, key: Key, change: Json, subresource: str = "") -> Json:
        """Merge a change into an object."""
        path = path_of(plural, key) + (f"/{subresource}" if subresource else "")
        answer = await self._rest.raw(
            "PATCH",
            path,
            body=msgspec.json.encode(change),
            headers=(
                ("Content-Type", "application/merge-patch+json"),
                ("Accept", "application/json"),
            ),
        )
        return cast("Json", decoded(answer))

    async def bind(self, key: Key, node: str) -> None:
        """Bind a pod to a node.

        Raises:
            ApiError: 409, it is bound already or being deleted; 404, it is gone.
        """
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        body = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key[1], "namespace": key[0]},
            "target": target,
        }
        await self._rest.call("POST", f"{path_of('pods', key)}/binding", body)

    async def delete(self, plural: str, key: Key, options: Json) -> Json:
        """Delete an object; returns it, or a Status."""
        given = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        return cast("Json", await self._rest.call("DELETE", path_of(plural, key), given))

    async def delete_all(self, plural: str, namespace: str) -> None:
        """Delete the objects of a kind in a namespace."""
        await self._rest.call("DELETE", path_of(plural, namespace=namespace))
