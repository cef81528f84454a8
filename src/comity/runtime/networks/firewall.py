"""Rules of the bridge: masquerade, port maps, and what lets its packets past others' rules.

By iptables where there is such a program, as Docker's engine and others there use it, too; by nft
where there is only that.
"""

import shutil
from collections.abc import Iterable
from typing import Protocol

from comity.runtime.networks.iptables import Iptables
from comity.runtime.networks.leases import Lease
from comity.runtime.networks.nftables import Nftables
from comity.runtime.networks.subnets import Subnets


class Firewall(Protocol):
    """The rules of one bridge."""

    def fault(self) -> str:
        """Return why there can be no rules here, and what to do about it; empty when there can."""

    def write(self, leases: Iterable[Lease]) -> None:
        """Write the rules for these leases, and what leads to them where that is missing.

        Raises:
            NetworkRefused: the firewall refuses.
        """

    def map_ports(self, leases: Iterable[Lease]) -> None:
        """Write the port maps of these leases only; the rest is there.

        Raises:
            NetworkRefused: the firewall refuses.
        """

    def add_maps(self, leases: Iterable[Lease]) -> bool:
        """Add the port maps of new leases; False when there is nothing to add them to."""

    def remove(self) -> None:
        """Remove every rule of the bridge; what is not there is no fault."""

    def is_whole(self) -> bool:
        """Whether everything leads to our rules still."""


def choose(bridge: str, subnets: Subnets) -> Firewall:
    """Return the firewall that this machine has a program for."""
    if shutil.which("iptables-restore") is None and shutil.which("nft") is not None:
        return Nftables(bridge, subnets)
    return Iptables(bridge, subnets)
