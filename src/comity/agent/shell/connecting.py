"""Which networks an agent's containers can be on: what the machine lets us make."""

import os
from ipaddress import IPv4Network

from comity.agent.config import AgentConfig
from comity.core.errors import UserError
from comity.runtime.networks.bridge import Bridge
from comity.runtime.networks.cni import Cni
from comity.runtime.networks.networks import Networks


def networks(config: AgentConfig, owner: str) -> Networks:
    """Return the networks of an agent's containers; what cannot be had says why when asked for.

    Raises:
        UserError: the subnet cannot be read.
    """
    try:
        IPv4Network(config.network_bridge_subnet)
    except ValueError as error:
        raise UserError(f"--network-bridge-subnet: {error}") from error
    directory = config.work_dir.resolve() / "networks"
    bridge = Bridge(config.network_bridge, config.network_bridge_subnet, owner)
    if os.geteuid() != 0:
        return Networks(
            bridge, "networks need an agent that runs as root", Cni(None, ""), directory
        )
    plugins = Cni(config.network_cni_config_dir, config.network_cni_plugins_dir)
    return Networks(bridge, bridge.fault(), plugins, directory)
