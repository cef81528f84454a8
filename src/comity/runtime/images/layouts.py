"""Images without a registry: OCI layouts in directories and archives, and `docker save`'s archives.

A directory holds `NAME` (a layout, or a whole tree of them), or `NAME.tar` or `NAME:TAG.tar`. A
name may begin with a registry's host: then the directory is looked into before that is asked.
"""

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

from comity.runtime.images.errors import ImageInvalid, ImageNotFound
from comity.runtime.images.manifests import Document, Source, check_digest
from comity.runtime.images.references import Reference

_REF = "org.opencontainers.image.ref.name"
_PIECE = 1 << 20


def source_in(directory: Path, reference: Reference) -> Source:
    """Return where a directory holds an image.

    Raises:
        ImageNotFound: nowhere.
    """
    found = find_in(directory, reference.name, reference.tag)
    if found is not None:
        return found
    if (directory / "index.json").is_file():
        return Layout(directory)
    raise ImageNotFound(
        f"no OCI layout of image {reference.name} in {directory}, nor an archive "
        f"{reference.name}.tar"
    )


def find_in(directory: Path, name: str, tag: str) -> Source | None:
    """Return where a directory holds an image of a name, None when it does not."""
    if (directory / name / "index.json").is_file():
        return Layout(directory / name)
    for file in (f"{name}:{tag}.tar", f"{name}.tar"):
        if (directory / file).is_file():
            return Archive(directory / file)
    return None


class Layout:
    """A directory that is an OCI layout."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of a name and tag, or of a digest."""
        index = json.loads((self._directory / "index.json").read_bytes())
        return self._read(reference.digest or tagged(index, reference, self._directory))

    def blob(self, reference: Reference, descriptor: Document, target: Path) -> None:
        """Copy a blob, checking it."""
        target.write_bytes(self._read(descriptor["digest"]))

    def _read(self, digest: str) -> bytes:
        kind, _, digits = digest.partition(":")
        if kind != "sha256" or not digits.isalnum():
            raise ImageInvalid(f"unsupported digest {digest}")
        try:
            data = (self._directory / "blobs" / kind / digits).read_bytes()
        except FileNotFoundError as error:
            raise ImageInvalid(f"blob {digest} is missing in {self._directory}") from error
        check_digest(data, digest)
        return data


def tagged(index: Document, reference: Reference, where: Path) -> str:
    """Return the digest of what an index calls by the reference's name and tag.

    Raises:
        ImageNotFound: nothing.
    """
    named = f"{reference.name}:{reference.tag}"
    names = {reference.tag, named, f"{reference.host}/{named}"}
    entries = index.get("manifests", [])
    for entry in entries:
        if entry.get("annotations", {}).get(_REF) in names:
            return str(entry["digest"])
    if len(entries) == 1 and _REF not in entries[0].get("annotations", {}):
        return str(entries[0]["digest"])
    raise ImageNotFound(f"image {reference.name}:{reference.tag} is not in the OCI layout {where}")


class Archive:
    """A tar file: an OCI layout, or what `docker save` writes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._members: dict[str, str] = {}
        """Names in the archive by digest, for those of `docker save`, which are not called so."""

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of a name and tag, or of a digest."""
        if reference.digest:
            return self._read(_place(reference.digest))
        if self._has("index.json"):
            index = json.loads(self._read("index.json"))
            return self._read(_place(tagged(index, reference, self._path)))
        return self._saved(reference)

    def blob(self, reference: Reference, descriptor: Document, target: Path) -> None:
        """Extract a blob, checking it."""
        digest = descriptor["digest"]
        name = self._members.get(digest, _place(digest))
        with self._opened(name) as (source, _), target.open("wb") as file:
            shutil.copyfileobj(source, file, _PIECE)
        found = self._digest_of(name)[0]
        if found != digest:
            raise ImageInvalid(f"digest mismatch: wanted {digest}, got {found}")

    def _saved(self, reference: Reference) -> bytes:
        """Make a manifest of what `docker save` wrote."""
        if not self._has("manifest.json"):
            raise ImageInvalid(f"{self._path} is neither an OCI archive nor one of docker save")
        entries: list[dict[str, Any]] = json.loads(self._read("manifest.json"))
        wanted = f"{reference.name}:{reference.tag}"
        for entry in entries:
            names = entry.get("RepoTags") or []
            if wanted in names or any(one.endswith(f"/{wanted}") for one in names):
                break
        else:
            if len(entries) != 1 or entries[0].get("RepoTags"):
                raise ImageNotFound(f"image {wanted} is not in {self._path}")
            entry = entries[0]
        config = self._described(entry["Config"])
        layers = [self._described(name) for name in entry["Layers"]]
        return json.dumps({"schemaVersion": 2, "config": config, "layers": layers}).encode()

    def _described(self, name: str) -> Document:
        digest, size = self._digest_of(name)
        self._members[digest] = name
        return {"digest": digest, "size": size}

    def _digest_of(self, name: str) -> tuple[str, int]:
        seen, size = hashlib.sha256(), 0
        with self._opened(name) as (source, _):
            while data := source.read(_PIECE):
                seen.update(data)
                size += len(data)
        return f"sha256:{seen.hexdigest()}", size

    def _has(self, name: str) -> bool:
        with tarfile.open(self._path) as tar:
            return name in tar.getnames()

    def _read(self, name: str) -> bytes:
        with self._opened(name) as (source, _):
            data: bytes = source.read()
            return data

    def _opened(self, name: str) -> "_Member":
        return _Member(self._path, name)


class _Member:
    """A file of an archive, open."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name

    def __enter__(self) -> tuple[Any, tarfile.TarFile]:
        try:
            self._tar = tarfile.open(self._path)
            member = self._tar.extractfile(self._name)
        except (tarfile.TarError, KeyError, OSError) as error:
            raise ImageInvalid(f"{self._path} has no {self._name}: {error}") from error
        if member is None:
            raise ImageInvalid(f"{self._path}: {self._name} is no file")
        return member, self._tar

    def __exit__(self, *error: object) -> None:
        self._tar.close()


def _place(digest: str) -> str:
    kind, _, digits = digest.partition(":")
    return f"blobs/{kind}/{digits}"
