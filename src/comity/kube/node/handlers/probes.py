"""Turns and results of probes."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.node import lifecycle, probing
from comity.kube.node.handlers import table
from comity.kube.node.inputs import ProbeDue, ProbeResult
from comity.kube.node.state import Container, Pod, Stage, State


def _probed(state: State, item: ProbeDue | ProbeResult) -> tuple[Pod | None, Container | None]:
    """Return the pod and container that this concerns, if the same incarnation still runs."""
    pod = state.pods.get(item.uid)
    container = pod.container(item.name) if pod is not None else None
    if (
        container is None
        or container.stage is not Stage.RUNNING
        or container.container_id != item.container_id
        or item.kind not in container.probes
    ):
        return None, None
    return pod, container


@table.on(ProbeDue)
def on_probe_due(state: State, item: ProbeDue, now: Instant, out: Outbox) -> None:
    """Run the probe, unless its incarnation has ended or is ending."""
    pod, container = _probed(state, item)
    if pod is not None and container is not None:
        probing.run(state, pod, container, item.kind, out)


@table.on(ProbeResult)
def on_probe_result(state: State, item: ProbeResult, now: Instant, out: Outbox) -> None:
    """Count the result, unless its incarnation has ended or is ending."""
    pod, container = _probed(state, item)
    if pod is not None and container is not None:
        probing.note(pod, container, item, now, out)
        lifecycle.advance(state, pod, now, out)
