"""Runs a master: its store, its driver, its server."""

import asyncio
import ipaddress
import random
import time
import uuid

from comity.master import reads
from comity.master.beginning import Start, begin
from comity.master.config import VERSION, MasterConfig
from comity.master.http import METERED, MasterHttp
from comity.master.inputs import StreamClosed
from comity.master.state import State
from comity.runtime import logs, tls
from comity.runtime.driver import Clock, Driver
from comity.runtime.files import Files
from comity.runtime.http import Server
from comity.runtime.http.credentials import Guard, admit, known_principals
from comity.runtime.journal import Journal
from comity.runtime.process import settle_heap
from comity.runtime.sqlite import SqliteStore
from comity.wire.mesos import v1


async def run(config: MasterConfig, stop: asyncio.Event) -> None:
    """Serve until `stop` is set."""
    store = SqliteStore(config.work_dir / "master.sqlite")
    clock = Clock()
    start = Start(config=config, info=_info(config, config.port))
    began = time.perf_counter()
    stored, now, seed = store.range(""), clock.now(), random.SystemRandom().getrandbits(32)
    fetched_s = time.perf_counter() - began
    master, out = begin(start, stored, now, seed)
    state = master.state
    journal = Journal(config.journal)
    driver = Driver(
        master,
        store,
        stream_closed=StreamClosed,
        clock=clock,
        journal=journal,
        crash_file=config.work_dir / "crash.jsonl",
        metered=METERED,
    )
    driver.fetches.add(fetched_s)
    files = Files()
    if config.log_file is not None:
        files.attach("/master/log", config.log_file)
    known = known_principals(config.credentials)
    http = MasterHttp(driver, state, files, Guard(known))
    server = Server(
        http.handle, authenticate=admit if known is not None else None, security=tls.settings()
    )
    for timer in out.timers:
        driver.arm(timer)
    _, port = await server.start(config.ip, config.port)
    state.info = start.info = _info(config, port, state.id)
    journal.begin("master", now, seed, start, stored)
    settle_heap()
    driver.spawn(warm_after_failover(state))
    logs.ready(f"{tls.settings().scheme}://{config.ip}:{port}")
    try:
        await driver.run_until(stop)
    finally:
        await server.stop()
        journal.close()
        store.close()


_AWAY = 5
"""One of so many agents may still be away when what the others brought is encoded."""

_PAUSE_S = 0.005
"""Between two slices of about 2 ms, so that the loop is free most of the time."""


async def warm_after_failover(state: State, pause_s: float = _PAUSE_S) -> None:
    """Encode what the first /state of a new master will show, before somebody waits for it."""
    missing = len(state.recovered_agents)
    while len(state.recovered_agents) * _AWAY > missing:  # noqa: ASYNC110 - no events
        await asyncio.sleep(1.0)
    if missing:
        for _ in reads.LEGACY["/state"].warm(state):
            await asyncio.sleep(pause_s)


CAPABILITIES = ("AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2")
"""What agents and operators may expect of this master."""


def _info(config: MasterConfig, port: int, master_id: str | None = None) -> v1.MasterInfo:
    hostname = config.hostname or config.ip
    try:
        number = int.from_bytes(ipaddress.IPv4Address(config.ip).packed, "little")
    except ipaddress.AddressValueError:
        number = 0
    return v1.MasterInfo(
        id=master_id or str(uuid.uuid4()),
        ip=number,
        port=port,
        pid=f"master@{config.ip}:{port}",
        hostname=hostname,
        version=VERSION,
        domain=config.domain,
        capabilities=tuple(v1.MasterCapability(type=each) for each in CAPABILITIES),
        address=v1.Address(hostname=hostname, ip=config.ip, port=port),
    )
