"""Where a pod is: on its machine's network, or at an address of its own on the machine's bridge.

A pod has its own when the agent has a bridge, unless it asks for the host's network, or one of its
containers is a plain process of the machine (image `host`). The agent gives the address when it
makes the sandbox, which is after the first container's environment was written: until then
`POD_IP` stands for it in the payload, and the shell puts it in.
"""

from comity.kube.node.state import NodeFacts, Pod

POD_IP = "\ue000status.podIP\ue000"
_HOST_IMAGE = "host"


def has_own(pod: Pod, facts: NodeFacts) -> bool:
    """Whether the pod has an address of its own, now or soon."""
    return facts.has_bridge and wants_own(pod)


def wants_own(pod: Pod) -> bool:
    """Whether the pod would have an address of its own where there is a bridge."""
    if pod.spec.get("hostNetwork"):
        return False
    return all(each.spec.get("image") != _HOST_IMAGE for each in pod.containers)


def of_pod(pod: Pod, facts: NodeFacts) -> str:
    """Return the pod's address, empty when it has none yet."""
    return pod.ip if has_own(pod, facts) else facts.ip


def in_payload(pod: Pod, facts: NodeFacts) -> str:
    """Return the pod's address, or what stands for it."""
    return of_pod(pod, facts) or POD_IP
