"""CNI's own plugins (containernetworking-plugins) under our runner.

All of it is in a network namespace that stands for the machine, because plugins leave chains there.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.images import BUSYBOX
from support.networks import MARKS, SUBNET

PLUGINS = Path("/usr/lib/cni")
pytestmark = [
    *MARKS,
    pytest.mark.skipif(
        not (PLUGINS / "portmap").exists(), reason="containernetworking-plugins is not installed"
    ),
    pytest.mark.skipif(BUSYBOX is None, reason="busybox is not installed"),
]
CHAIN = [
    {
        **{"type": "bridge", "bridge": "cnitest0", "isGateway": True, "ipMasq": True},
        "hairpinMode": True,
        "ipam": {"type": "host-local", "subnet": SUBNET},
        "dns": {"nameservers": ["10.0.0.53"]},
    },
    {"type": "portmap", "capabilities": {"portMappings": True}, "snat": True},
    {"type": "firewall"},
]
MACHINE = """
import asyncio, contextlib, json, os, subprocess, sys, time
from pathlib import Path
from urllib.request import urlopen
from comity.core.networks import Network, PortMap
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets

directory, netns, busybox = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
run = lambda *argv: subprocess.run(argv, check=True, capture_output=True, text=True).stdout
run("ip", "link", "set", "lo", "up")
bridge = Bridge("none0", Subnets.read("10.9.0.0/24"), "one", directory)
make = lambda: Networks(bridge, "none", Cni(directory / "conf", "/usr/lib/cni"), directory / "n")

def ask(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            return urlopen(url, timeout=5).read().decode().strip()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)

async def main():
    networks = make()
    found = await networks.attach("one", netns, (Network("lab", (PortMap(8081, 80),)),))
    serve = [busybox, "httpd", "-f", "-p", "80", "-h", str(directory / "www")]
    with subprocess.Popen(["nsenter", f"--net={netns}", *serve]) as server:
        said = [ask(f"http://{found.addresses[0]}:80/who"), ask("http://127.0.0.1:8081/who")]
        server.kill()
    added = networks._attached["one"].plugins[0]
    run("ip", "-n", netns.name, "link", "del", "eth0")
    try:
        networks._cni.check("one", netns, added)
        missed = ""
    except NetworkRefused as error:
        missed = str(error)
    await make().keep(set())  # as a new process, after a crash
    left = [line for line in run("iptables-save").splitlines() if "8081" in line]
    leases = [one.name for one in (directory / "ipam" / "lab").glob("10.*")]
    told = {"said": said, "dns": found.nameservers, "left": left, "leases": leases}
    print(json.dumps({**told, "missed": missed}))

asyncio.run(main())
"""


@pytest.fixture
def netns():
    name = "cni-test"
    subprocess.run(["ip", "netns", "add", name], check=True)
    yield Path("/run/netns", name)
    subprocess.run(["ip", "netns", "del", name], check=True)


def test_the_usual_chain_of_plugins(tmp_path, netns):
    (tmp_path / "conf").mkdir()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "who").write_text("served")
    CHAIN[0]["ipam"]["dataDir"] = str(tmp_path / "ipam")
    document = {"name": "lab", "cniVersion": "0.4.0", "plugins": CHAIN}
    (tmp_path / "conf" / "lab.conflist").write_text(json.dumps(document))
    argv = ["unshare", "--net", sys.executable, "-c", MACHINE, str(tmp_path), str(netns), BUSYBOX]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["said"] == ["served", "served"]
    assert told["dns"] == ["10.0.0.53"]
    assert told["missed"].startswith("bridge of network 'lab' cannot CHECK")
    assert (told["left"], told["leases"]) == ([], [])
