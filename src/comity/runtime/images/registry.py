"""A registry (OCI distribution specification), spoken to from a thread.

Credentials go to the registry and to the token service that it names, never along a redirect:
registries keep blobs elsewhere. A blob is checked while it comes, and asked for again from where it
broke off.
"""

import hashlib
import http.client
import json
import re
import ssl
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from comity.runtime.images.credentials import Login
from comity.runtime.images.errors import ImageInvalid, ImageNotFound
from comity.runtime.images.manifests import INDEXES, MANIFESTS, Document
from comity.runtime.images.references import Reference

_TIMEOUT_S = 60
_TRIES = 3
_PIECE = 1 << 18
_MANIFEST_MAX = 8 << 20

Progress = Callable[[int], None]
"""Hears of bytes that have come."""
Who = Callable[[], Login | None]
"""Says who we are to a registry; asked when that wants to know, as it may run a program."""


class Registry:
    """One registry, by the URL of its root."""

    def __init__(
        self,
        url: str,
        login: Who = lambda: None,
        *,
        context: ssl.SSLContext | None = None,
        progress: Progress | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._who = login
        self._login: Login | None = None
        self._asked = threading.Lock()
        self._is_known = False
        self._progress = progress
        self._authorization: dict[str, str] = {}
        """What to send, by the image's name: tokens are for one."""
        handlers = [urllib.request.HTTPSHandler(context=context)] if context is not None else []
        self._opener = urllib.request.build_opener(*handlers)

    def manifest(self, reference: Reference) -> bytes:
        """Return the manifest of a name and tag or digest."""
        path = f"/v2/{reference.name}/manifests/{reference.wanted}"
        with self._open(reference, path, {"Accept": ", ".join(MANIFESTS + INDEXES)}) as answer:
            data: bytes = answer.read(_MANIFEST_MAX + 1)
        if len(data) > _MANIFEST_MAX:
            raise ImageInvalid(f"the manifest of {reference.name} is too long")
        return data

    def blob(self, reference: Reference, descriptor: Document, target: Path) -> None:
        """Download a blob, checking it."""
        digest, size = descriptor["digest"], descriptor.get("size")
        path = f"/v2/{reference.name}/blobs/{digest}"
        seen = hashlib.sha256()
        with target.open("wb") as file:
            for left in reversed(range(_TRIES)):
                if self._fetch(reference, path, (file, seen), size):
                    break
                if not left:
                    raise ImageNotFound(f"{self._url}{path}: the connection breaks off")
        found = f"sha256:{seen.hexdigest()}"
        if found != digest:
            raise ImageInvalid(f"digest mismatch: wanted {digest}, got {found}")

    def _fetch(
        self, reference: Reference, path: str, into: tuple[IO[bytes], Any], size: int | None
    ) -> bool:
        """Append what is missing of a blob; False when it broke off."""
        file, seen = into
        done = file.tell()
        headers = {"Accept": "*/*"} | ({"Range": f"bytes={done}-"} if done else {})
        try:
            with self._open(reference, path, headers) as answer:
                if done and answer.status != 206:
                    return False  # it starts anew, which what we have hashed cannot
                while data := answer.read(_PIECE):
                    file.write(data)
                    seen.update(data)
                    if self._progress is not None:
                        self._progress(len(data))
                    if size is not None and file.tell() > size:
                        raise ImageInvalid(f"{self._url}{path} is longer than the manifest says")
        except (http.client.IncompleteRead, TimeoutError, ConnectionError):
            return False
        return size is None or file.tell() == size

    def _open(self, reference: Reference, path: str, headers: dict[str, str]) -> Any:
        for is_last in (False, True):
            request = urllib.request.Request(self._url + path, headers=headers)  # noqa: S310
            own = self._authorization.get(reference.name)
            if own:
                request.add_unredirected_header("Authorization", own)
            try:
                return self._opener.open(request, timeout=_TIMEOUT_S)
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate", "")
                error.close()
                if error.code == 401 and challenge and not is_last:  # tokens expire, too
                    self._authorization[reference.name] = self._answer(challenge, reference)
                    continue
                raise self._refusal(reference, error.code) from error
            except OSError as error:
                why = error.reason if isinstance(error, urllib.error.URLError) else error
                raise ImageNotFound(f"cannot reach the registry {self._url}: {why}") from error
        raise self._refusal(reference, 401)

    def _refusal(self, reference: Reference, status: int) -> ImageNotFound:
        name = f"image {reference.name}:{reference.wanted}"
        if status == 404:
            return ImageNotFound(f"{name} is not in the registry {self._url}")
        if status in (401, 403):
            why = "they are wrong, or not enough" if self._login is not None else "it needs some"
            return ImageNotFound(
                f"the registry {self._url} refuses {name} with the credentials given: {why} "
                f"({status})"
            )
        if status == 429:
            return ImageNotFound(f"the registry {self._url} wants fewer requests: log in, or wait")
        return ImageNotFound(f"the registry {self._url} answered {status} for {name}")

    def _whoami(self) -> Login | None:
        with self._asked:
            if not self._is_known:
                self._login = self._who()
                self._is_known = True
            return self._login

    def _answer(self, challenge: str, reference: Reference) -> str:
        """Return what proves who we are, as a challenge wants it: Basic, or a token for it."""
        scheme, _, rest = challenge.partition(" ")
        login = self._whoami()
        if scheme.lower() == "basic" and login is not None and not login.identity:
            return login.basic
        values = dict(re.findall(r'(\w+)="([^"]*)"', rest))
        realm = values.pop("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("http://", "https://")):
            raise self._refusal(reference, 401)
        wanted = {key: values[key] for key in ("service", "scope") if key in values}
        query = urllib.parse.urlencode(wanted)
        if login is not None and login.identity:
            form = {"grant_type": "refresh_token", "client_id": "comity", **wanted}
            form["refresh_token"] = login.identity
            data = urllib.parse.urlencode(form).encode()
            request = urllib.request.Request(realm, data=data)  # noqa: S310
        else:
            request = urllib.request.Request(f"{realm}?{query}")  # noqa: S310
            if login is not None:
                request.add_unredirected_header("Authorization", login.basic)
        try:
            with self._opener.open(request, timeout=_TIMEOUT_S) as answer:
                document = json.loads(answer.read(_MANIFEST_MAX))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._refusal(reference, error.code) from error
        except (OSError, ValueError) as error:
            raise ImageNotFound(f"cannot get a token from {realm}: {error}") from error
        token = document.get("token") or document.get("access_token") or ""
        return f"Bearer {token}"
