"""The rules of the bridge in nftables, for machines that have no iptables: one table of our own.

Nothing of it is in tables of others, so that there is nothing to repair but the table itself. The
other side of that: what another table drops, ours cannot let pass.
"""

from collections.abc import Iterable

from comity.core.networks import PortMap
from comity.runtime.networks.commands import fault_of, run
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.leases import Lease
from comity.runtime.networks.subnets import Subnets

_MASQUERADE = "masquerade"


class Nftables:
    """The rules of one bridge."""

    def __init__(self, bridge: str, subnets: Subnets) -> None:
        self._bridge = bridge
        self._subnets = [("ip", str(subnets.v4))]
        if subnets.v6 is not None:
            self._subnets.append(("ip6", str(subnets.v6)))
        self.table = f"inet {table_name(bridge)}"

    def fault(self) -> str:
        """Return why there can be no rules here, and what to do about it; empty when there can."""
        done = run("nft", "list", "tables")
        return f"nft: {fault_of(done)}" if done.returncode else ""

    def write(self, leases: Iterable[Lease]) -> None:
        """Write the table anew.

        Raises:
            NetworkRefused: nft refuses.
        """
        maps = [rule for lease in leases for rule in self._rules(lease)]
        chains = {"maps": maps, **self._chains()}
        lines = [f"table {self.table} {{ }}", f"delete table {self.table}"]
        lines.append(f"table {self.table} {{")
        for name, rules in chains.items():
            lines += [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]
        self._give([*lines, "}"])

    def map_ports(self, leases: Iterable[Lease]) -> None:
        """Write the port maps of these leases only; the rest is there.

        Raises:
            NetworkRefused: nft refuses.
        """
        self._give([f"flush chain {self.table} maps", *self._added(leases)])

    def add_maps(self, leases: Iterable[Lease]) -> bool:
        """Add the port maps of new leases; False when our chain is not there any more."""
        return run("nft", "-f", "-", given="\n".join(self._added(leases)) + "\n").returncode == 0

    def remove(self) -> None:
        """Remove our table; one that is not there is no fault."""
        run("nft", "delete", "table", *self.table.split())

    def is_whole(self) -> bool:
        """Whether the table is there, with what leads to our rules."""
        said = run("nft", "list", "table", *self.table.split()).stdout
        return said.count("jump maps") == 2 and _MASQUERADE in said

    def _give(self, lines: list[str]) -> None:
        done = run("nft", "-f", "-", given="\n".join(lines) + "\n")
        if done.returncode:
            raise NetworkRefused(f"the machine's firewall refuses our rules: {fault_of(done)}")

    def _chains(self) -> dict[str, list[str]]:
        post = ["type nat hook postrouting priority 100;"]
        for family, subnet in self._subnets:
            post.append(f'{family} saddr {subnet} oifname != "{self._bridge}" {_MASQUERADE}')
            # A container that asks for a mapped port must hear the answer from whom it asked.
            post.append(self._mapped(f"{family} saddr {subnet}"))
        post.append(self._mapped("ip saddr 127.0.0.0/8"))
        unasked = "ct state != { established, related }"
        return {
            "prerouting": [
                "type nat hook prerouting priority -100;",
                "fib daddr type local jump maps",
            ],
            "output": [
                "type nat hook output priority -100;",
                # Nothing can be sent on from ::1: whoever asks there must be refused, not mapped.
                "ip6 daddr ::1 return",
                "fib daddr type local jump maps",
            ],
            "postrouting": post,
            "input": [
                "type filter hook input priority -10;",
                # Mapped ports of localhost need route_localnet, which must not open it to
                # containers.
                f'iifname "{self._bridge}" ip daddr 127.0.0.0/8 {unasked} drop',
            ],
        }

    def _mapped(self, source: str) -> str:
        return f'oifname "{self._bridge}" ct status dnat {source} {_MASQUERADE}'

    def _added(self, leases: Iterable[Lease]) -> list[str]:
        rules = [rule for lease in leases for rule in self._rules(lease)]
        return [f"add rule {self.table} maps {rule}" for rule in rules]

    def _rules(self, lease: Lease) -> list[str]:
        found = []
        for port in lease.ports:
            for family, address in (("ip", lease.address), ("ip6", lease.address6)):
                if address and _is_for(port, family):
                    found.append(_rule(port, family, address))
        return found


def table_name(bridge: str) -> str:
    """Return the name of a bridge's table: only letters, digits and lines below are in such."""
    return "comity_" + "".join(one if one.isalnum() else f"_{ord(one):x}_" for one in bridge)


def _is_for(port: PortMap, family: str) -> bool:
    return not port.host_ip or (":" in port.host_ip) == (family == "ip6")


def _rule(port: PortMap, family: str, address: str) -> str:
    at = f"{family} daddr {port.host_ip} " if port.host_ip else ""
    version = "ipv6" if family == "ip6" else "ipv4"
    to = f"[{address}]" if family == "ip6" else address
    return (
        f"meta nfproto {version} {at}{port.protocol} dport {port.host_port} "
        f"dnat {family} to {to}:{port.container_port}"
    )
