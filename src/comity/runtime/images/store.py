"""The images of an agent: pulled once, unpacked once per layer, found again after a restart.

`layers/<digest>/` are layers, which images share; `images/<reference>.json` say what images are
made of; `pulls/` is where both begin, and what an agent that was killed left there goes at its next
start.
"""

import asyncio
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.core.errors import UserError
from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import credentials, manifests, references, sources, threads, unpacking
from comity.runtime.images.credentials import Logins
from comity.runtime.images.errors import ImageInvalid
from comity.runtime.meters import Meter

_LAYERS_AT_ONCE = 3
_TELL_S = 5.0
_RECORD_MAX = 150
"""What of an image's name goes into that of its record; a file's name has 255 bytes."""


class Image(Struct, frozen=True):
    """An image that is ready: its layers' directories, lowest first, and its configuration."""

    layers: tuple[str, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[str, ...]
    working_directory: str
    user: str
    volumes: tuple[str, ...] = ()
    """Directories that its programs take for granted, whether or not a layer has them."""


class Kept(Struct, frozen=True):
    """An image in the store."""

    name: str
    digest: str
    """Of its configuration: two names with the same one are the same image."""
    reference: str
    """Its name with the digest that the name stood for; empty for what an older agent pulled."""
    layers: tuple[str, ...]
    size_bytes: int
    """Of its archives, as they came; layers may be shared with others."""
    used_at: float


class Pull(Struct):
    """A pull that is under way."""

    name: str
    done_bytes: int = 0
    total_bytes: int = 0
    """0 until the manifest has come."""

    def count(self, size: int) -> None:
        """Take note of bytes that have come."""
        self.done_bytes += size


class ImageStore:
    """The images under one directory. Its methods that block are for threads."""

    def __init__(self, directory: Path, settings: sources.Settings) -> None:
        self._directory = directory
        self._settings = settings
        self._running: dict[str, asyncio.Future[Image]] = {}
        self.pulls: dict[str, Pull] = {}
        """What is being pulled, by name."""
        self.durations = Meter()
        """How long pulls took that came to their end."""
        self._lock = threading.Lock()
        self._claimed: dict[str, int] = {}
        """Layers that pulls under way count on, which are not to be removed."""
        for name in ("layers", "images", "pulls"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        for stale in (directory / "pulls").iterdir():
            shutil.rmtree(stale, ignore_errors=True)

    async def get(
        self,
        text: str,
        *,
        cached: bool = True,
        login: str = "",
        heard: Callable[[Pull], None] | None = None,
    ) -> Image:
        """Return an image, pulling what is missing; the same pull is never made twice at once.

        `login` is a docker config with credentials for this image; `heard` is told of a pull when
        it begins and now and then.

        Raises:
            ImageRefused: it is not to be had; nothing of it stays.
        """
        try:
            logins = credentials.parse(login).logins if login else {}
        except UserError as error:
            raise ImageRefused(f"image {text}: {error}") from error
        references.parse(text)
        if cached and (found := await asyncio.to_thread(self._found, text)) is not None:
            return found
        key = f"{text} {hash(login)}"
        running = self._running.get(key)
        if running is None:
            running = threads.start(partial(self._get, text, cached, logins))
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        while heard is not None and not running.done():
            heard(self.pulls.get(text) or Pull(text))
            await asyncio.wait({running}, timeout=_TELL_S)
        return await asyncio.shield(running)

    def _get(self, text: str, cached: bool, logins: Logins) -> Image:
        reference = references.parse(text)
        if cached and (found := self._found(text)) is not None:
            return found
        pull = self.pulls[text] = Pull(text)
        try:
            began = time.monotonic()
            image = self._pull(text, reference, logins, pull)
            with self._lock:
                self.durations.add(time.monotonic() - began)
            return image
        except OSError as error:
            why = error.strerror or error
            raise ImageRefused(
                f"image {text} cannot be stored in {self._directory}: {why}"
            ) from error
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            # What a registry or a file says is anybody's: documents that are none end up here.
            raise ImageInvalid(f"image {text} is damaged: {error!r}") from error
        finally:
            self.pulls.pop(text, None)

    def _pull(
        self, text: str, reference: references.Reference, logins: Logins, pull: Pull
    ) -> Image:
        source = sources.source_for(reference, self._settings, logins, pull.count)
        manifest, named = manifests.find(source, reference)
        layers = manifest["layers"]
        pull.total_bytes = sum(one.get("size", 0) for one in layers)
        digests = [one["digest"] for one in layers]
        self._claim(digests, 1)
        work = self._directory / "pulls" / f"{os.getpid()}-{threading.get_ident()}"
        try:
            work.mkdir(parents=True)
            config = self._config(source, reference, manifest["config"], work)
            jobs = [
                partial(self._unpack, source, reference, one, work / str(number))
                for number, one in enumerate(layers)
                if one["digest"] not in digests[:number]
            ]
            threads.run_all(jobs, _LAYERS_AT_ONCE)
            return self._keep(text, reference.at(named), manifest, config)
        finally:
            self._claim(digests, -1)
            shutil.rmtree(work, ignore_errors=True)

    def _found(self, text: str) -> Image | None:
        """Return an image that is here whole."""
        with self._lock:
            try:
                record = self._record(text)
                image = self._load(json.loads(record.read_bytes()))
                if not all(os.path.isdir(layer) for layer in image.layers):
                    return None
                record.touch()
            except (FileNotFoundError, ValueError, KeyError):
                return None
            return image

    def _config(
        self,
        source: manifests.Source,
        reference: references.Reference,
        descriptor: manifests.Document,
        work: Path,
    ) -> dict[str, Any]:
        target = work / "config"
        source.blob(reference, descriptor, target)
        found: dict[str, Any] = json.loads(target.read_bytes())
        manifests.check_architecture(found, reference)
        manifests.check_execution(found, reference)
        return found

    def _unpack(
        self,
        source: manifests.Source,
        reference: references.Reference,
        descriptor: manifests.Document,
        work: Path,
    ) -> None:
        final = self._layer(descriptor["digest"])
        if final.is_dir():
            return
        archive, draft = work / "layer", work / "unpacked"
        draft.mkdir(parents=True)
        source.blob(reference, descriptor, archive)
        unpacking.unpack(archive, draft)
        archive.unlink()
        try:
            draft.replace(final)
        except OSError:
            if not final.is_dir():
                raise
            shutil.rmtree(draft)  # another pull, of another image with this layer, was faster

    def _keep(
        self, text: str, named: str, manifest: manifests.Document, config: dict[str, Any]
    ) -> Image:
        found = {
            "name": text,
            "reference": named,
            "digest": manifest["config"]["digest"],
            "layers": [one["digest"] for one in manifest["layers"]],
            "size": sum(one.get("size", 0) for one in manifest["layers"]),
            "config": config.get("config"),
        }
        record = self._record(text)
        draft = record.with_suffix(".new")
        try:
            draft.write_text(json.dumps(found))
            with self._lock:
                draft.replace(record)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        return self._load(found)

    def _claim(self, digests: list[str], sign: int) -> None:
        with self._lock:
            for digest in digests:
                count = self._claimed.get(digest, 0) + sign
                if count:
                    self._claimed[digest] = count
                else:
                    del self._claimed[digest]

    # what is here

    def images(self) -> list[Kept]:
        """Return the images in the store, the one used last first."""
        with self._lock:
            return self._images()

    def kept(self, text: str) -> Kept | None:
        """Return an image that is here whole, without looking elsewhere.

        Raises:
            ImageInvalid: the name is none of an image.
        """
        references.parse(text)
        if self._found(text) is None:
            return None
        with self._lock:
            return _kept(self._record(text))

    def _images(self) -> list[Kept]:
        records = (self._directory / "images").glob("*.json")
        found = [one for one in map(_kept, records) if one is not None]
        return sorted(found, key=lambda one: -one.used_at)

    def prune(self, in_use: set[str]) -> list[Kept]:
        """Remove the images whose names are not in use, with layers that no other needs."""
        with self._lock:
            images = self._images()
            removed = [one for one in images if one.name not in in_use]
            for one in removed:
                self._record(one.name).unlink(missing_ok=True)
            needed = {
                self._layer(digest).name
                for one in images
                if one.name in in_use
                for digest in one.layers
            } | {self._layer(digest).name for digest in self._claimed}
            trash = self._directory / "pulls" / f"pruned-{os.getpid()}-{threading.get_ident()}"
            trash.mkdir(parents=True, exist_ok=True)
            for layer in (self._directory / "layers").iterdir():
                if layer.name not in needed:
                    layer.replace(trash / layer.name)
        shutil.rmtree(trash, ignore_errors=True)
        return removed

    def _record(self, text: str) -> Path:
        name = text.replace("/", "%")
        if len(name) > _RECORD_MAX:
            name = f"{name[:_RECORD_MAX]}~{hashlib.sha256(text.encode()).hexdigest()}"
        return self._directory / "images" / f"{name}.json"

    def _layer(self, digest: str) -> Path:
        return self._directory / "layers" / digest.replace(":", "-")

    def _load(self, found: dict[str, Any]) -> Image:
        config = found["config"] or {}
        return Image(
            layers=tuple(str(self._layer(digest)) for digest in found["layers"]),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            environment=tuple(config.get("Env") or ()),
            working_directory=config.get("WorkingDir") or "",
            user=config.get("User") or "",
            volumes=tuple(config.get("Volumes") or ()),
        )


def _kept(record: Path) -> Kept | None:
    """Return what a record says; None when it is damaged: it is pulled again when asked for."""
    try:
        held = json.loads(record.read_bytes())
        return Kept(
            name=held.get("name") or record.stem.replace("%", "/"),
            digest=held.get("digest", ""),
            reference=held.get("reference", ""),
            layers=tuple(held["layers"]),
            size_bytes=held.get("size", 0),
            used_at=record.stat().st_mtime,
        )
    except (ValueError, KeyError, FileNotFoundError):
        return None
