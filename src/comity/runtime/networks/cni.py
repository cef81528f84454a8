"""Networks by CNI configurations: whatever plugins an operator has, run as the specification says.

A configuration is a file of `--network-cni-config-dir` (`.conf`, `.conflist`, `.json`), found by
the name in it; plugins are programs of `--network-cni-plugins-dir`. What a container was added
with is kept (`records`): DEL must be asked for with the same words also when the file has changed.
"""

import json
import os
import subprocess
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from msgspec import Struct

from comity.core.networks import Attachment, Joined, Network, PortMap
from comity.runtime.networks.errors import NetworkRefused

_TIMEOUT_S = 120
_VERSION = "0.4.0"
"""Of a configuration that does not say; the first with CHECK."""
_SUFFIXES = (".conf", ".conflist", ".json")


class Added(Struct, frozen=True):
    """A network that a container is being, or was, added to."""

    network: Network
    interface: str
    configuration: dict[str, Any]
    """The file's content: `name`, `cniVersion`, `plugins`."""
    result: dict[str, Any] | None = None
    """What the last plugin said; None before ADD was through."""


class Cni:
    """Runs plugins. Its methods block: they are for threads."""

    def __init__(self, configurations: Path | None, plugins: str) -> None:
        self._configurations = configurations
        self._plugins = [one for one in plugins.split(":") if one]

    def names(self) -> list[str]:
        """Return the networks that are configured."""
        return sorted(self._all())

    def faults(self) -> list[str]:
        """Return what is wrong with the configurations, and which plugins are not installed."""
        faults: list[str] = []
        for name, configuration in sorted(self._all(faults).items()):
            try:
                self._check(Added(Network(name), "eth0", configuration))
            except NetworkRefused as error:
                faults.append(f"network '{name}': {error}")
        return faults

    def find(self, network: Network, interface: str, others: tuple[str, ...] = ()) -> Added:
        """Return what a network is to be added with; `others` are networks that are not ours.

        Raises:
            NetworkRefused: no configuration has that name, or it is not one.
        """
        faults: list[str] = []
        found = self._all(faults).get(network.name)
        if found is None:
            names = ", ".join([*others, *self.names()]) or "none"
            known = "; ".join([f"networks of this agent: {names}", *faults])
            raise NetworkRefused(f"there is no network '{network.name}'; {known}")
        added = Added(network=network, interface=interface, configuration=found)
        self._check(added)
        return added

    def _check(self, added: Added) -> None:
        plugins, name = added.configuration["plugins"], added.network.name
        for plugin in plugins:
            self._program(plugin["type"])
        can = {what for one in plugins for what, on in one.get("capabilities", {}).items() if on}
        if added.network.ports and "portMappings" not in can:
            raise NetworkRefused(
                f"network '{name}' cannot map ports: none of its plugins has the capability "
                "portMappings (CNI's `portmap` has)"
            )

    def add(self, container: str, netns: Path, added: Added) -> Added:
        """Add a container to a network; what a failure leaves is removed.

        Raises:
            NetworkRefused: what the plugin said.
        """
        previous: dict[str, Any] | None = None
        for plugin in added.configuration["plugins"]:
            try:
                previous = self._run("ADD", container, netns, (added, plugin, previous))
            except NetworkRefused:
                self.delete(container, netns, added)
                raise
        return Added(
            network=added.network,
            interface=added.interface,
            configuration=added.configuration,
            result=previous,
        )

    def check(self, container: str, netns: Path, added: Added) -> None:
        """Ask the plugins whether a container is on a network still.

        Raises:
            NetworkRefused: it is not.
        """
        if added.configuration["cniVersion"] < "0.4.0":
            return
        for plugin in added.configuration["plugins"]:
            self._run("CHECK", container, netns, (added, plugin, added.result))

    def delete(self, container: str, netns: Path | None, added: Added) -> list[str]:
        """Take a container off a network, the last plugin first; return what went wrong."""
        faults = []
        for plugin in reversed(added.configuration["plugins"]):
            try:
                self._run("DEL", container, netns, (added, plugin, added.result))
            except NetworkRefused as error:
                faults.append(str(error))
        return faults

    def _run(
        self,
        command: str,
        container: str,
        netns: Path | None,
        what: tuple[Added, dict[str, Any], dict[str, Any] | None],
    ) -> dict[str, Any]:
        added, plugin, previous = what
        name = f"{plugin['type']} of network '{added.network.name}'"
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": container,
            "CNI_NETNS": str(netns) if netns is not None else "",
            "CNI_IFNAME": added.interface,
            "CNI_PATH": ":".join(self._plugins),
        }
        try:
            done = subprocess.run(
                [self._program(plugin["type"])],
                input=json.dumps(_given(added, plugin, previous)),
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise NetworkRefused(f"{name} cannot {command}: {error}") from error
        if done.returncode:
            raise NetworkRefused(f"{name} cannot {command}: {_said(done)}")
        return _document(done.stdout)

    def _program(self, kind: str) -> str:
        """Return the path of a plugin.

        Raises:
            NetworkRefused: it is not installed.
        """
        for directory in self._plugins:
            path = Path(directory, kind)
            if kind and "/" not in kind and os.access(path, os.X_OK):
                return str(path)
        places = ", ".join(self._plugins) or "--network-cni-plugins-dir is not set"
        raise NetworkRefused(f"the CNI plugin '{kind}' is not installed ({places})")

    def _all(self, faults: list[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return the configurations by name; of several of a name, the first file's counts."""
        found: dict[str, dict[str, Any]] = {}
        if self._configurations is None or not self._configurations.is_dir():
            return found
        for path in sorted(self._configurations.iterdir()):
            if path.suffix in _SUFFIXES:
                try:
                    one = _configuration(json.loads(path.read_bytes()))
                except (OSError, ValueError, TypeError, KeyError) as error:
                    if faults is not None:
                        faults.append(f"{path} is no CNI configuration: {error!r}")
                else:
                    found.setdefault(one["name"], one)
        return found


def _configuration(document: dict[str, Any]) -> dict[str, Any]:
    """Return a file's content as a list of plugins.

    Raises:
        KeyError: a field is missing.
        TypeError: one has the wrong type.
    """
    plugins = document.get("plugins", [document])
    name, version = document["name"], document.get("cniVersion", _VERSION)
    if not isinstance(name, str) or not isinstance(version, str):
        raise TypeError("name and cniVersion are strings")
    if not plugins or not all(isinstance(one["type"], str) for one in plugins):
        raise TypeError("the type of a plugin is a string")
    for key in ("capabilities", "args"):
        if not all(isinstance(one.get(key, {}), dict) for one in plugins):
            raise TypeError(f"the {key} of a plugin are an object")
    return {"name": name, "cniVersion": version, "plugins": plugins}


def _given(added: Added, plugin: dict[str, Any], previous: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a plugin is given: its configuration, and what this container asks for.

    As Mesos does, the request itself is in `args`, under `org.apache.mesos`.
    """
    network = added.network
    given = {
        **plugin,
        "name": added.configuration["name"],
        "cniVersion": added.configuration["cniVersion"],
        "args": {
            **plugin.get("args", {}),
            "org.apache.mesos": {"network_info": _network_info(network)},
        },
    }
    offered = {
        "portMappings": [_port(one) for one in network.ports],
        "ips": list(network.addresses),
    }
    can = plugin.get("capabilities", {})
    runtime = {name: value for name, value in offered.items() if can.get(name) and value}
    if runtime:
        given["runtimeConfig"] = runtime
    if previous is not None:
        given["prevResult"] = previous
    return given


def _port(port: PortMap) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "hostPort": port.host_port,
        "containerPort": port.container_port,
        "protocol": port.protocol,
    }
    return shown | ({"hostIP": port.host_ip} if port.host_ip else {})


def _network_info(network: Network) -> dict[str, Any]:
    return {
        "name": network.name,
        "groups": list(network.groups),
        "labels": {
            "labels": [{"key": key, "value": value} for key, value in network.labels.items()]
        },
        "port_mappings": [
            {
                "host_port": one.host_port,
                "container_port": one.container_port,
                "protocol": one.protocol,
            }
            for one in network.ports
        ],
    }


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}  # DEL and CHECK say nothing
    return found if isinstance(found, dict) else {}


def _said(done: "subprocess.CompletedProcess[str]") -> str:
    """Return a plugin's own words."""
    said = _document(done.stdout)
    if "msg" in said:
        return ": ".join(str(said[key]) for key in ("msg", "details") if said.get(key))
    return (done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1]


def attachment_of(added: list[Added]) -> Attachment:
    """Return what the plugins' results say (CNI's versions 0.3 to 1.1, and `ip4` of before).

    Raises:
        NetworkRefused: one of them is no result.
    """
    try:
        return _attachment_of(added)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        names = ", ".join(one.network.name for one in added)
        raise NetworkRefused(f"a plugin of network '{names}' gave no result: {error!r}") from error


def _attachment_of(added: list[Added]) -> Attachment:
    joined, nameservers, search, options = [], [], [], []
    for one in added:
        result = one.result or {}
        ips = [item["address"] for item in result.get("ips", []) if "address" in item]
        ips += [result[key]["ip"] for key in ("ip4", "ip6") if key in result]
        network = one.network
        joined.append(
            Joined(
                name=network.name,
                addresses=tuple(str(ip_interface(ip).ip) for ip in ips),
                interface=one.interface,
                ports=network.ports,
                groups=network.groups,
                labels=network.labels,
            )
        )
        dns = result.get("dns", {})
        nameservers += dns.get("nameservers", [])
        search += dns.get("search", [])
        options += dns.get("options", [])
    return Attachment(tuple(joined), tuple(nameservers), tuple(search), tuple(options))
