"""Network namespaces and bridges for tests, and what they leave behind."""

import itertools
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets

_numbers = itertools.count(1)
NAME = f"ct{os.getpid() % 100000}"
"""The bridge of this test run; others' runs on the machine have theirs."""
SUBNET = f"10.{200 + os.getpid() % 9}.{os.getpid() // 9 % 256}.0/24"


def fault():
    """Return why no bridge can be made here; tried, as kernels and containers differ."""
    if os.geteuid() != 0:
        return "a bridge needs root"
    if shutil.which("ip") is None:
        return "iproute2 is not installed"
    made = subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False)
    if made.returncode != 0:
        return "this kernel makes no network namespaces for us"
    try:
        return Bridge("ctprobe", Subnets.read(SUBNET), "probe").fault()
    except OSError as error:
        return str(error)


FAULT = fault()
MARKS = [pytest.mark.root, pytest.mark.skipif(bool(FAULT), reason=FAULT or "-")]


class Lab:
    """Namespaces, networks and their state in one directory."""

    def __init__(self, directory):
        self.directory = directory
        self.names = []
        self.before = snapshot()
        self.made = []

    def networks(self, owner="one", configurations=None, plugins=""):
        bridge = Bridge(NAME, Subnets.read(SUBNET), owner, self.directory / "state")
        found = Networks(bridge, "", Cni(configurations, plugins), self.directory / owner)
        self.made.append(found)
        return found

    def netns(self):
        """Make a namespace; return its file."""
        name = f"ct-{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
        self.names.append(name)
        return Path("/run/netns", name)

    def drop_netns(self, path):
        subprocess.run(["ip", "netns", "del", path.name], check=True)
        self.names.remove(path.name)

    async def close(self):
        for each in self.made:
            await each.keep(set())
            await each.close()
        for name in list(self.names):
            self.drop_netns(Path(name))


def run_in(netns, *argv):
    """Run a program in a namespace; return its output."""
    done = subprocess.run(
        ["nsenter", f"--net={netns}", *argv], capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def rules(name=NAME):
    """Return the firewall's rules that name a bridge."""
    if shutil.which("iptables-save") is None:
        return []
    done = subprocess.run(["iptables-save"], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if name in line]


def snapshot(name=NAME):
    """Return links and rules of a bridge."""
    links = sorted(one for one in os.listdir("/sys/class/net") if one == name)
    ports = Path(f"/sys/class/net/{name}/brif")
    return links, sorted(os.listdir(ports)) if ports.is_dir() else [], rules(name)
