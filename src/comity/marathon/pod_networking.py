"""A pod's networks, and its endpoints on them: one view for all who ask for their ports.

All containers of an instance share one network, the executor's. On a network of its own an
endpoint has the port of its container, and mostly one of the host, out of the offer, that leads
there; on the host's network only the latter (Marathon's `TaskGroupBuilder`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from comity.core.networks import BRIDGE
from comity.marathon.networking import HOST
from comity.wire.marathon.pods import Endpoint, Pod, PodContainer
from comity.wire.mesos import v1
from comity.wire.mesos.base import Label, Labels
from comity.wire.mesos.containers import NetworkInfo
from comity.wire.mesos.containers import PortMapping as Mapped


class Opened(Struct, frozen=True):
    """An endpoint of an instance, with the host's port that leads to it."""

    endpoint: Endpoint
    host: int | None
    on_host: bool

    @property
    def inside(self) -> int:
        """The port that the program listens on."""
        if self.on_host:
            return self.host or 0
        return self.endpoint.container_port or self.host or 0


def is_on_host(pod: Pod) -> bool:
    """Whether a pod is on the host's network."""
    return all(one.mode == HOST for one in pod.networks)


def demanded(pod: Pod) -> tuple[int, ...]:
    """Return the ports of the host that an instance needs, 0 for any."""
    return tuple(port for one in pod.containers for port in demanded_by(one))


def demanded_by(container: PodContainer) -> tuple[int, ...]:
    """Return the ports of the host that a container needs, 0 for any."""
    return tuple(one.host_port for one in container.endpoints if one.host_port is not None)


def opened(pod: Pod, container: PodContainer, taken: Sequence[int]) -> list[Opened]:
    """Return a container's endpoints; `taken` are the host's ports, in `demanded_by`'s order."""
    on_host, left = is_on_host(pod), iter(taken)
    return [
        Opened(one, next(left, None) if one.host_port is not None else None, on_host)
        for one in container.endpoints
    ]


def shares(pod: Pod, taken: Sequence[int]) -> list[tuple[int, ...]]:
    """Return each container's part of an instance's ports."""
    left = iter(taken)
    return [tuple(next(left) for _ in demanded_by(one)) for one in pod.containers]


def environment(endpoints: Sequence[Opened]) -> dict[str, str]:
    """Return what every container is told of all endpoints of its instance."""
    found: dict[str, str] = {}
    for one in endpoints:
        name = re.sub("[^A-Z0-9_]+", "_", one.endpoint.name.upper())
        if one.inside:
            found[f"ENDPOINT_{name}"] = str(one.inside)
        if one.host is not None:
            found[f"EP_HOST_{name}"] = str(one.host)
        if one.endpoint.container_port is not None:
            found[f"EP_CONTAINER_{name}"] = str(one.endpoint.container_port)
    return found


def discovery(pod: Pod, endpoints: Sequence[Opened]) -> v1.Ports:
    """Return the ports of a container's DiscoveryInfo, as load balancers read them."""
    found = [
        v1.Port(
            number=one.inside if one.host is None else one.host,
            name=one.endpoint.name,
            protocol=protocol,
            labels=_labels({**one.endpoint.labels, **scope}),
        )
        for one in endpoints
        for protocol in one.endpoint.protocol
        for scope in _scopes(pod, one)
    ]
    return v1.Ports(ports=tuple(found))


def _scopes(pod: Pod, one: Opened) -> Iterator[dict[str, str]]:
    """Give the labels that say where a port is to be asked for: one set for each place."""
    if one.on_host:
        yield {}
    elif one.host is not None:
        yield {"network-scope": "host"}
    else:
        for name in one.endpoint.network_names or [net.name or BRIDGE for net in pod.networks]:
            yield {"network-scope": "container", "network-name": name}


def network_infos(pod: Pod, endpoints: Sequence[Opened]) -> tuple[NetworkInfo, ...]:
    """Return the networks of an instance's executor, with the ports that are mapped there."""
    if is_on_host(pod):
        return ()
    found = []
    for network in pod.networks:
        name = network.name or BRIDGE
        mapped = [
            Mapped(host_port=one.host, container_port=one.inside, protocol=protocol)
            for one in endpoints
            if one.host is not None and set(one.endpoint.network_names) <= {name}
            for protocol in one.endpoint.protocol or ("tcp",)
        ]
        infos = NetworkInfo(name=name, labels=_labels(network.labels), port_mappings=tuple(mapped))
        found.append(infos)
    return tuple(found)


def _labels(labels: Mapping[str, str]) -> Labels | None:
    if not labels:
        return None
    return Labels(labels=tuple(Label(key=key, value=value) for key, value in labels.items()))
