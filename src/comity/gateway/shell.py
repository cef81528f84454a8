"""The gateway's process: its store, its client, its server."""

import asyncio
import time

from comity.gateway.accounts import Accounts
from comity.gateway.config import Config
from comity.gateway.directory import Directory
from comity.gateway.http import Gateway
from comity.gateway.http.proxy import Proxy
from comity.runtime import logs, tls
from comity.runtime.http import Client, Server
from comity.runtime.http.credentials import own_headers
from comity.runtime.process import settle_heap
from comity.runtime.sqlite import SqliteStore
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master


async def serve(config: Config, stop: asyncio.Event) -> None:
    """Serve the front door until `stop` is set."""
    store = SqliteStore(config.work_dir / "gateway.sqlite")
    client = Client()
    proxy = Proxy(client)
    own = own_headers(config.credential)
    accounts = Accounts(dict(store.range("")), store.append, config.token_s)
    directory = Directory(
        Marathon(config.marathon, client, own),
        Master(config.master, client, own),
        config.directory_s,
        time.monotonic,
    )
    gateway = Gateway(config, accounts, directory, proxy, own)
    server = Server(
        gateway.handle,
        authenticate=gateway.authenticate if config.auth else None,
        asking_flag="--auth",
        security=tls.settings(),
    )
    try:
        await accounts.prepare(config.work_dir / "admin-password")
        host, port = await server.start(config.ip, config.port)
        settle_heap()
        logs.ready(f"{tls.settings().scheme}://{host}:{port}")
        await stop.wait()
    finally:
        await proxy.stop()
        await server.stop()
        await client.close()
        store.close()
