"""The rules of the bridge in iptables, and in ip6tables where it has IPv6.

All of ours are in chains of our own, which are written anew as a whole from the leases: one run of
iptables-restore, which takes everything or nothing, repairs whatever a crash or somebody else's
flush left. A Docker engine drops what it does not know in FORWARD; ours come first there, and
accept only what goes through our bridge.

There are two iptables, of which a machine may have both: one that keeps tables of its own in the
kernel (legacy), and one that keeps them in nftables. A packet must pass both, so where the other
one's FORWARD is in use, too, ours are there as well.
"""

import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from comity.core.networks import PortMap
from comity.runtime.networks.commands import fault_of, run
from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.leases import Lease
from comity.runtime.networks.subnets import Subnets

_WAIT = ("-w", "10")
_LEGACY_TABLES = {"iptables": "ip_tables_names", "ip6tables": "ip6_tables_names"}
"""Files of /proc/thread-self/net that say which tables there are."""
Jump = tuple[str, str, str]
"""A rule that leads to a chain of ours: its table, its chain, and the rest of it."""


class Iptables:
    """The rules of one bridge."""

    def __init__(self, bridge: str, subnets: Subnets) -> None:
        self._families = [_Family("iptables", bridge, str(subnets.v4))]
        if subnets.v6 is not None:
            self._families.append(_Family("ip6tables", bridge, str(subnets.v6)))

    def fault(self) -> str:
        """Return why there can be no rules here, and what to do about it; empty when there can."""
        for family in self._families:
            if shutil.which(f"{family.program}-restore") is None:
                return "neither iptables nor nft is installed (apt install iptables)"
            done = run(family.program, *_WAIT, "-t", "nat", "-S", "POSTROUTING")
            if done.returncode:
                return f"{family.program}: {fault_of(done)}"
        return ""

    def write(self, leases: Iterable[Lease]) -> None:
        """Write the rules for these leases, and what leads to them where that is missing.

        Raises:
            NetworkRefused: iptables refuses.
        """
        known = list(leases)
        for family in self._families:
            family.write(known)

    def map_ports(self, leases: Iterable[Lease]) -> None:
        """Write the port maps of these leases only; the rest is there.

        Raises:
            NetworkRefused: iptables refuses.
        """
        known = list(leases)
        for family in self._families:
            family.restore(["*nat", *family.mapping(known), "COMMIT"])

    def add_maps(self, leases: Iterable[Lease]) -> bool:
        """Add the port maps of new leases; False when our chain is not there any more.

        The kernel takes 2 ms for that, and 20 ms for writing the chain anew.
        """
        known = list(leases)
        return all(family.add_maps(known) for family in self._families)

    def remove(self) -> None:
        """Remove every rule and chain of the bridge; those that are not there are no fault."""
        for family in self._families:
            family.remove()

    def is_whole(self) -> bool:
        """Whether everything leads to our chains still."""
        return all(not family.missing() for family in self._families)


