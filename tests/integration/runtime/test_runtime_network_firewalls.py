"""The bridge's rules by iptables and by nft, for IPv4 and IPv6, beside those of others.

Each test has a machine of its own (support/private_machines.py).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from comity.core.networks import Network, PortMap
from comity.runtime.networks import firewall, iptables, nftables
from comity.runtime.networks import netlink as netlinks
from comity.runtime.networks.bridge import Bridge, Wish
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.iptables import Iptables
from comity.runtime.networks.nftables import Nftables
from comity.runtime.networks.subnets import Subnets, no_ipv6
from support.networks import MARKS
from support.private_machines import OUTSIDE4, OUTSIDE6, OWN4, OWN6, Machine, reach

pytestmark = [
    *MARKS,
    pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed"),
    pytest.mark.skipif(bool(no_ipv6()), reason=no_ipv6() or "-"),
]
BOTH = Subnets.read("10.77.0.0/24", "fd77::/120")
V4 = Subnets.read("10.77.0.0/24")


@pytest.fixture
def machine():
    made = Machine()
    before = made.snapshot()
    try:
        yield made
        assert made.snapshot() == before
    finally:
        made.close()


@pytest.fixture(params=["iptables", "nft"])
def backend(request, monkeypatch):
    kind = Iptables if request.param == "iptables" else Nftables
    monkeypatch.setattr(firewall, "choose", kind)
    return request.param


class Host:
    """Our bridge on such a machine."""

    def __init__(self, machine, directory, subnets=BOTH):
        self.machine = machine
        self.directory = directory
        self.subnets = subnets
        self.bridge = machine.do(self.door)

    def door(self):
        return Bridge("cm0", self.subnets, "one", self.directory)

    def join(self, name, *ports):
        """Put a new container on the bridge; return its namespace and its addresses."""
        netns = self.machine.space()
        wish = Wish(name, netns, Network(ports=ports))
        (joined,) = self.machine.do(self.bridge.attach, [wish])
        if isinstance(joined, NetworkRefused):
            raise joined
        return netns, *joined.addresses

    def leave(self, *names):
        self.machine.do(self.bridge.detach, names)

    def close(self):
        self.machine.do(self.bridge.keep, set())
        self.machine.do(self.bridge.close)


@pytest.fixture
def host(machine, backend, tmp_path):
    made = Host(machine, tmp_path)
    assert machine.do(made.bridge.fault) == machine.do(made.bridge.fault6) == ""
    yield made
    made.close()


def test_everybody_reaches_whom_they_should_by_both_protocols(machine, host):
    one, *own = host.join("one", PortMap(8080, 80))
    two, *others = host.join("two")
    web = machine.listen(one, 80)
    for address, outside, mine, theirs in (
        (OWN4, OUTSIDE4, own[0], others[0]),
        (OWN6, OUTSIDE6, own[1], others[1]),
    ):
        for place in (machine.netns, two, one):
            reach(place, (mine, 80), web)
            reach(place, (address, 8080), web)
        assert reach(two, (mine, 80), web) == theirs
        assert reach(machine.outside, (address, 8080), web) == outside
        there = machine.listen(machine.outside, 9000)
        assert reach(two, (outside, 9000), there) == address  # masqueraded
        there.close()
    reach(machine.netns, ("127.0.0.1", 8080), web)
    with pytest.raises(ConnectionRefusedError):  # at once: who tries it first goes on
        reach(machine.netns, ("::1", 8080), web)


def test_a_port_at_one_address_is_at_no_other(machine, host):
    one, *_ = host.join("one", PortMap(8080, 80, host_ip=OWN6), PortMap(8081, 80, host_ip=OWN4))
    web = machine.listen(one, 80)
    reach(machine.outside, (OWN6, 8080), web)
    reach(machine.outside, (OWN4, 8081), web)
    for address in ((OWN4, 8080), (OWN6, 8081), ("127.0.0.1", 8081)):
        with pytest.raises(ConnectionRefusedError):
            reach(machine.netns, address, web)
    listening = machine.listen(machine.netns, 8090)
    with pytest.raises(NetworkRefused, match="port 8090/tcp is already used by a process"):
        host.join("three", PortMap(8090, 80, host_ip=OWN6))
    listening.close()


def test_without_ipv6_a_port_at_such_an_address_is_refused(machine, backend, tmp_path):
    host = Host(machine, tmp_path, V4)
    with pytest.raises(NetworkRefused, match="no IPv6 here; see --network-bridge-subnet6"):
        host.join("one", PortMap(8080, 80, host_ip="::1"))
    host.close()


def test_datagrams_find_the_container_that_has_the_port_now(machine, host):
    """Who keeps its source port keeps its flow, and would be led where the first went."""
    client = machine.udp(machine.netns)
    address = ("127.0.0.1", 5353)
    client.sendto(b"nobody", address)
    for name in ("one", "two"):
        netns, *_ = host.join(name, PortMap(5353, 53, "udp"))
        server = machine.udp(netns, ("", 53))
        with contextlib.suppress(ConnectionRefusedError):  # what became of the first one
            client.sendto(name.encode(), address)
        said, peer = server.recvfrom(100)
        assert said.decode() == name
        server.sendto(b"answer", peer)
        assert client.recvfrom(100) == (b"answer", address)
        host.leave(name)
    machine.udp(machine.netns, ("", 5353))
    with pytest.raises(NetworkRefused, match="port 5353/udp is already used by a process"):
        host.join("late", PortMap(5353, 53, "udp"))


def test_what_was_flushed_is_written_again(machine, host):
    one, *_ = host.join("one", PortMap(8080, 80))
    web = machine.listen(one, 80)
    machine.run("nft", "flush", "ruleset")
    machine.do(host.bridge.repair)
    reach(machine.outside, (OWN4, 8080), web)
    machine.run("nft", "flush", "ruleset")
    two, *_ = host.join("two", PortMap(8081, 80))  # does not wait for the repair
    reach(machine.outside, (OWN4, 8081), machine.listen(two, 80))
    reach(machine.outside, (OWN4, 8080), web)


class Cut(BaseException):
    """A kill -9, as far as our own code can see one."""


def cut_after(monkeypatch, steps):
    """Let the kernel and the firewall be asked so many times, and no more."""
    left = [steps]

    def limited(real):
        def ask(*args, **kwargs):
            if not left[0]:
                raise Cut
            left[0] -= 1
            return real(*args, **kwargs)

        return ask

    monkeypatch.setattr(netlinks.Netlink, "_ask", limited(netlinks.Netlink._ask))
    for module in (iptables, nftables):
        monkeypatch.setattr(module, "run", limited(module.run))


def test_killed_at_any_instant_the_next_one_puts_it_right(machine, backend, host, monkeypatch):
    before, is_through, steps = machine.snapshot(), False, 0
    stride = 4 if backend == "iptables" else 1  # which asks four times as often
    while not is_through:
        with monkeypatch.context() as patch:
            cut_after(patch, steps)
            try:
                host.join("one", PortMap(8080, 80))
                host.leave("one")
                machine.do(host.bridge.close)
                is_through = True
            except Cut:
                steps += stride
        host.bridge = machine.do(host.door)  # a new process knows what is on the disk
        machine.do(host.bridge.keep, set())
        if steps // stride % 3 == 0:  # nobody comes, or somebody does
            machine.do(host.bridge.close)
            assert machine.snapshot() == before, steps
        two, *_ = host.join("two", PortMap(8080, 80))
        reach(machine.outside, (OWN4, 8080), machine.listen(two, 80))
        host.leave("two")
        machine.do(host.bridge.close)
        assert machine.snapshot() == before, steps
    assert steps > 15


def programs(directory, kind):
    """Return a PATH where iptables is one of the two."""
    directory.mkdir()
    for name in ("iptables", "ip6tables"):
        for suffix in ("", "-save", "-restore"):
            found = shutil.which(f"{name}-{kind}{suffix}")
            if found is None:
                pytest.skip(f"{name}-{kind} is not installed")
            (directory / f"{name}{suffix}").symlink_to(found)
    return f"{directory}:{os.environ['PATH']}"


@pytest.mark.parametrize("kind", ["legacy", "nft"])
def test_where_the_other_iptables_drops_what_is_forwarded(machine, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", programs(tmp_path / "bin", kind))
    other = {"legacy": "iptables-nft", "nft": "iptables-legacy"}[kind]
    host = Host(machine, tmp_path)
    first, *_ = host.join("first", PortMap(8080, 80))
    web = machine.listen(first, 80)
    machine.run(other, "-P", "FORWARD", "DROP")
    machine.do(host.bridge.repair)
    reach(machine.outside, (OWN4, 8080), web)
    host.leave("first")
    host.close()
    second, *_ = host.join("second", PortMap(8080, 80))
    reach(machine.outside, (OWN4, 8080), machine.listen(second, 80))
    host.close()
    assert "COMITY" not in machine.run(f"{other}-save")


@contextlib.contextmanager
def docker_engine(machine, directory):
    """Run a Docker engine on the machine; it makes its rules and bridge there."""
    words = [f"--{name}={directory / name}" for name in ("data-root", "exec-root", "pidfile")]
    address = f"unix://{directory}/docker.sock"
    argv = ["unshare", "--mount", "dockerd", "-H", address, *words]
    with (directory / "log").open("w") as log:
        netns = f"--net={machine.netns}"
        child = subprocess.Popen(["nsenter", netns, *argv], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60
        while "API listen on" not in (directory / "log").read_text():
            if child.poll() is not None or time.monotonic() > deadline:
                pytest.skip(f"dockerd does not start: {(directory / 'log').read_text()[-500:]}")
            time.sleep(0.1)
        yield
    finally:
        child.terminate()
        child.wait()


@pytest.mark.skipif(shutil.which("dockerd") is None, reason="docker.io is not installed")
def test_beside_a_docker_engine(machine, tmp_path):
    links = machine.snapshot()[0]
    # It drops what is forwarded where it is the one who lets the machine forward.
    machine.run("sh", "-c", "echo 0 > /proc/sys/net/ipv4/ip_forward")
    host = Host(machine, tmp_path, V4)
    with tempfile.TemporaryDirectory() as directory, docker_engine(machine, Path(directory)):
        assert "-P FORWARD DROP" in machine.run("iptables", "-S")
        one, *_ = host.join("one", PortMap(8080, 80))
        web = machine.listen(one, 80)
        for _ in range(2):
            reach(machine.outside, (OWN4, 8080), web)
            two, *_ = host.join("two")
            reach(two, (OUTSIDE4, 9000), machine.listen(machine.outside, 9000))
            reach(two, (OWN4, 8080), web)
            host.leave("two")
            machine.sockets.pop().close()
            machine.do(host.bridge.repair)
        host.close()
        rules = machine.run("iptables-save")
        assert "DOCKER-USER" in rules
        assert "COMITY" not in rules
    for link in set(machine.snapshot()[0]) - set(links):
        machine.run("ip", "link", "del", link.partition("@")[0].rstrip(":"))


def test_more_addresses_of_ipv4_than_of_ipv6_are_refused():
    with pytest.raises(ValueError, match="fewer addresses"):
        Subnets.read("10.0.0.0/16", "fd00::/120")
    assert Subnets.read("10.0.0.0/16", "fd00::/64").beside("10.0.1.2") == "fd00::102"


def test_a_machine_without_ipv6_says_so(tmp_path):
    assert no_ipv6(Path(tmp_path)) == "the kernel of this machine has no IPv6"
    for name, value in (("all", "0"), ("default", "1")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "disable_ipv6").write_text(value)
    assert no_ipv6(tmp_path) == "net.ipv6.conf.default.disable_ipv6 is 1; set it to 0"
    assert socket.has_ipv6
