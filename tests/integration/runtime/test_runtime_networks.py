"""The machine's own bridge, on this machine: packets get where they should, and nothing stays."""

import asyncio
import contextlib
import http.client
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from comity.core.networks import Network, PortMap
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.netlink import enter
from support import networks as lab_support
from support.images import BUSYBOX
from support.networks import MARKS, NAME, Lab, run_in, snapshot

pytestmark = [*MARKS, pytest.mark.skipif(BUSYBOX is None, reason="busybox is not installed")]


@pytest.fixture
async def lab(tmp_path):
    made = Lab(tmp_path)
    yield made
    await made.close()
    assert snapshot() == made.before


@contextlib.contextmanager
def serving(netns, directory, text, port=80):
    """Serve a file `who` from a namespace."""
    root = directory / f"www-{text}"
    root.mkdir()
    (root / "who").write_text(text)
    argv = ["nsenter", f"--net={netns}", BUSYBOX, "httpd", "-f", "-p", str(port), "-h", str(root)]
    with subprocess.Popen(argv) as child:
        try:
            yield
        finally:
            child.kill()


def ask(host, port, patience_s=20):
    """Return what a server says; it may be about to begin."""
    deadline = time.monotonic() + patience_s
    while True:
        connection = http.client.HTTPConnection(host, port, timeout=5 if patience_s else 1)
        try:
            connection.request("GET", "/who")
            return connection.getresponse().read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        finally:
            connection.close()


def ask_from(netns, host, port, patience_s=20):
    """Ask from a namespace: in a thread, which ends in there."""
    said = []

    def work():
        enter(netns)
        try:
            said.append(ask(host, port, patience_s))
        except OSError as error:
            said.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return said[0]


def iptables(*argv):
    subprocess.run(["iptables", "-w", *argv], check=True)


