"""The book of the bridge: addresses and ports, and texts made from what came of it."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comity.core.networks import Attachment, Joined, PortMap
from comity.runtime.networks import resolving
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.leases import Book, Lease, LeaseFile
from comity.runtime.networks.subnets import Subnets

SUBNET = "10.9.0.0/28"
NETWORK = IPv4Network(SUBNET)


def lease(address="10.9.0.2", ports=(), container="c", netns="/proc/self/ns/net"):
    return Lease("one", container, address, "link", netns, ports)


@given(st.lists(st.integers(0, 12), max_size=60))
def test_addresses_are_never_given_twice_and_all_can_be_had(steps):
    book, held = Book(), {}
    for number, step in enumerate(steps):
        if str(step) in held:
            del book.leases[str(step)]
            del held[str(step)]
            continue
        address = book.free_address(NETWORK, ())
        assert address not in held.values()
        assert address not in ("10.9.0.0", "10.9.0.1", "10.9.0.15")
        held[str(step)] = address
        book.leases[str(step)] = lease(address, container=str(number))
    while len(held) < NETWORK.num_addresses - 3:
        key = f"more{len(held)}"
        held[key] = book.free_address(NETWORK, ())
        book.leases[key] = lease(held[key])
    assert len(set(held.values())) == len(held) == 13
    with pytest.raises(NetworkRefused, match=r"no address of 10\.9\.0\.0/28 is free"):
        book.free_address(NETWORK, ())


def test_an_address_is_not_given_again_at_once():
    book = Book()
    assert book.free_address(NETWORK, ()) == "10.9.0.2"
    assert book.free_address(NETWORK, ()) == "10.9.0.3"


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("10.9.0.5", "another container has"),
        ("10.9.0.1", "not one of"),
        ("10.9.0.15", "not one of"),
        ("10.8.0.4", "not one of"),
        ("fd00::4", "not an IPv4 address"),
        ("nonsense", "not an IPv4 address"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(asked, reason):
    book = Book(leases={"one/c": lease("10.9.0.5")})
    assert book.free_address(NETWORK, ("10.9.0.6",)) == "10.9.0.6"
    with pytest.raises(NetworkRefused, match=reason):
        book.free_address(NETWORK, (asked,))


@pytest.mark.parametrize(
    ("port", "meets"),
    [
        (PortMap(80, 1), True),
        (PortMap(80, 1, "udp"), False),
        (PortMap(81, 80), False),
        (PortMap(80, 1, host_ip="127.0.0.1"), True),
        (PortMap(53, 1, host_ip="127.0.0.1"), False),
        (PortMap(53, 1, host_ip="127.0.0.2"), True),
    ],
)
def test_a_port_leads_to_one_container_only(port, meets):
    ports = (PortMap(80, 8080), PortMap(53, 53, host_ip="127.0.0.2"))
    book = Book(leases={"one/web": lease(ports=ports, container="web")})
    if not meets:
        book.check_port(port)
        return
    with pytest.raises(
        NetworkRefused, match=rf"port {port.host_port}/tcp .* container web already"
    ):
        book.check_port(port)


def test_a_book_is_found_again_but_not_after_another_boot(tmp_path):
    file = LeaseFile(tmp_path / "b.json", Subnets.read(SUBNET))
    with file.locked() as book:
        book.leases["one/c"] = lease()
        file.save(book)
    with file.locked() as book:
        assert book.leases["one/c"].address == "10.9.0.2"
        book.boot = "another"
        file.save(book)
    with file.locked() as book:
        assert book.leases == {}


def test_a_book_cut_off_in_the_middle_counts_as_empty(tmp_path):
    (tmp_path / "b.json").write_bytes(b'{"boot":"')
    with LeaseFile(tmp_path / "b.json", Subnets.read(SUBNET)).locked() as book:
        assert book.leases == {}


def test_two_agents_must_agree_on_the_subnet(tmp_path):
    file = LeaseFile(tmp_path / "b.json", Subnets.read(SUBNET))
    with file.locked() as book:
        book.leases["one/c"] = lease()
        file.save(book)
    other = LeaseFile(tmp_path / "b.json", Subnets.read("10.10.0.0/24"))
    with pytest.raises(NetworkRefused, match="same --network-bridge-subnet"), other.locked():
        pass


def test_files_of_a_container_name_it_and_its_servers():
    joined = (Joined("a", ("10.9.0.2", "fd00::2")), Joined("b", ("10.8.0.2",), "eth1"))
    found = Attachment(joined, ("10.0.0.53",), ("example.org", "org"), ("ndots:5",))
    assert found.addresses == ("10.9.0.2", "fd00::2", "10.8.0.2")
    assert "10.9.0.2\tweb-0\n" in found.hosts("web-0")
    assert found.hosts("web-0").startswith("127.0.0.1\tlocalhost\n")
    text = "nameserver 10.0.0.53\nsearch example.org org\noptions ndots:5\n"
    assert found.resolv_conf() == text
    assert Attachment().hosts("").endswith("ip6-allrouters\n")


def test_nameservers_on_loopback_are_those_behind_the_stub(tmp_path):
    stub, real = tmp_path / "stub", tmp_path / "real"
    stub.write_text("nameserver 127.0.0.53\nsearch a b\n")
    real.write_text("# real\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions edns0\n\n")
    found = resolving.of_machine((stub, real))
    assert found == {
        "nameservers": ("10.0.0.1", "10.0.0.2"),
        "search": (),
        "options": ("edns0",),
    }
    assert resolving.of_machine((stub, tmp_path / "none"))["nameservers"] == ()
    assert resolving.of_machine((tmp_path / "none",)) == {}
