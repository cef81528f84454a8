"""Links, addresses and routes by netlink (rtnetlink(7)): no process, well below a millisecond each.

A namespace is entered by a thread that ends right after it: a socket stays in the namespace that it
was opened in, so that only the opening needs the thread.
"""

import ctypes
import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface
from pathlib import Path
from types import TracebackType

_CLONE_NEWNET = 0x40000000
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_CREATE_ONLY = 0x400 | 0x200  # NLM_F_CREATE | NLM_F_EXCL
_NEWLINK, _DELLINK, _GETLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 17, 18, 19, 20, 24
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD, _IFLA_PROTINFO = 28, 12
_IFLA_GROUP = 27
_NESTED = 0x8000
_INFO_KIND, _INFO_DATA, _VETH_PEER, _BRPORT_HAIRPIN = 1, 2, 1, 4
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST = 1, 2, 4
_IFA_F_NODAD = 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_IFF_UP = 1
_AF_BRIDGE = 7
_GOING = 0x636D7479
"""The group of links on their way out; a number that nobody else has a reason to use."""
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")


def _attribute(kind: int, payload: bytes) -> bytes:
    """Return an attribute, padded to four bytes."""
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def _attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Give attributes one by one."""
    while len(payload) >= 4:
        size, kind = struct.unpack_from("=HH", payload)
        yield kind, payload[4:size]
        payload = payload[(size + 3) & ~3 :]


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _number(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


class Netlink:
    """A connection to the kernel's tables of one network namespace."""

    def __init__(self, found: socket.socket) -> None:
        self._socket = found
        self._socket.settimeout(10)
        self._sequence = 0

    @classmethod
    def here(cls) -> "Netlink":
        """Open one in our own namespace."""
        return cls(_open())

    @classmethod
    def inside(cls, netns: Path) -> "Netlink":
        """Open one in the namespace of a file.

        Raises:
            OSError: the file is no network namespace.
        """
        found: list[socket.socket | OSError] = []
        thread = threading.Thread(target=_open_inside, args=(netns, found))
        thread.start()
        thread.join()
        result = found[0]
        if isinstance(result, OSError):
            raise result
        return cls(result)

    def __enter__(self) -> "Netlink":
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connection."""
        self._socket.close()

    def add_bridge(self, name: str, mtu: int, mac: bytes) -> None:
        """Make a bridge. With an address of its own it does not take that of a port."""
        info = _attribute(_IFLA_LINKINFO | _NESTED, _text(_INFO_KIND, "bridge"))
        attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu)
        attributes += _attribute(_IFLA_ADDRESS, mac) + info
        self._link(_NEWLINK, attributes, flags=_CREATE_ONLY, up=True)

    def add_veth(self, name: str, mtu: int, bridge: int, peer: str, netns: int) -> None:
        """Make a pair: one end a port of the bridge, the other in the namespace `netns` (a fd)."""
        other = _text(_IFLA_IFNAME, peer) + _number(_IFLA_MTU, mtu)
        other += _number(_IFLA_NET_NS_FD, netns)
        data = _attribute(_VETH_PEER | _NESTED, _LINK.pack(0, 0, 0, 0, 0) + other)
        info = _text(_INFO_KIND, "veth") + _attribute(_INFO_DATA | _NESTED, data)
        attributes = _text(_IFLA_IFNAME, name) + _number(_IFLA_MTU, mtu)
        attributes += _number(_IFLA_MASTER, bridge) + _attribute(_IFLA_LINKINFO | _NESTED, info)
        self._link(_NEWLINK, attributes, flags=_CREATE_ONLY, up=True)

    def let_hairpin(self, index: int) -> None:
        """Let a port of a bridge send back where a frame came from: a container to itself."""
        hairpin = _attribute(_BRPORT_HAIRPIN, b"\1")
        attributes = _attribute(_IFLA_PROTINFO | _NESTED, hairpin)
        self._link(_SETLINK, attributes, family=_AF_BRIDGE, index=index)

    def set_up(self, index: int) -> None:
        """Bring a link up."""
        self._link(_SETLINK, b"", index=index, up=True)

    def delete_links(self, names: list[str]) -> None:
        """Remove links, and the other ends of pairs; those that are not there are no fault.

        They are put into a group that goes at once: the kernel waits some 20 ms for each removal.
        """
        found = [name for name in names if self._marked(name)]
        if found:
            self._link(_DELLINK, _number(_IFLA_GROUP, _GOING))

    def let_stay(self, index: int) -> None:
        """Take a link from the group of those on their way out: its remover was killed."""
        self._link(_SETLINK, _number(_IFLA_GROUP, 0), index=index)

    def _marked(self, name: str) -> bool:
        try:
            self._link(_SETLINK, _text(_IFLA_IFNAME, name) + _number(_IFLA_GROUP, _GOING))
        except OSError as error:
            if error.errno != errno.ENODEV:
                raise
            return False
        return True

    def add_address(self, index: int, address: IPv4Interface | IPv6Interface) -> None:
        """Give a link an address."""
        packed = address.ip.packed
        attributes = _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
        family, flags = socket.AF_INET, 0
        if isinstance(address, IPv4Interface):
            attributes += _attribute(_IFA_BROADCAST, address.network.broadcast_address.packed)
        else:
            # We give no address twice: nobody need wait a second for the kernel to ask around.
            family, flags = socket.AF_INET6, _IFA_F_NODAD
        header = _ADDRESS.pack(family, address.network.prefixlen, flags, 0, index)
        self._ask(_NEWADDR, header + attributes, _CREATE_ONLY)

    def add_default_route(self, index: int, gateway: IPv4Address | IPv6Address) -> None:
        """Send what is for elsewhere to a gateway."""
        main, boot, universe, unicast = 254, 3, 0, 1
        family = socket.AF_INET if gateway.version == 4 else socket.AF_INET6
        header = _ROUTE.pack(family, 0, 0, 0, main, boot, universe, unicast, 0)
        attributes = _attribute(_RTA_GATEWAY, gateway.packed) + _number(_RTA_OIF, index)
        self._ask(_NEWROUTE, header + attributes, _CREATE_ONLY)

    def index_of(self, name: str) -> int:
        """Return a link's index in this namespace.

        Raises:
            OSError: ENODEV when there is none.
        """
        answer = self._ask(_GETLINK, _LINK.pack(0, 0, 0, 0, 0) + _text(_IFLA_IFNAME, name), 0)
        return int(_LINK.unpack_from(answer)[2])

    def ports_of(self, bridge: int) -> list[str]:
        """Return the names of the links that are ports of a bridge."""
        self._sequence += 1
        length = _HEADER.size + _LINK.size
        header = _HEADER.pack(length, _GETLINK, _REQUEST | _DUMP, self._sequence, 0)
        self._socket.send(header + _LINK.pack(0, 0, 0, 0, 0))
        found: list[str] = []
        while True:
            received = self._socket.recv(1 << 17)
            while received:
                size, said, *_ = _HEADER.unpack_from(received)
                payload, received = received[_HEADER.size : size], received[(size + 3) & ~3 :]
                if said == _DONE:
                    return found
                own = dict(_attributes(payload[_LINK.size :]))
                if said == _NEWLINK and own.get(_IFLA_MASTER) == struct.pack("=I", bridge):
                    found.append(own[_IFLA_IFNAME].rstrip(b"\0").decode())

    def _link(
        self,
        kind: int,
        attributes: bytes,
        *,
        flags: int = 0,
        family: int = 0,
        index: int = 0,
        up: bool = False,
    ) -> None:
        state = _IFF_UP if up else 0
        self._ask(kind, _LINK.pack(family, 0, index, state, state) + attributes, flags)

    def _ask(self, kind: int, body: bytes, flags: int) -> bytes:
        """Send a request and return what is answered before the acknowledgement.

        Raises:
            OSError: the kernel's refusal.
        """
        self._sequence += 1
        length = _HEADER.size + len(body)
        header = _HEADER.pack(length, kind, _REQUEST | _ACK | flags, self._sequence, 0)
        self._socket.send(header + body)
        answer = b""
        while True:
            received = self._socket.recv(1 << 16)
            while received:
                size, said, _, sequence, _ = _HEADER.unpack_from(received)
                payload, received = received[_HEADER.size : size], received[(size + 3) & ~3 :]
                if sequence != self._sequence:
                    continue
                if said != _ERROR:
                    answer = payload
                    continue
                code = struct.unpack_from("=i", payload)[0]
                if code:
                    raise OSError(-code, os.strerror(-code))
                return answer


def _open() -> socket.socket:
    found = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
    found.bind((0, 0))
    return found


def _open_inside(netns: Path, found: list[socket.socket | OSError]) -> None:
    """Run in a thread of its own, which ends in the other namespace."""
    try:
        enter(netns)
        found.append(_open())
    except OSError as error:
        found.append(error)


def enter(netns: Path) -> None:
    """Move the calling thread into a network namespace; it must end there, too.

    Raises:
        OSError: the file is none, or we may not.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    opened = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if libc.setns(opened, _CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(netns))
    finally:
        os.close(opened)
