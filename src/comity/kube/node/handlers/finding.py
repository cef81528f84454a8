"""Which container an input is about."""

from comity.kube.node.state import Container, Pod, State


def incarnation(
    state: State, uid: str, name: str, container_id: str
) -> tuple[Pod | None, Container | None]:
    """Return the pod and the container whose live incarnation this is; (None, None) if stale."""
    pod = state.pods.get(uid)
    container = pod.container(name) if pod is not None else None
    if container is None or container.live_id != container_id:
        return None, None
    return pod, container
