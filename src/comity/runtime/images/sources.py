"""Where images come from: a directory of OCI layouts, or a registry (OCI distribution spec).

Blocking code for a thread. A source gives blobs by digest; every blob is checked here.
"""

import hashlib
import json
import platform
from pathlib import Path
from typing import Any, Protocol

from comity.runtime.images.errors import ImageInvalid, ImageNotFound
from comity.runtime.images.references import Reference

_INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_TIMEOUT_S = 60


class Source(Protocol):
    """Something that holds images."""

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest or index of a reference."""
        ...

    def blob(self, reference: Reference, digest: str, target: Path) -> None:
        """Write a blob to a file."""
        ...


def find_manifest(source: Source, reference: Reference) -> dict[str, Any]:
    """Return the manifest for this machine, going through an index if there is one.

    Raises:
        ImageNotFound: no such image, or not for this architecture.
        ImageInvalid: what is there is no manifest.
    """
    for _ in range(3):
        data = source.manifest(reference)
        if reference.digest:
            check_digest(data, reference.digest)
        try:
            document: dict[str, Any] = json.loads(data)
        except ValueError as error:
            raise ImageInvalid(f"the manifest of {reference.name} is no JSON") from error
        if "layers" in document:
            return document
        if "manifests" not in document:
            raise ImageInvalid(f"the manifest of {reference.name} is of an unsupported form")
        digest = _choose(document["manifests"], reference)
        reference = Reference(reference.host, reference.name, reference.tag, digest)
    raise ImageInvalid(f"the indexes of {reference.name} lead to one another")


def _choose(entries: list[dict[str, Any]], reference: Reference) -> str:
    wanted = _ARCHITECTURES.get(platform.machine(), platform.machine())
    for entry in entries:
        where = entry.get("platform", {"os": "linux", "architecture": wanted})
        if where.get("os") == "linux" and where.get("architecture") == wanted:
            return str(entry["digest"])
    raise ImageNotFound(f"image {reference.name} has no variant for linux/{wanted}")


def check_digest(data: bytes, digest: str) -> None:
    """Raise ImageInvalid unless `data` has this sha256 digest."""
    found = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if found != digest:
        raise ImageInvalid(f"digest mismatch: wanted {digest}, got {found}")


class LayoutDirectory:
    """A directory that is an OCI layout, or holds one per image name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of a name and tag."""
        layout = self._layout(reference)
        if reference.digest:
            return _read(layout, reference.digest)
        entries = json.loads((layout / "index.json").read_bytes()).get("manifests", [])
        names = {reference.tag, f"{reference.name}:{reference.tag}"}
        for entry in entries:
            given = entry.get("annotations", {}).get("org.opencontainers.image.ref.name")
            if given in names:
                return _read(layout, entry["digest"])
        raise ImageNotFound(
            f"image {reference.name}:{reference.tag} is not in the OCI layout {layout}"
        )

    def blob(self, reference: Reference, digest: str, target: Path) -> None:
        """Copy a blob, checking it."""
        target.write_bytes(_read(self._layout(reference), digest))

    def _layout(self, reference: Reference) -> Path:
        for candidate in (self._directory / reference.name, self._directory):
            if (candidate / "index.json").is_file():
                return candidate
        raise ImageNotFound(f"no OCI layout of image {reference.name} in {self._directory}")


def _read(layout: Path, digest: str) -> bytes:
    kind, _, digits = digest.partition(":")
    if kind != "sha256" or not digits.isalnum():
        raise ImageInvalid(f"unsupported digest {digest}")
    try:
        data = (layout / "blobs" / kind / digits).read_bytes()
    except FileNotFoundError as error:
        raise ImageInvalid(f"blob {digest} is missing in {layout}") from error
    check_digest(data, digest)
    return data


class Registry:
    """A registry spoken to over HTTPS; over HTTP when it is on this machine."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._tokens: dict[str, str] = {}

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of a name and tag or digest."""
        path = f"/v2/{reference.name}/manifests/{reference.wanted}"
        return self._get(reference, path, ", ".join(_MANIFESTS + _INDEXES))

    def blob(self, reference: Reference, digest: str, target: Path) -> None:
        """Download a blob, checking it."""
        data = self._get(reference, f"/v2/{reference.name}/blobs/{digest}", "*/*")
        check_digest(data, digest)
        target.write_bytes(data)

    def _get(self, reference: Reference, path: str, accept: str) -> bytes:
        import urllib.error
        import urllib.request

        for _ in range(2):
            headers = {"Accept": accept}
            if reference.name in self._tokens:
                headers["Authorization"] = f"Bearer {self._tokens[reference.name]}"
            request = urllib.request.Request(self._url + path, headers=headers)  # noqa: S310
            try:
                with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                    data: bytes = answer.read()
                    return data
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code == 401 and reference.name not in self._tokens and challenge:
                    self._tokens[reference.name] = self._token(challenge)
                    continue
                if error.code in (401, 403, 404):
                    raise ImageNotFound(
                        f"image {reference.name}:{reference.wanted} at {self._url}: {error}"
                    ) from error
                raise ImageNotFound(f"{self._url}{path}: {error}") from error
            except OSError as error:
                raise ImageNotFound(f"cannot reach the registry {self._url}: {error}") from error
        raise ImageNotFound(f"{self._url} refuses access to {reference.name}")

    def _token(self, challenge: str) -> str:
        """Get an anonymous token from the service that a Bearer challenge names."""
        import re
        import urllib.parse
        import urllib.request

        scheme, _, rest = challenge.partition(" ")
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = values.pop("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("http://", "https://")):
            raise ImageNotFound(f"{self._url} wants credentials ({scheme}); give an open registry")
        url = f"{realm}?{urllib.parse.urlencode(values)}"
        with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            document = json.loads(answer.read())
        return str(document.get("token") or document.get("access_token") or "")


def source_for(reference: Reference, default: str) -> Source:
    """Return where to look for an image: its own host, or the agent's default."""
    if reference.host:
        bare = reference.host.partition(":")[0]
        is_local = bare == "localhost" or bare.startswith("127.")
        return Registry(f"{'http' if is_local else 'https'}://{reference.host}")
    if default.startswith(("http://", "https://")):
        return Registry(default)
    if default:
        return LayoutDirectory(Path(default))
    return Registry("https://registry-1.docker.io")
