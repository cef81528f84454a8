"""A client of Cosmos, the package service."""

from typing import Any, cast

import msgspec

from comity.runtime.http import Client, Headers
from comity.sdk.rest import Rest, decoded
from comity.wire.cosmos import media_types

Json = dict[str, Any]

_SLOW_S = 120.0
"""An installation may first fetch repositories and then wait for Marathon."""


class Cosmos:
    """Calls one package service; `base_url` may be a gateway's root."""

    def __init__(self, base_url: str, client: Client, headers: Headers = ()) -> None:
        self.rest = Rest(base_url, client, headers)

    async def _call(self, name: str, payload: Json, *, version: int = 1) -> Json:
        answer = await self.rest.raw(
            "POST",
            "/package/" + name.replace(".", "/"),
            body=msgspec.json.encode(payload),
            headers=(
                ("Content-Type", media_types.package(f"{name}-request")),
                ("Accept", media_types.package(f"{name}-response", version)),
            ),
            timeout_s=_SLOW_S,
        )
        return cast("Json", decoded(answer))

    async def search(self, query: str = "") -> list[Json]:
        """Return summaries of the packages that match."""
        found = await self._call("search", {"query": query} if query else {})
        return cast("list[Json]", found["packages"])

    async def describe(self, name: str, version: str = "") -> Json:
        """Return a package's definition."""
        found = await self._call("describe", _named(name, version), version=3)
        return cast("Json", found["package"])

    async def versions(self, name: str) -> Json:
        """Return release numbers by version."""
        asked = {"packageName": name, "includePackageVersions": False}
        return cast("Json", (await self._call("list-versions", asked))["results"])

    async def render(
        self, name: str, version: str = "", options: Json | None = None, app_id: str = ""
    ) -> Json:
        """Return the Marathon app that an installation would start."""
        asked = _named(name, version) | _chosen(options, app_id)
        return cast("Json", (await self._call("render", asked))["marathonJson"])

    async def install(
        self, name: str, version: str = "", options: Json | None = None, app_id: str = ""
    ) -> Json:
        """Install a package; returns {packageName, packageVersion, appId?, postInstallNotes?}."""
        asked = _named(name, version) | _chosen(options, app_id)
        return await self._call("install", asked, version=2)

    async def installed(self, name: str = "", app_id: str = "") -> list[Json]:
        """Return the installed packages."""
        asked = {"packageName": name, "appId": app_id}
        wanted = {key: value for key, value in asked.items() if value}
        return cast("list[Json]", (await self._call("list", wanted))["packages"])

    async def uninstall(self, name: str, app_id: str = "", *, every: bool = False) -> list[Json]:
        """Uninstall a package; returns what was removed."""
        asked: Json = {"packageName": name, "all": every}
        if app_id:
            asked["appId"] = app_id
        return cast("list[Json]", (await self._call("uninstall", asked))["results"])

    async def repositories(self) -> list[Json]:
        """List the repositories in order of priority."""
        return cast("list[Json]", (await self._call("repository.list", {}))["repositories"])

    async def add_repository(self, name: str, uri: str, index: int | None = None) -> list[Json]:
        """Add a repository, at the end or at `index`."""
        asked: Json = {"name": name, "uri": uri}
        if index is not None:
            asked["index"] = index
        return cast("list[Json]", (await self._call("repository.add", asked))["repositories"])

    async def remove_repository(self, name: str) -> list[Json]:
        """Remove a repository by name."""
        found = await self._call("repository.delete", {"name": name})
        return cast("list[Json]", found["repositories"])


def _named(name: str, version: str) -> Json:
    return {"packageName": name} | ({"packageVersion": version} if version else {})


def _chosen(options: Json | None, app_id: str) -> Json:
    return ({"options": options} if options is not None else {}) | (
        {"appId": app_id} if app_id else {}
    )
