"""Probes of running containers: turns, thresholds, and what a verdict does.

The startup probe gates the other two. Liveness passes and readiness fails until told otherwise. A
verdict changes when as many results in a row as the threshold says agree. A container without a
readiness probe is ready when it has started.
"""

from comity.core.effects import CancelTimer, Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import actions, addresses, events, stopping
from comity.kube.node.inputs import ProbeDue, ProbeResult
from comity.kube.node.outbox import RunProbe
from comity.kube.node.state import (
    Container,
    ContainerKind,
    Json,
    Pod,
    Probe,
    ProbeKind,
    Stage,
    State,
)

_FIELDS = {
    ProbeKind.STARTUP: "startupProbe",
    ProbeKind.LIVENESS: "livenessProbe",
    ProbeKind.READINESS: "readinessProbe",
}


def begin(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    """Start probing a container that has just been launched."""
    container.probes = {}
    if container.kind is not ContainerKind.INIT:
        for kind, field in _FIELDS.items():
            if spec := container.spec.get(field):
                container.probes[kind] = Probe(spec, passing=kind is ProbeKind.LIVENESS)
    if ProbeKind.STARTUP in container.probes:
        _arm(pod, container, ProbeKind.STARTUP, _first_turn(container, ProbeKind.STARTUP, now), out)
    else:
        _started(pod, container, now, out)


def end(pod: Pod, container: Container, out: Outbox) -> None:
    """Stop probing a container that has ended."""
    for kind in container.probes:
        item = ProbeDue(pod.uid, container.name, container.container_id, kind)
        out.timers.append(CancelTimer(item))
    container.probes = {}


def _started(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    container.started = True
    container.ready = ProbeKind.READINESS not in container.probes
    for kind in (ProbeKind.LIVENESS, ProbeKind.READINESS):
        if kind in container.probes:
            _arm(pod, container, kind, _first_turn(container, kind, now), out)


def _first_turn(container: Container, kind: ProbeKind, now: Instant) -> Instant:
    delay = float(container.probes[kind].spec.get("initialDelaySeconds") or 0)
    return Instant(max(now, (container.started_at or now) + delay))


def _arm(pod: Pod, container: Container, kind: ProbeKind, at: Instant, out: Outbox) -> None:
    item = ProbeDue(pod.uid, container.name, container.container_id, kind)
    out.timers.append(SetTimer(item, at))


def run(state: State, pod: Pod, container: Container, kind: ProbeKind, out: Outbox) -> None:
    """Run one probe now."""
    spec = container.probes[kind].spec
    out.launches.append(
        RunProbe(
            uid=pod.uid,
            name=container.name,
            container_id=container.container_id,
            kind=kind,
            action=actions.resolve(spec, container.spec, addresses.of_pod(pod, state.facts)),
            timeout_s=float(spec.get("timeoutSeconds") or 1),
        )
    )


def note(pod: Pod, container: Container, item: ProbeResult, now: Instant, out: Outbox) -> None:
    """Count a result; at its threshold, act on the verdict. Arms the next turn."""
    probe = container.probes[item.kind]
    if not item.ok:
        text = f"{item.kind.value} probe failed: {item.message}"
        events.record(pod, "Unhealthy", text, out, container=container)
    probe.streak = probe.streak + 1 if item.ok is probe.streak_ok else 1
    probe.streak_ok = item.ok
    period = Instant(now + float(probe.spec.get("periodSeconds") or 10))
    if probe.streak >= _threshold(probe.spec, item.ok):
        probe.passing = item.ok
        if item.kind is ProbeKind.READINESS:
            container.ready = item.ok
        elif not item.ok:
            _fail(pod, container, item, now, out)
            return
        elif item.kind is ProbeKind.STARTUP:
            _started(pod, container, now, out)
            return
    _arm(pod, container, item.kind, period, out)


def _threshold(spec: Json, ok: bool) -> int:
    return int((spec.get("successThreshold") or 1) if ok else (spec.get("failureThreshold") or 3))


def _fail(pod: Pod, container: Container, item: ProbeResult, now: Instant, out: Outbox) -> None:
    """Stop a container that failed its liveness or startup probe; its policy may restart it."""
    assert container.stage is Stage.RUNNING
    word = item.kind.value.lower()
    text = f"Container {container.name} failed {word} probe, will be restarted"
    if pod.restart_policy == "Never":
        text = f"Container {container.name} failed {word} probe"
    events.record(pod, "Killing", text, out, container=container, kind="Normal")
    container.stop_message = f"{item.kind.value} probe failed: {item.message}"
    own = container.probes[item.kind].spec.get("terminationGracePeriodSeconds")
    grace_s = stopping.grace_of(pod) if own is None else float(own)
    stopping.stop_container(pod, container, Instant(now + grace_s), now, out)
