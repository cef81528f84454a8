"""Incarnations of containers: launched, failed to launch, exited, hooked, out of grace."""

import os

from comity.core.containers import IMAGE_FAULT, START_FAULT
from comity.core.effects import CancelTimer, Outbox
from comity.core.instants import Instant
from comity.kube.node import (
    actions,
    addresses,
    backoffs,
    events,
    lifecycle,
    probing,
    stopping,
    views,
)
from comity.kube.node.handlers import finding, images, table
from comity.kube.node.inputs import (
    ContainerExited,
    ContainerLaunched,
    GraceOver,
    HookFinished,
    LaunchFailed,
    RetryDue,
)
from comity.kube.node.outbox import SANDBOX_FAULT, RemoveContainer, RunHook
from comity.kube.node.state import NEVER, Container, Pod, Stage, State, Terminated

_HOOK_TIMEOUT_S = 3600.0
_UNKNOWN_EXIT = 137
_START_EXIT = 128


@table.on(ContainerLaunched)
def on_container_launched(state: State, item: ContainerLaunched, now: Instant, out: Outbox) -> None:
    """Take the incarnation over as the running one; only the one before it keeps its logs."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or container.stage is not Stage.LAUNCHING:
        return
    pod.ip = item.pod_ip
    if container.previous_id:
        out.launches.append(RemoveContainer(container.previous_id))
    container.previous_id = container.container_id
    container.container_id = item.container_id
    container.launching_id = ""
    container.stage = Stage.RUNNING
    container.runs += 1
    container.started_at = now
    container.kill_at = NEVER
    container.waiting_reason = container.waiting_message = container.stop_message = ""
    container.pull.delay_s = 0.0
    _tell_created(pod, container, out)
    text = f"Started container {container.name}"
    events.record(pod, "Started", text, out, container=container, kind="Normal")
    if pod.stop is None:
        _post_start(state, pod, container, out)
        probing.begin(pod, container, now, out)
    lifecycle.advance(state, pod, now, out)


def _post_start(state: State, pod: Pod, container: Container, out: Outbox) -> None:
    hook = (container.spec.get("lifecycle") or {}).get("postStart")
    if hook:
        action = actions.resolve(hook, container.spec, addresses.of_pod(pod, state.facts))
        out.launches.append(
            RunHook(
                pod.uid,
                container.name,
                container.container_id,
                "postStart",
                action,
                _HOOK_TIMEOUT_S,
            )
        )


@table.on(LaunchFailed)
def on_launch_failed(state: State, item: LaunchFailed, now: Instant, out: Outbox) -> None:
    """Wait with the reason that Kubernetes has for it, and try again later."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or container.stage is not Stage.LAUNCHING:
        return
    container.stage = Stage.IDLE
    container.launching_id = ""
    container.kill_at = NEVER
    out.launches.append(RemoveContainer(item.container_id))
    if pod.stop is None:
        _take_failure(pod, container, item, now, out)
    lifecycle.advance(state, pod, now, out)


def _take_failure(
    pod: Pod, container: Container, item: LaunchFailed, now: Instant, out: Outbox
) -> None:
    text = item.message
    if text.startswith(IMAGE_FAULT):
        images.failed(pod, container, text.removeprefix(IMAGE_FAULT), now, out)
        return
    if text.startswith(START_FAULT):
        _note_failed_start(pod, container, item, now, out)
        return
    if text.startswith(SANDBOX_FAULT):
        events.record(pod, "FailedCreatePodSandBox", text, out)
        container.waiting_reason = "ContainerCreating"
    else:
        events.record(pod, "Failed", f"Error: {text}", out, container=container)
        container.waiting_reason = "CreateContainerError"
    container.waiting_message = text
    until = backoffs.after_failure(container.pull, now)
    lifecycle.retry_later(pod, container, until, out)


