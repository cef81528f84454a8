"""What apps and pods need of an agent beside resources, and what agents say they cannot do.

An agent of ours says it in attributes, with the reason; one that says nothing is taken to be able.
What is said here is what the agent would tell the task.
"""

from collections.abc import Iterator, Mapping

from comity.core.networks import BRIDGE
from comity.marathon.networking import HOST
from comity.wire.marathon.pods import Pod, Spec

_HOST_IMAGE = "host"


def why_not(spec: Spec, values: Mapping[str, str]) -> str:
    """Return why an agent cannot run an app or a pod; empty when it can, or does not say."""
    for image in _images(spec):
        if image == _HOST_IMAGE and values.get("comity_host_image") == "false":
            return "the image name 'host' is forbidden on this agent"
        if image != _HOST_IMAGE and values.get("comity_images") == "none":
            why = values.get("comity_images_missing", "it has no OCI runtime")
            return f"image '{image}' cannot run on this agent: {why}"
    if _needs_bridge(spec) and values.get("comity_network") == "host":
        why = values.get("comity_network_missing", "it has no bridge")
        return f"network '{BRIDGE}' is not available on this agent: {why}"
    return ""


def _images(spec: Spec) -> Iterator[str]:
    if isinstance(spec, Pod):
        yield from (one.image.id for one in spec.containers if one.image is not None)
    elif spec.container is not None and spec.container.docker is not None:
        yield spec.container.docker.image


def _needs_bridge(spec: Spec) -> bool:
    return any(one.mode != HOST and (one.name or BRIDGE) == BRIDGE for one in spec.networks)
