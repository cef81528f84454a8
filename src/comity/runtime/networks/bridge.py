"""The machine's own network: a bridge that the containers of all its agents are on.

A container gets a pair of links, an address of the bridge's subnet, and the machine as its way out,
masqueraded. The bridge is made for the first container, and removed when an agent ends and nobody
has an address of it any more.
"""

import contextlib
import errno
import hashlib
import os
import socket
from collections.abc import Callable, Iterable
from ipaddress import ip_address
from pathlib import Path

from msgspec import Struct

from comity.core.networks import BRIDGE, Joined, Network, PortMap
from comity.runtime.networks import conntrack, firewall, trial
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.leases import Book, Lease, LeaseFile
from comity.runtime.networks.netlink import Netlink
from comity.runtime.networks.subnets import Subnets, no_ipv6

STATE = Path("/var/lib/comity/networks")
_SYSCTL = Path("/proc/sys/net")
_LINKS = "cmt"
"""What the names of our links begin with."""
Choose = Callable[[Book], set[str]]
"""Which leases of a book are to go."""
_PROTOCOLS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


class Wish(Struct, frozen=True):
    """A container that is to be on the bridge."""

    container: str
    netns: Path
    network: Network
    interface: str = "eth0"


class Bridge:
    """One agent's door to the bridge. Its methods block: they are for threads."""

    def __init__(self, name: str, subnets: Subnets, owner: str, state: Path = STATE) -> None:
        self.name = name
        self.subnets = subnets
        self._state = state
        self._owner = owner
        self._file = LeaseFile(state / f"{name}.json", subnets)
        self._firewall = firewall.choose(name, subnets)
        self._whole = 0
        """The index of the bridge that was seen to be complete; a later one has another."""

    def other(self, name: str, subnets: Subnets) -> "Bridge":
        """Return the same agent's door to another bridge."""
        return Bridge(name, subnets, self._owner, self._state)

    def fault(self) -> str:
        """Return why there can be no bridge here, empty when there can."""
        if not self.name:
            return "the agent was started with an empty --network-bridge"
        if len(self.name) > 15 or self.subnets.v4.prefixlen > 29:
            return f"bridge {self.name}: names have up to 15 characters, subnets 8 addresses"
        return trial.fault() or _settings_fault() or self._firewall.fault()

    def fault6(self) -> str:
        """Return why there can be no IPv6 on this one, and what to do; empty when there can."""
        return no_ipv6() or self._firewall.fault()

    def attach(self, wishes: list[Wish]) -> list[Joined | NetworkRefused]:
        """Put containers on the bridge, each for itself: one's refusal is not another's.

        Raises:
            NetworkRefused: nobody can be on it.
        """
        try:
            with self._file.locked() as book, Netlink.here() as host:
                index = self._ensure(host, book)
                taken = [self._take(host, book, wish) for wish in wishes]
                self._file.save(book)
                results = [
                    one if isinstance(one, NetworkRefused) else self._join(host, index, wish, one)
                    for wish, one in zip(wishes, taken, strict=True)
                ]
                self._settle(host, book, wishes, results)
        except OSError as error:
            raise NetworkRefused(f"the bridge {self.name} cannot be used: {error}") from error
        return results

    def _settle(
        self,
        host: Netlink,
        book: Book,
        wishes: list[Wish],
        results: list[Joined | NetworkRefused],
    ) -> None:
        """Take back what was refused, and write the port maps."""
        refused = [isinstance(one, NetworkRefused) for one in results]
        self._forget(host, book, [w for w, no in zip(wishes, refused, strict=True) if no])
        keys = [self._key(wish.container) for wish in wishes if wish.network.ports]
        mapped = [book.leases[key] for key in keys if key in book.leases]
        try:
            if mapped and not self._firewall.add_maps(mapped):
                self._firewall.write(book.leases.values())
        except NetworkRefused as error:
            results[:] = [error for _ in wishes]
            self._forget(host, book, wishes)
        self._file.save(book)
        conntrack.forget(mapped)

    def _forget(self, host: Netlink, book: Book, wishes: list[Wish]) -> None:
        for wish in wishes:
            lease = book.leases.pop(self._key(wish.container), None)
            if lease is not None:
                host.delete_links([lease.link])

    def detach(self, containers: Iterable[str]) -> None:
        """Take containers off the bridge; those that are not on it are no fault.

        Raises:
            NetworkRefused: the file or the firewall cannot be changed.
        """
        keys = {self._key(one) for one in containers}
        self._drop(lambda book: keys & book.leases.keys())

    def keep(self, known: set[str]) -> None:
        """Drop leases of this agent whose containers are not known, and of vanished agents.

        Raises:
            NetworkRefused: the file or the firewall cannot be changed.
        """
        self._drop(lambda book: self._unknown(book, known) | book.vanished())
        with self._file.locked() as book, Netlink.here() as host:
            index = self._index(host)
            leased = {one.link for one in book.leases.values()}
            ports = host.ports_of(index) if index is not None else []
            # Those of leases that were given back just before somebody was killed.
            host.delete_links(
                [one for one in ports if one.startswith(_LINKS) and one not in leased]
            )

    def _unknown(self, book: Book, known: set[str]) -> set[str]:
        found = book.leases.items()
        return {k for k, one in found if one.owner == self._owner and one.container not in known}

    def repair(self) -> None:
        """Write the rules again when somebody removed them, as a firewall's restart does.

        Raises:
            NetworkRefused: the firewall cannot be changed.
        """
        if not self._exists() or self._firewall.is_whole():
            return
        with self._file.locked() as book:
            self._firewall.write(book.leases.values())

    def close(self) -> None:
        """Remove the bridge and its rules, if nobody is on it.

        Raises:
            NetworkRefused: the file cannot be read.
        """
        self._drop(Book.vanished)
        with self._file.locked() as book:
            if book.leases:
                return
            self._file.save(book)
            if self._exists() or self._firewall.is_whole():
                self._firewall.remove()
                with Netlink.here() as host:
                    host.delete_links([self.name])

    def _drop(self, choose: Choose) -> None:
        try:
            with self._file.locked() as book:
                leases = [book.leases.pop(key) for key in choose(book)]
                if any(one.ports for one in leases) and self._exists():
                    self._firewall.map_ports(book.leases.values())
                if leases:
                    self._file.save(book)
            conntrack.forget(leases)
            # The kernel takes its time for this, and others need not wait with us.
            with Netlink.here() as host:
                host.delete_links([one.link for one in leases])
        except OSError as error:
            raise NetworkRefused(f"the bridge {self.name} cannot be changed: {error}") from error

    def _key(self, container: str) -> str:
        return f"{self._owner}/{container}"

    def _exists(self) -> bool:
        with Netlink.here() as host:
            return self._index(host) is not None

    def _ensure(self, host: Netlink, book: Book) -> int:
        """Return the bridge's index; it is made, or completed after a crash, where it is not."""
        index = self._index(host)
        if index is not None and index == self._whole:
            return index
        try:
            if index is None:
                mac = b"\x02" + hashlib.sha256(self.name.encode()).digest()[:5]
                host.add_bridge(self.name, _mtu(), mac)
                index = host.index_of(self.name)
            self._complete(host, index, book)
        except (OSError, NetworkRefused):
            if not book.leases:
                self._firewall.remove()
                host.delete_links([self.name])
            raise
        self._whole = index
        return index

    def _index(self, host: Netlink) -> int | None:
        try:
            return host.index_of(self.name)
        except OSError:
            return None

    def _complete(self, host: Netlink, index: int, book: Book) -> None:
        """Give the bridge its addresses, settings and rules, as far as it has them not yet."""
        host.let_stay(index)
        for address in self.subnets.gateways:
            try:
                host.add_address(index, address)
            except OSError as error:
                if error.errno != errno.EEXIST:
                    raise
        _set_sysctl("ipv4/ip_forward")
        _set_sysctl(f"ipv4/conf/{self.name}/route_localnet")
        if self.subnets.v6 is not None:
            _keep_routers()
            _set_sysctl("ipv6/conf/all/forwarding")
        if not self._firewall.is_whole():
            self._firewall.write(book.leases.values())

    def _take(self, host: Netlink, book: Book, wish: Wish) -> Lease | NetworkRefused:
        """Note a container's address and ports in the book; a lease cut short by a crash goes."""
        self._forget(host, book, [wish])
        try:
            for port in wish.network.ports:
                book.check_port(port)
                _check_free(port, has_v6=self.subnets.v6 is not None)
            address = book.free_address(self.subnets.v4, wish.network.addresses)
        except NetworkRefused as error:
            return error
        key = self._key(wish.container)
        link = f"{_LINKS}{hashlib.sha256(key.encode()).hexdigest()[:11]}"
        lease = Lease(
            owner=self._owner,
            container=wish.container,
            address=address,
            link=link,
            netns=str(wish.netns),
            ports=wish.network.ports,
            address6=self.subnets.beside(address),
        )
        book.leases[key] = lease
        return lease

    def _join(
        self, host: Netlink, bridge: int, wish: Wish, lease: Lease
    ) -> Joined | NetworkRefused:
        """Make a container's links."""
        try:
            netns = os.open(wish.netns, os.O_RDONLY | os.O_CLOEXEC)
            try:
                host.add_veth(lease.link, _mtu(), bridge, wish.interface, netns)
            finally:
                os.close(netns)
            host.let_hairpin(host.index_of(lease.link))
            with Netlink.inside(wish.netns) as inside:
                index = inside.index_of(wish.interface)
                for address in self.subnets.of(lease.address, lease.address6):
                    inside.add_address(index, address)
                inside.set_up(index)
                for gateway in self.subnets.gateways if wish.interface == "eth0" else ():
                    inside.add_default_route(index, gateway.ip)
        except OSError as error:
            return NetworkRefused(f"cannot join the bridge {self.name}: {error}")
        network = wish.network
        return Joined(
            name=network.name or BRIDGE,
            addresses=tuple(one for one in (lease.address, lease.address6) if one),
            interface=wish.interface,
            ports=network.ports,
            groups=network.groups,
            labels=network.labels,
        )


