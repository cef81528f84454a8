"""The Kubernetes API as the node uses it: its pods, what they refer to, their status, events.

The API server may be away for long: containers go on, and what must be stored is tried until it is.
Answers that say no are told apart from no answer: only the former are final.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from comity.kube.node.state import Json
from comity.runtime.http import Client
from comity.sdk.rest import ApiError, HttpError, Rest, decoded, error_of

T = TypeVar("T")

_log = logging.getLogger(__name__)
_RETRY_FIRST_S = 0.2
_RETRY_MAX_S = 5.0
_WATCH_S = 300
_STRATEGIC = "application/strategic-merge-patch+json"
_MERGE = "application/merge-patch+json"


class WatchExpired(Exception):
    """The API no longer has the changes since our list: list again."""


class NodeApi:
    """Calls of one node to the API server."""

    def __init__(self, url: str, token: str, client: Client) -> None:
        self._rest = Rest(url, client, (("Authorization", f"Bearer {token}"),))
        self._client = client

    async def close(self) -> None:
        """Drop the connections."""
        await self._client.close()

    # pods

    async def pods(self, node: str) -> Json:
        """List the pods bound to a node."""
        found: Json = await self._rest.call(
            "GET", "/api/v1/pods", query={"fieldSelector": f"spec.nodeName={node}"}
        )
        return found

    async def watch_pods(self, node: str, version: str) -> AsyncIterator[Json]:
        """Yield the watch events of a node's pods until the server ends the watch.

        Raises:
            HttpError: the connection broke, or there is none.
            WatchExpired: the version is too old.
        """
        query: dict[str, str | list[str]] = {
            "fieldSelector": f"spec.nodeName={node}",
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(_WATCH_S),
        }
        async with self._rest.stream("GET", "/api/v1/pods", query=query) as stream:
            if stream.status == 410:
                raise WatchExpired
            if stream.status != 200:
                raise HttpError(f"watch of pods answered {stream.status}")
            rest = b""
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in filter(None, lines):
                    event: Json = msgspec.json.decode(line)
                    if event["type"] == "ERROR":
                        raise WatchExpired
                    yield event

    async def pod(self, namespace: str, name: str) -> Json | None:
        """Return a pod; None if there is none. Waits for the API."""
        return await self.read(f"/api/v1/namespaces/{namespace}/pods/{name}")

    async def store_status(self, namespace: str, name: str, uid: str, status: Json) -> bool:
        """Store a pod's status; False if that pod (by uid) is no more. Makes one attempt.

        Raises:
            HttpError: no answer, or none that is final.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/status"
        try:
            await self.patch(
                path, {"metadata": {"uid": uid}, "status": complete(status)}, _STRATEGIC
            )
        except ApiError as error:
            if error.status in (404, 409):
                return False
            raise HttpError(f"status of pod {namespace}/{name}: {error}") from error
        return True

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Remove a pod now, if it still is the one with this uid. Waits for the API."""
        path = f"/api/v1/namespaces/{namespace}/pods/{name}"
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": uid},
        }

        async def delete() -> None:
            try:
                await self._rest.call("DELETE", path, options)
            except ApiError as error:
                if error.status not in (404, 409):
                    raise

        await self._until_done(f"deleting pod {namespace}/{name}", delete)

    # objects of any kind

    async def read(self, path: str) -> Json | None:
        """Return an object or a list; None if there is none. Waits for the API."""

        async def get() -> Json | None:
            try:
                found: Json = await self._rest.call("GET", path)
            except ApiError as error:
                if error.status == 404:
                    return None
                raise
            return found

        return await self._until_done(f"reading {path}", get)

    async def create(self, path: str, given: Json) -> Json:
        """Create an object. Makes one attempt.

        Raises:
            ApiError: the API refused.
            HttpError: no answer.
        """
        created: Json = await self._rest.call("POST", path, given)
        return created

    async def patch(self, path: str, change: Json, media_type: str = _MERGE) -> Any:
        """Patch an object. Makes one attempt.

        Raises:
            ApiError: the API refused.
            HttpError: no answer.
        """
        answer = await self._rest.raw(
            "PATCH",
            path,
            body=msgspec.json.encode(change),
            headers=(("Content-Type", media_type), ("Accept", "application/json")),
        )
        if answer.status >= 400:
            raise error_of(answer)
        return decoded(answer)

    async def patch_status(self, path: str, status: Json) -> Any:
        """Patch the status of an object by strategic merge. Makes one attempt."""
        return await self.patch(f"{path}/status", {"status": status}, _STRATEGIC)

    async def _until_done(self, what: str, attempt: Callable[[], Awaitable[T]]) -> T:
        delay_s = _RETRY_FIRST_S
        while True:
            try:
                return await attempt()
            except (HttpError, ApiError) as error:
                _log.warning("%s: %s; trying again in %g s", what, error, delay_s)
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _RETRY_MAX_S)


def complete(status: Json) -> Json:
    """Return a status whose conditions say null for what they lack.

    A strategic merge keeps the fields of a condition that the patch does not name: without this,
    the reason of a condition that was false would stay when it turns true.
    """
    empty = {"reason": None, "message": None}
    return {**status, "conditions": [{**empty, **each} for each in status["conditions"]]}
