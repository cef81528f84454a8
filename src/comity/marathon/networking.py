"""An app's networks, and its ports on whichever of them: one view for all who ask for ports.

On the host's network an app has `portDefinitions`. On one of its own it has port mappings: each a
port of the container, and mostly one of the host, out of the offer, that leads there (Marathon's
`Networks` and `NetworkHelper`).
"""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from comity.core.networks import BRIDGE
from comity.wire.marathon.apps import App, HealthCheck, PortMapping
from comity.wire.mesos import v1
from comity.wire.mesos.base import Label, Labels
from comity.wire.mesos.containers import NetworkInfo
from comity.wire.mesos.containers import PortMapping as Mapped

HOST, BRIDGED, CONTAINER = "host", "container/bridge", "container"
"""Marathon's modes of networks."""


class Port(Struct, frozen=True):
    """A port of an instance."""

    requested: int
    """What the app calls it: a service port of the host's network, or the container's port."""
    host: int | None
    """The host's port that leads to it; None for none."""
    inside: int
    """The port that the program listens on."""
    protocol: str
    name: str | None
    labels: Mapping[str, str]


def is_on_host(app: App) -> bool:
    """Whether an app is on the host's network."""
    return all(one.mode == HOST for one in app.networks)


def mappings_of(app: App) -> tuple[PortMapping, ...]:
    """Return the port mappings of an app on a network of its own."""
    return (app.container.port_mappings or ()) if app.container is not None else ()


def demanded(app: App) -> tuple[int, ...]:
    """Return the ports of the host that an instance needs, 0 for any."""
    if is_on_host(app):
        fixed = app.require_ports
        return tuple(one.port if fixed else 0 for one in app.port_definitions)
    return tuple(one.host_port for one in mappings_of(app) if one.host_port is not None)


def ports_of(app: App, taken: Sequence[int]) -> list[Port]:
    """Return an instance's ports; `taken` are the host's, in the order of `demanded`."""
    if is_on_host(app):
        return [
            Port(one.port, port, port, one.protocol, one.name, one.labels)
            for one, port in zip(app.port_definitions, taken, strict=False)
        ]
    left = iter(taken)
    found = []
    for one in mappings_of(app):
        host = next(left, None) if one.host_port is not None else None
        inside = one.container_port or host or 0
        found.append(Port(one.container_port, host, inside, one.protocol, one.name, one.labels))
    return found


def environment(app: App, taken: Sequence[int]) -> dict[str, str]:
    """Return what a task is told of its ports: those of the host, where it has them."""
    ports = ports_of(app, taken)
    if not ports:
        return {}
    numbers = [str(one.inside if one.host is None else one.host) for one in ports]
    found = {f"PORT{index}": number for index, number in enumerate(numbers)}
    for one, number in zip(ports, numbers, strict=True):
        found[f"PORT_{one.requested or number}"] = number
        if one.name:
            found[f"PORT_{one.name.upper()}"] = number
    return found | {"PORT": numbers[0], "PORTS": ",".join(numbers)}


def discovery(app: App, taken: Sequence[int]) -> v1.Ports:
    """Return the ports of a task's DiscoveryInfo, as Marathon describes them to load balancers."""
    on_host = is_on_host(app)
    found = []
    for one in ports_of(app, taken):
        labels = dict(one.labels)
        if not on_host:
            labels = {"network-scope": "container" if one.host is None else "host"} | labels
        shown = Labels(labels=_labels(labels)) if labels else None
        number = one.inside if one.host is None else one.host
        found += [
            v1.Port(number=number, name=one.name, protocol=protocol, labels=shown)
            for protocol in one.protocol.split(",")
        ]
    return v1.Ports(ports=tuple(found))


def network_infos(app: App, taken: Sequence[int]) -> tuple[NetworkInfo, ...]:
    """Return the networks of a task; the first has the mapped ports that name none."""
    if is_on_host(app):
        return ()
    ports = list(zip(mappings_of(app), ports_of(app, taken), strict=True))
    found = []
    for index, network in enumerate(app.networks):
        name = network.name or BRIDGE
        own = [
            Mapped(host_port=port.host, container_port=port.inside, protocol=protocol)
            for mapping, port in ports
            for protocol in port.protocol.split(",")
            if port.host is not None and _is_of(mapping, name, index)
        ]
        labels = Labels(labels=_labels(network.labels)) if network.labels else None
        found.append(NetworkInfo(name=name, labels=labels, port_mappings=tuple(own)))
    return tuple(found)


def _is_of(mapping: PortMapping, name: str, index: int) -> bool:
    return name in mapping.network_names if mapping.network_names else index == 0


def _labels(labels: Mapping[str, str]) -> tuple[Label, ...]:
    return tuple(Label(key=key, value=value) for key, value in labels.items())


class Target(Struct, frozen=True):
    """Where a health check asks."""

    host: str
    port: int


def checked_inside(app: App, check: HealthCheck, taken: Sequence[int]) -> int | None:
    """Return the port that an agent checks, within the task's own network; None for no such."""
    if check.port is not None:
        return check.port
    ports = ports_of(app, taken)
    index = check.port_index or 0
    return ports[index].inside if index < len(ports) else None


def checked(
    app: App, check: HealthCheck, taken: Sequence[int], at: tuple[str, Sequence[str]]
) -> Target | None:
    """Return where Marathon itself checks; `at` are the task's host and its own addresses.

    A port that the host leads to is asked there, as load balancers do; others where the task is.
    """
    host, addresses = at
    own = addresses[0] if addresses and not is_on_host(app) else host
    if check.port is not None:
        return Target(own, check.port)
    ports = ports_of(app, taken)
    index = check.port_index or 0
    if index >= len(ports):
        return None
    port = ports[index]
    return Target(host, port.host) if port.host is not None else Target(own, port.inside)
