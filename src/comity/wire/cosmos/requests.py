"""Bodies of Cosmos requests (DC/OS `package/*` and `service/*`, version 1 of each)."""

from typing import Any

from msgspec import Struct

Json = dict[str, Any]


class SearchRequest(Struct, frozen=True, rename="camel"):
    """`package/search`."""

    query: str | None = None


class DescribeRequest(Struct, frozen=True, rename="camel"):
    """`package/describe`."""

    package_name: str
    package_version: str | None = None


class ListVersionsRequest(Struct, frozen=True, rename="camel"):
    """`package/list-versions`."""

    package_name: str
    include_package_versions: bool = False


class RenderRequest(Struct, frozen=True, rename="camel"):
    """`package/render`."""

    package_name: str
    package_version: str | None = None
    options: Json | None = None
    app_id: str | None = None


class InstallRequest(Struct, frozen=True, rename="camel"):
    """`package/install`."""

    package_name: str
    package_version: str | None = None
    options: Json | None = None
    app_id: str | None = None
    manager_id: str | None = None


class ListRequest(Struct, frozen=True, rename="camel"):
    """`package/list`."""

    package_name: str | None = None
    app_id: str | None = None


class UninstallRequest(Struct, frozen=True, rename="camel"):
    """`package/uninstall`."""

    package_name: str
    app_id: str | None = None
    all: bool | None = None
    manager_id: str | None = None
    package_version: str | None = None


class RepositoryListRequest(Struct, frozen=True, rename="camel"):
    """`package/repository/list`; clients also send `null`."""


class RepositoryAddRequest(Struct, frozen=True, rename="camel"):
    """`package/repository/add`."""

    name: str
    uri: str
    index: int | None = None


class RepositoryDeleteRequest(Struct, frozen=True, rename="camel"):
    """`package/repository/delete`."""

    name: str | None = None
    uri: str | None = None


class ServiceDescribeRequest(Struct, frozen=True, rename="camel"):
    """`service/describe`."""

    app_id: str
    package_name: str | None = None
    package_version: str | None = None
    manager_id: str | None = None


class ServiceUpdateRequest(Struct, frozen=True, rename="camel"):
    """`service/update`. `replace` false merges the options into those of the installation."""

    app_id: str
    package_name: str | None = None
    package_version: str | None = None
    manager_id: str | None = None
    options: Json | None = None
    replace: bool = True