def _check_free(port: PortMap, *, has_v6: bool) -> None:
    """Refuse a port that a process of the machine listens on.

    Raises:
        NetworkRefused: it does, or there is no such port.
    """
    if port.protocol not in _PROTOCOLS:
        raise NetworkRefused(f"protocol '{port.protocol}' cannot be mapped; use tcp or udp")
    if not 0 < port.host_port < 1 << 16 or not 0 < port.container_port < 1 << 16:
        raise NetworkRefused(f"there is no port {port.host_port}:{port.container_port}")
    if not port.host_ip:
        _probe(port, "0.0.0.0")  # noqa: S104
        if has_v6:
            _probe(port, "::")
        return
    try:
        version = ip_address(port.host_ip).version
    except ValueError as error:
        raise NetworkRefused(f"port {port}: '{port.host_ip}' is not an address") from error
    if version == 6 and not has_v6:
        text = f"port {port}: {port.host_ip} cannot be mapped, as containers have no IPv6 here"
        raise NetworkRefused(f"{text}; see --network-bridge-subnet6")
    _probe(port, port.host_ip)


def _probe(port: PortMap, address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, _PROTOCOLS[port.protocol]) as probe:
        if port.protocol == "tcp":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past TIME_WAIT
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            probe.bind((address, port.host_port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                text = f"port {port} is already used by a process of this machine"
                raise NetworkRefused(text) from error
            if error.errno == errno.EADDRNOTAVAIL:
                text = f"port {port}: {address} is not an address of this machine"
                raise NetworkRefused(text) from error
            raise NetworkRefused(f"port {port} cannot be mapped: {error.strerror}") from error


def _mtu() -> int:
    """Return what the machine's way out can carry in one packet."""
    lines = Path("/proc/thread-self/net/route").read_text().splitlines()[1:]
    found = [fields[0] for fields in map(str.split, lines) if fields[1] == "00000000"]
    try:
        return int(Path(f"/sys/class/net/{found[0]}/mtu").read_text()) if found else 1500
    except OSError:
        return 1500


def _keep_routers() -> None:
    """Let links hear of routers still: who forwards IPv6 forgets them, unless told to (2)."""
    for path in (_SYSCTL / "ipv6/conf").glob("*/accept_ra"):
        with contextlib.suppress(OSError):  # a link may go meanwhile
            if path.read_text().strip() == "1":
                path.write_text("2")


def _settings_fault() -> str:
    """Return which setting of the kernel that a bridge needs may not be changed; empty if none."""
    # Links begin with what `default` has; that of the bridge is to be changed when it is there.
    for name, is_enough in (("ipv4/ip_forward", True), ("ipv4/conf/default/route_localnet", False)):
        path = _SYSCTL / name
        try:
            if not (is_enough and path.read_text().strip() == "1"):
                os.close(os.open(path, os.O_WRONLY))
        except OSError as error:
            return _unset(name, error)
    return ""


def _unset(name: str, error: OSError) -> str:
    setting = f"net.{name.replace('/', '.')}"
    return f"{setting} cannot be set ({error.strerror}); set it to 1 on the machine"


def _set_sysctl(name: str) -> None:
    """Switch a setting on, unless it is.

    Raises:
        NetworkRefused: the kernel, or who gave us this machine, does not let us.
    """
    path = _SYSCTL / name
    if path.read_text().strip() == "1":
        return
    try:
        path.write_text("1")
    except OSError as error:
        raise NetworkRefused(_unset(name, error)) from error
