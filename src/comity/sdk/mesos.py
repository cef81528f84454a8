"""A client of the Mesos read endpoints, of teardown and of the sandboxes' files."""

from typing import Any, cast
from urllib.parse import urlencode

from comity.runtime.http import Client, Headers
from comity.sdk.rest import Query, Rest, decoded

Json = dict[str, Any]

FORM = "application/x-www-form-urlencoded"


class Master:
    """Calls one master; `base_url` may be a gateway's `/mesos`."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self.rest = Rest(base_url, client, headers)

    async def state(self) -> Json:
        """Return /state: agents, frameworks, tasks."""
        return cast("Json", await self.rest.call("GET", "/master/state"))

    async def state_summary(self) -> Json:
        """Return /state-summary: counts and resources only."""
        return cast("Json", await self.rest.call("GET", "/master/state-summary"))

    async def frameworks(self) -> list[Json]:
        """List the frameworks that are registered now."""
        found = await self.rest.call("GET", "/master/frameworks")
        return cast("list[Json]", found["frameworks"])

    async def explain(self, framework_id: str) -> Json:
        """Return why a framework gets no offers, and what of its calls was dropped (ours)."""
        path = f"/master/explain?{urlencode({'framework': framework_id})}"
        return cast("Json", await self.rest.call("GET", path))

    async def version(self) -> Json:
        """Return /version."""
        return cast("Json", await self.rest.call("GET", "/version"))

    async def roles(self) -> list[Json]:
        """List the roles with their weights, quotas, and what they have."""
        found = await self.rest.call("GET", "/master/roles")
        return cast("list[Json]", found["roles"])

    async def operate(self, kind: str, body: Json | None = None) -> Any:
        """Make a call of the operator API; return what its answer holds, None for a command."""
        call = {"type": kind} if body is None else {"type": kind, kind.lower(): body}
        answer = await self.rest.call("POST", "/master/api/v1", call)
        return answer.get(kind.lower()) if answer is not None else None

    async def teardown(self, framework_id: str) -> None:
        """Remove a framework and kill its tasks."""
        answer = await self.rest.raw(
            "POST",
            "/master/teardown",
            body=urlencode({"frameworkId": framework_id}).encode(),
            headers=(("Content-Type", FORM),),
        )
        if answer.status >= 400:
            decoded(answer)


class Agent:
    """Calls one agent; `base_url` may be a gateway's `/agent/<id>`."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self.rest = Rest(base_url, client, headers)

    async def state(self) -> Json:
        """Return the agent's /state: frameworks, executors and where their sandboxes are."""
        return cast("Json", await self.rest.call("GET", "/state"))

    async def images(self) -> Json:
        """Return the agent's images, and what it is pulling (ours)."""
        return cast("Json", await self.rest.call("GET", "/images"))

    async def pull(self, name: str) -> Json:
        """Let the agent fetch an image; return what it knows of it when it is there (ours)."""
        return cast("Json", await self.rest.call("POST", "/images", {"name": name}))

    async def operate(self, kind: str, body: Json) -> None:
        """Make a call of the agent's operator API that answers nothing."""
        await self.rest.call("POST", "/api/v1", {"type": kind, kind.lower(): body})

    async def browse(self, path: str) -> list[Json]:
        """List a directory of a sandbox."""
        found = await self.rest.call("GET", "/files/browse", query={"path": path})
        return cast("list[Json]", found)

    async def read(self, path: str, offset: int, length: int = 0) -> tuple[str, int]:
        """Return text of a file and the offset it starts at; offset -1 tells the size."""
        query: Query = {"path": path, "offset": str(offset)}
        if length:
            query["length"] = str(length)
        found = await self.rest.call("GET", "/files/read", query=query)
        return str(found["data"]), int(found["offset"])
