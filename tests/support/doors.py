"""A gateway on loopback, with everything behind it, for tests."""

import contextlib
import json

from comity.cosmos import shell as cosmos_shell
from comity.cosmos.config import Config as CosmosConfig
from comity.gateway.accounts import Accounts
from comity.gateway.config import Config
from comity.gateway.directory import Directory
from comity.gateway.http import Gateway
from comity.gateway.http.proxy import Proxy
from comity.runtime.http import Client, Server
from comity.runtime.sqlite import SqliteStore
from comity.sdk.marathon import Marathon
from comity.sdk.mesos import Master
from support.upstreams import Upstream


class Door:
    """A running gateway with everything behind it."""

    def __init__(self, url, client, work_dir, around):
        self.url, self.client, self.work_dir = url, client, work_dir
        self.marathon, self.master, self.agent, self.service, self.cosmos = around
        self.token = ""

    async def get(self, path, *, method="GET", body=b"", **headers):
        given = [(name.replace("_", "-"), value) for name, value in headers.items()]
        if self.token and "authorization" not in headers:
            given.append(("authorization", f"token={self.token}"))
        return await self.client.request(method, self.url + path, body, tuple(given))

    async def json(self, path, **more):
        found = await self.get(path, **more)
        assert found.status == 200, (found.status, found.body)
        return json.loads(found.body)

    async def login(self, uid="admin", password=None):
        if password is None:
            password = (self.work_dir / "admin-password").read_text().strip()
        body = json.dumps({"uid": uid, "password": password}).encode()
        return await self.get(
            "/acs/api/v1/auth/login", method="POST", body=body, content_type="application/json"
        )


@contextlib.asynccontextmanager
async def running(work_dir, around, **settings):
    marathon, master, _, _, cosmos = around
    config = Config(
        master=master.url,
        marathon=marathon.url,
        cosmos=cosmos.url,
        work_dir=work_dir,
        directory_s=0,
        **settings,
    )
    client, store = Client(), SqliteStore(work_dir / "gateway.sqlite")
    proxy = Proxy(client)
    accounts = Accounts(dict(store.range("")), store.append, config.token_s)
    directory = Directory(Marathon(marathon.url, client), Master(master.url, client), 0, lambda: 0)
    gateway = Gateway(config, accounts, directory, proxy, ())
    await accounts.prepare(work_dir / "admin-password")
    server = Server(gateway.handle, authenticate=gateway.authenticate if config.auth else None)
    host, port = await server.start("127.0.0.1", 0)
    outside = Client()
    try:
        yield Door(f"http://{host}:{port}", outside, work_dir, around)
    finally:
        await outside.close()
        await proxy.stop()
        await server.stop()
        await client.close()
        store.close()


@contextlib.asynccontextmanager
async def real_cosmos(work_dir, marathon, master):
    """Run a package service of ours, to stand behind a gateway."""
    config = CosmosConfig(marathon=marathon.url, master=master.url, work_dir=work_dir)
    client, store = Client(), SqliteStore(work_dir / "cosmos.sqlite")
    server = Server(cosmos_shell.api(config, store, client).router.handle)
    host, port = await server.start("127.0.0.1", 0)
    upstream = Upstream()
    upstream.url = f"http://{host}:{port}"
    try:
        yield upstream
    finally:
        await server.stop()
        await client.close()
        store.close()
