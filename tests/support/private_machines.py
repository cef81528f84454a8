"""A network namespace that plays a machine, so that its rules are nobody else's.

What runs in a thread of it (`do`) sees its links, rules and settings as those of the machine:
our own bridge, too. Beyond its link `up0` is another, `outside`.
"""

import itertools
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

from comity.runtime.networks.netlink import enter

_numbers = itertools.count(1)
OWN4, OWN6 = "198.51.100.1", "2001:db8::1"
OUTSIDE4, OUTSIDE6 = "198.51.100.2", "2001:db8::2"


def within(netns, function, *args):
    """Call a function in a thread that ends in a namespace; sockets opened there stay there."""
    said, failed = [], []

    def work():
        enter(netns)
        try:
            said.append(function(*args))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return said[0]


def run_in(netns, *argv):
    done = subprocess.run(
        ["nsenter", f"--net={netns}", *argv], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


class Machine:
    """A machine of its own, with the containers' namespaces beside it."""

    def __init__(self):
        self.names = []
        self.sockets = []
        self.netns, self.outside = self.space(), self.space()
        pair = ["link", "add", "up0", "type", "veth", "peer", "up1", "netns", self.outside.name]
        run_in(self.netns, "ip", *pair)
        for netns, link, own, other in (
            (self.netns, "up0", (OWN4, OWN6), (OUTSIDE4, OUTSIDE6)),
            (self.outside, "up1", (OUTSIDE4, OUTSIDE6), None),
        ):
            run_in(netns, "ip", "addr", "add", f"{own[0]}/24", "dev", link)
            run_in(netns, "ip", "addr", "add", f"{own[1]}/64", "dev", link, "nodad")
            run_in(netns, "ip", "link", "set", link, "up")
            for each in other or ():
                run_in(netns, "ip", "route", "add", "default", "via", each)
        for netns in (self.netns, self.outside):
            while "LOWER_UP" not in (said := run_in(netns, "ip", "link")) or "NO-CARRIER" in said:
                time.sleep(0.01)  # the other end's coming up takes the kernel a moment

    def space(self):
        """Make a namespace; return its file."""
        name = f"cm-{os.getpid()}-{next(_numbers)}"
        subprocess.run(["ip", "netns", "add", name], check=True)
        self.names.append(name)
        netns = Path("/run/netns", name)
        # Nobody here has another's address: no need to ask around for a second.
        settings = "/proc/sys/net/ipv6/conf"
        quick = "; ".join(f"echo 0 > {settings}/{one}/accept_dad" for one in ("all", "default"))
        run_in(netns, "sh", "-c", f"{quick}; ip link set lo up")
        return netns

    def do(self, function, *args):
        return within(self.netns, function, *args)

    def run(self, *argv):
        return run_in(self.netns, *argv)

    def listen(self, netns, port):
        """Listen at every address of a namespace."""
        made = within(netns, _listener, port)
        self.sockets.append(made)
        return made

    def udp(self, netns, address=("", 0)):
        """Open a socket for datagrams."""
        made = within(netns, _datagrams, address)
        self.sockets.append(made)
        return made

    def snapshot(self):
        """Return its links, and rules without counters."""
        links = sorted(line.split()[1] for line in self.run("ip", "-o", "link").splitlines())
        listed = self.run("nft", "list", "ruleset").splitlines()
        rules = [line for line in listed if "comity" in line.lower()]
        legacy = []
        if Path("/usr/sbin/iptables-legacy-save").exists():
            legacy = self.run("iptables-legacy-save").splitlines()
        return links, rules, [line for line in legacy if "COMITY" in line]

    def close(self):
        for each in self.sockets:
            each.close()
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], check=True)


def _listener(port):
    made = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    made.settimeout(20)
    return made


def _datagrams(address):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(address)
    made.settimeout(5)
    return made


def reach(netns, address, listener):
    """Connect from a namespace to where a listener should be; return who that sees."""
    with within(netns, socket.create_connection, address, 10):
        found, peer = listener.accept()
        found.close()
    return peer[0].removeprefix("::ffff:")
