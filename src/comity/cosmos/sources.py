"""The list of repositories that packages come from, in order of priority."""

from typing import Any

import msgspec

from comity.cosmos.errors import CosmosError
from comity.cosmos.universe import BUILT_IN_NAME, BUILT_IN_URI


class Source(msgspec.Struct, frozen=True):
    """One repository."""

    name: str
    uri: str


INITIAL = (Source(BUILT_IN_NAME, BUILT_IN_URI),)

_sources = msgspec.json.Decoder(tuple[Source, ...])


def encode(sources: tuple[Source, ...]) -> bytes:
    """Return the list as it is stored."""
    return msgspec.json.encode(sources)


def decode(data: bytes) -> tuple[Source, ...]:
    """Read a stored list."""
    return _sources.decode(data)


def added(sources: tuple[Source, ...], source: Source, index: int | None) -> tuple[Source, ...]:
    """Return the list with one more, at `index` or at the end."""
    same_name = any(held.name == source.name for held in sources)
    same_uri = any(held.uri == source.uri for held in sources)
    if same_name or same_uri:
        raise _already_present(source, same_name=same_name, same_uri=same_uri)
    if index is None:
        return (*sources, source)
    most = len(sources)
    if not 0 <= index <= most:
        hint = "can be at most 0" if most == 0 else f"must be between 0 and {most} inclusive."
        raise CosmosError(
            "RepositoryAddIndexOutOfBounds",
            f"Index ({index}) is out of range. Index value {hint}",
            {"attempted": index, "max": most},
        )
    return (*sources[:index], source, *sources[index:])


def _already_present(source: Source, *, same_name: bool, same_uri: bool) -> CosmosError:
    data: dict[str, Any] = {}
    if same_name:
        data["name"] = source.name
    if same_uri:
        data["uri"] = source.uri
    if same_name and same_uri:
        what = f"name [{source.name}] and URI [{source.uri}] are both"
    else:
        what = f"name [{source.name}] is" if same_name else f"URI [{source.uri}] is"
    return CosmosError(
        "RepositoryAlreadyPresent", f"Repository {what} already present in the list", data
    )


def removed(sources: tuple[Source, ...], name: str | None, uri: str | None) -> tuple[Source, ...]:
    """Return the list without what has this name and, if both are given, this address."""
    if name is None and uri is None:
        raise CosmosError(
            "RepoNameOrUriMissing", "Must specify either the name or URI of the repository"
        )
    kept = tuple(
        source
        for source in sources
        if not (name in (None, source.name) and uri in (None, source.uri))
    )
    if len(kept) < len(sources):
        return kept
    data = {key: value for key, value in (("name", name), ("uri", uri)) if value is not None}
    if len(data) == 2:
        text = f"Neither repository name [{name}] nor URI [{uri}] are present in the list"
    else:
        what = f"name [{name}]" if uri is None else f"URI [{uri}]"
        text = f"Repository {what} is not present in the list"
    raise CosmosError("RepositoryNotPresent", text, data)
