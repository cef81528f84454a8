"""The package service's process: its store, its clients, its server."""

import asyncio
import logging
import secrets
import time

from comity.core.effects import Write
from comity.cosmos import sources, universe
from comity.cosmos.config import Config
from comity.cosmos.errors import CosmosError
from comity.cosmos.http import Api
from comity.cosmos.operations import Cosmos
from comity.cosmos.repositories import CachedRepositories
from comity.cosmos.sources import Source
from comity.runtime import logs
from comity.runtime.http import Client, ClientStream, Server
from comity.runtime.http.credentials import authenticator, own_headers
from comity.runtime.process import settle_heap
from comity.runtime.sqlite import SqliteStore
from comity.runtime.store import Store
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master
from comity.sdk.rest import HttpError
from comity.wire.cosmos import media_types
from comity.wire.cosmos.universe import Package

_log = logging.getLogger(__name__)

_KEY = "sources"

_ACCEPT = ",".join(media_types.UNIVERSE_REPO.values())


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve the API until `stop` is set."""
    store = SqliteStore(config.work_dir / "cosmos.sqlite")
    client = Client()
    server = Server(
        api(config, store, client).router.handle,
        authenticate=authenticator(config.credentials, "cosmos"),
    )
    try:
        host, port = await server.start(config.ip, config.port)
        settle_heap()
        logs.ready(f"http://{host}:{port}")
        await stop.wait()
    finally:
        await server.stop()
        await client.close()
        store.close()


def api(config: Config, store: Store, client: Client) -> Api:
    """Put a package service together on a store and an HTTP client."""
    held = dict(store.range(_KEY)).get(_KEY)
    repositories = CachedRepositories(
        sources.decode(held) if held is not None else sources.INITIAL,
        _Fetcher(client, config.repository_bytes_max).fetch,
        lambda changed: store.append([Write(_KEY, sources.encode(changed))]),
        cache_s=config.cache_s,
        clock=time.monotonic,
    )
    own = own_headers(config.credential)
    cosmos = Cosmos(
        repositories,
        Marathon(config.marathon, client, own),
        Master(config.master, client, own),
        config.platform(),
        lambda: secrets.token_urlsafe(32),
    )
    return Api(cosmos, client)


class _Fetcher:
    """Downloads repositories."""

    def __init__(self, client: Client, bytes_max: int) -> None:
        self._client = client
        self._bytes_max = bytes_max

    async def fetch(self, source: Source) -> list[Package]:
        """Return the packages of one repository."""
        headers = (
            ("Accept", _ACCEPT),
            ("User-Agent", "cosmos/0.6 dcos/2.3"),  # repositories choose a document version by it
        )
        try:
            async with self._client.stream("GET", source.uri, headers=headers) as answer:
                if answer.status != 200:
                    raise _refused(source, answer.status)
                body = await self._read(source, answer)
                content_type = answer.header("content-type") or ""
        except HttpError as error:
            _log.warning("repository %s at %s: %s", source.name, source.uri, error)
            raise CosmosError(
                "RepositoryUriConnection",
                f"Could not access data at URI for repository [{source.name}]: {source.uri}",
                {
                    "repository": {"name": source.name, "uri": source.uri},
                    "cause": str(error),
                },
            ) from error
        return await asyncio.to_thread(universe.from_answer, content_type, body)

    async def _read(self, source: Source, answer: ClientStream) -> bytes:
        chunks, size = [], 0
        async for chunk in answer:
            size += len(chunk)
            if size > self._bytes_max:
                raise CosmosError(
                    "RepositoryUriConnection",
                    f"Repository [{source.name}] answers with more than {self._bytes_max} bytes",
                )
            chunks.append(chunk)
        return b"".join(chunks)


def _refused(source: Source, status: int) -> CosmosError:
    return CosmosError(
        "UniverseClientHttpError",
        f"Unexpected upstream http error while fetching repository '{source.name}' at "
        f"{source.uri}: GET {status}",
        {
            "packageRepository": {"name": source.name, "uri": source.uri},
            "method": "GET",
            "clientStatus": status,
        },
        500,
    )
