"""Answers whose shape depends on the version that was asked for."""

import base64
from typing import Any

import msgspec

from comity.cosmos.errors import CosmosError, no_template
from comity.wire.cosmos.universe import Package

Json = dict[str, Any]

CAPABILITIES = msgspec.json.encode({"capabilities": [{"name": "PACKAGE_MANAGEMENT"}]})
"""Only what is there: without LOGGING_V2, say, clients read sandboxes by Mesos's /files instead."""


def described(package: Package, version: int) -> Json:
    """Return a `package/describe` answer of version 1, 2 or 3."""
    fields = msgspec.to_builtins(package) | {"tags": package.tags}
    if version == 3:
        return {"package": fields}
    if version == 2:
        return _described_v2(package, fields)
    return _described_v1(package, fields)


def _described_v2(package: Package, fields: Json) -> Json:
    if package.upgrades_from or package.downgrades_to or package.manager:
        raise CosmosError(
            "ConversionFromPackageToV2DescribeResponse",
            "A v4 package cannot be converted into a v2 DescribeResponse",
        )
    left_out = ("releaseVersion", "upgradesFrom", "downgradesTo", "lastUpdated", "hasKnownIssues")
    answer = {name: value for name, value in fields.items() if name not in left_out}
    if package.packaging_version == "4.0":
        answer["packagingVersion"] = "3.0"
    answer["selected"] = bool(package.selected)
    answer["framework"] = bool(package.framework)
    return answer


def _described_v1(package: Package, fields: Json) -> Json:
    if package.marathon is None:
        raise no_template(package.name, package.version)
    parts = ("resource", "config", "command", "marathon")
    answer: Json = {
        "package": {name: value for name, value in fields.items() if name not in parts},
        "marathonMustache": base64.b64decode(package.marathon.v2AppMustacheTemplate).decode(),
    }
    return answer | {name: fields[name] for name in parts[:3] if name in fields}


def installed(package: Package, app_id: str | None, version: int) -> Json:
    """Return a `package/install` answer of version 1 or 2."""
    answer: Json = {"packageName": package.name, "packageVersion": package.version}
    if version == 1:
        if app_id is None:
            raise no_template(package.name, package.version)
        return answer | {"appId": app_id}
    if app_id is not None:
        answer["appId"] = app_id
    if package.post_install_notes is not None:
        answer["postInstallNotes"] = package.post_install_notes
    if cli := (package.resource or {}).get("cli"):
        answer["cli"] = cli
    return answer
