"""From Mesos's messages to the networks of a container, and back to what statuses say of them.

Without a NetworkInfo that has a name a container is on the machine's own network, as in Mesos. The
name is that of the machine's own bridge (`mesos-bridge`) or of a CNI configuration. Containers of
type DOCKER say it in their DockerInfo: HOST, BRIDGE, NONE, or USER with the name in a NetworkInfo.
"""

from comity.agent.docker_options import Unsupported
from comity.agent.state import Container, State
from comity.core.networks import BRIDGE, NONE, Joined, Network, PortMap
from comity.resources.amounts import Resources
from comity.wire.mesos import v1
from comity.wire.mesos.base import Label, Labels
from comity.wire.mesos.containers import IPAddress, NetworkInfo, PortMapping

_MAPPED = frozenset(("tcp", "udp"))


def networks_of(container: v1.ContainerInfo | None) -> tuple[Network, ...]:
    """Return the networks that a container is to be on; none is the machine's own.

    Raises:
        Unsupported: a field that cannot be had, and what to do instead.
    """
    if container is None:
        return ()
    found = tuple(_network(info) for info in container.network_infos if info.name)
    if container.type == "DOCKER" and container.docker is not None:
        return _of_docker(container, found)
    for info in container.network_infos:
        if info.port_mappings and not info.name:
            raise Unsupported(
                "'port_mappings' need a network of the container's own: give its NetworkInfo a "
                f"name, such as '{BRIDGE}'"
            )
    return found


def _of_docker(container: v1.ContainerInfo, named: tuple[Network, ...]) -> tuple[Network, ...]:
    docker = container.docker
    assert docker is not None
    kind, ports = docker.network or "HOST", _ports(docker.port_mappings)
    if kind in ("HOST", "NONE"):
        if ports:
            raise Unsupported(f"Docker's network {kind} maps no ports; use BRIDGE or USER")
        return (Network(NONE),) if kind == "NONE" else ()
    if kind == "BRIDGE":
        return (Network(BRIDGE, ports),)
    if len(named) != 1:
        raise Unsupported("Docker's network USER needs one NetworkInfo with the network's name")
    (one,) = named
    return (
        Network(
            one.name,
            ports or one.ports,
            addresses=one.addresses,
            groups=one.groups,
            labels=one.labels,
        ),
    )


def _network(info: NetworkInfo) -> Network:
    labels = info.labels.labels if info.labels is not None else ()
    addresses = tuple(one.ip_address for one in info.ip_addresses if one.ip_address)
    if any(one.protocol == "IPv6" and not one.ip_address for one in info.ip_addresses):
        raise Unsupported("an IPv6 address cannot be asked for here; leave 'ip_addresses' out")
    return Network(
        name=info.name or BRIDGE,
        ports=_ports(info.port_mappings),
        addresses=addresses,
        groups=info.groups,
        labels={one.key: one.value or "" for one in labels},
    )


def _ports(mappings: tuple[PortMapping, ...]) -> tuple[PortMap, ...]:
    found = []
    for one in mappings:
        protocols = (one.protocol or "tcp").lower().split(",")
        for protocol in protocols:
            if protocol not in _MAPPED:
                raise Unsupported(f"protocol {one.protocol!r} cannot be mapped; use tcp or udp")
            at = one.host_ip or ""
            found.append(PortMap(one.host_port, one.container_port, protocol, at))
    return tuple(found)


def check_held(networks: tuple[Network, ...], held: Resources) -> None:
    """Refuse mapped ports that a task does not hold, as Mesos's docker containerizer does.

    Raises:
        Unsupported: naming the first of them.
    """
    ports = held.ranges_of("ports")
    for network in networks:
        for one in network.ports:
            if not any(first <= one.host_port <= last for first, last in ports):
                raise Unsupported(
                    f"port {one} is mapped but not among the task's ports; take it from the offer"
                )


def check_reachable(networks: tuple[Network, ...], task: v1.TaskInfo) -> None:
    """Refuse checks over a network of a task that is on none.

    Raises:
        Unsupported: it has one.
    """
    if not any(one.name == NONE for one in networks):
        return
    for check in (task.health_check, task.check):
        if check is not None and check.type in ("HTTP", "TCP"):
            raise Unsupported(
                f"a check of type {check.type} cannot reach a task on network '{NONE}'; use COMMAND"
            )


def infos_of(state: State, container: Container | None) -> tuple[NetworkInfo, ...]:
    """Return where a container can be reached: on its networks, or at the agent's address."""
    if container is not None and container.joined:
        return tuple(_info(one) for one in container.joined)
    pod = container.spec.pod if container is not None else None
    if pod is not None and pod.networks:  # not on them yet
        return tuple(NetworkInfo(name=one.name) for one in pod.networks)
    address = IPAddress(ip_address=state.ip, protocol="IPv4")
    return (NetworkInfo(ip_addresses=(address,)),)


def _info(one: Joined) -> NetworkInfo:
    return NetworkInfo(
        name=one.name,
        ip_addresses=tuple(
            IPAddress(ip_address=address, protocol="IPv6" if ":" in address else "IPv4")
            for address in one.addresses
        ),
        groups=one.groups,
        labels=Labels(labels=tuple(Label(key=key, value=text) for key, text in one.labels.items()))
        if one.labels
        else None,
        port_mappings=tuple(
            PortMapping(
                host_port=port.host_port,
                container_port=port.container_port,
                protocol=port.protocol,
                host_ip=port.host_ip or None,
            )
            for port in one.ports
        ),
    )


def address_of(container: Container | None) -> str:
    """Return the first address of a container on networks of its own, empty when it has none."""
    joined = container.joined if container is not None else ()
    return next((address for one in joined for address in one.addresses), "")