def delete_link(name):
    subprocess.run(["ip", "link", "del", name], check=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def own_address():
    """Return an address of the machine that is not on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        return probe.getsockname()[0]


async def test_containers_reach_each_other_and_the_machine_reaches_them(lab, tmp_path):
    networks, (one, two) = lab.networks(), (lab.netns(), lab.netns())
    first = await networks.attach("one", one, (Network(),))
    second = await networks.attach("two", two, (Network(groups=("g",), labels={"k": "v"}),))
    assert first.addresses != second.addresses
    assert (second.joined[0].groups, second.joined[0].labels) == (("g",), {"k": "v"})
    with serving(one, tmp_path, "one"):
        assert ask(first.addresses[0], 80) == "one"
        assert ask_from(two, first.addresses[0], 80) == "one"
    assert second.addresses[0] in run_in(two, "ip", "-4", "addr", "show", "eth0")
    assert "default via" in run_in(two, "ip", "route")


async def test_a_mapped_port_answers_everywhere_also_to_its_own_container(lab, tmp_path):
    networks, (one, two) = lab.networks(), (lab.netns(), lab.netns())
    port = free_port()
    await networks.attach("one", one, (Network(ports=(PortMap(port, 8080),)),))
    await networks.attach("two", two, (Network(),))
    with serving(one, tmp_path, "mapped", 8080):
        assert ask("127.0.0.1", port) == "mapped"
        assert ask("127.0.0.2", port) == "mapped"
        assert ask(own_address(), port) == "mapped"
        assert ask_from(two, own_address(), port) == "mapped"
        assert ask_from(one, own_address(), port) == "mapped"
        await networks.detach("one")
        with pytest.raises(OSError, match="refused"):
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()


async def test_a_port_may_be_mapped_at_one_address_only(lab, tmp_path):
    networks, (one, two) = lab.networks(), (lab.netns(), lab.netns())
    port = free_port()
    await networks.attach("one", one, (Network(ports=(PortMap(port, 80, host_ip="127.0.0.8"),)),))
    await networks.attach("two", two, (Network(ports=(PortMap(port, 80, host_ip="127.0.0.9"),)),))
    with serving(one, tmp_path, "eight"), serving(two, tmp_path, "nine"):
        assert ask("127.0.0.8", port) == "eight"
        assert ask("127.0.0.9", port) == "nine"


async def test_no_network_is_loopback_alone(lab):
    networks, netns = lab.networks(), lab.netns()
    found = await networks.attach("one", netns, (Network("none"),))
    assert [(one.name, one.addresses) for one in found.joined] == [("none", ())]
    assert "eth0" not in run_in(netns, "ip", "link")
    assert snapshot() == lab.before
    for others, reason in (
        ((Network("none"), Network()), "leave the other networks out"),
        ((Network("none", (PortMap(1, 1),)),), "neither mapped ports nor addresses"),
    ):
        with pytest.raises(NetworkRefused, match=reason):
            await networks.attach("two", netns, others)


async def test_localhost_of_the_machine_is_not_open_to_containers(lab, tmp_path):
    networks, netns = lab.networks(), lab.netns()
    port = free_port()
    found = await networks.attach("one", netns, (Network(ports=(PortMap(port, 80),)),))
    gateway = run_in(netns, "ip", "route").split()[2]
    run_in(netns, "ip", "route", "add", "127.0.0.7/32", "via", gateway, "src", found.addresses[0])
    run_in(netns, "ip", "route", "del", "local", "127.0.0.0/8", "table", "local")
    run_in(netns, "sysctl", "-qw", "net.ipv4.conf.eth0.route_localnet=1")
    with socket.socket() as server:
        server.bind(("127.0.0.7", 0))
        server.listen()
        server.setblocking(False)
        await asyncio.to_thread(ask_from, netns, "127.0.0.7", server.getsockname()[1], 0)
        with pytest.raises(BlockingIOError):
            server.accept()


async def test_a_docker_engine_that_drops_what_is_forwarded_does_not_matter(lab, tmp_path):
    """What Docker does at its start, in a chain of ours: drop what nobody accepted before."""
    networks, (one, two) = lab.networks(), (lab.netns(), lab.netns())
    first = await networks.attach("one", one, (Network(),))
    await networks.attach("two", two, (Network(),))
    drop = ["-s", lab_support.SUBNET, "-j", "DROP"]
    bridged = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    before = read(bridged)
    iptables("-A", "FORWARD", *drop)
    try:
        write(bridged, before and "1")
        with serving(one, tmp_path, "one"):
            assert ask(first.addresses[0], 80) == "one"
            assert ask_from(two, first.addresses[0], 80) == "one"
    finally:
        write(bridged, before)
        iptables("-D", "FORWARD", *drop)


def read(path):
    return path.read_text() if path.exists() else ""


def write(path, text):
    if text:
        path.write_text(text)


async def test_rules_that_somebody_flushed_come_back(lab):
    networks = lab.networks()
    port = free_port()
    await networks.attach("one", lab.netns(), (Network(ports=(PortMap(port, 80),)),))
    whole = snapshot()[2]
    for chain in ("PREROUTING", "OUTPUT", "POSTROUTING"):
        iptables("-t", "nat", "-F", f"COMITY-MAP-{NAME}")
        rule = next(line for line in whole if line.startswith(f"-A {chain} "))
        iptables("-t", "nat", "-D", *rule.split()[1:])
    watcher = asyncio.create_task(networks.watch(every_s=0.05))
    async with asyncio.timeout(20):
        while sorted(snapshot()[2]) != sorted(whole):
            await asyncio.sleep(0.05)
    watcher.cancel()
    await asyncio.gather(watcher, return_exceptions=True)


async def test_a_port_in_use_is_refused_and_nothing_stays(lab):
    networks, netns = lab.networks(), lab.netns()
    await networks.attach(
        "holder", lab.netns(), (Network(ports=(PortMap(port := free_port(), 80),)),)
    )
    before = snapshot()
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        used = server.getsockname()[1]
        with pytest.raises(NetworkRefused, match=f"port {used}/tcp is already used by a process"):
            await networks.attach("late", netns, (Network(ports=(PortMap(used, 80),)),))
    with pytest.raises(NetworkRefused, match=rf"port {port}/tcp .* leads to container holder"):
        await networks.attach("late", netns, (Network(ports=(PortMap(port, 80),)),))
    with pytest.raises(NetworkRefused, match=r"there is no network 'nix'; .*: mesos-bridge"):
        await networks.attach("late", netns, (Network(), Network("nix")))
    with pytest.raises(NetworkRefused, match="asked for twice"):
        await networks.attach("late", netns, (Network(), Network()))
    for each, reason in (
        (PortMap(70000, 80), "no port"),
        (PortMap(1, 1, "sctp"), "use tcp or udp"),
        (PortMap(port + 1, 80, host_ip="localhost"), "'localhost' is not an address"),
        (PortMap(port + 1, 80, host_ip="203.0.113.7"), "not an address of this machine"),
    ):
        with pytest.raises(NetworkRefused, match=reason):
            await networks.attach("late", netns, (Network(ports=(each,)),))
    assert snapshot() == before
    assert networks.attachment("late") is None
    assert "eth0" not in run_in(netns, "ip", "link")


async def test_many_at_once_are_a_few_batches(lab):
    networks, count = lab.networks(), 12
    wanted = [(lab.netns(), PortMap(free_port(), 80)) for _ in range(count)]
    found = await asyncio.gather(
        *(
            networks.attach(f"c{index}", netns, (Network(ports=(port,)),))
            for index, (netns, port) in enumerate(wanted)
        )
    )
    assert len({one.addresses for one in found}) == count
    links, ports, rules = snapshot()
    assert (links, len(ports)) == ([NAME], count)
    assert sum("--to-destination" in rule for rule in rules) == count
    await asyncio.gather(*(networks.detach(f"c{index}") for index in range(count)))
    assert snapshot()[1] == []


async def test_an_agent_that_was_killed_takes_back_what_has_no_container_any_more(lab):
    networks, (kept, lost) = lab.networks(), (lab.netns(), lab.netns())
    stays = await networks.attach("kept", kept, (Network(ports=(PortMap(free_port(), 80),)),))
    await networks.attach("lost", lost, (Network(ports=(PortMap(free_port(), 80),)),))
    again = lab.networks()  # a new process knows only what is on the disk
    await again.keep({"kept"})
    assert again.attachment("lost") is None
    assert await again.attach("kept", kept, (Network(),)) == stays
    _, ports, rules = snapshot()
    assert len(ports) == sum("--to-destination" in rule for rule in rules) == 1


async def test_a_crash_in_the_middle_of_joining_leaves_nothing(lab):
    class Cut(Exception):
        pass

    def cut(*args):
        raise Cut

    networks, netns = lab.networks(), lab.netns()
    networks._bridge._settle = cut
    networks.detach = lambda container: asyncio.sleep(0)  # nobody tidies up after a kill -9
    with pytest.raises(Cut):
        await networks.attach("one", netns, (Network(),))
    assert len(snapshot()[1]) == 1
    again = lab.networks()
    await again.keep(set())
    assert snapshot()[1] == []
    assert (await again.attach("one", netns, (Network(),))).addresses


async def test_agents_share_the_bridge_and_the_last_removes_it(lab, tmp_path):
    one, two = lab.networks("one"), lab.networks("two")
    left, right = lab.netns(), lab.netns()
    first = await one.attach("c", left, (Network(),))
    second = await two.attach("c", right, (Network(),))
    with serving(left, tmp_path, "left"):
        assert ask_from(right, first.addresses[0], 80) == "left"
    assert first.addresses != second.addresses
    await one.keep(set())
    await one.close()
    assert snapshot()[1] != []
    lab.drop_netns(right)  # and its agent never comes back
    await one.keep(set())
    await one.close()
    assert snapshot() == lab.before


async def test_a_chain_that_somebody_removed_is_written_again(lab, tmp_path):
    networks, netns, port = lab.networks(), lab.netns(), free_port()
    await networks.attach("before", lab.netns(), (Network(ports=(PortMap(free_port(), 80),)),))
    for rule in snapshot()[2]:
        if f"-j COMITY-MAP-{NAME}" in rule:
            iptables("-t", "nat", "-D", *rule.split()[1:])
    iptables("-t", "nat", "-F", f"COMITY-MAP-{NAME}")
    iptables("-t", "nat", "-X", f"COMITY-MAP-{NAME}")
    await networks.attach("one", netns, (Network(ports=(PortMap(port, 80),)),))
    assert sum("--to-destination" in rule for rule in snapshot()[2]) == 2
    with serving(netns, tmp_path, "one"):
        assert ask("127.0.0.1", port) == "one"


async def test_after_a_reboot_the_book_is_empty_and_containers_join_anew(lab, monkeypatch):
    networks, netns = lab.networks(), lab.netns()
    await networks.attach("one", netns, (Network(ports=(PortMap(free_port(), 80),)),))
    lab.drop_netns(netns)  # with a reboot all of it would go: namespace, links, bridge, rules
    networks._bridge._firewall.remove()
    delete_link(NAME)
    for module in ("leases", "records"):
        monkeypatch.setattr(f"comity.runtime.networks.{module}.boot_id", lambda: "another")
    again = lab.networks()
    await again.keep(set())
    assert again.attachment("one") is None
    assert snapshot() == lab.before
    found = await again.attach("two", lab.netns(), (Network(),))
    assert found.addresses[0].endswith(".2")
