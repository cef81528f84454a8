"""The packages of all repositories as one list, and what is asked of it.

A repository's place is its priority: of two packages with one name and version, that of the
earlier repository stays. Within a name the packages go by repository, then newest release first;
the first is the one that is meant when no version is given.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from comity.cosmos.errors import package_not_found, version_not_found
from comity.wire.cosmos.universe import Package

Json = dict[str, Any]


class Entry(NamedTuple):
    """A package and the repository it came from."""

    package: Package
    source: str


class Catalogue:
    """All packages, merged and in order."""

    def __init__(self, repositories: Iterable[tuple[str, Sequence[Package]]]) -> None:
        ranked: dict[tuple[str, str], tuple[tuple[str, int, int], Entry]] = {}
        for index, (source, packages) in enumerate(repositories):
            for package in packages:
                coordinate = (package.name, package.version)
                rank = (package.name, index, -package.release_version)
                held = ranked.get(coordinate)
                if held is None or rank < held[0]:
                    ranked[coordinate] = (rank, Entry(package, source))
        ordered = sorted(ranked.values(), key=lambda pair: pair[0])
        self.entries: dict[str, list[Entry]] = {}
        for _, entry in ordered:
            self.entries.setdefault(entry.package.name, []).append(entry)

    def named(self, name: str) -> list[Entry]:
        """Return all versions of a package, the preferred one first."""
        found = self.entries.get(name)
        if not found:
            raise package_not_found(name)
        return found

    def find(self, name: str, version: str | None = None) -> Entry:
        """Return one version of a package, or the preferred one."""
        entries = self.named(name)
        if version is None:
            return entries[0]
        for entry in entries:
            if entry.package.version == version:
                return entry
        raise version_not_found(name, version)

    def search(self, query: str | None) -> list[Json]:
        """Return a summary of each package that matches, selected ones first."""
        matches = _matcher(query)
        found = [entries for entries in self.entries.values() if matches(entries[0].package)]
        found.sort(key=lambda entries: (not entries[0].package.selected, entries[0].package.name))
        return [_summary(entries) for entries in found]

    def upgrades(self, name: str, version: str) -> list[str]:
        """Return the versions that one may be upgraded to."""
        return [
            entry.package.version
            for entry in self.entries.get(name, [])
            if _allows(entry.package.upgrades_from, version)
        ]

    def downgrades(self, package: Package) -> list[str]:
        """Return the versions that a package may be taken back to."""
        return [
            entry.package.version
            for entry in self.entries.get(package.name, [])
            if _allows(package.downgrades_to, entry.package.version)
        ]

    def urls(self) -> set[str]:
        """Return every address that some package names as its asset, image or command line."""
        found: set[str] = set()
        for entries in self.entries.values():
            for entry in entries:
                found |= set(_strings(entry.package.resource))
        return {text for text in found if text.startswith(("http://", "https://"))}


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _allows(listed: list[str] | None, version: str) -> bool:
    return listed is not None and ("*" in listed or version in listed)


def _matcher(query: str | None) -> Any:
    if not query:
        return lambda package: True
    if "*" in query:
        pattern = re.compile(".*".join(map(re.escape, query.split("*"))))
        return lambda package: any(map(pattern.fullmatch, _searched(package)))
    wanted = query.lower()
    return lambda package: any(wanted in text.lower() for text in _searched(package))


def _searched(package: Package) -> list[str]:
    return [package.name, package.description, *package.tags]


def _summary(entries: list[Entry]) -> Json:
    package = entries[0].package
    summary: Json = {
        "name": package.name,
        "currentVersion": package.version,
        "versions": {e.package.version: e.package.release_version for e in entries},
        "description": package.description,
        "framework": bool(package.framework),
        "tags": package.tags,
        "selected": bool(package.selected),
    }
    images = (package.resource or {}).get("images")
    if images:
        summary["images"] = images
    return summary
