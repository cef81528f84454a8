"""Universe repositories: files laid out as `repo/packages/<L>/<name>/<release>/…`, or a document.

The built-in one is the tree beside this module.
"""

import base64
import io
import re
import zipfile
from collections.abc import Mapping
from functools import partial
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

import msgspec

from comity.cosmos.errors import CosmosError, json_decoding
from comity.wire.cosmos import media_types
from comity.wire.cosmos.universe import Package, Repository

BUILT_IN_NAME = "Universe"
BUILT_IN_URI = "builtin:universe"
"""Where the packages that come with Comity are; no network is involved."""

_PACKAGE = re.compile(r"(?:.*/)?repo/packages/[^/]+/([^/]+)/(\d+)/([\w.]+)")

_UNPACKED_MAX = 256 << 20
"""Bytes a zipped repository may unpack to."""

_repository = msgspec.json.Decoder(Repository)


def built_in() -> list[Package]:
    """Read the packages that come with Comity."""
    files: dict[str, bytes] = {}
    _walk(resources.files(__package__).joinpath("repo"), "repo", files)
    return from_files(files)


def _walk(folder: Traversable, path: str, files: dict[str, bytes]) -> None:
    for entry in folder.iterdir():
        name = f"{path}/{entry.name}"
        if entry.is_dir():
            _walk(entry, name, files)
        else:
            files[name] = entry.read_bytes()


def from_files(files: Mapping[str, bytes]) -> list[Package]:
    """Assemble packages from the files of a repository.

    Raises:
        CosmosError: a file is not what it should be.
    """
    folders: dict[tuple[str, int], dict[str, bytes]] = {}
    for path, data in files.items():
        if found := _PACKAGE.fullmatch(path):
            folders.setdefault((found[1], int(found[2])), {})[found[3]] = data
    return [_assemble(name, release, folder) for (name, release), folder in folders.items()]


def _assemble(name: str, release: int, folder: Mapping[str, bytes]) -> Package:
    where = f"{name}/{release}"
    if "package.json" not in folder:
        raise CosmosError(
            "PackageFileMissing",
            f"Package file [{where}/package.json] not found",
            {"packageName": f"{where}/package.json"},
        )
    fields: dict[str, Any] = {"releaseVersion": release}
    for file in ("package", "resource", "config", "command"):
        data = folder.get(f"{file}.json")
        if data is None:
            continue
        content = _json(f"{where}/{file}.json", data)
        fields |= content if file == "package" else {file: content}
    template = folder.get("marathon.json.mustache")
    if template is not None:
        encoded = base64.b64encode(template).decode()
        fields["marathon"] = {"v2AppMustacheTemplate": encoded}
    try:
        return msgspec.convert(fields, Package)
    except msgspec.ValidationError as error:
        raise CosmosError(
            "PackageFileSchemaMismatch",
            f"Package file [{where}/package.json] does not match schema",
            {"errorMessage": str(error)},
        ) from error


def _json(name: str, data: bytes) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise CosmosError(
            "PackageFileNotJson",
            f"Package file [{name}] is not JSON: {error}",
            {"fileName": name, "parseError": str(error)},
        ) from error
    return content


def from_answer(content_type: str, body: bytes) -> list[Package]:
    """Read what a repository answered: a document of version 3 to 5, or a zip of its files.

    Raises:
        CosmosError: it answered something else, or something broken.
    """
    name, _ = media_types.parse(content_type)
    if name in ("application/zip", "application/x-zip-compressed"):
        return from_files(_unzipped(body))
    supported = list(media_types.UNIVERSE_REPO.values())
    # Plain file servers answer application/json for the very same document.
    if name != "application/json" and not any(
        map(partial(media_types.is_same, content_type), supported)
    ):
        raise CosmosError(
            "UnsupportedContentType",
            f"Unsupported Content-Type: {content_type} Accept: [{', '.join(supported)}]",
            {"supported": supported, "actual": content_type},
        )
    try:
        return _repository.decode(body).packages
    except msgspec.DecodeError as error:
        raise json_decoding(
            "Repository", str(error), body[:1000].decode("utf-8", "replace")
        ) from error


def _unzipped(body: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            wanted = [item for item in archive.infolist() if _PACKAGE.fullmatch(item.filename)]
            if sum(item.file_size for item in wanted) > _UNPACKED_MAX:
                raise CosmosError(
                    "IndexNotFound", f"The repository unpacks to over {_UNPACKED_MAX} bytes"
                )
            return {item.filename: archive.read(item) for item in wanted}
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise CosmosError(
            "IndexNotFound", f"The repository is not a usable zip: {error}"
        ) from error
