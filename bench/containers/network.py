"""Attach containers to networks, against a bare batch of `ip`, and against CNI's plugins.

Three things in one run: the machine's own bridge, alone and eight at once, with and without a
mapped port (target: about as much as the two `ip -batch` that make the same links, without an
address book, rules and checks); the usual CNI chain by our own runner; and containers with a
network of their own through the whole stack (target: at most 3x a bare loop of the OCI runtime with
its CNI calls). Needs root, iproute2, iptables; for the rest crun or runc, busybox-static and
containernetworking-plugins. `network.py N` takes another number than 40.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "bench"), str(ROOT / "bench" / "containers")]

import starts

from comity.core.networks import Network, PortMap
from comity.runtime.containers import runtimes
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets
from comity.wire.mesos.containers import NetworkInfo

PLUGINS = Path("/usr/lib/cni")
BRIDGE, SUBNET = "cbench0", "10.199.0.0/16"
AT_ONCE = 8


class Lab:
    """Namespaces, and the networks that they are attached to."""

    def __init__(self, directory: Path, count: int) -> None:
        bridge = Bridge(BRIDGE, Subnets.read(SUBNET), "bench", directory)
        cni = Cni(directory / "conf", str(PLUGINS))
        self.networks = Networks(bridge, bridge.fault(), cni, directory / "networks")
        self.names = [f"cbench-{index}" for index in range(count)]
        (directory / "conf").mkdir()
        chain = {
            "name": "chain",
            "cniVersion": "0.4.0",
            "plugins": [
                {
                    **{"type": "bridge", "bridge": "cbench1", "isGateway": True, "ipMasq": True},
                    "hairpinMode": True,
                    "ipam": {
                        "type": "host-local",
                        "subnet": "10.198.0.0/16",
                        "dataDir": str(directory / "ipam"),
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
                {"type": "firewall"},
            ],
        }
        (directory / "conf" / "chain.conflist").write_text(json.dumps(chain))
        for name in self.names:
            ip("netns", "add", name)

    async def attach(self, index: int, network: Network) -> None:
        """Put one namespace on a network."""
        name = self.names[index]
        await self.networks.attach(name, Path("/run/netns", name), (network,))

    async def close(self) -> None:
        """Remove everything."""
        await self.networks.keep(set())
        await self.networks.close()
        for name in self.names:
            ip("netns", "del", name)
        drop_bridge("cbench1")


def drop_bridge(name: str) -> None:
    """Remove the bridge that CNI's plugin makes and leaves."""
    if Path("/sys/class/net", name).exists():
        ip("link", "del", name)


def ip(*words: str, given: str | None = None) -> None:
    """Run iproute2."""
    subprocess.run(["ip", *words], input=given, text=True, check=True)


def by_ip(index: int, name: str) -> None:
    """Do by iproute2 what the bridge does, as short as it can be."""
    link = f"cb{index}"
    host = f"link add {link} type veth peer name eth0 netns {name}\n"
    ip("-batch", "-", given=f"{host}link set {link} master {BRIDGE} up\n")
    inside = f"addr add 10.199.200.{index + 1}/16 dev eth0\nlink set eth0 up\n"
    ip("-n", name, "-batch", "-", given=f"{inside}route add default via 10.199.0.1\n")


async def each(count: int, do: Callable[[int], Awaitable[None]]) -> float:
    """Return the median of milliseconds, one after the other."""
    found = []
    for index in range(count):
        start = time.perf_counter()
        await do(index)
        found.append(time.perf_counter() - start)
    return statistics.median(found) * 1000


async def together(count: int, do: Callable[[int], Awaitable[None]]) -> float:
    """Return milliseconds for one, when eight are asked for at once."""
    start = time.perf_counter()
    for first in range(0, count, AT_ONCE):
        await asyncio.gather(*(do(index) for index in range(first, min(first + AT_ONCE, count))))
    return (time.perf_counter() - start) / count * 1000


async def measure(lab: Lab, count: int) -> dict[str, float]:
    """Return milliseconds by what was measured."""
    found = {}
    names = lab.names
    ip("netns", "add", "cbench-keeper")
    await lab.networks.attach("keeper", Path("/run/netns/cbench-keeper"), (Network(),))
    start = time.perf_counter()
    for index, name in enumerate(names):
        by_ip(index, name)  # the loop has nothing else to do
    found["ip"] = (time.perf_counter() - start) / count * 1000
    for index in range(count):
        ip("link", "del", f"cb{index}")

    def plain(index: int) -> Awaitable[None]:
        return lab.attach(index, Network())

    def mapped(index: int, name: str = "") -> Awaitable[None]:
        ports = (PortMap(20000 + index, 80),)
        return lab.attach(index, Network(name, ports) if name else Network(ports=ports))

    def gone(index: int) -> Awaitable[None]:
        return lab.networks.detach(names[index])

    found["own"], found["own gone"] = await each(count, plain), await each(count, gone)
    found["own, eight"], found["gone, eight"] = (
        await together(count, plain),
        await together(count, gone),
    )
    found["own, port"] = await each(count, mapped)
    await together(count, gone)
    found["own, port, eight"] = await together(count, mapped)
    await together(count, gone)
    if (PLUGINS / "portmap").exists():
        found["cni"] = await each(count, lambda index: mapped(index, "chain"))
        found["cni gone"] = await each(count, gone)
    await lab.networks.detach("keeper")
    ip("netns", "del", "cbench-keeper")
    return found


async def attaching(directory: Path, count: int) -> dict[str, float]:
    """Measure attaching."""
    lab = Lab(directory, count)
    try:
        found = await measure(lab, count)
    finally:
        await lab.close()
    return found


def shown(found: dict[str, float]) -> None:
    """Print the ratios of attaching."""
    for name, value in found.items():
        print(f"  {name}: {value:.1f} ms")
    print(f"network: one attach takes {found['own'] / found['ip']:.2f}x of two bare `ip -batch`")
    print(f"  {found['own, eight'] / found['ip']:.2f}x when eight come at once")
    if "cni" in found:
        print(f"  with a port {found['own, port'] / found['cni']:.2f}x of the CNI chain")


def stack(directory: Path, count: int, cni_ms: float) -> None:
    """Measure whole containers with networks of their own."""
    runtime, reason = runtimes.find()
    if runtime is None:
        print(f"  no containers: {reason}")
        return
    layouts = directory / "layouts"
    subprocess.run([sys.executable, ROOT / "tools/busybox_image.py", layouts], check=True)
    networks = (NetworkInfo(name="mesos-bridge"),)
    own = asyncio.run(starts.whole_stack(directory / "cluster", layouts, count, networks))
    loop = starts.bare(directory / "bare", layouts, runtime, count) + count * cni_ms / 1000
    print(f"  {count} containers through the whole stack: {own / loop:.2f}x of {runtime.name}")
    print(f"  with CNI calls; {own:.2f} s, {loop:.2f} s; target: at most 3x")


def main() -> None:
    """Measure all; attaching in a namespace for the host, where plugins may leave their chains."""
    words = sys.argv[1:]
    count = int(words[-1]) if words else 40
    if os.geteuid() != 0:
        sys.exit("network: needs root")
    with tempfile.TemporaryDirectory() as name:
        if words[:1] == ["--attach"]:
            print(json.dumps(asyncio.run(attaching(Path(name), count))))
            return
        argv = ["unshare", "--net", sys.executable, __file__, "--attach", str(count)]
        done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)
        found: dict[str, float] = json.loads(done.stdout)
        shown(found)
        stack(Path(name), count, found.get("cni", 0.0))


if __name__ == "__main__":
    main()
