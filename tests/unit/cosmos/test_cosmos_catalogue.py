"""Repositories merged into one catalogue, and the list of repositories."""

import base64
import io
import zipfile

import msgspec
import pytest

from comity.cosmos import installed, rendering, sources, universe
from comity.cosmos.catalogue import Catalogue, Entry
from comity.cosmos.errors import CosmosError
from comity.cosmos.sources import Source
from comity.wire.cosmos.universe import Package

TEMPLATE = {"v2AppMustacheTemplate": base64.b64encode(b'{"id": "x"}').decode()}


def package(name="p", version="1", release=0, **fields) -> Package:
    given = {
        "packagingVersion": "4.0",
        "name": name,
        "version": version,
        "releaseVersion": release,
        "maintainer": "m",
        "description": f"about {name}",
        "marathon": TEMPLATE,
        **fields,
    }
    return msgspec.convert(given, Package)


def test_the_newest_release_is_the_one_that_is_meant():
    catalogue = Catalogue([("a", [package(version="1"), package(version="2", release=5)])])
    assert catalogue.find("p").package.version == "2"
    assert catalogue.find("p", "1").package.release_version == 0


def test_an_earlier_repository_wins():
    first = [package(version="1", description="first")]
    second = [package(version="1", description="second"), package(version="9", release=99)]
    catalogue = Catalogue([("a", first), ("b", second)])
    assert catalogue.find("p") == Entry(first[0], "a")
    assert [entry.package.version for entry in catalogue.named("p")] == ["1", "9"]


@pytest.mark.parametrize(
    ("name", "version", "kind"), [("q", None, "PackageNotFound"), ("p", "7", "VersionNotFound")]
)
def test_what_is_not_there(name, version, kind):
    with pytest.raises(CosmosError) as caught:
        Catalogue([("a", [package()])]).find(name, version)
    assert caught.value.kind == kind
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (None, ["star", "alpha", "beta"]),
        ("", ["star", "alpha", "beta"]),
        ("ALPHA", ["alpha"]),
        ("al*a", ["alpha"]),
        ("a*x", []),
        ("db", ["beta"]),
        ("about", ["star", "alpha", "beta"]),
        ("a.*", []),
    ],
)
def test_search(query, names):
    packages = [package("beta", tags=["db"]), package("alpha"), package("star", selected=True)]
    found = Catalogue([("a", packages)]).search(query)
    assert [entry["name"] for entry in found] == names


def test_a_summary_has_all_versions():
    packages = [package(version="1"), package(version="2", release=7)]
    [found] = Catalogue([("a", packages)]).search(None)
    assert found["currentVersion"] == "2"
    assert found["versions"] == {"2": 7, "1": 0}


def test_upgrades_and_downgrades():
    new = package(version="2", release=2, upgradesFrom=["1"], downgradesTo=["*"])
    catalogue = Catalogue([("a", [new, package(version="1")])])
    assert catalogue.upgrades("p", "1") == ["2"]
    assert catalogue.upgrades("p", "2") == []
    assert catalogue.downgrades(new) == ["2", "1"]


def test_only_addresses_that_packages_name_are_passed_on():
    resource = {"assets": {"uris": {"a": "http://x/a"}}, "images": {"screenshots": ["https://x/b"]}}
    catalogue = Catalogue([("a", [package(resource=resource)])])
    assert catalogue.urls() == {"http://x/a", "https://x/b"}


# the list of repositories

A, B = Source("A", "http://a"), Source("B", "http://b")


def test_repositories_keep_their_order():
    assert sources.added((A,), B, None) == (A, B)
    assert sources.added((A,), B, 0) == (B, A)
    assert sources.removed((A, B), "A", None) == (B,)
    assert sources.removed((A, B), None, "http://b") == (A,)
    assert sources.decode(sources.encode((A, B))) == (A, B)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda: sources.added((A,), A, None), "RepositoryAlreadyPresent"),
        (lambda: sources.added((A,), Source("C", "http://a"), None), "RepositoryAlreadyPresent"),
        (lambda: sources.added((A,), B, 2), "RepositoryAddIndexOutOfBounds"),
        (lambda: sources.added((A,), B, -1), "RepositoryAddIndexOutOfBounds"),
        (lambda: sources.removed((A,), "B", None), "RepositoryNotPresent"),
        (lambda: sources.removed((A, B), "A", "http://b"), "RepositoryNotPresent"),
        (lambda: sources.removed((A,), None, None), "RepoNameOrUriMissing"),
    ],
)
def test_changes_that_make_no_sense(change, kind):
    with pytest.raises(CosmosError) as caught:
        change()
    assert caught.value.kind == kind


