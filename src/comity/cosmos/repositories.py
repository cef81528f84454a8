"""The repositories as they are now: their list, and their packages for a minute at a time."""

import asyncio
from collections.abc import Awaitable, Callable

from comity.cosmos import universe
from comity.cosmos.catalogue import Catalogue
from comity.cosmos.sources import Source
from comity.wire.cosmos.universe import Package

Fetch = Callable[[Source], Awaitable[list[Package]]]
Save = Callable[[tuple[Source, ...]], Awaitable[None]]


class CachedRepositories:
    """Asks each repository at most once per `cache_s`; callers that overlap share one asking."""

    def __init__(
        self,
        sources: tuple[Source, ...],
        fetch: Fetch,
        save: Save,
        *,
        cache_s: float,
        clock: Callable[[], float],
    ) -> None:
        self.sources = sources
        self._fetch = fetch
        self._save = save
        self._cache_s = cache_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: tuple[float, Catalogue] | None = None

    async def catalogue(self) -> Catalogue:
        """Return the packages of all repositories."""
        async with self._lock:
            if self._held is not None and self._clock() - self._held[0] < self._cache_s:
                return self._held[1]
            asked = self.sources
            catalogue = Catalogue([(source.uri, await self.fetch(source)) for source in asked])
            if asked is self.sources:  # else the list was changed meanwhile
                self._held = (self._clock(), catalogue)
            return catalogue

    async def fetch(self, source: Source) -> list[Package]:
        """Ask one repository; the built-in one is read from our own files."""
        if source.uri == universe.BUILT_IN_URI:
            return universe.built_in()
        return await self._fetch(source)

    async def save(self, changed: tuple[Source, ...]) -> None:
        """Make another list durable, then use it."""
        await self._save(changed)
        self.sources = changed
        self._held = None
