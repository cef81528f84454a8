"""What Cosmos does with Marathon, the master and the repositories, call by call.

Everything that is decided is decided in `catalogue`, `rendering`, `installed` and `sources`;
here those decisions meet the services they are about.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec

from comity.cosmos import installed, options, rendering, sources, universe
from comity.cosmos.catalogue import Catalogue, Entry
from comity.cosmos.errors import CosmosError, app_not_found, no_template
from comity.cosmos.installed import Installation
from comity.cosmos.sources import Source
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master
from comity.sdk.rest import ApiError, HttpError
from comity.wire.cosmos import requests
from comity.wire.cosmos.universe import Package

Json = dict[str, Any]


class Repositories(Protocol):
    """The configured repositories and what they hold now."""

    sources: tuple[Source, ...]

    async def catalogue(self) -> Catalogue:
        """Return their packages, at most a minute old."""
        ...

    async def fetch(self, source: Source) -> list[Package]:
        """Ask one repository."""
        ...

    async def save(self, changed: tuple[Source, ...]) -> None:
        """Make another list durable and in force."""
        ...


class Cosmos:
    """The package service's operations."""

    def __init__(
        self,
        repositories: Repositories,
        marathon: Marathon,
        master: Master,
        platform: Json,
        token: Callable[[], str],
    ) -> None:
        self.repositories = repositories
        self._marathon = marathon
        self._master = master
        self._platform = platform
        self._token = token
        self._changing = asyncio.Lock()

    async def render(self, asked: requests.RenderRequest) -> Json:
        """Return the app that an installation would start."""
        entry = await self.find(asked.package_name, asked.package_version)
        given = options.generated(entry.package.config, asked.options or {}, self._token)
        app = rendering.render(entry, given, app_id=asked.app_id, platform=self._platform)
        if app is None:
            raise no_template(entry.package.name, entry.package.version)
        return app

    async def find(self, name: str, version: str | None) -> Entry:
        """Return one package."""
        return (await self.repositories.catalogue()).find(name, version)

    async def install(self, asked: requests.InstallRequest) -> tuple[Package, str | None]:
        """Start a package's app; returns the app's id, None for a package without one."""
        entry = await self.find(asked.package_name, asked.package_version)
        _refuse_manager(asked.manager_id, entry.package)
        given = options.generated(entry.package.config, asked.options or {}, self._token)
        app = rendering.render(entry, given, app_id=asked.app_id, platform=self._platform)
        if app is None:
            return entry.package, None
        created = await _marathon_call(self._marathon.create_app(app))
        return entry.package, str(created["id"])

    async def list_installed(self, asked: requests.ListRequest) -> list[Json]:
        """Return the installed packages."""
        found = await self._installations()
        wanted = "/" + asked.app_id.strip("/") if asked.app_id else None
        return installed.listing(
            [
                item
                for item in found
                if asked.package_name in (None, item.package_name) and wanted in (None, item.app_id)
            ]
        )

    async def _installations(self) -> list[Installation]:
        return installed.installations(await _marathon_call(self._marathon.apps()))

    async def uninstall(self, asked: requests.UninstallRequest) -> list[Json]:
        """Remove a package's app, and the framework that it was."""
        chosen = installed.to_uninstall(
            await self._installations(),
            asked.package_name,
            asked.app_id,
            every=bool(asked.all),
        )
        return [await self._uninstall(item) for item in chosen]

    async def _uninstall(self, item: Installation) -> Json:
        if item.cleans_up:
            await self._start_cleanup(item)
        else:
            await self._remove(item)
        result: Json = {"packageName": item.package_name, "appId": item.app_id}
        if item.package_version is not None:
            result["packageVersion"] = item.package_version
        package = item.definition()
        if package is not None and package.post_uninstall_notes is not None:
            result["postUninstallNotes"] = package.post_uninstall_notes
        return result

    async def _remove(self, item: Installation) -> None:
        try:
            await self._marathon.delete_app(item.app_id)
        except ApiError as error:
            if error.status != 404:  # somebody else was faster; the framework may still be there
                raise CosmosError(
                    "MarathonAppDeleteError",
                    f"Error while deleting marathon app '{item.app_id}'",
                    {"appId": item.app_id},
                ) from error
        except HttpError as error:
            raise _unavailable("marathon") from error
        if item.framework_name is None:
            return
        try:
            frameworks = await self._master.frameworks()
            framework_id = installed.framework_to_remove(item, frameworks)
            if framework_id is not None:
                await self._master.teardown(framework_id)
        except (HttpError, ApiError) as error:
            raise CosmosError(
                "IncompleteUninstall",
                f"Incomplete uninstall of package [{item.package_name}] due to Mesos "
                "unavailability",
                {"packageName": item.package_name},
                503,
            ) from error

    async def _start_cleanup(self, item: Installation) -> None:
        """Ask an SDK scheduler to uninstall itself.

        It then frees its resources and ends; its app stays, at `SDK_UNINSTALL=true`, until its
        plan is complete and somebody deletes it.
        """
        app = await _marathon_call(self._marathon.app(item.app_id))
        env = {**(app.get("env") or {}), "SDK_UNINSTALL": "true"}
        try:
            await self._marathon.update_app(item.app_id, {"env": env}, force=True)
        except ApiError as error:
            raise CosmosError(
                "FailedToStartUninstall",
                f"Failed to start an uninstall for the service '{item.app_id}': {error}",
                {"appId": item.app_id, "explanation": str(error)},
            ) from error

    # services

    async def describe_service(self, asked: requests.ServiceDescribeRequest) -> Json:
        """Return what a running service was installed from, and with which options."""
        app_id = "/" + asked.app_id.strip("/")
        entry, labels = await self._service(app_id)
        catalogue = await self.repositories.catalogue()
        package = entry.package
        answer: Json = {
            "package": msgspec.to_builtins(package),
            "upgradesTo": catalogue.upgrades(package.name, package.version),
            "downgradesTo": catalogue.downgrades(package),
        }
        given = rendering.stored_options(labels)
        if given is not None:
            answer["userProvidedOptions"] = given
            answer["resolvedOptions"] = options.merge(options.defaults(package.config), given)
        return answer

    async def update_service(self, asked: requests.ServiceUpdateRequest) -> Json:
        """Change a service's options or version; returns the deployment that does it."""
        app_id = "/" + asked.app_id.strip("/")
        entry, labels = await self._service(app_id)
        version = asked.package_version
        if version is not None and version != entry.package.version:
            catalogue = await self.repositories.catalogue()
            entry = _other_version(catalogue, entry.package, version)
        stored = rendering.stored_options(labels)
        given = _updated_options(stored, asked.options, replace=asked.replace)
        kept = _kept_tokens(entry.package, stored or {}, given)
        given = options.generated(entry.package.config, kept, self._token)
        app = rendering.render(entry, given, platform=self._platform)
        if app is None:
            raise no_template(entry.package.name, entry.package.version)
        rendered_id = "/" + str(app.get("id", app_id)).strip("/")
        if rendered_id != app_id:
            raise CosmosError(
                "AppIdChanged",
                f"The new appId {rendered_id} must be equal to the old appId {app_id}",
                {"newAppId": rendered_id, "oldAppId": app_id},
            )
        done = await _marathon_call(self._marathon.update_app(app_id, app))
        return {
            "package": msgspec.to_builtins(entry.package),
            "resolvedOptions": rendering.resolve_options(entry.package, given),
            "marathonDeploymentId": done["deploymentId"],
        }

    async def _service(self, app_id: str) -> tuple[Entry, Json]:
        app = await _marathon_call(self._marathon.find_app(app_id))
        if app is None:
            raise app_not_found(app_id)
        found = installed.installations([app])
        if not found:
            raise app_not_found(app_id)
        item = found[0]
        package = item.definition()
        if package is None:
            return await self.find(item.package_name, item.package_version), item.labels
        return Entry(package, str(item.labels.get(rendering.SOURCE, ""))), item.labels

    # repositories

    async def add_source(self, asked: requests.RepositoryAddRequest) -> tuple[Source, ...]:
        """Add a repository after asking it once."""
        source = Source(asked.name, asked.uri)
        if source.uri != universe.BUILT_IN_URI and not source.uri.startswith(
            ("http://", "https://")
        ):
            raise CosmosError(
                "UnsupportedRepositoryUri",
                f"Repository URI [{source.uri}] uses an unsupported scheme. Only http and https "
                "are supported",
                {"uri": source.uri},
            )
        sources.added(self.repositories.sources, source, asked.index)
        try:
            await self.repositories.fetch(source)
        except CosmosError as error:
            if error.kind == "UniverseClientHttpError":
                error.status = 400
            raise
        async with self._changing:
            changed = sources.added(self.repositories.sources, source, asked.index)
            await self.repositories.save(changed)
        return changed

    async def remove_source(self, asked: requests.RepositoryDeleteRequest) -> tuple[Source, ...]:
        """Take a repository off the list."""
        async with self._changing:
            changed = sources.removed(self.repositories.sources, asked.name, asked.uri)
            await self.repositories.save(changed)
        return changed


