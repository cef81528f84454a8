"""Looks after an agent's images: what is here, what is used, what goes when the disk fills up."""

import asyncio
import logging
import shutil
from typing import Any

from comity.agent.state import State
from comity.runtime.images.store import ImageStore, Kept

_log = logging.getLogger(__name__)

Document = dict[str, Any]


class ImageKeeper:
    """The images of one agent, as its API and its upkeep see them."""

    def __init__(self, state: State, store: ImageStore | None) -> None:
        self._state = state
        self._store = store

    @property
    def is_there(self) -> bool:
        """Whether this agent keeps images at all."""
        return self._store is not None

    def in_use(self) -> set[str]:
        """Return the names of images that containers are made of, or have as volumes."""
        used: set[str] = set()
        for one in self._state.containers.values():
            if one.phase == "EXITED":
                continue
            used |= {mount.source for mount in one.spec.mounts if mount.kind == "image"}
            if one.spec.image is not None:
                used.add(one.spec.image)
        return used

    async def shown(self) -> Document:
        """Return the images here, and what is being pulled."""
        if self._store is None:
            return {"images": [], "pulls": []}
        used = self.in_use()
        images = [
            {**_shown(one), "used_at": one.used_at, "in_use": one.name in used}
            for one in await asyncio.to_thread(self._store.images)
        ]
        pulls = [
            {"name": one.name, "done_bytes": one.done_bytes, "total_bytes": one.total_bytes}
            for one in list(self._store.pulls.values())
        ]
        return {"images": images, "pulls": pulls}

    async def find(self, name: str) -> Document | None:
        """Return what is known of an image that is here, None when it is not.

        Raises:
            ImageRefused: the name is none of an image.
        """
        assert self._store is not None
        found = await asyncio.to_thread(self._store.kept, name)
        return _shown(found) if found is not None else None

    async def pull(self, name: str, login: str = "") -> Document:
        """Fetch an image anew, so that tasks need not wait for it; return what is known of it.

        Raises:
            ImageRefused: it is not to be had.
        """
        assert self._store is not None
        await self._store.get(name, cached=False, login=login)
        found = await asyncio.to_thread(self._store.kept, name)
        return _shown(found) if found is not None else {"name": name}

    async def prune(self, excluded: set[str]) -> list[Kept]:
        """Remove what nothing uses; return it."""
        if self._store is None:
            return []
        kept = self.in_use() | excluded | set(self._state.config.image_gc_excluded)
        removed = await asyncio.to_thread(self._store.prune, kept)
        for one in removed:
            _log.info("image %s removed: nothing uses it", one.name)
        return removed

    async def run(self) -> None:
        """Prune whenever the disk has less room than is to be kept free, until cancelled."""
        config = self._state.config
        while True:
            await asyncio.sleep(config.image_gc_interval_s)
            usage = shutil.disk_usage(config.work_dir)
            if usage.free < config.image_gc_headroom * usage.total:
                await self.prune(set())


def _shown(one: Kept) -> Document:
    return {
        "name": one.name,
        "digest": one.digest,
        "reference": one.reference,
        "layers": len(one.layers),
        "size_bytes": one.size_bytes,
    }
