"""Manifests and indexes of images (OCI image specification, Docker's schema 2)."""

import hashlib
import json
import platform
import re
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from comity.runtime.images.errors import ImageInvalid, ImageNotFound
from comity.runtime.images.references import Reference

INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "i686": "386"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_DEPTH_MAX = 3

Document = dict[str, Any]


class Source(Protocol):
    """Something that holds images."""

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest or index of a reference."""
        ...

    def blob(self, reference: Reference, descriptor: Document, target: Path) -> None:
        """Write what a descriptor (digest, size) names to a file, checked."""
        ...


class Found(NamedTuple):
    """A manifest, and the digest of what its name stands for: its own, or that of its index."""

    document: Document
    digest: str


def find(source: Source, reference: Reference) -> Found:
    """Return the manifest for this machine, going through an index if there is one.

    Raises:
        ImageNotFound: no such image, or not for this architecture.
        ImageInvalid: what is there is no manifest.
    """
    named = reference.digest
    for _ in range(_DEPTH_MAX):
        data = source.manifest(reference)
        named = named or f"sha256:{hashlib.sha256(data).hexdigest()}"
        if reference.digest:
            check_digest(data, reference.digest)
        document = _document(data, reference)
        if "layers" in document:
            return Found(_checked(document, reference), named)
        if "manifests" not in document:
            raise ImageInvalid(f"the manifest of {reference.name} is of an unsupported form")
        digest = _choose(document["manifests"], reference)
        reference = Reference(reference.host, reference.name, reference.tag, digest)
    raise ImageInvalid(f"the indexes of {reference.name} lead to one another")


def _document(data: bytes, reference: Reference) -> Document:
    try:
        document = json.loads(data)
    except ValueError as error:
        raise ImageInvalid(f"the manifest of {reference.name} is no JSON") from error
    if not isinstance(document, dict):
        raise ImageInvalid(f"the manifest of {reference.name} is no JSON object")
    return document


def _checked(document: Document, reference: Reference) -> Document:
    named = [document.get("config"), *document["layers"]]
    for one in named:
        if not isinstance(one, dict) or not _DIGEST.fullmatch(str(one.get("digest"))):
            raise ImageInvalid(f"the manifest of {reference.name} has a digest that is not sha256")
    return document


def _choose(entries: list[Document], reference: Reference) -> str:
    wanted = architecture()
    offered = []
    for entry in entries:
        where = entry.get("platform") or {"os": "linux", "architecture": wanted}
        if where.get("os") == "linux" and where.get("architecture") == wanted:
            return str(entry["digest"])
        offered.append(f"{where.get('os')}/{where.get('architecture')}")
    raise ImageNotFound(
        f"image {reference.name} has no variant for linux/{wanted}, only {', '.join(offered)}"
    )


def architecture() -> str:
    """Return this machine's architecture by its name in images."""
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def check_architecture(config: Document, reference: Reference) -> None:
    """Raise ImageNotFound when a configuration is of an image for another kind of machine."""
    made_for = config.get("architecture") or architecture()
    system = config.get("os") or "linux"
    if (system, made_for) != ("linux", architecture()):
        raise ImageNotFound(
            f"image {reference.name} is for {system}/{made_for}, this machine is "
            f"linux/{architecture()}"
        )


class Execution(Struct, frozen=True, rename="pascal"):
    """What of a configuration says how the image runs (OCI image-spec, config.md)."""

    entrypoint: list[str] | None = None
    cmd: list[str] | None = None
    env: list[str] | None = None
    working_dir: str | None = None
    user: str | None = None


def check_execution(config: Document, reference: Reference) -> None:
    """Raise ImageInvalid when a configuration does not say properly how the image runs."""
    try:
        msgspec.convert(config.get("config") or {}, Execution)
    except msgspec.ValidationError as error:
        text = f"the configuration of {reference.name} is not valid: {error}"
        raise ImageInvalid(text) from error


def check_digest(data: bytes, digest: str) -> None:
    """Raise ImageInvalid unless `data` has this sha256 digest."""
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if found != digest:
        raise ImageInvalid(f"digest mismatch: wanted {digest}, got {found}")