def _refuse_manager(asked: str | None, package: Package) -> None:
    manager = asked or (package.manager or {}).get("packageName")
    if manager:
        raise CosmosError(
            "CustomPackageManagerNotFound",
            f"the custom manager: '{manager}', is not installed for this package",
            {"managerId": manager},
        )


def _other_version(catalogue: Catalogue, package: Package, version: str) -> Entry:
    allowed = catalogue.upgrades(package.name, package.version) + catalogue.downgrades(package)
    if version not in allowed:
        raise CosmosError(
            "BadVersionUpdate",
            f"Version [{package.version}] of package [{package.name}] cannot be updated to "
            f"[{version}]; it can be updated to: {', '.join(allowed) or 'no other version'}",
            {"updateVersion": version, "validVersions": allowed},
        )
    return catalogue.find(package.name, version)


def _updated_options(stored: Json | None, given: Json | None, *, replace: bool) -> Json:
    if replace:
        return given or {}
    if stored is None:
        raise CosmosError("OptionsNotStored", "The options of the current service were not stored")
    return options.merge(stored, given or {})


def _kept_tokens(package: Package, stored: Json, given: Json) -> Json:
    """Carry tokens that were generated at installation over a replacement of all options."""
    return options.merge(options.only_generated(package.config, stored), given)


async def _marathon_call(call: Awaitable[Any]) -> Any:
    """Await a call to Marathon, and say its failures as Cosmos does."""
    try:
        return await call
    except HttpError as error:
        raise _unavailable("marathon") from error
    except ApiError as error:
        raise _marathon_error(error) from error


def _unavailable(service: str) -> CosmosError:
    return CosmosError(
        "ServiceUnavailable",
        f"Unable to complete request due to service [{service}] unavailability",
        {"serviceName": service},
        503,
    )


def _marathon_error(error: ApiError) -> CosmosError:
    text = f"Received response status code {error.status} from Marathon"
    data: Json = {"marathonStatus": error.status}
    if error.status == 409 and "locked" not in error.message:
        return CosmosError("PackageAlreadyInstalled", "Package is already installed", None, 409)
    if error.status >= 500:
        return CosmosError("MarathonBadGateway", text, data, 502)
    if isinstance(error.body, dict) and isinstance(error.body.get("message"), str):
        details = error.body.get("details")
        found = {"errors": details} if details is not None else None
        return CosmosError("MarathonBadResponse", error.body["message"], found)
    return CosmosError("MarathonGenericError", text, data, 500)
