"""The course of a pod, level-triggered: look at what is, ask for what is missing.

Handlers note facts in the pod and call `advance`, which is idempotent. It goes through volumes,
init containers in order, main containers and restarts; then it publishes the status, and when the
pod has ended, its task. A pod that is being stopped takes the path of `stopping` instead.

    assigned -> configuration -> volumes -> inits, one by one -> mains -> ended -> reported
       any of them -> stopping -> no container is live -> ended -> reported -> forgotten
"""

from comity.core.effects import CancelTimer, Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import backoffs, events, launches, stopping, views, volumes
from comity.kube.node.environment import ConfigError
from comity.kube.node.inputs import ConfigDue, DeadlineReached, RetryDue
from comity.kube.node.outbox import (
    DeletePod,
    EndSandbox,
    FindImage,
    LaunchContainer,
    PatchStatus,
    RemoveContainer,
    RemovePod,
    ResolveConfig,
    SendUpdate,
    WriteVolumes,
)
from comity.kube.node.state import Container, ContainerKind, Pod, Stage, State, StopReason

CONFIG_RETRY_S = 10.0
CONFIG_REFRESH_S = 60.0
_ENDED_MAX = 1024


def advance(state: State, pod: Pod, now: Instant, out: Outbox) -> None:
    """Ask for whatever the pod needs next, and publish what changed."""
    if pod.stop is not None:
        stopping.drive(pod, now, out)
    elif not pod.is_ended and pod.resolved is not None:
        write_volumes(state, pod, now, out)
        if pod.volumes_ready:
            _run(state, pod, now, out)
    _publish(state, pod, now, out)
    _conclude(state, pod, out)


# configuration and volumes


def resolve(pod: Pod, out: Outbox) -> None:
    """Ask for the API objects that the pod refers to."""
    configmaps, secrets = volumes.references(pod.spec)
    out.launches.append(ResolveConfig(pod.uid, pod.namespace, configmaps, secrets, services=True))


def write_volumes(state: State, pod: Pod, now: Instant, out: Outbox) -> None:
    """Have the volumes written if what they should hold is not what is on disk."""
    assert pod.resolved is not None
    try:
        plans = volumes.plan(pod, pod.resolved, state.facts)
    except ConfigError as error:
        # Contents that were there stay, as a kubelet leaves them, when their source is deleted.
        if not pod.volumes_ready:
            fail_volumes(pod, str(error), now, out)
        return
    digest = volumes.digest(plans)
    if not plans:
        pod.volumes_ready = True
    elif digest not in (pod.volumes_written, pod.volumes_asked):
        pod.volumes_asked = digest
        out.launches.append(WriteVolumes(pod.uid, plans, digest))


def fail_volumes(pod: Pod, message: str, now: Instant, out: Outbox) -> None:
    """Tell once why a pod waits for its volumes, and try again in a while."""
    if message != pod.volumes_error:
        pod.volumes_error = message
        events.record(pod, "FailedMount", message, out)
    if now >= pod.volumes_retry_at:
        pod.volumes_retry_at = Instant(now + CONFIG_RETRY_S)
        out.timers.append(SetTimer(ConfigDue(pod.uid), pod.volumes_retry_at))


# containers


def _run(state: State, pod: Pod, now: Instant, out: Outbox) -> None:
    for container in pod.of_kind(ContainerKind.INIT, ContainerKind.SIDECAR):
        is_sidecar = container.kind is ContainerKind.SIDECAR
        if is_sidecar and _is_winding_down(pod):
            continue
        if is_sidecar or not views.is_initialized(pod):
            _start_if_due(state, pod, container, now, out)
        if is_sidecar and not container.started and not views.is_initialized(pod):
            return
        if not is_sidecar and not _has_succeeded(container) and not views.is_initialized(pod):
            break
    if _is_winding_down(pod):
        stopping.stop_sidecars(pod, now, out)
    elif views.is_initialized(pod):
        for container in pod.of_kind(ContainerKind.MAIN):
            _start_if_due(state, pod, container, now, out)


def _is_winding_down(pod: Pod) -> bool:
    return views.has_init_failed(pod) or views.are_mains_over(pod)


def _has_succeeded(container: Container) -> bool:
    return not container.is_live and container.exit is not None and container.exit.exit_code == 0


