"""What a subscriber of the event stream that never reads costs the others, and the master.

Tells 1,000 subscribers of agents that come, over loopback: once with all of them reading, once with
one that does not. What counts is the ratio of the master's processor time, and of the time until
the last reader has everything. The readers are another process. `subscribers.py N` takes another
number of subscribers.
"""

import asyncio
import json
import resource
import sys
import time

from comity.core.instants import Instant
from comity.master import inputs
from comity.master.config import MasterConfig
from comity.master.http import MasterHttp
from comity.master.machine import Master
from comity.master.state import new_state
from comity.resources import text
from comity.runtime.driver import Driver
from comity.runtime.files import Files
from comity.runtime.http import Server
from comity.runtime.http.credentials import Guard
from comity.runtime.process import settle_heap
from comity.wire.mesos import link, resources, v1

EVENTS = 200
RUNS = 3
INFO = v1.MasterInfo(id="M", ip=16777343, port=5050, pid="master@127.0.0.1:5050", hostname="m")
BODY = json.dumps({"type": "SUBSCRIBE"}).encode()
CALL = (
    b"POST /api/v1 HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"
    b"Accept: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
MARK = b'"AGENT_ADDED"'


def agent(number: int) -> inputs.AgentSubscribed:
    """Return an agent that registers."""
    held = resources.write(text.parse("cpus:8;mem:8192;disk:10000;ports:[31000-32000]"))
    info = v1.AgentInfo(hostname=f"node-{number}", resources=held)
    body = link.SubscribeBody(agent_info=info)
    return inputs.AgentSubscribed(number, link.Subscribe(subscribe=body), f"l{number}", "10.0.0.1")


async def reader(port: int, subscribed: asyncio.Semaphore) -> None:
    """Subscribe, and read until every agent has been told."""
    stream, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(CALL)
    await stream.readuntil(b'"SUBSCRIBED"')
    subscribed.release()
    seen, rest = 0, b""
    while seen < EVENTS:
        piece = rest + await stream.read(1 << 16)
        seen += piece.count(MARK)
        rest = piece[-len(MARK) + 1 :] if not piece.endswith(MARK) else b""
    writer.close()


async def readers(port: int, count: int, stuck: int) -> None:
    """Be all subscribers; say when they have subscribed, and when they have everything."""
    subscribed = asyncio.Semaphore(0)
    reading = [asyncio.create_task(reader(port, subscribed)) for _ in range(count - stuck)]
    for _ in reading:
        await subscribed.acquire()
    held = []
    for _ in range(stuck):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
        writer.write(CALL)
        assert isinstance(writer.transport, asyncio.Transport)
        writer.transport.pause_reading()
        held.append(writer)
    await asyncio.sleep(0.2)
    print("subscribed", flush=True)
    await asyncio.gather(*reading)
    print("done", flush=True)


async def measured(count: int, stuck: int) -> tuple[float, float]:
    """Return the master's processor seconds and the seconds until the last reader has all."""
    state = new_state(MasterConfig(), INFO, Instant(1000.0), seed=1)
    driver = Driver(Master(state))
    server = Server(MasterHttp(driver, state, Files(), Guard(None)).handle)
    _, port = await server.start("127.0.0.1", 0)
    running = asyncio.create_task(driver.run())
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(count), f"--port={port}", f"--stuck={stuck}", stdout=-1
    )
    assert child.stdout is not None
    await child.stdout.readline()
    settle_heap()
    start, busy = time.perf_counter(), time.process_time()
    for number in range(EVENTS):
        driver.put(agent(number))
        await asyncio.sleep(0)  # one batch each: the worst case
    await child.stdout.readline()
    found = time.process_time() - busy, time.perf_counter() - start
    await child.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await server.stop()
    return found


async def main(count: int) -> None:
    """Measure in turn, and print the ratios of the medians."""
    without, with_one = [], []
    for _ in range(RUNS):
        without.append(await measured(count, 0))
        with_one.append(await measured(count, 1))
    (cpu, wall), (cpu_stuck, wall_stuck) = (sorted(one)[RUNS // 2] for one in (without, with_one))
    print(f"subscribers: {EVENTS} events to {count}, one of them stuck:")
    print(f"  {cpu_stuck / cpu:.2f}x the master's processor time ({cpu:.2f} s when all read)")
    print(
        f"  {wall_stuck / wall:.2f}x the time until the last of the others has all ({wall:.2f} s)"
    )
    print(f"  {cpu / EVENTS / count * 1e6:.1f} us of the master for an event and subscriber")


arguments = sys.argv[1:]
number = int(arguments[0]) if arguments else 1000
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
if len(arguments) > 1:
    options = dict(each.removeprefix("--").split("=") for each in arguments[1:])
    asyncio.run(readers(int(options["port"]), number, int(options["stuck"])))
else:
    asyncio.run(main(number))
