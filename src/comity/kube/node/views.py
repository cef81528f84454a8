"""A pod's status as the API shows it: phase, conditions, container statuses. Pure reads.

Phases follow the kubelet's rules: Pending until every container has run once, Running while any
runs or will be restarted, then Succeeded or Failed, which never change again.
"""

from datetime import UTC, datetime
from typing import Any

from comity.core.instants import Instant
from comity.kube.node import addresses
from comity.kube.node.state import (
    Container,
    ContainerKind,
    Json,
    NodeFacts,
    Pod,
    Stage,
    State,
    StopReason,
    Terminated,
)

_INITS = (ContainerKind.INIT, ContainerKind.SIDECAR)
_OURS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


def rfc3339(at: Instant) -> str:
    """Write an instant as the API does, in whole seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# what will become of containers


def wants_restart(pod: Pod, container: Container) -> bool:
    """Whether an idle container is to run (again), by its kind and the restart policy."""
    if pod.stop is not None or pod.is_ended:
        return False
    if container.exit is None or container.kind is ContainerKind.SIDECAR:
        return True
    if container.kind is ContainerKind.INIT:
        return container.exit.exit_code != 0 and pod.restart_policy != "Never"
    return pod.restart_policy == "Always" or (
        pod.restart_policy == "OnFailure" and container.exit.exit_code != 0
    )


def is_initialized(pod: Pod) -> bool:
    """Whether every init container has done its part; once main containers ran, for good."""
    if any(each.runs for each in pod.of_kind(ContainerKind.MAIN)):
        return True
    return all(_is_init_done(each) for each in pod.of_kind(*_INITS))


def _is_init_done(container: Container) -> bool:
    if container.kind is ContainerKind.SIDECAR:
        return container.started
    return not container.is_live and container.exit is not None and container.exit.exit_code == 0


def has_init_failed(pod: Pod) -> bool:
    """Whether an init container has failed for good."""
    return pod.restart_policy == "Never" and any(
        not each.is_live and each.exit is not None and each.exit.exit_code != 0
        for each in pod.of_kind(ContainerKind.INIT)
    )


def are_mains_over(pod: Pod) -> bool:
    """Whether every main container has ended for good."""
    return all(
        not each.is_live and each.exit is not None and not wants_restart(pod, each)
        for each in pod.of_kind(ContainerKind.MAIN)
    )


# phase and conditions


def phase_of(pod: Pod) -> str:
    """Return the phase that follows from the containers; a terminal one stays."""
    if pod.is_ended:
        return pod.phase
    live = any(each.is_live for each in pod.containers)
    mains = pod.of_kind(ContainerKind.MAIN)
    if pod.stop is not None and not live:
        return _phase_after_stop(pod)
    if has_init_failed(pod) and not live:
        return "Failed"
    if not is_initialized(pod) or any(each.runs == 0 for each in mains):
        return "Pending"
    if live or not are_mains_over(pod):
        return "Running"
    return "Succeeded" if _all_succeeded(mains) else "Failed"


def _phase_after_stop(pod: Pod) -> str:
    assert pod.stop is not None
    if pod.stop.reason in (StopReason.DEADLINE, StopReason.KILLED):
        return "Failed"
    return "Succeeded" if _all_succeeded(pod.of_kind(ContainerKind.MAIN)) else "Failed"


def _all_succeeded(containers: list[Container]) -> bool:
    return all(each.exit is not None and each.exit.exit_code == 0 for each in containers)


def _conditions(pod: Pod, phase: str, now: Instant) -> list[Json]:
    mains = pod.of_kind(ContainerKind.MAIN)
    waited = [each.name for each in pod.of_kind(*_INITS) if not _is_init_done(each)]
    unready = [each.name for each in mains if not each.ready]
    initialized = is_initialized(pod)
    rows: list[tuple[str, bool, str, str]] = [
        (
            "PodReadyToStartContainers",
            pod.volumes_ready and phase in ("Pending", "Running"),
            "",
            "",
        ),
    ]
    if initialized:
        rows.append(("Initialized", True, "PodCompleted" if phase == "Succeeded" else "", ""))
    else:
        text = f"containers with incomplete status: [{' '.join(waited)}]"
        rows.append(("Initialized", False, "ContainersNotInitialized", text))
    reason, text = "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]"
    if phase == "Succeeded":
        reason, text = "PodCompleted", ""
    elif phase == "Failed":
        reason, text = "PodFailed", ""
    containers_ready = not unready and phase == "Running"
    gates = _closed_gates(pod)
    rows.append(("ContainersReady", containers_ready, *_unless(containers_ready, reason, text)))
    if containers_ready and gates:
        reason, text = "ReadinessGatesNotReady", f"readiness gates not True: {gates}"
    ready = containers_ready and not gates
    rows.append(("Ready", ready, *_unless(ready, reason, text)))
    rows.append(("PodScheduled", True, "", ""))
    return [_condition(pod, row, now) for row in rows]


def _unless(good: bool, reason: str, text: str) -> tuple[str, str]:
    return ("", "") if good else (reason, text)


def _closed_gates(pod: Pod) -> list[str]:
    given = (pod.object.get("status") or {}).get("conditions") or ()
    true = {each["type"] for each in given if each.get("status") == "True"}
    gates = [each["conditionType"] for each in pod.spec.get("readinessGates") or ()]
    return [gate for gate in gates if gate not in true]


def _condition(pod: Pod, row: tuple[str, bool, str, str], now: Instant) -> Json:
    kind, is_true, reason, message = row
    status = "True" if is_true else "False"
    was, since = pod.conditions.get(kind, ("", ""))
    if was != status:
        since = (kind == "PodScheduled" and _scheduled_at(pod)) or rfc3339(now)
    condition = {"type": kind, "status": status, "lastTransitionTime": since}
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _scheduled_at(pod: Pod) -> str:
    """When the scheduler says it bound the pod."""
    for each in (pod.object.get("status") or {}).get("conditions") or ():
        if each.get("type") == "PodScheduled" and each.get("status") == "True":
            return str(each.get("lastTransitionTime") or "")
    return ""


# the status


def pod_status(pod: Pod, facts: NodeFacts, now: Instant) -> Json:
    """Return the whole status that is ours to write."""
    phase = phase_of(pod)
    status: Json = {
        "phase": phase,
        "conditions": _conditions(pod, phase, now),
        "hostIP": facts.ip,
        "hostIPs": [{"ip": facts.ip}],
        "startTime": rfc3339(pod.accepted_at),
        "qosClass": (pod.object.get("status") or {}).get("qosClass") or qos_class(pod.spec),
    }
    if address := addresses.of_pod(pod, facts):
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    if pod.reason:
        status["reason"] = pod.reason
    if pod.message:
        status["message"] = pod.message
    if inits := pod.of_kind(*_INITS):
        status["initContainerStatuses"] = [_container_status(pod, each) for each in inits]
    mains = pod.of_kind(ContainerKind.MAIN)
    status["containerStatuses"] = [_container_status(pod, each) for each in mains]
    return status


def _container_status(pod: Pod, container: Container) -> Json:
    state, last = _states(pod, container)
    running = container.stage in (Stage.RUNNING, Stage.STOPPING)
    ready = container.ready
    if container.kind is ContainerKind.INIT:
        ready = _is_init_done(container)
    image = container.spec.get("image") or ""
    return {
        "name": container.name,
        "state": state,
        "lastState": last,
        "ready": ready,
        "restartCount": container.restarts,
        "image": image,
        "imageID": (container.image_id or image) if container.runs else "",
        "containerID": _shown_id(container.container_id),
        "started": running and container.started,
    }


def _states(pod: Pod, container: Container) -> tuple[Json, Json]:
    """Return the state and the last state of a container."""
    if container.stage in (Stage.RUNNING, Stage.STOPPING):
        running = {"startedAt": rfc3339(container.started_at or pod.accepted_at)}
        return {"running": running}, _terminated(container.exit)
    is_over = not container.is_live and not wants_restart(pod, container)
    if is_over and container.exit is not None:
        return _terminated(container.exit), _terminated(container.previous_exit)
    if container.waiting_reason:
        waiting = {"reason": container.waiting_reason}
        if container.waiting_message:
            waiting["message"] = container.waiting_message
    elif container.kind not in _INITS and not is_initialized(pod):
        waiting = {"reason": "PodInitializing"}
    else:
        waiting = {"reason": "ContainerCreating"}
    return {"waiting": waiting}, _terminated(container.exit)


def _terminated(exit: Terminated | None) -> Json:
    if exit is None:
        return {}
    terminated: Json = {
        "exitCode": exit.exit_code,
        "reason": exit.reason,
        "startedAt": rfc3339(exit.started_at),
        "finishedAt": rfc3339(exit.finished_at),
        "containerID": _shown_id(exit.container_id),
    }
    if exit.message:
        terminated["message"] = exit.message
    return {"terminated": terminated}


def _shown_id(container_id: str) -> str:
    return f"comity://{container_id}" if container_id else ""


def qos_class(spec: Json) -> str:
    """Return Guaranteed, Burstable or BestEffort by the resources of all containers."""
    containers: list[Any] = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    resources = [each.get("resources") or {} for each in containers]
    if not any(each.get("requests") or each.get("limits") for each in resources):
        return "BestEffort"
    for each in resources:
        limits, requests = each.get("limits") or {}, each.get("requests") or {}
        for name in ("cpu", "memory"):
            if name not in limits or requests.get(name, limits[name]) != limits[name]:
                return "Burstable"
    return "Guaranteed"


def find_pod(state: State, namespace: str, name: str) -> Pod | None:
    """Return the pod of that name, the newest if several incarnations of it are here."""
    found = [pod for pod in state.pods.values() if pod.name == name and pod.namespace == namespace]
    return found[-1] if found else None
