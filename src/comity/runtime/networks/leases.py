"""Who has which address and which ports on the machine's bridge: one file, shared by all agents.

Every change is made under a lock and replaces the file. It is not synced: whatever it speaks of
(namespaces, links, rules) does not survive the machine's end either, and a file of another boot
counts as empty.
"""

import contextlib
import fcntl
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import msgspec
from msgspec import Struct, field

from comity.core.networks import PortMap
from comity.runtime.containers import namespaces
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.subnets import Subnets


class Lease(Struct):
    """A container's place on the bridge."""

    owner: str
    """The agent that it is a container of."""
    container: str
    address: str
    link: str
    """The end of its pair of links that is a port of the bridge."""
    netns: str
    ports: tuple[PortMap, ...] = ()
    address6: str = ""
    """Of IPv6, if the bridge has that."""


class Book(Struct):
    """Every lease of a bridge."""

    boot: str = ""
    subnet: str = ""
    subnet6: str = ""
    last: int = 0
    """The place in the subnet that was given last: addresses are not given again at once."""
    leases: dict[str, Lease] = field(default_factory=dict)
    """By `owner/container`."""

    def free_address(self, network: IPv4Network, asked: tuple[str, ...]) -> str:
        """Return an address that nobody has.

        Raises:
            NetworkRefused: there is none, or somebody has the one asked for.
        """
        taken = {one.address for one in self.leases.values()}
        for address in asked[:1]:
            _check_asked(address, network, taken)
            return address
        size = network.num_addresses - 3  # besides the network's own, the gateway's and broadcast's
        for step in range(1, size + 1):
            place = (self.last + step - 1) % size + 1
            address = str(network[place + 1])
            if address not in taken:
                self.last = place
                return address
        raise NetworkRefused(f"no address of {network} is free: {len(taken)} containers have them")

    def check_port(self, port: PortMap) -> None:
        """Refuse a port of the machine that leads to another container already.

        Raises:
            NetworkRefused: naming that container.
        """
        for lease in self.leases.values():
            for other in lease.ports:
                if _meet(port, other):
                    raise NetworkRefused(
                        f"port {port} of this machine leads to container {lease.container} already"
                    )

    def vanished(self) -> set[str]:
        """Return the leases of namespaces that are gone, with an agent's directory, say."""
        return {
            key for key, one in self.leases.items() if not namespaces.is_pinned(Path(one.netns))
        }


def _check_asked(address: str, network: IPv4Network, taken: set[str]) -> None:
    try:
        wanted = IPv4Address(address)
    except ValueError as error:
        raise NetworkRefused(f"'{address}' is not an IPv4 address") from error
    ends = (network.network_address, network.broadcast_address, network[1])
    if wanted not in network or wanted in ends:
        raise NetworkRefused(f"address {address} is not one of {network} that a container can have")
    if address in taken:
        raise NetworkRefused(f"another container has the address {address}")


def _meet(one: PortMap, other: PortMap) -> bool:
    same = (one.host_port, one.protocol) == (other.host_port, other.protocol)
    return same and (one.host_ip == other.host_ip or "" in (one.host_ip, other.host_ip))


class LeaseFile:
    """The book on the disk."""

    def __init__(self, path: Path, subnets: Subnets) -> None:
        self._path = path
        self._subnet = str(subnets.v4)
        self._subnet6 = str(subnets.v6 or "")

    @contextlib.contextmanager
    def locked(self) -> Iterator[Book]:
        """Hold the book against all other agents of the machine.

        Raises:
            OSError: the directory cannot be written.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with (self._path.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self._read()

    def save(self, book: Book) -> None:
        """Replace the file; an empty book needs none."""
        if not book.leases:
            self._path.unlink(missing_ok=True)
            return
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(book))
        new.replace(self._path)

    def _read(self) -> Book:
        boot = boot_id()
        fresh = Book(boot=boot, subnet=self._subnet, subnet6=self._subnet6)
        try:
            book = msgspec.json.decode(self._path.read_bytes(), type=Book)
        except (FileNotFoundError, msgspec.DecodeError):
            return fresh  # nobody has an address; or it was cut off when the machine went down
        if book.boot != boot:
            return fresh
        own = (self._subnet, self._subnet6)
        if book.leases and (book.subnet, book.subnet6) != own:
            theirs = " and ".join(one for one in (book.subnet, book.subnet6) if one)
            raise NetworkRefused(
                f"containers of another agent have addresses of {theirs} on this bridge; start "
                "every agent of a machine with the same --network-bridge-subnet and "
                "--network-bridge-subnet6, or give this one another --network-bridge"
            )
        book.subnet, book.subnet6 = own
        return book


def boot_id() -> str:
    """Return what is another at every start of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
