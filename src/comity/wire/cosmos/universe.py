"""Packages as a Universe repository states them (packaging versions 2.0 to 5.0).

A document of `application/vnd.dcos.universe.repo+json` is `{"packages": [...]}`; each package is
its `package.json` with `releaseVersion`, `resource`, `config`, `command` and the template in
base64. What the template needs whole (`resource`, `config`) stays as the JSON it was.
"""

from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class MarathonTemplate(Struct, frozen=True, kw_only=True):
    """The mustache template of the package's Marathon app, in base64."""

    v2AppMustacheTemplate: str


class Package(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """One version of one package."""

    packaging_version: str
    name: str
    version: str
    release_version: int
    maintainer: str
    description: str
    tags: list[str] = []
    selected: bool | None = None
    framework: bool | None = None
    scm: str | None = None
    website: str | None = None
    pre_install_notes: str | None = None
    post_install_notes: str | None = None
    post_uninstall_notes: str | None = None
    licenses: list[Json] | None = None
    min_dcos_release_version: str | None = None
    upgrades_from: list[str] | None = None
    downgrades_to: list[str] | None = None
    manager: Json | None = None
    last_updated: int | None = None
    has_known_issues: bool | None = None
    marathon: MarathonTemplate | None = None
    resource: Json | None = None
    config: Json | None = None
    command: Json | None = None


class Repository(Struct, frozen=True):
    """A repository document."""

    packages: list[Package]
