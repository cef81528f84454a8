"""A client of Marathon's REST API (`/v2/...`)."""

from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec

from comity.runtime.http import Client, Headers
from comity.sdk.rest import ApiError, Query, Rest, error_of, quoted

Json = dict[str, Any]


class Marathon:
    """Calls one Marathon; `base_url` may be a gateway's `/service/marathon`."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self.rest = Rest(base_url, client, headers)

    # apps

    async def apps(self, *, embed: list[str] | None = None, label: str = "") -> list[Json]:
        """List apps, maybe only those that a label selector picks."""
        query: Query = {}
        if embed:
            query["embed"] = embed
        if label:
            query["label"] = label
        found = await self.rest.call("GET", "/v2/apps", query=query)
        return cast("list[Json]", found["apps"])

    async def app(self, app_id: str, *, version: str = "") -> Json:
        """Return one app, or one of its versions."""
        path = f"/v2/apps{_id(app_id)}"
        if version:
            return await self._json("GET", f"{path}/versions/{quoted(version)}")
        found = await self._json("GET", path)
        return cast("Json", found["app"])

    async def find_app(self, app_id: str) -> Json | None:
        """Return one app, or None when there is none of that id."""
        try:
            return await self.app(app_id)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def create_app(self, app: Json) -> Json:
        """Create an app and return it as stored."""
        return await self._json("POST", "/v2/apps", app)

    async def update_app(self, app_id: str, change: Json, *, force: bool = False) -> Json:
        """Change the given fields of an app; returns {version, deploymentId}."""
        return await self._json("PUT", f"/v2/apps{_id(app_id)}", change, query=_force(force))

    async def restart_app(self, app_id: str, *, force: bool = False) -> Json:
        """Replace all instances of an app; returns {version, deploymentId}."""
        return await self._json("POST", f"/v2/apps{_id(app_id)}/restart", {}, query=_force(force))

    async def delete_app(self, app_id: str) -> Json:
        """Remove an app, whatever is under way; returns {version, deploymentId}."""
        return await self._json("DELETE", f"/v2/apps{_id(app_id)}")

    async def app_versions(self, app_id: str) -> list[str]:
        """List the versions of an app, newest first."""
        found = await self._json("GET", f"/v2/apps{_id(app_id)}/versions")
        return cast("list[str]", found["versions"])

    async def kill_app_tasks(self, app_id: str, *, host: str = "", scale: bool = False) -> Json:
        """Kill the tasks of an app (on one host); `scale` also lowers its instances."""
        query: Query = {"scale": "true" if scale else "false"}
        if host:
            query["host"] = host
        return await self._json("DELETE", f"/v2/apps{_id(app_id)}/tasks", query=query)

    # tasks

    async def tasks(self, app_id: str = "") -> list[Json]:
        """List Marathon's tasks, of one app or of all."""
        path = f"/v2/apps{_id(app_id)}/tasks" if app_id else "/v2/tasks"
        found = await self._json("GET", path)
        return cast("list[Json]", found["tasks"])

    async def kill_tasks(self, ids: list[str], *, scale: bool = False, wipe: bool = False) -> Json:
        """Kill tasks by id."""
        query: Query = {
            "scale": "true" if scale else "false",
            "wipe": "true" if wipe else "false",
        }
        return await self._json("POST", "/v2/tasks/delete", {"ids": ids}, query=query)

    # pods

    async def pod_statuses(self) -> list[Json]:
        """List all pods: what they shall be (`spec`) and what their instances do."""
        return cast("list[Json]", await self.rest.call("GET", "/v2/pods/::status"))

    async def pod_status(self, pod_id: str) -> Json:
        """Return the status of one pod."""
        return await self._json("GET", f"/v2/pods{_id(pod_id)}::status")

    async def create_pod(self, pod: Json) -> str:
        """Create a pod; returns the id of the deployment."""
        return await self._pod("POST", "/v2/pods", pod)

    async def update_pod(self, pod_id: str, pod: Json, *, force: bool = False) -> str:
        """Replace the definition of a pod; returns the id of the deployment."""
        return await self._pod("PUT", f"/v2/pods{_id(pod_id)}", pod, force=force)

    async def delete_pod(self, pod_id: str, *, force: bool = False) -> str:
        """Remove a pod and its instances; returns the id of the deployment."""
        return await self._pod("DELETE", f"/v2/pods{_id(pod_id)}", force=force)

    async def kill_pod_instances(self, pod_id: str, instance_ids: list[str]) -> list[Json]:
        """Kill instances of a pod, to be replaced; returns those that were there."""
        path = f"/v2/pods{_id(pod_id)}::instances"
        return cast("list[Json]", await self.rest.call("DELETE", path, instance_ids))

    async def _pod(
        self, method: str, path: str, pod: Json | None = None, *, force: bool = False
    ) -> str:
        """Change a pod. The deployment is only in a header: the answers are the pod, or nothing."""
        body = b"" if pod is None else msgspec.json.encode(pod)
        headers = (("Content-Type", "application/json"),) if body else ()
        query = _force(force)
        answer = await self.rest.raw(method, path, query=query, body=body, headers=headers)
        if answer.status >= 400:
            raise error_of(answer)
        wanted = "marathon-deployment-id"
        return next((value for name, value in answer.headers if name.lower() == wanted), "")

    # deployments, the rest

    async def deployments(self) -> list[Json]:
        """List the deployments that are running."""
        return cast("list[Json]", await self.rest.call("GET", "/v2/deployments"))

    async def cancel_deployment(self, deployment_id: str, *, force: bool) -> Json | None:
        """Undo a deployment, or with `force` stop it where it is (then there is no answer)."""
        path = f"/v2/deployments/{quoted(deployment_id)}"
        return cast("Json | None", await self.rest.call("DELETE", path, query=_force(force)))

    async def queue(self) -> list[Json]:
        """List what waits for offers, and why the last ones were of no use."""
        found = await self._json("GET", "/v2/queue", query={"embed": "lastUnusedOffers"})
        return cast("list[Json]", found["queue"])

    async def groups(self) -> Json:
        """Return the root group."""
        return await self._json("GET", "/v2/groups")

    async def info(self) -> Json:
        """Return what this Marathon says about itself."""
        return await self._json("GET", "/v2/info")

    async def ping(self) -> str:
        """Return Marathon's `pong`."""
        answer = await self.rest.raw("GET", "/ping")
        if answer.status != 200:
            raise ApiError(answer.status, f"/ping answered {answer.status}")
        return answer.body.decode("utf-8", "replace").strip().strip('"')

    async def events(self, *types: str) -> AsyncIterator[Json]:
        """Yield events as they happen, until the connection ends."""
        query: Query = {"event_type": list(types)} if types else {}
        async with self.rest.stream(
            "GET", "/v2/events", query=query, accept="text/event-stream"
        ) as stream:
            if stream.status != 200:
                raise ApiError(stream.status, f"/v2/events answered {stream.status}")
            held = b""
            async for chunk in stream:
                *lines, held = (held + chunk).replace(b"\r\n", b"\n").split(b"\n")
                for line in lines:
                    if line.startswith(b"data:"):
                        yield cast("Json", msgspec.json.decode(line[5:]))

    async def _json(
        self, method: str, path: str, payload: Any = None, *, query: Query | None = None
    ) -> Json:
        return cast("Json", await self.rest.call(method, path, payload, query=query))


def _id(app_id: str) -> str:
    return "/" + quoted(app_id.strip("/"))


def _force(force: bool) -> Query:
    return {"force": "true"} if force else {}