class _Family:
    """The rules of one bridge for one version of the internet protocol."""

    def __init__(self, program: str, bridge: str, subnet: str) -> None:
        self.program = program
        self._bridge = bridge
        self._subnet = subnet
        self._is_v6 = program == "ip6tables"
        self._maps, self._post, self._pass, self._guard = (
            f"COMITY-{kind}-{bridge}" for kind in ("MAP", "POST", "FWD", "IN")
        )
        # Nothing can be sent on from ::1, so that whoever asks there must be refused, not mapped.
        local = "! -d ::1/128 " if self._is_v6 else ""
        self._forward: Jump = ("filter", "FORWARD", f"-j {self._pass}")
        self._jumps: list[Jump] = [
            ("nat", "PREROUTING", f"-m addrtype --dst-type LOCAL -j {self._maps}"),
            ("nat", "OUTPUT", f"{local}-m addrtype --dst-type LOCAL -j {self._maps}"),
            ("nat", "POSTROUTING", f"-j {self._post}"),
            self._forward,
        ]
        if not self._is_v6:
            self._jumps.append(("filter", "INPUT", f"-i {bridge} -j {self._guard}"))

    @cached_property
    def _other(self) -> str:
        """The other iptables of this machine; empty if it has but one."""
        said = run(self.program, "--version").stdout
        name = f"{self.program}-{'legacy' if 'nf_tables' in said else 'nft'}"
        return name if shutil.which(f"{name}-restore") is not None else ""

    def _beside(self) -> str:
        """Return the other iptables where its FORWARD is in use, too; else nothing."""
        if not self._other:
            return ""
        # The legacy one would make its tables when it is asked for them.
        if self._other.endswith("-legacy") and "filter" not in _legacy_tables(self.program):
            return ""
        said = run(self._other, *_WAIT, "-S").stdout.split("\n")
        own = f"COMITY-FWD-{self._bridge}"
        others = [line for line in said if "FORWARD" in line and own not in line]
        return self._other if others and others != ["-P FORWARD ACCEPT"] else ""

    def missing(self) -> list[tuple[str, Jump]]:
        """Return what does not lead to our chains any more, and by which program it should."""
        wanted = [(self.program, one) for one in self._jumps]
        if beside := self._beside():
            wanted.append((beside, self._forward))
        return [(program, one) for program, one in wanted if not _is_there(program, one)]

    def write(self, leases: list[Lease]) -> None:
        missing = self.missing()
        own = [one for program, one in missing if program == self.program]
        self.restore([*self._nat(leases), *self._filter(), *_inserted(own)])
        for program, one in missing:
            if program != self.program:
                self.restore([*self._accepting(), "COMMIT", *_inserted([one])], program)

    def add_maps(self, leases: list[Lease]) -> bool:
        given = "\n".join(["*nat", *self._all_rules(leases), "COMMIT", ""])
        return run(f"{self.program}-restore", *_WAIT, "--noflush", given=given).returncode == 0

    def remove(self) -> None:
        for jump in self._jumps:
            _delete(self.program, jump)
        for table, chains in (
            ("nat", (self._maps, self._post)),
            ("filter", (self._pass, self._guard)),
        ):
            for chain in chains:
                _drop(self.program, table, chain)
        if beside := self._beside():
            _delete(beside, self._forward)
            _drop(beside, "filter", self._pass)

    def restore(self, lines: list[str], program: str = "") -> None:
        """Give iptables-restore lines, of which it takes all or none of a table.

        Raises:
            NetworkRefused: it refuses.
        """
        given = "\n".join(lines) + "\n"
        done = run(f"{program or self.program}-restore", *_WAIT, "--noflush", given=given)
        if done.returncode:
            raise NetworkRefused(f"the machine's firewall refuses our rules: {fault_of(done)}")

    def _nat(self, leases: list[Lease]) -> list[str]:
        subnet, bridge, post = self._subnet, self._bridge, self._post
        mapped = f"-A {post} -o {bridge} -m conntrack --ctstate DNAT"
        # Who asks for a mapped port from here or from a container must hear from whom it asked.
        local = [] if self._is_v6 else [f"{mapped} -s 127.0.0.0/8 -j MASQUERADE"]
        return [
            "*nat",
            f":{post} - [0:0]",
            f"-A {post} -s {subnet} ! -o {bridge} -j MASQUERADE",
            f"{mapped} -s {subnet} -j MASQUERADE",
            *local,
            *self.mapping(leases),
            "COMMIT",
        ]

    def mapping(self, leases: list[Lease]) -> list[str]:
        """Return the chain of the port maps, within its table."""
        return [f":{self._maps} - [0:0]", *self._all_rules(leases)]

    def _all_rules(self, leases: list[Lease]) -> list[str]:
        return [
            rule for lease in leases for port in lease.ports for rule in self._rule(lease, port)
        ]

    def _rule(self, lease: Lease, port: PortMap) -> list[str]:
        address = lease.address6 if self._is_v6 else lease.address
        if not address or (port.host_ip and (":" in port.host_ip) != self._is_v6):
            return []
        at = f"-d {port.host_ip} " if port.host_ip else ""
        to = f"[{address}]" if self._is_v6 else address
        return [
            f"-A {self._maps} {at}-p {port.protocol} --dport {port.host_port} "
            f"-j DNAT --to-destination {to}:{port.container_port}"
        ]

    def _accepting(self) -> list[str]:
        return [
            "*filter",
            f":{self._pass} - [0:0]",
            f"-A {self._pass} -i {self._bridge} -j ACCEPT",
            f"-A {self._pass} -o {self._bridge} -j ACCEPT",
        ]

    def _filter(self) -> list[str]:
        if self._is_v6:
            return [*self._accepting(), "COMMIT"]
        state = "-m conntrack ! --ctstate RELATED,ESTABLISHED"
        return [
            *self._accepting(),
            f":{self._guard} - [0:0]",
            # Mapped ports of localhost need route_localnet, which must not open it to containers.
            f"-A {self._guard} -d 127.0.0.0/8 {state} -j DROP",
            "COMMIT",
        ]


def _legacy_tables(program: str) -> list[str]:
    try:
        return Path("/proc/thread-self/net", _LEGACY_TABLES[program]).read_text().split()
    except OSError:
        return []


def _is_there(program: str, jump: Jump) -> bool:
    table, chain, rule = jump
    return run(program, *_WAIT, "-t", table, "-C", chain, *rule.split()).returncode == 0


def _inserted(jumps: list[Jump]) -> list[str]:
    return [line for table, chain, rule in jumps for line in _insertion(table, chain, rule)]


def _insertion(table: str, chain: str, rule: str) -> tuple[str, str, str]:
    return f"*{table}", f"-I {chain} 1 {rule}", "COMMIT"


def _delete(program: str, jump: Jump) -> None:
    table, chain, rule = jump
    while run(program, *_WAIT, "-t", table, "-D", chain, *rule.split()).returncode == 0:
        pass


def _drop(program: str, table: str, chain: str) -> None:
    run(program, *_WAIT, "-t", table, "-F", chain)
    run(program, *_WAIT, "-t", table, "-X", chain)