# repositories as files

FILES = {
    "x/repo/packages/P/p/3/package.json": b"""
        {"packagingVersion": "3.0", "name": "p", "version": "1", "maintainer": "m",
         "description": "d", "tags": []}""",
    "x/repo/packages/P/p/3/config.json": b'{"type": "object"}',
    "x/repo/packages/P/p/3/marathon.json.mustache": b"{}",
    "x/README.md": b"ignored",
}


def test_files_become_a_package():
    [found] = universe.from_files(FILES)
    assert (found.name, found.release_version, found.config) == ("p", 3, {"type": "object"})
    assert rendering.template_of(found) == "{}"


def test_a_zip_of_the_files_is_the_same():
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    assert universe.from_answer("application/zip", held.getvalue()) == universe.from_files(FILES)


@pytest.mark.parametrize("version", [3, 4, 5])
def test_a_document_of_each_version(version):
    body = msgspec.json.encode({"packages": [package()]})
    kind = f"application/vnd.dcos.universe.repo+json;charset=utf-8;version=v{version}"
    assert universe.from_answer(kind, body) == [package()]


@pytest.mark.parametrize(
    ("kind", "body", "error"),
    [
        ("text/html", b"<html>", "UnsupportedContentType"),
        ("application/json", b"{}", "JsonDecodingError"),
        ("application/json", b"nonsense", "JsonDecodingError"),
        ("application/zip", b"nonsense", "IndexNotFound"),
    ],
)
def test_what_is_no_repository(kind, body, error):
    with pytest.raises(CosmosError) as caught:
        universe.from_answer(kind, body)
    assert caught.value.kind == error


@pytest.mark.parametrize(
    ("path", "data", "kind"),
    [
        ("repo/packages/P/p/0/config.json", b"{}", "PackageFileMissing"),
        ("repo/packages/P/p/0/package.json", b"[]", "PackageFileNotJson"),
        ("repo/packages/P/p/0/package.json", b'{"name": 5}', "PackageFileSchemaMismatch"),
    ],
)
def test_broken_files(path, data, kind):
    with pytest.raises(CosmosError) as caught:
        universe.from_files({path: data})
    assert caught.value.kind == kind


def test_the_built_in_universe_has_what_it_should():
    assert {found.name for found in universe.built_in()} == {"hello-world", "kubernetes"}


# what is installed


def app(app_id, name="p", **labels):
    entry = Entry(package(name), "s")
    rendered = rendering.render(entry, {}, platform={})
    return {"id": app_id, "labels": rendered["labels"] | labels}


def test_packages_are_told_from_other_apps():
    found = installed.installations([app("/b"), {"id": "/plain", "labels": {}}, app("/a")])
    assert [item.app_id for item in found] == ["/a", "/b"]
    [first, _] = installed.listing(found)
    assert first["appId"] == "/a"
    definition = first["packageInformation"]["packageDefinition"]
    assert definition["name"] == "p"
    assert "marathon" not in definition


def test_which_installation_is_meant():
    found = installed.installations([app("/a"), app("/b"), app("/c", "q")])
    assert [i.app_id for i in installed.to_uninstall(found, "q", None, every=False)] == ["/c"]
    assert [i.app_id for i in installed.to_uninstall(found, "p", "b", every=False)] == ["/b"]
    assert len(installed.to_uninstall(found, "p", None, every=True)) == 2


@pytest.mark.parametrize(
    ("name", "app_id", "kind"),
    [
        ("p", None, "AmbiguousAppId"),
        ("p", "/c", "UninstallNonExistentAppForPackage"),
        ("z", None, "PackageNotInstalled"),
    ],
)
def test_no_installation_is_meant(name, app_id, kind):
    found = installed.installations([app("/a"), app("/b"), app("/c", "q")])
    with pytest.raises(CosmosError) as caught:
        installed.to_uninstall(found, name, app_id, every=False)
    assert caught.value.kind == kind


def test_the_framework_of_an_installation():
    [item] = installed.installations([app("/a", DCOS_PACKAGE_FRAMEWORK_NAME="fw")])
    other, one, two = ({"id": i, "name": n} for i, n in (("0", "x"), ("1", "fw"), ("2", "fw")))
    assert installed.framework_to_remove(item, [other]) is None
    assert installed.framework_to_remove(item, [other, one]) == "1"
    with pytest.raises(CosmosError) as caught:
        installed.framework_to_remove(item, [one, two])
    assert caught.value.kind == "MultipleFrameworkIds"
