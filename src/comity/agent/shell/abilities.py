"""What this machine lets its agent do: told in attributes, and in the log when the agent starts.

What is missing has its reason in an attribute `comity_<what>_missing`, in the words that whoever
needs it is told in the end.
"""

import logging
import os
import pwd

from comity.agent.config import AgentConfig
from comity.core.errors import UserError
from comity.runtime.containers import seccomp
from comity.runtime.containers.containerizer import Containerizer

_log = logging.getLogger(__name__)
MISSING = "_missing"


def found(config: AgentConfig, containerizer: Containerizer) -> dict[str, str]:
    """Return what can be done here, and why the rest cannot, by the names of attributes."""
    networks = containerizer.networks
    can = {
        "comity_images": "oci" if containerizer.can_run_images else "none",
        "comity_network": "bridge" if not networks.no_bridge else "host",
        "comity_limits": containerizer.limits,
        "comity_host_image": str(config.allow_host_image).lower(),
    }
    missing = {
        "comity_images": containerizer.no_oci if not containerizer.can_run_images else "",
        "comity_network": networks.no_bridge,
        "comity_network_ipv6": networks.no_ipv6,
        "comity_cni": networks.no_plugins,
        "comity_limits": containerizer.no_limits,
        "comity_seccomp": seccomp.fault(),
        "comity_users": _no_users(),
    }
    return can | {f"{name}{MISSING}": why for name, why in missing.items() if why}


def _no_users() -> str:
    if os.geteuid() == 0:
        return ""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = str(os.geteuid())
    return f"the agent does not run as root; all tasks run as its own user '{name}'"


def log(own: dict[str, str]) -> None:
    """Say at the start what will not be had here."""
    for name, why in own.items():
        if name.endswith(MISSING):
            what = name.removeprefix("comity_").removesuffix(MISSING)
            _log.warning("not available on this agent: %s: %s", what, why)


def check_flags(config: AgentConfig, containerizer: Containerizer) -> None:
    """Refuse to start with limits for all that cannot be held.

    Raises:
        UserError: naming the flag.
    """
    wanted = {
        "--cgroups-enable-cfs": ("cpu", config.cgroups_enable_cfs),
        "--container-pids-max": ("pids", config.container_pids_max),
    }
    for flag, (controller, is_given) in wanted.items():
        if is_given and controller not in containerizer.controllers:
            raise UserError(f"{flag} cannot be held to here: {containerizer.no_limits}")