def _note_failed_start(
    pod: Pod, container: Container, item: LaunchFailed, now: Instant, out: Outbox
) -> None:
    """A container that was made but whose command cannot run has ended, as a kubelet sees it."""
    _tell_created(pod, container, out)
    events.record(pod, "Failed", f"Error: {item.message}", out, container=container)
    container.runs += 1
    container.previous_exit = container.exit
    container.exit = Terminated(
        container_id=item.container_id,
        exit_code=_START_EXIT,
        reason="StartError",
        message=item.message,
        started_at=NEVER,
        finished_at=now,
    )
    container.waiting_reason, container.waiting_message = "RunContainerError", item.message
    if views.wants_restart(pod, container):
        lifecycle.back_off(pod, container, now, out)


def _tell_created(pod: Pod, container: Container, out: Outbox) -> None:
    text = f"Created container: {container.name}"
    events.record(pod, "Created", text, out, container=container, kind="Normal")


@table.on(RetryDue)
def on_retry_due(state: State, item: RetryDue, now: Instant, out: Outbox) -> None:
    """Look again; a container that is not due, or has gone, is none of this timer's business."""
    pod = state.pods.get(item.uid)
    container = pod.container(item.name) if pod is not None else None
    if pod is not None and container is not None:
        images.back_off(pod, container, now, out)
        lifecycle.advance(state, pod, now, out)


@table.on(ContainerExited)
def on_container_exited(state: State, item: ContainerExited, now: Instant, out: Outbox) -> None:
    """Note how the incarnation ended; the restart policy says what follows."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None or container.stage in (Stage.PULLING, Stage.LAUNCHING):
        return
    container.previous_exit = container.exit
    container.exit = _terminated(container, item, now)
    container.stage = Stage.IDLE
    container.ready = container.started = False
    container.kill_at = NEVER
    over = GraceOver(pod.uid, container.name, item.container_id)
    out.timers.append(CancelTimer(over))
    probing.end(pod, container, out)
    if views.wants_restart(pod, container):
        lifecycle.back_off(pod, container, now, out)
    lifecycle.advance(state, pod, now, out)


def _terminated(container: Container, item: ContainerExited, now: Instant) -> Terminated:
    message = item.message or container.stop_message
    if item.wait_status is None:
        code, reason = _UNKNOWN_EXIT, "ContainerStatusUnknown"
        message = message or "The container could not be located when it had ended"
    else:
        code = os.waitstatus_to_exitcode(item.wait_status)
        code = code if code >= 0 else 128 - code
        reason = "Completed" if code == 0 else "Error"
    if item.is_out_of_memory:
        reason = "OOMKilled"
    assert container.started_at is not None, "a container that ran was started"
    return Terminated(
        container_id=item.container_id,
        exit_code=code,
        reason=reason,
        message=message,
        started_at=container.started_at,
        finished_at=now,
    )


@table.on(HookFinished)
def on_hook_finished(state: State, item: HookFinished, now: Instant, out: Outbox) -> None:
    """Go on after a hook: preStop lets SIGTERM follow; a failed postStart stops the container."""
    pod, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if pod is None or container is None:
        return
    if item.error:
        is_post = item.hook == "postStart"
        reason = "FailedPostStartHook" if is_post else "FailedPreStopHook"
        events.record(
            pod, reason, f"{item.hook} hook failed: {item.error}", out, container=container
        )
    if item.hook == "preStop" and container.stage is Stage.STOPPING:
        stopping.terminate(container, out)
    elif item.hook == "postStart" and item.error and container.stage is Stage.RUNNING:
        container.stop_message = f"postStart hook failed: {item.error}"
        deadline = Instant(now + stopping.grace_of(pod))
        stopping.stop_container(pod, container, deadline, now, out)
        lifecycle.advance(state, pod, now, out)


@table.on(GraceOver)
def on_grace_over(state: State, item: GraceOver, now: Instant, out: Outbox) -> None:
    """Kill what is left of an incarnation; a stale timer finds none."""
    _, container = finding.incarnation(state, item.uid, item.name, item.container_id)
    if container is not None and container.stage is Stage.STOPPING:
        stopping.kill(container, out)
