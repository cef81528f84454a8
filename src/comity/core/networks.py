"""What a container's networks are made of: what is asked for, and what came of it."""

from msgspec import Struct

BRIDGE = "mesos-bridge"
"""The name of the machine's own bridge, as Marathon's `--mesos_bridge_name` has it by default."""
NONE = "none"
"""No network at all: a namespace of its own with nothing in it but loopback."""


class PortMap(Struct, frozen=True, omit_defaults=True):
    """A port of the machine that leads to one of the container."""

    host_port: int
    container_port: int
    protocol: str = "tcp"
    host_ip: str = ""
    """Only at this address of the machine; empty for all."""

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.host_port}/{self.protocol}"


class Network(Struct, frozen=True, omit_defaults=True):
    """A network that a container is to be on."""

    name: str = BRIDGE
    ports: tuple[PortMap, ...] = ()
    addresses: tuple[str, ...] = ()
    """Addresses it asks for; none takes any."""
    groups: tuple[str, ...] = ()
    labels: dict[str, str] = {}


class Joined(Struct, frozen=True, omit_defaults=True):
    """A network that a container is on."""

    name: str
    addresses: tuple[str, ...]
    """Without the length of the prefix; the first is the one to be reached at."""
    interface: str = "eth0"
    ports: tuple[PortMap, ...] = ()
    groups: tuple[str, ...] = ()
    labels: dict[str, str] = {}


class Attachment(Struct, frozen=True, omit_defaults=True):
    """What a container found itself on."""

    joined: tuple[Joined, ...] = ()
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return every address, the first network's first."""
        return tuple(one for network in self.joined for one in network.addresses)

    def hosts(self, hostname: str) -> str:
        """Return the text of /etc/hosts."""
        lines = [
            "127.0.0.1\tlocalhost",
            "::1\tlocalhost ip6-localhost ip6-loopback",
            "fe00::0\tip6-localnet",
            "ff02::1\tip6-allnodes",
            "ff02::2\tip6-allrouters",
        ]
        # A host finds itself also where it has no address, as Debian has it.
        own = next((one.addresses for one in self.joined), ()) or ("127.0.1.1",)
        lines += [f"{address}\t{hostname}" for address in own if hostname]
        return "\n".join(lines) + "\n"

    def resolv_conf(self) -> str:
        """Return the text of /etc/resolv.conf."""
        lines = [f"nameserver {one}" for one in self.nameservers]
        if self.search:
            lines.append(f"search {' '.join(self.search)}")
        if self.options:
            lines.append(f"options {' '.join(self.options)}")
        return "\n".join(lines) + "\n"
