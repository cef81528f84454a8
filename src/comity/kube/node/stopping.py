"""Stopping: preStop, SIGTERM, the grace period, SIGKILL; one container or a whole pod.

The grace period starts with the stop and counts the preStop hook. Sidecars go after the main
containers, last started first. A container that is being launched is aborted; should it run all
the same, it is stopped then.
"""

import signal

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import actions, events
from comity.kube.node.inputs import GraceOver
from comity.kube.node.outbox import KillContainer, RunHook
from comity.kube.node.state import Container, ContainerKind, Pod, Stage, Stop, StopReason

_MAINS = (ContainerKind.MAIN, ContainerKind.INIT)


def grace_of(pod: Pod) -> float:
    """Return the pod's termination grace period."""
    given = pod.object["metadata"].get("deletionGracePeriodSeconds")
    if given is None:
        given = pod.spec.get("terminationGracePeriodSeconds")
    return 30.0 if given is None else float(given)


def begin(pod: Pod, reason: StopReason, grace_s: float, now: Instant) -> None:
    """Have the pod stopped within `grace_s`; a stop under way can only get shorter.

    `drive` does the rest.
    """
    deadline = Instant(now + max(0.0, grace_s))
    if pod.stop is None:
        pod.stop = Stop(reason, deadline)
    else:
        pod.stop.deadline = min(pod.stop.deadline, deadline)


def drive(pod: Pod, now: Instant, out: Outbox) -> None:
    """Stop what is still live, in order."""
    assert pod.stop is not None
    for container in pod.of_kind(*_MAINS):
        stop_container(pod, container, pod.stop.deadline, now, out)
    if not any(each.is_live for each in pod.of_kind(*_MAINS)):
        stop_sidecars(pod, now, out)


def stop_sidecars(pod: Pod, now: Instant, out: Outbox) -> None:
    """Stop the last sidecar that is live; the next one follows when it has ended."""
    deadline = pod.stop.deadline if pod.stop is not None else Instant(now + grace_of(pod))
    for container in reversed(pod.of_kind(ContainerKind.SIDECAR)):
        stop_container(pod, container, deadline, now, out)
        if container.is_live:
            return


def stop_container(
    pod: Pod, container: Container, deadline: Instant, now: Instant, out: Outbox
) -> None:
    """Stop a live container by `deadline`; one that is stopping may only be hurried."""
    if container.stage is Stage.RUNNING:
        _begin(pod, container, deadline, now, out)
    elif container.stage is Stage.PULLING:
        container.stage = Stage.IDLE  # nothing of it is there yet
        container.launching_id = ""
    elif container.stage is Stage.LAUNCHING and not container.kill_at:
        container.kill_at = now
        out.launches.append(KillContainer(container.launching_id, signal.SIGKILL))
    elif container.stage is Stage.STOPPING and deadline < container.kill_at:
        container.kill_at = deadline
        _arm(pod, container, now, out)


def _begin(pod: Pod, container: Container, deadline: Instant, now: Instant, out: Outbox) -> None:
    container.stage = Stage.STOPPING
    container.kill_at = deadline
    if not container.stop_message:  # else it was told why
        text = f"Stopping container {container.name}"
        events.record(pod, "Killing", text, out, container=container, kind="Normal")
    hook = (container.spec.get("lifecycle") or {}).get("preStop")
    if deadline > now and hook:
        # The handler was checked when the container was launched.
        ip = (pod.status or {}).get("podIP", "")
        action = actions.resolve(hook, container.spec, ip)
        out.launches.append(
            RunHook(
                pod.uid, container.name, container.container_id, "preStop", action, deadline - now
            )
        )
    elif deadline > now:
        terminate(container, out)
    _arm(pod, container, now, out)


def _arm(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    if container.kill_at <= now:
        kill(container, out)
        return
    item = GraceOver(pod.uid, container.name, container.container_id)
    out.timers.append(SetTimer(item, container.kill_at))


def terminate(container: Container, out: Outbox) -> None:
    """Ask the container to end."""
    out.launches.append(KillContainer(container.container_id, signal.SIGTERM))


def kill(container: Container, out: Outbox) -> None:
    """End the container."""
    out.launches.append(KillContainer(container.container_id, signal.SIGKILL))
