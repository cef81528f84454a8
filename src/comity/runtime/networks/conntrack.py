"""What the kernel remembers of datagrams between two ends (ctnetlink, as in conntrack(8)).

A flow of UDP keeps the way that its first datagram took as long as its sender goes on: to a
container that is gone, or to nobody, if it was sent before the port was mapped. So those of a
mapped port are forgotten whenever it comes or goes.
"""

import socket
import struct
from collections.abc import Iterator
from ipaddress import ip_address

from msgspec import Struct

from comity.runtime.networks.leases import Lease

_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x0101, 0x0102
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_ORIGINAL, _REPLY, _ID = 1, 2, 12
_IP, _PROTOCOL = 1, 2
_SOURCES, _TARGETS = (1, 3), (2, 4)
"""Attributes of addresses, of IPv4 and of IPv6."""
_NUMBER, _TARGET_PORT = 1, 3
_HEADER = struct.Struct("=IHHII")
_NESTED = 0x3FFF


class _Flow(Struct, frozen=True):
    """One that is remembered."""

    family: int
    words: bytes
    """What it is named by: attributes of the kernel's."""
    port: int
    target: str
    """Where it was sent to."""
    answerer: str
    """Where answers come from: elsewhere for a mapped port."""


def forget(leases: list[Lease]) -> None:
    """Forget the datagrams to mapped ports of these, those that went astray before, too.

    Raises:
        OSError: the kernel refuses.
    """
    ports = {port.host_port for one in leases for port in one.ports if port.protocol == "udp"}
    if not ports:
        return
    addresses = {address for one in leases for address in (one.address, one.address6)}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER) as kernel:
        kernel.settimeout(10)
        kernel.bind((0, 0))
        found = [*_flows(kernel, socket.AF_INET), *_flows(kernel, socket.AF_INET6)]
        for one in found:
            is_lost = one.answerer == one.target and _is_ours(one.target)
            if one.port in ports and (one.answerer in addresses or is_lost):
                _send(kernel, _DELETE, _REQUEST, one.family, one.words)


def _is_ours(address: str) -> bool:
    """Whether an address is one of this machine's."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True


def _send(kernel: socket.socket, kind: int, flags: int, family: int, words: bytes = b"") -> None:
    body = struct.pack("=BBH", family, 0, 0) + words
    kernel.send(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body)


def _flows(kernel: socket.socket, family: int) -> Iterator[_Flow]:
    """Ask for every flow of datagrams; the whole answer is read before the first is given."""
    _send(kernel, _GET, _REQUEST | _DUMP, family)
    parts: list[bytes] = []
    while True:
        received = kernel.recv(1 << 17)
        while received:
            size, kind, *_ = _HEADER.unpack_from(received)
            payload, received = received[_HEADER.size : size], received[(size + 3) & ~3 :]
            if kind == _ERROR and (code := struct.unpack_from("=i", payload)[0]):
                raise OSError(-code, "the flows of datagrams cannot be listed")
            if kind == _DONE:
                return iter([one for part in parts if (one := _read(family, part)) is not None])
            parts.append(payload[4:])


def _read(family: int, payload: bytes) -> _Flow | None:
    """Return a flow; None for one that is not of UDP."""
    found = dict(_attributes(payload))
    original, reply = dict(_attributes(found[_ORIGINAL])), dict(_attributes(found[_REPLY]))
    protocol = dict(_attributes(original[_PROTOCOL]))
    if protocol.get(_NUMBER, b"\0")[0] != socket.IPPROTO_UDP:
        return None
    named = ((_ORIGINAL | 0x8000, found[_ORIGINAL]), (_ID, found[_ID]))
    return _Flow(
        family=family,
        words=b"".join(_attribute(*one) for one in named),
        port=struct.unpack(">H", protocol[_TARGET_PORT][:2])[0],
        target=_address(original[_IP], _TARGETS),
        answerer=_address(reply[_IP], _SOURCES),
    )


def _address(payload: bytes, kinds: tuple[int, int]) -> str:
    own = dict(_attributes(payload))
    return str(ip_address(next(own[kind] for kind in kinds if kind in own)))


def _attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    while len(payload) >= 4:
        size, kind = struct.unpack_from("=HH", payload)
        yield kind & _NESTED, payload[4:size]
        payload = payload[(size + 3) & ~3 :]


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)
