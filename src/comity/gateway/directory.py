"""Where services and agents are now, read from Marathon and the master when somebody asks.

Nothing is read while nobody asks; what was read is used for about a second. When Marathon or the
master does not answer, what was known last is better than nothing, and is used.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from comity.core.errors import ComityError
from comity.gateway import services
from comity.gateway.services import Service
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master
from comity.sdk.rest import ApiError, HttpError

_log = logging.getLogger(__name__)

AGENT_KEPT_S = 600.0
"""How long an agent may take to register with a new master (its default there)."""

T = TypeVar("T")
Json = dict[str, Any]


class NotReady(ComityError):
    """The component that would know did not answer, and never has."""


class Fresh(Generic[T]):
    """A value that is read again when it is older than `max_age_s`; readers share one reading."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], max_age_s: float, clock: Callable[[], float]
    ) -> None:
        self._read = read
        self._max_age_s = max_age_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._held: tuple[float, T] | None = None

    async def get(self) -> T:
        """Return the value, new or new enough; an old one when there is no newer to be had.

        Raises:
            NotReady: there has never been a value.
        """
        async with self._lock:
            if self._held is not None and self._clock() - self._held[0] < self._max_age_s:
                return self._held[1]
            try:
                value = await self._read()
            except (HttpError, ApiError) as error:
                if self._held is None:
                    raise NotReady(str(error)) from error
                _log.warning("using what was known before: %s", error)
                return self._held[1]
            self._held = (self._clock(), value)
            return value


class Directory:
    """Finds services by path and agents by id."""

    def __init__(
        self, marathon: Marathon, master: Master, max_age_s: float, clock: Callable[[], float]
    ) -> None:
        self._marathon = marathon
        self._master = master
        self._apps = Fresh(self._read_apps, max_age_s, clock)
        self._summary = Fresh(self._read_summary, max_age_s, clock)
        self._clock = clock
        self._seen: dict[str, tuple[str, float]] = {}
        """Agents' URLs, and when the master knew them last."""

    async def _read_apps(self) -> dict[str, Service]:
        apps = await self._marathon.apps(embed=["apps.tasks"], label=services.NAME)
        return services.from_apps(apps)

    async def _read_summary(self) -> tuple[dict[str, Service], dict[str, str]]:
        summary = await self._master.state_summary()
        frameworks = services.from_frameworks(summary.get("frameworks") or [])
        scheme = self._master.rest.base_url.partition(":")[0]  # agents are called as masters are
        agents = _agents(summary.get("slaves") or [], scheme)
        self._remember(agents)
        return frameworks, agents

    def _remember(self, agents: dict[str, str]) -> None:
        now, taken = self._clock(), set(agents.values())
        self._seen = {
            agent_id: (url, at)
            for agent_id, (url, at) in self._seen.items()
            if now - at < AGENT_KEPT_S and url not in taken
        } | {agent_id: (url, now) for agent_id, url in agents.items()}

    async def service(self, path: str) -> tuple[Service, str] | None:
        """Return the service that `path`, after `/service/` and as sent, means, and the rest."""
        readings = services.names(path)
        apps = await self._apps.get()
        for name, rest in readings:
            if name in apps:
                return apps[name], rest
        frameworks, _ = await self._summary.get()
        for name, rest in readings:
            if name in frameworks:
                return frameworks[name], rest
        return None

    async def agent(self, agent_id: str) -> str | None:
        """Return the URL of an agent; a master that was started anew learns it only in a while."""
        await self._summary.get()
        url, _ = self._seen.get(agent_id, (None, 0.0))
        return url


def _agents(listed: list[Json], scheme: str) -> dict[str, str]:
    """Return agents' URLs by id; a pid is `slave(1)@host:port`."""
    found = {}
    for agent in listed:
        address = str(agent.get("pid", "")).partition("@")[2]
        if address:
            found[str(agent["id"])] = f"{scheme}://{address}"
    return found
