"""Events about pods, in the kubelet's words."""

from comity.core.effects import Outbox
from comity.kube.node.outbox import RecordEvent
from comity.kube.node.state import Container, ContainerKind, Pod


def record(
    pod: Pod,
    reason: str,
    message: str,
    out: Outbox,
    *,
    container: Container | None = None,
    kind: str = "Warning",
) -> None:
    """Record an event about the pod, or about one container of it."""
    path = ""
    if container is not None:
        is_main = container.kind is ContainerKind.MAIN
        path = f"spec.{'containers' if is_main else 'initContainers'}{{{container.name}}}"
    out.launches.append(
        RecordEvent(
            uid=pod.uid,
            namespace=pod.namespace,
            name=pod.name,
            type=kind,
            reason=reason,
            message=message,
            field_path=path,
        )
    )
