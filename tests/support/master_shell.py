"""A real master in this process, on a port of its own, and a client of it."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from comity.master.config import MasterConfig
from comity.master.shell import run
from comity.runtime.http import Client
from support.marathon_link_agent import LinkAgent

JSON = (("Content-Type", "application/json"),)


class Caller:
    """Asks one master."""

    def __init__(self, url):
        self.url = url
        self.client = Client()

    async def get(self, path):
        return await self.client.request("GET", self.url + path)

    async def json(self, path):
        found = await self.get(path)
        assert found.status == 200, (path, found.status, found.body)
        return json.loads(found.body)

    async def send(self, method, path, body=b"", *headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.request(method, self.url + path, data, headers or JSON)

    async def operator(self, kind, **body):
        """Make a call of the operator API; the body is what stands under the call's own name."""
        call = {"type": kind, kind.lower(): body} if body else {"type": kind}
        return await self.send("POST", "/api/v1", call)

    async def read(self, kind):
        """Return the answer to a read of the operator API."""
        found = await self.operator(kind)
        assert found.status == 200, (kind, found.status, found.body)
        answer = json.loads(found.body)
        assert answer["type"] == kind
        return answer.get(kind.lower())


@contextlib.asynccontextmanager
async def running_master(directory: Path, **settings) -> AsyncIterator[Caller]:
    """Run a master until the end of the block; its registry stays in the directory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = asyncio.Event()
    config = MasterConfig(work_dir=directory, port=port, **settings)
    running = asyncio.create_task(run(config, stop))
    caller = Caller(f"http://127.0.0.1:{port}")
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(Exception):
                    if (await caller.get("/health")).status == 200:
                        break
                await asyncio.sleep(0.01)
        yield caller
    finally:
        await caller.client.close()
        stop.set()
        await running


@contextlib.asynccontextmanager
async def linked_agent(master: Caller, cpus: float = 4) -> AsyncIterator[LinkAgent]:
    """Let an agent that only pretends to run tasks be registered during the block."""
    made = LinkAgent(master.url, "127.0.0.1", cpus=cpus)
    running = asyncio.create_task(made.run())
    try:
        await asyncio.wait_for(made.registered.wait(), 30)
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
