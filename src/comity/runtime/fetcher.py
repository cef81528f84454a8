"""Fetches a task's URIs into its sandbox, and unpacks archives.

Semantics of Mesos's fetcher: in order; archives are extracted unless told otherwise; `executable`
files are made so and never extracted; a local path is copied. Runs on a thread, never on the loop.
"""

import bz2
import gzip
import lzma
import shutil
import tarfile
import zipfile
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from comity.core.errors import ComityError
from comity.runtime.downloading import download, without_password
from comity.runtime.fetcher_cache import FetcherCache
from comity.wire.mesos import v1

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
_OPENERS: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}


class FetchFailed(ComityError):
    """A URI could not be fetched or extracted; the text says which and why."""


def fetch_all(
    uris: tuple[v1.URI, ...], sandbox: Path, cache: FetcherCache | None = None, user: str = ""
) -> None:
    """Fetch everything into `sandbox`; what asks for it through the cache.

    Raises:
        FetchFailed: at the first that fails.
    """
    for uri in uris:
        try:
            if uri.cache and cache is not None:
                _fetch_cached(uri, sandbox, cache, user)
            else:
                _fetch(uri, sandbox)
        except (OSError, ValueError, tarfile.TarError, zipfile.BadZipFile) as error:
            shown = without_password(uri.value)
            raise FetchFailed(
                f"Failed to fetch all URIs for container: {shown}: {error}"
            ) from error


def _fetch(uri: v1.URI, sandbox: Path) -> None:
    target = _target(uri, sandbox)
    target.parent.mkdir(parents=True, exist_ok=True)
    download(uri.value, target)
    if uri.executable:
        target.chmod(0o755)
    elif uri.extract:
        _extract(target, target.name, sandbox)


def _fetch_cached(uri: v1.URI, sandbox: Path, cache: FetcherCache, user: str) -> None:
    """Take a file from the cache; an archive is extracted from there, not copied, as in Mesos."""
    target = _target(uri, sandbox)
    with cache.file(uri.value, user, download) as cached:
        if cached is None:
            _fetch(uri, sandbox)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        if uri.extract and not uri.executable and _extract(cached, target.name, sandbox):
            return
        shutil.copyfile(cached, target)
        if uri.executable:
            target.chmod(0o755)


def _target(uri: v1.URI, sandbox: Path) -> Path:
    name = uri.output_file or unquote(urlsplit(uri.value).path).rstrip("/").rpartition("/")[2]
    if not name:
        raise ValueError("the URI names no file")
    target = (sandbox / name).resolve()
    if not target.is_relative_to(sandbox.resolve()):
        raise ValueError(f"'{name}' leads out of the sandbox")
    return target


def _extract(archive: Path, name: str, sandbox: Path) -> bool:
    """Unpack a file that by its name is an archive; return whether it is one."""
    if name.endswith(_TAR):
        with tarfile.open(archive) as tar:
            tar.extractall(sandbox, filter="data")
    elif name.endswith(".zip"):
        with zipfile.ZipFile(archive) as packed:
            for entry in packed.infolist():
                if not (sandbox / entry.filename).resolve().is_relative_to(sandbox.resolve()):
                    raise ValueError(f"'{entry.filename}' in the archive leads out of the sandbox")
            packed.extractall(sandbox)  # noqa: S202 - every name was checked
    elif Path(name).suffix in _OPENERS:
        with (
            _OPENERS[Path(name).suffix](archive) as source,
            (sandbox / Path(name).stem).open("wb") as file,
        ):
            shutil.copyfileobj(source, file, 1 << 20)
    else:
        return False
    return True
