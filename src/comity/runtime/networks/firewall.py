"""Rules of the bridge: masquerade, port maps, and what lets its packets past others' rules.

All of ours are in chains of our own, three per bridge, which are written anew as a whole from the
leases: one run of iptables-restore, which takes everything or nothing, repairs whatever a crash or
somebody else's flush left. A Docker engine drops what it does not know in FORWARD; ours come first
there, and accept only what goes through our bridge.
"""

import shutil
import subprocess
from collections.abc import Iterable

from comity.runtime.networks.errors import NetworkRefused
from comity.runtime.networks.leases import Lease

_WAIT = ("-w", "10")
_TIMEOUT_S = 30


class Firewall:
    """The rules of one bridge."""

    def __init__(self, bridge: str, subnet: str) -> None:
        self._bridge = bridge
        self._subnet = subnet
        self._maps, self._post, self._pass, self._guard = (
            f"COMITY-{kind}-{bridge}" for kind in ("MAP", "POST", "FWD", "IN")
        )
        self._jumps = (
            ("nat", "PREROUTING", f"-m addrtype --dst-type LOCAL -j {self._maps}"),
            ("nat", "OUTPUT", f"-m addrtype --dst-type LOCAL -j {self._maps}"),
            ("nat", "POSTROUTING", f"-j {self._post}"),
            ("filter", "FORWARD", f"-j {self._pass}"),
            ("filter", "INPUT", f"-i {bridge} -j {self._guard}"),
        )

    def fault(self) -> str:
        """Return why there can be no rules here, empty when there can."""
        if shutil.which("iptables-restore") is None:
            return "iptables is not installed (apt install iptables)"
        done = _run("iptables", *_WAIT, "-t", "nat", "-S", "POSTROUTING")
        return f"iptables: {_last_line(done)}" if done.returncode else ""

    def write(self, leases: Iterable[Lease]) -> None:
        """Write the rules for these leases, and what leads to them where that is missing.

        Raises:
            NetworkRefused: iptables refuses.
        """
        missing = [one for one in self._jumps if not self._is_there(one)]
        self._restore([self._nat(leases), self._filter()], missing)

    def map_ports(self, leases: Iterable[Lease]) -> None:
        """Write the port maps of these leases only; the rest is there.

        Raises:
            NetworkRefused: iptables refuses.
        """
        self._restore([["*nat", *self._mapping(leases), "COMMIT"]])

    def add_maps(self, leases: Iterable[Lease]) -> bool:
        """Add the port maps of new leases; False when our chain is not there any more.

        The kernel takes 2 ms for that, and 20 ms for writing the chain anew.
        """
        rules = [rule for lease in leases for rule in self._rules(lease)]
        given = "\n".join(["*nat", *rules, "COMMIT", ""])
        return _run("iptables-restore", *_WAIT, "--noflush", given=given).returncode == 0

    def remove(self) -> None:
        """Remove every rule and chain of the bridge; those that are not there are no fault."""
        for table, chain, rule in self._jumps:
            while _run("iptables", *_WAIT, "-t", table, "-D", chain, *rule.split()).returncode == 0:
                pass
        for table, chains in (
            ("nat", (self._maps, self._post)),
            ("filter", (self._pass, self._guard)),
        ):
            for chain in chains:
                _run("iptables", *_WAIT, "-t", table, "-F", chain)
                _run("iptables", *_WAIT, "-t", table, "-X", chain)

    def is_whole(self) -> bool:
        """Whether everything leads to our chains still."""
        return all(self._is_there(one) for one in self._jumps)

    def _is_there(self, jump: tuple[str, str, str]) -> bool:
        table, chain, rule = jump
        return _run("iptables", *_WAIT, "-t", table, "-C", chain, *rule.split()).returncode == 0

    def _restore(self, tables: list[list[str]], jumps: Iterable[tuple[str, str, str]] = ()) -> None:
        lines = [line for table in tables for line in table]
        for table, chain, rule in jumps:
            lines += [f"*{table}", f"-I {chain} 1 {rule}", "COMMIT"]
        done = _run("iptables-restore", *_WAIT, "--noflush", given="\n".join(lines) + "\n")
        if done.returncode:
            raise NetworkRefused(f"the machine's firewall refuses our rules: {_last_line(done)}")

    def _nat(self, leases: Iterable[Lease]) -> list[str]:
        subnet, bridge, post = self._subnet, self._bridge, self._post
        mapped = f"-A {post} -o {bridge} -m conntrack --ctstate DNAT"
        return [
            "*nat",
            f":{post} - [0:0]",
            f"-A {post} -s {subnet} ! -o {bridge} -j MASQUERADE",
            # A container that asks for a mapped port must hear the answer from whom it asked.
            f"{mapped} -s {subnet} -j MASQUERADE",
            f"{mapped} -s 127.0.0.0/8 -j MASQUERADE",
            *self._mapping(leases),
            "COMMIT",
        ]

    def _mapping(self, leases: Iterable[Lease]) -> list[str]:
        return [f":{self._maps} - [0:0]", *(rule for one in leases for rule in self._rules(one))]

    def _rules(self, lease: Lease) -> list[str]:
        found = []
        for port in lease.ports:
            at = f"-d {port.host_ip}/32 " if port.host_ip else ""
            found.append(
                f"-A {self._maps} {at}-p {port.protocol} --dport {port.host_port} "
                f"-j DNAT --to-destination {lease.address}:{port.container_port}"
            )
        return found

    def _filter(self) -> list[str]:
        return [
            "*filter",
            f":{self._pass} - [0:0]",
            f"-A {self._pass} -i {self._bridge} -j ACCEPT",
            f"-A {self._pass} -o {self._bridge} -j ACCEPT",
            f":{self._guard} - [0:0]",
            # Mapped ports of localhost need route_localnet, which must not open it to containers.
            f"-A {self._guard} -d 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED -j DROP",
            "COMMIT",
        ]


def _run(*argv: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            argv, input=given, capture_output=True, text=True, check=False, timeout=_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        said = f"{argv[0]} did not end within {_TIMEOUT_S} s"
        return subprocess.CompletedProcess(argv, 1, "", said)


def _last_line(done: "subprocess.CompletedProcess[str]") -> str:
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit status {done.returncode}"
