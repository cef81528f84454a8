"""The images of an agent: pulled once, unpacked once per layer, found again after a restart."""

import asyncio
import json
import os
import shutil
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.runtime.containers.errors import ImageRefused
from comity.runtime.images import references, sources, unpacking


class Image(Struct, frozen=True):
    """An image that is ready: its layers' directories, lowest first, and its configuration."""

    layers: tuple[str, ...]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: tuple[str, ...]
    working_directory: str
    user: str


class ImageStore:
    """Images under one directory: `layers/<digest>/`, `images/<reference>.json`."""

    def __init__(self, directory: Path, registry: str) -> None:
        self._directory = directory
        self._registry = registry
        self._pulls: dict[str, asyncio.Task[Image]] = {}
        for name in ("layers", "images", "pulls"):
            (directory / name).mkdir(parents=True, exist_ok=True)
        for stale in (directory / "pulls").iterdir():
            shutil.rmtree(stale, ignore_errors=True)

    async def get(self, text: str, *, cached: bool = True) -> Image:
        """Return an image, pulling what is missing; the same pull is never made twice at once.

        Raises:
            ImageRefused: it is not to be had; nothing of it stays.
        """
        running = self._pulls.get(text)
        if running is None:
            running = asyncio.create_task(asyncio.to_thread(self._get, text, cached))
            self._pulls[text] = running
            running.add_done_callback(lambda _: self._pulls.pop(text, None))
        return await asyncio.shield(running)

    def _get(self, text: str, cached: bool) -> Image:
        reference = references.parse(text)
        record = self._directory / "images" / f"{text.replace('/', '%')}.json"
        if cached and record.exists():
            image = self._load(json.loads(record.read_bytes()))
            if all(os.path.isdir(layer) for layer in image.layers):
                return image
        source = sources.source_for(reference, self._registry)
        manifest = sources.find_manifest(source, reference)
        work = self._directory / "pulls" / f"{os.getpid()}-{abs(hash(text))}"
        work.mkdir(parents=True, exist_ok=True)
        try:
            config = work / "config"
            source.blob(reference, manifest["config"]["digest"], config)
            digests = [layer["digest"] for layer in manifest["layers"]]
            for digest in digests:
                self._unpack(source, reference, digest, work)
            found = {"layers": digests, "config": json.loads(config.read_bytes()).get("config")}
        except OSError as error:
            raise ImageRefused(f"image {text} cannot be stored: {error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        draft = record.with_suffix(".new")
        draft.write_text(json.dumps(found))
        draft.replace(record)
        return self._load(found)

    def _unpack(
        self, source: sources.Source, reference: references.Reference, digest: str, work: Path
    ) -> None:
        final = self._layer(digest)
        if final.is_dir():
            return
        archive, draft = work / "layer", work / "unpacked"
        source.blob(reference, digest, archive)
        draft.mkdir()
        unpacking.unpack(archive, draft)
        archive.unlink()
        try:
            draft.replace(final)
        except OSError:
            if not final.is_dir():
                raise
            shutil.rmtree(draft)  # another pull, of another name of it, was faster

    def _layer(self, digest: str) -> Path:
        return self._directory / "layers" / digest.replace(":", "-")

    def _load(self, found: dict[str, Any]) -> Image:
        config = found["config"] or {}
        return Image(
            layers=tuple(str(self._layer(digest)) for digest in found["layers"]),
            entrypoint=tuple(config.get("Entrypoint") or ()),
            command=tuple(config.get("Cmd") or ()),
            environment=tuple(config.get("Env") or ()),
            working_directory=config.get("WorkingDir") or "/",
            user=config.get("User") or "",
        )
