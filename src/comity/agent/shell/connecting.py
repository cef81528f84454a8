"""Which networks an agent's containers can be on: what the machine lets us make."""

import os

from comity.agent.config import AgentConfig
from comity.core.errors import UserError
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.networks import Networks
from comity.runtime.networks.subnets import Subnets

_NO_ROOT = "the agent does not run as root; start it as root for networks of containers"


def networks(config: AgentConfig, owner: str) -> Networks:
    """Return the networks of an agent's containers; what cannot be had says why when asked for.

    Raises:
        UserError: a subnet cannot be read.
    """
    try:
        v4 = Subnets.read(config.network_bridge_subnet)
    except ValueError as error:
        raise UserError(f"--network-bridge-subnet: {error}") from error
    try:
        both = Subnets.read(config.network_bridge_subnet, config.network_bridge_subnet6)
    except ValueError as error:
        raise UserError(f"--network-bridge-subnet6: {error}") from error
    directory = config.work_dir.resolve() / "networks"
    bridge = Bridge(config.network_bridge, v4, owner)
    if os.geteuid() != 0:
        return Networks(bridge, _NO_ROOT, Cni(None, ""), directory, is_able=False)
    plugins = Cni(config.network_cni_config_dir, config.network_cni_plugins_dir)
    fault, no_ipv6 = bridge.fault(), ""
    if both.v6 is not None and not fault:
        wider = Bridge(config.network_bridge, both, owner)
        no_ipv6 = wider.fault6()
        bridge = bridge if no_ipv6 else wider
    found = Networks(bridge, fault, plugins, directory)
    found.no_ipv6 = no_ipv6
    return found
