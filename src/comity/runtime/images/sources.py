"""Where an image is looked for: its registry or what mirrors it, or a directory of images."""

import ssl
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

from comity.core.errors import UserError
from comity.runtime.images import layouts
from comity.runtime.images.credentials import HUB, Keyring, Login, Logins, host_of
from comity.runtime.images.errors import ImageNotFound
from comity.runtime.images.manifests import Document, Source
from comity.runtime.images.references import Reference
from comity.runtime.images.registry import Progress, Registry

_HUB_URL = "https://registry-1.docker.io"


class Rules(NamedTuple):
    """What an operator says of one registry."""

    mirrors: tuple[str, ...] = ()
    """Hosts or URLs that are asked first."""
    insecure: bool = False
    """Spoken to by HTTP."""
    ca: str = ""
    """A file of certificates that its own is checked with."""


class Settings(Struct, frozen=True):
    """Where images are looked for, and who we are there."""

    default: str = ""
    """For names without a host: a registry's URL, or a directory; Docker Hub when empty."""
    logins: Keyring = Keyring()
    rules: dict[str, Rules] = {}
    """By host."""


def read_rules(path: Path | None) -> dict[str, Rules]:
    """Return the rules of a TOML file: `[registry."host:port"]` with mirrors, insecure, ca.

    Raises:
        UserError: it cannot be read, or has a setting that is not known.
    """
    if path is None:
        return {}
    try:
        document = tomllib.loads(path.read_text())
        return {host_of(k): _rules(k, v) for k, v in document.get("registry", {}).items()}
    except (OSError, tomllib.TOMLDecodeError, TypeError) as error:
        raise UserError(f"cannot read the settings of registries from {path}: {error}") from error


def _rules(name: str, given: dict[str, Any]) -> Rules:
    unknown = sorted(set(given) - set(Rules._fields))
    if unknown:
        raise UserError(
            f'[registry."{name}"]: unknown {", ".join(unknown)}; known are '
            f"{', '.join(Rules._fields)}"
        )
    return Rules(**{**given, "mirrors": tuple(given.get("mirrors", ()))})


class _First:
    """Several sources of the same images: the first that has one is asked for all of it."""

    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of the first that has it; the last one's error when none does."""
        *mirrors, last = self._sources
        for source in mirrors:
            try:
                found = source.manifest(reference)
            except ImageNotFound:
                continue
            self._sources = [source, last]
            return found
        self._sources = [last]
        return last.manifest(reference)

    def blob(self, reference: Reference, descriptor: Document, target: Path) -> None:
        """Write a blob; from the registry itself when a mirror lacks it."""
        *mirrors, last = self._sources
        for source in mirrors:
            try:
                source.blob(reference, descriptor, target)
            except ImageNotFound:
                continue
            return
        last.blob(reference, descriptor, target)


def source_for(
    reference: Reference, settings: Settings, logins: Logins, progress: Progress | None = None
) -> Source:
    """Return where to look for an image; `logins` are its own, asked before the agent's."""
    default = settings.default
    if default and not default.startswith(("http://", "https://")):
        if not reference.host:
            return layouts.source_in(Path(default), reference)
        for name in _names_in_directories(reference):
            if (found := layouts.find_in(Path(default), name, reference.tag)) is not None:
                return found

    def registry(url: str, rules: Rules) -> Registry:
        context = ssl.create_default_context(cafile=rules.ca) if rules.ca else None

        def login() -> Login | None:
            host = host_of(url)
            return logins.get(host) or settings.logins.find(host)

        return Registry(url, login, context=context, progress=progress)

    host = host_of(reference.host or default or HUB)
    rules = settings.rules.get(host, Rules())
    url = _url(reference.host or default or HUB, rules)
    mirrors = [
        registry(_url(one, settings.rules.get(host_of(one), rules)), rules) for one in rules.mirrors
    ]
    own = registry(url, rules)
    return _First([*mirrors, own]) if mirrors else own


def _names_in_directories(reference: Reference) -> list[str]:
    """Return what an image with a host is called in a directory; Docker Hub's go by short names."""
    names = [f"{reference.host}/{reference.name}"]
    if host_of(reference.host) == HUB:
        names += [reference.name, reference.name.removeprefix("library/")]
    return names


def _url(host: str, rules: Rules) -> str:
    """Return a registry's URL: HTTPS, but for those on this machine and those said to be not."""
    if host.startswith(("http://", "https://")):
        return host
    if host_of(host) == HUB:
        return _HUB_URL
    bare = host.partition(":")[0]
    is_local = bare == "localhost" or bare.startswith("127.")
    return f"{'http' if rules.insecure or is_local else 'https'}://{host}"
