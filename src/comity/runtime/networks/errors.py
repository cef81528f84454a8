"""Why a container cannot be on a network."""

from comity.runtime.containers.errors import ContainerRefused


class NetworkRefused(ContainerRefused):
    """A container cannot be on a network as it asks for; nothing of it stays."""
