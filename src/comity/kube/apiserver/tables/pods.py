"""The pods' table, with its Status cell, which is the sum of much."""

from comity.core.instants import Instant
from comity.kube.apiserver.tables.columns import AGE, NAME, age, column, name
from comity.wire.kubernetes import Json, timestamps

COLUMNS = [
    NAME,
    column("Ready"),
    column("Status"),
    column("Restarts"),
    AGE,
    column("IP", wide=True),
    column("Node", wide=True),
    column("Nominated Node", wide=True),
    column("Readiness Gates", wide=True),
]


def cells(pod: Json, now: Instant) -> list[object]:
    """Return a pod's cells."""
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    statuses = status.get("containerStatuses") or []
    ready = sum(bool(each.get("ready")) for each in statuses)
    gates = spec.get("readinessGates") or []
    return [
        name(pod),
        f"{ready}/{len(spec.get('containers') or [])}",
        status_text(pod),
        _restarts(status, now),
        age(pod, now),
        status.get("podIP") or "<none>",
        spec.get("nodeName") or "<none>",
        status.get("nominatedNodeName") or "<none>",
        f"0/{len(gates)}" if gates else "<none>",
    ]


def status_text(pod: Json) -> str:
    """Return what a pod's Status cell says."""
    status = pod.get("status") or {}
    text = status.get("reason") or status.get("phase") or "Unknown"
    initializing = _initializing(pod)
    text = _of_containers(status, text) if initializing is None else initializing
    if "deletionTimestamp" in pod["metadata"]:
        return "Unknown" if status.get("reason") == "NodeLost" else "Terminating"
    return str(text)


def _initializing(pod: Json) -> str | None:
    """Return what is said while init containers run, None when they are done."""
    status = pod.get("status") or {}
    statuses = status.get("initContainerStatuses") or []
    total = len((pod.get("spec") or {}).get("initContainers") or [])
    for done, each in enumerate(statuses):
        state = each.get("state") or {}
        ended = state.get("terminated")
        if ended is not None and ended.get("exitCode") == 0:
            continue
        if ended is not None:
            return f"Init:{_ended(ended)}"
        reason = (state.get("waiting") or {}).get("reason")
        if reason and reason != "PodInitializing":
            return f"Init:{reason}"
        return f"Init:{done}/{total}"
    return None


def _of_containers(status: Json, text: str) -> str:
    has_running = False
    for each in reversed(status.get("containerStatuses") or []):
        state = each.get("state") or {}
        waiting, ended = state.get("waiting"), state.get("terminated")
        if waiting is not None and waiting.get("reason"):
            text = waiting["reason"]
        elif ended is not None:
            text = _ended(ended)
        elif each.get("ready") and state.get("running") is not None:
            has_running = True
    if text == "Completed" and has_running:
        return "Running" if _is_ready(status) else "NotReady"
    return text


def _ended(ended: Json) -> str:
    if ended.get("reason"):
        return str(ended["reason"])
    if ended.get("signal"):
        return f"Signal:{ended['signal']}"
    return f"ExitCode:{ended.get('exitCode', 0)}"


def _is_ready(status: Json) -> bool:
    conditions = status.get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _restarts(status: Json, now: Instant) -> str:
    statuses = status.get("containerStatuses") or []
    count = sum(each.get("restartCount", 0) for each in statuses)
    ends = [
        ended["finishedAt"]
        for each in statuses
        if (ended := (each.get("lastState") or {}).get("terminated")) and ended.get("finishedAt")
    ]
    if count and ends:
        return f"{count} ({timestamps.age(max(ends), now)} ago)"
    return str(count)
