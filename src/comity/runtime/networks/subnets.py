"""The addresses of a bridge: of IPv4 always, and of IPv6 where it was asked for."""

from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
)
from pathlib import Path

from msgspec import Struct

_DISABLED = ("all", "default")


class Subnets(Struct, frozen=True):
    """Two subnets whose addresses go together: a container has the same place in both."""

    v4: IPv4Network
    v6: IPv6Network | None = None

    @classmethod
    def read(cls, v4: str, v6: str = "") -> "Subnets":
        """Return the subnets of two texts, the second of which may be empty.

        Raises:
            ValueError: one is no subnet, or that of IPv6 has fewer addresses.
        """
        found = cls(IPv4Network(v4), IPv6Network(v6) if v6 else None)
        if found.v6 is not None and found.v6.num_addresses < found.v4.num_addresses:
            raise ValueError(f"{v6} has fewer addresses than {v4}")
        return found

    @property
    def gateways(self) -> list[IPv4Interface | IPv6Interface]:
        """Return the addresses that the machine itself has on the bridge: each subnet's first."""
        own: list[IPv4Interface | IPv6Interface] = [IPv4Interface((self.v4[1], self.v4.prefixlen))]
        if self.v6 is not None:
            own.append(IPv6Interface((self.v6[1], self.v6.prefixlen)))
        return own

    def beside(self, address: str) -> str:
        """Return the address of IPv6 that goes with one of IPv4; empty where there are none."""
        if self.v6 is None:
            return ""
        return str(self.v6[int(IPv4Address(address)) - int(self.v4.network_address)])

    def of(self, address: str, address6: str) -> list[IPv4Interface | IPv6Interface]:
        """Return a container's addresses with the lengths of their prefixes."""
        own: list[IPv4Interface | IPv6Interface] = [IPv4Interface((address, self.v4.prefixlen))]
        if self.v6 is not None and address6:
            own.append(IPv6Interface((IPv6Address(address6), self.v6.prefixlen)))
        return own


def no_ipv6(settings: Path = Path("/proc/sys/net/ipv6/conf")) -> str:
    """Return why this machine has no IPv6, and what to do about it; empty when it has."""
    for name in _DISABLED:
        try:
            value = (settings / name / "disable_ipv6").read_text().strip()
        except OSError:
            return "the kernel of this machine has no IPv6"
        if value != "0":
            return f"net.ipv6.conf.{name}.disable_ipv6 is {value}; set it to 0"
    return ""