def _start_if_due(state: State, pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    if container.is_live or not views.wants_restart(pod, container):
        return
    if now >= max(container.crash.until, container.pull.until):
        start(state, pod, container, now, out)


def start(state: State, pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    """Launch the container's next incarnation."""
    assert not container.is_live, f"two incarnations of {pod.uid}/{container.name}"
    container.launching_id = f"{pod.uid}-{container.name}-{container.attempt}"
    container.attempt += 1
    if launches.is_host(container):
        launch(state, pod, container, now, out)
        return
    container.stage = Stage.PULLING
    image = str(container.spec.get("image") or "")
    out.launches.append(
        FindImage(
            uid=pod.uid, name=container.name, container_id=container.launching_id, image=image
        )
    )


def launch(state: State, pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    """Launch an incarnation whose image is there."""
    container_id = container.launching_id
    try:
        payload = launches.build(pod, container, container_id, state.facts)
        sandbox = launches.build_sandbox(pod, state.facts)
    except (ConfigError, ValueError, KeyError) as error:
        text = f"missing field {error}" if isinstance(error, KeyError) else str(error)
        wait_for_config(pod, container, text, now, out)
        return
    container.stage = Stage.LAUNCHING
    if container.waiting_reason == "CreateContainerConfigError":
        container.waiting_reason = container.waiting_message = ""
    policy = container.spec.get("terminationMessagePolicy")
    out.launches.append(
        LaunchContainer(
            uid=pod.uid,
            name=container.name,
            container_id=container_id,
            launch=payload,
            sandbox=sandbox,
            message_path=launches.message_path(state.facts, pod, container, container_id),
            logs_on_error=policy == "FallbackToLogsOnError",
        )
    )


def wait_for_config(
    pod: Pod, container: Container, message: str, now: Instant, out: Outbox
) -> None:
    """Say why a container cannot be configured, and look again in a while."""
    container.stage = Stage.IDLE
    container.launching_id = ""
    if container.waiting_message != message:
        events.record(pod, "Failed", f"Error: {message}", out, container=container)
    container.waiting_reason = "CreateContainerConfigError"
    container.waiting_message = message
    container.pull.until = Instant(now + CONFIG_RETRY_S)
    out.timers.append(SetTimer(ConfigDue(pod.uid), container.pull.until))


def retry_later(pod: Pod, container: Container, until: Instant, out: Outbox) -> None:
    """Arm the timer of a container that waits."""
    out.timers.append(SetTimer(RetryDue(pod.uid, container.name), until))


def back_off(pod: Pod, container: Container, now: Instant, out: Outbox) -> None:
    """After an exit: restart the container at once, or let it wait and say so."""
    until = backoffs.after_exit(container.crash, now)
    if until <= now:
        return
    container.waiting_reason = "CrashLoopBackOff"
    container.waiting_message = (
        f"back-off {until - now:g}s restarting failed container={container.name} "
        f"pod={pod.name}_{pod.namespace}({pod.uid})"
    )
    text = f"Back-off restarting failed container {container.name} in pod {pod.name}"
    events.record(pod, "BackOff", text, out, container=container)
    retry_later(pod, container, until, out)


# status, task, end


def _publish(state: State, pod: Pod, now: Instant, out: Outbox) -> None:
    status = views.pod_status(pod, state.facts, now)
    pod.phase = status["phase"]
    pod.conditions = {
        each["type"]: (each["status"], each["lastTransitionTime"]) for each in status["conditions"]
    }
    if status != pod.status and not pod.gone:
        pod.status = status
        pod.status_seq += 1
        out.launches.append(PatchStatus(pod.uid, pod.namespace, pod.name, pod.status_seq, status))
    if pod.phase == "Running" and pod.task_state == "TASK_STARTING":
        report(pod, "TASK_RUNNING", "", out)


def report(pod: Pod, task_state: str, message: str, out: Outbox) -> None:
    """Report the state of the pod's task."""
    pod.task_state = task_state
    out.launches.append(SendUpdate(pod.task_id, task_state, message))


def _conclude(state: State, pod: Pod, out: Outbox) -> None:
    """Report the end of a pod once its last status is stored; forget one that has left the API.

    The order matters: the framework's scheduler sees the terminal update and looks at the pod.
    """
    if any(each.is_live for each in pod.containers) or not (pod.is_ended or pod.gone):
        return
    if not pod.sandbox_ended:
        pod.sandbox_ended = True
        out.launches.append(EndSandbox(pod.uid))
    is_shutdown = pod.stop is not None and pod.stop.reason is StopReason.SHUTDOWN
    if not pod.gone and not is_shutdown:
        if pod.stored_seq < pod.status_seq:
            return
        if pod.object["metadata"].get("deletionTimestamp"):
            if not pod.delete_asked:
                pod.delete_asked = True
                out.launches.append(DeletePod(pod.uid, pod.namespace, pod.name))
            return
    if pod.task_state in ("TASK_STARTING", "TASK_RUNNING"):
        task_state, message = _outcome(pod)
        report(pod, task_state, message, out)
    if pod.gone:
        _forget(state, pod, out)


def _outcome(pod: Pod) -> tuple[str, str]:
    if pod.stop is not None and pod.stop.reason is not StopReason.DEADLINE:
        return "TASK_KILLED", pod.message or f"pod {pod.stop.reason.value}"
    if pod.gone and not pod.is_ended:
        return "TASK_KILLED", "pod deleted"
    if pod.phase == "Succeeded":
        return "TASK_FINISHED", pod.message
    return "TASK_FAILED", pod.message or pod.reason or _first_failure(pod)


def _first_failure(pod: Pod) -> str:
    for container in pod.containers:
        if container.exit is not None and container.exit.exit_code != 0:
            exit = container.exit
            text = f"container {container.name}: {exit.reason}, exit code {exit.exit_code}"
            return f"{text}: {exit.message}" if exit.reason == "StartError" else text
    return ""


def _forget(state: State, pod: Pod, out: Outbox) -> None:
    for container in pod.containers:
        for container_id in (container.previous_id, container.container_id):
            if container_id:
                out.launches.append(RemoveContainer(container_id))
        out.timers.append(CancelTimer(RetryDue(pod.uid, container.name)))
    out.timers.append(CancelTimer(ConfigDue(pod.uid)))
    out.timers.append(CancelTimer(DeadlineReached(pod.uid)))
    out.launches.append(RemovePod(pod.uid))
    del state.pods[pod.uid]
    state.tasks.pop(pod.task_id, None)
    state.ended[pod.task_id] = None
    if len(state.ended) > _ENDED_MAX:
        del state.ended[next(iter(state.ended))]
