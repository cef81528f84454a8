"""What is installed: Marathon apps that carry a package's labels."""

from typing import Any, NamedTuple

import msgspec

from comity.cosmos import rendering
from comity.cosmos.errors import CosmosError
from comity.wire.cosmos.universe import Package

Json = dict[str, Any]

SDK_UNINSTALL = "DCOS_COMMONS_UNINSTALL"
"""Label of services whose scheduler cleans up after itself before it goes."""


class Installation(NamedTuple):
    """One installed package."""

    app_id: str
    package_name: str
    package_version: str | None
    framework_name: str | None
    labels: Json

    @property
    def cleans_up(self) -> bool:
        """Whether its scheduler must be asked to uninstall first."""
        return SDK_UNINSTALL in self.labels

    def definition(self) -> Package | None:
        """Return the definition it was installed from, if its labels still hold it."""
        return rendering.opened(self.labels.get(rendering.DEFINITION, ""))


def installations(apps: list[Json]) -> list[Installation]:
    """Pick the apps that are packages, by name and app id."""
    found = []
    for app in apps:
        labels = app.get("labels") or {}
        name = labels.get(rendering.NAME)
        if name is not None:
            found.append(
                Installation(
                    app["id"],
                    name,
                    labels.get(rendering.VERSION),
                    labels.get(rendering.FRAMEWORK_NAME),
                    labels,
                )
            )
    return sorted(found, key=lambda item: (item.package_name, item.app_id))


def listing(found: list[Installation]) -> list[Json]:
    """Return the `packages` of a `package/list` answer."""
    return [
        {"appId": item.app_id, "packageInformation": _information(package)}
        for item in found
        if (package := item.definition()) is not None
    ]


_DETAILS = [
    "packagingVersion",
    "name",
    "version",
    "maintainer",
    "description",
    "tags",
    "selected",
    "scm",
    "website",
    "framework",
    "preInstallNotes",
    "postInstallNotes",
    "postUninstallNotes",
    "licenses",
]


def _information(package: Package) -> Json:
    fields = msgspec.to_builtins(package)
    details = {name: fields[name] for name in _DETAILS if name in fields}
    details |= {"tags": package.tags}
    details.setdefault("selected", False)
    details.setdefault("framework", False)
    information: Json = {"packageDefinition": details}
    if package.resource is not None:
        kept = {
            name: package.resource[name]
            for name in ("assets", "images")
            if name in package.resource
        }
        information["resourceDefinition"] = kept
    return information


def to_uninstall(
    found: list[Installation], name: str, app_id: str | None, *, every: bool
) -> list[Installation]:
    """Return what an uninstall request means.

    Raises:
        CosmosError: nothing is meant, or it is not clear which of several.
    """
    of_name = [item for item in found if item.package_name == name]
    if app_id is not None:
        wanted = "/" + app_id.strip("/")
        chosen = [item for item in of_name if item.app_id == wanted]
        if not chosen:
            raise CosmosError(
                "UninstallNonExistentAppForPackage",
                f"Package [{name}] with id [{wanted}] is not installed",
                {"packageName": name, "appId": wanted},
            )
        return chosen
    if not of_name:
        raise CosmosError(
            "PackageNotInstalled", f"Package [{name}] is not installed", {"packageName": name}
        )
    if len(of_name) > 1 and not every:
        ids = [item.app_id for item in of_name]
        raise CosmosError(
            "AmbiguousAppId",
            f"Multiple apps named [{name}] are installed: [{', '.join(ids)}]",
            {"packageName": name, "appIds": ids},
        )
    return of_name


def framework_to_remove(item: Installation, frameworks: list[Json]) -> str | None:
    """Return the id of the framework that an installation leaves behind, if there is one.

    Raises:
        CosmosError: several frameworks have its name; none of them is touched.
    """
    if item.framework_name is None:
        return None
    ids = [fw["id"] for fw in frameworks if fw.get("name") == item.framework_name]
    if len(ids) <= 1:
        return ids[0] if ids else None
    version = f" version [{item.package_version}]" if item.package_version else ""
    raise CosmosError(
        "MultipleFrameworkIds",
        f"Uninstalled package [{item.package_name}]{version}\n"
        f"Unable to shutdown [{item.package_name}] service framework with name "
        f"[{item.framework_name}] because there are multiple framework ids matching this name: "
        f"[{', '.join(ids)}]",
        {
            "packageName": item.package_name,
            "packageVersion": item.package_version,
            "frameworkName": item.framework_name,
            "ids": ids,
        },
    )
