"""Addresses on this machine: choosing them, and saying who has one that is taken."""

import contextlib
import errno
import os
import socket
from pathlib import Path
from typing import NamedTuple

from comity.core.errors import UserError

PRIVILEGED_PORTS = 1024


class Address(NamedTuple):
    """Where a component listens."""

    ip: str
    port: int

    @property
    def url(self) -> str:
        """The address as clients write it."""
        return f"http://{self.ip}:{self.port}"

    @classmethod
    def of_url(cls, url: str) -> "Address":
        """Read back what `url` wrote."""
        ip, _, port = url.removeprefix("http://").partition(":")
        return cls(ip, int(port))


def settle(ip: str, port: int) -> Address:
    """Return the address, choosing a free port when `port` is 0."""
    if port:
        return Address(ip, port)
    with socket.socket() as probe:
        probe.bind((ip, 0))
        return Address(ip, probe.getsockname()[1])


def next_ip(first: str, offset: int) -> str:
    """Return the address `offset` places after `first`."""
    number = int.from_bytes(socket.inet_aton(first), "big") + offset
    return socket.inet_ntoa(number.to_bytes(4, "big"))


def check_free(address: Address, owner: str, flag: str) -> None:
    """Refuse an address that `owner` could not listen on, saying why and which flag moves it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            raise UserError(_refusal(address, owner, flag, error)) from error


def _refusal(address: Address, owner: str, flag: str, error: OSError) -> str:
    where = f"port {address.port} of {address.ip}, which {owner} needs,"
    if error.errno == errno.EADDRINUSE:
        return f"{where} is in use by {listener(address)}; stop that, or choose another with {flag}"
    if error.errno == errno.EACCES and address.port < PRIVILEGED_PORTS:
        return f"{where} may be used by root only; choose one from {PRIVILEGED_PORTS} with {flag}"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{owner} needs {address.ip}, which is no address of this machine; see {flag}"
    return f"{where} cannot be used: {error.strerror}; choose another with {flag}"


def listener(address: Address) -> str:
    """Name the process that listens on the address, as far as we may see."""
    inode = _listening_inode(address)
    if inode is None:
        return "another program"
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if _has_socket(pid, inode):
            name = Path(f"/proc/{pid}/comm").read_text().strip()
            return f"process {pid} ({name})"
    return "another user's program"


def _listening_inode(address: Address) -> str | None:
    packed = int.from_bytes(socket.inet_aton(address.ip), "little")
    wanted = {f"{packed:08X}:{address.port:04X}", f"00000000:{address.port:04X}"}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1] in wanted and fields[3] == "0A":
            return fields[9]
    return None


def _has_socket(pid: str, inode: str) -> bool:
    # Processes of others cannot be looked into, and processes end while we look: both say no.
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{pid}/fd/{fd}") == f"socket:[{inode}]":
                    return True
    return False
