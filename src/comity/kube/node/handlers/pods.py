"""Pods come with tasks, change and go with their objects."""

from typing import Any

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.kube.node import addresses, events, launches, lifecycle, stopping, volumes
from comity.kube.node.handlers import table
from comity.kube.node.inputs import (
    ConfigDue,
    ConfigResolved,
    DeadlineReached,
    PodAssigned,
    PodChanged,
    PodDeleted,
    PodsListed,
    StatusStored,
    TaskKilled,
    TaskRefused,
    VolumesFailed,
    VolumesWritten,
)
from comity.kube.node.outbox import FetchPod, SendUpdate
from comity.kube.node.state import (
    Container,
    ContainerKind,
    Json,
    NodeFacts,
    Pod,
    Resolved,
    State,
    StopReason,
)

_GONE_GRACE_S = 1.0
"""What a pod gets whose object was removed by force: its owner did not want to wait."""


@table.on(PodAssigned)
def on_pod_assigned(state: State, item: PodAssigned, now: Instant, out: Outbox) -> None:
    """Start a pod. A task that we know already is a repeated launch."""
    if item.task_id in state.tasks or state.stopping:
        return
    uid = str(item.pod["metadata"]["uid"])
    if uid in state.pods:
        text = f"pod {uid} already runs as task {state.pods[uid].task_id}"
        out.launches.append(SendUpdate(item.task_id, "TASK_FAILED", text))
        return
    pod = Pod(uid, item.task_id, item.pod, now, _containers(item.pod["spec"]))
    state.pods[uid] = pod
    state.tasks[item.task_id] = uid
    lifecycle.report(pod, "TASK_STARTING", "", out)
    # The object may have changed, or gone, since the task was made; the watch may not tell again.
    out.launches.append(FetchPod(uid, pod.namespace, pod.name))
    lifecycle.resolve(pod, out)
    _warn(pod, state.facts, out)
    _arm_deadline(pod, out)
    _stop_if_deleted(pod, now)
    lifecycle.advance(state, pod, now, out)


def _containers(spec: Json) -> list[Container]:
    containers = []
    for each in spec.get("initContainers") or ():
        always = each.get("restartPolicy") == "Always"
        kind = ContainerKind.SIDECAR if always else ContainerKind.INIT
        containers.append(Container(each["name"], each, kind))
    mains = (Container(each["name"], each, ContainerKind.MAIN) for each in spec["containers"])
    return [*containers, *mains]


def _warn(pod: Pod, facts: NodeFacts, out: Outbox) -> None:
    """Say what of the spec this node does not do, or does differently."""
    if facts.no_bridge and addresses.wants_own(pod):
        text = f"The pod is on its node's own network, at its node's address: {facts.no_bridge}"
        events.record(pod, "NetworkShared", text, out)
    if facts.no_limits and any(
        (each.spec.get("resources") or {}).get("limits") for each in pod.containers
    ):
        events.record(pod, "LimitsNotHeld", f"On this node: {facts.no_limits}", out)
    if fields := launches.ignored(pod):
        text = f"This node does not apply {', '.join(fields)}"
        events.record(pod, "UnsupportedFields", text, out)
    for container in pod.containers:
        if launches.is_host(container) and container.spec.get("volumeMounts"):
            text = (
                "A container of image host sees the machine's files: its volumes are linked at "
                "their mount paths below the sandbox, and COMITY_VOLUME_<NAME> says where they are"
            )
            events.record(pod, "VolumesLinked", text, out, container=container, kind="Normal")


@table.on(TaskRefused)
def on_task_refused(state: State, item: TaskRefused, now: Instant, out: Outbox) -> None:
    """Fail a task whose data is no pod."""
    out.launches.append(SendUpdate(item.task_id, "TASK_FAILED", item.message))


@table.on(TaskKilled)
def on_task_killed(state: State, item: TaskKilled, now: Instant, out: Outbox) -> None:
    """Stop the pod of a task; it stays in the API as Failed until its owner deletes it."""
    pod = state.pods.get(state.tasks.get(item.task_id, ""))
    if pod is None:
        if item.task_id not in state.ended:
            text = "this executor does not know the task"
            out.launches.append(SendUpdate(item.task_id, "TASK_LOST", text))
        return
    if pod.is_ended:
        return
    if pod.stop is None:
        pod.reason, pod.message = "TaskKilled", "The pod's task was killed through Mesos"
    grace_s = stopping.grace_of(pod) if item.grace_s is None else item.grace_s
    stopping.begin(pod, StopReason.KILLED, grace_s, now)
    lifecycle.advance(state, pod, now, out)


@table.on(PodChanged)
def on_pod_changed(state: State, item: PodChanged, now: Instant, out: Outbox) -> None:
    """Take over the object's metadata and deadlines; its containers stay as launched."""
    pod = state.pods.get(str(item.pod["metadata"]["uid"]))
    if pod is None or _is_older(item.pod, pod.object):
        return
    pod.object = item.pod
    _arm_deadline(pod, out)
    _stop_if_deleted(pod, now)
    lifecycle.advance(state, pod, now, out)


def _is_older(candidate: Json, known: Json) -> bool:
    versions: list[Any] = [
        each["metadata"].get("resourceVersion", "") for each in (candidate, known)
    ]
    return all(str(each).isdigit() for each in versions) and int(versions[0]) < int(versions[1])


def _stop_if_deleted(pod: Pod, now: Instant) -> None:
    if pod.object["metadata"].get("deletionTimestamp") and not pod.is_ended:
        stopping.begin(pod, StopReason.DELETED, stopping.grace_of(pod), now)


@table.on(PodDeleted)
def on_pod_deleted(state: State, item: PodDeleted, now: Instant, out: Outbox) -> None:
    """Stop what is left of a pod whose object is gone, then forget it."""
    pod = state.pods.get(item.uid)
    if pod is None:
        return
    pod.gone = True
    if not pod.is_ended:
        stopping.begin(pod, StopReason.GONE, _GONE_GRACE_S, now)
    lifecycle.advance(state, pod, now, out)


@table.on(PodsListed)
def on_pods_listed(state: State, item: PodsListed, now: Instant, out: Outbox) -> None:
    """Look for pods of ours that a list lacks.

    They may be deleted, or the list may be older than their binding: only a read by name tells.
    """
    listed = set(item.uids)
    for pod in state.pods.values():
        if pod.uid not in listed:
            out.launches.append(FetchPod(pod.uid, pod.namespace, pod.name))


@table.on(StatusStored)
def on_status_stored(state: State, item: StatusStored, now: Instant, out: Outbox) -> None:
    """Note that readers of the API can see a status; the end of a task may wait for it."""
    pod = state.pods.get(item.uid)
    if pod is not None:
        pod.stored_seq = max(pod.stored_seq, item.seq)
        lifecycle.advance(state, pod, now, out)


# configuration and volumes


@table.on(ConfigResolved)
def on_config_resolved(state: State, item: ConfigResolved, now: Instant, out: Outbox) -> None:
    """Use the objects that the pod refers to, from now on."""
    pod = state.pods.get(item.uid)
    if pod is None:
        return
    pod.resolved = Resolved(item.configmaps, item.secrets, item.services)
    if volumes.has_content(pod.spec) and not pod.is_ended:
        due = Instant(now + lifecycle.CONFIG_REFRESH_S)
        out.timers.append(SetTimer(ConfigDue(pod.uid), due))
    lifecycle.advance(state, pod, now, out)


@table.on(ConfigDue)
def on_config_due(state: State, item: ConfigDue, now: Instant, out: Outbox) -> None:
    """Read the pod's references again, unless it is ending."""
    pod = state.pods.get(item.uid)
    if pod is not None and pod.stop is None and not pod.is_ended:
        lifecycle.resolve(pod, out)


@table.on(VolumesWritten)
def on_volumes_written(state: State, item: VolumesWritten, now: Instant, out: Outbox) -> None:
    """Let the containers start, now that their volumes are there."""
    pod = state.pods.get(item.uid)
    if pod is None:
        return
    pod.volumes_written = item.digest
    if pod.volumes_asked == item.digest:
        pod.volumes_asked = b""
    pod.volumes_ready = True
    pod.volumes_error = ""
    lifecycle.advance(state, pod, now, out)


@table.on(VolumesFailed)
def on_volumes_failed(state: State, item: VolumesFailed, now: Instant, out: Outbox) -> None:
    """Say why, and try again in a while."""
    pod = state.pods.get(item.uid)
    if pod is None:
        return
    if pod.volumes_asked == item.digest:
        pod.volumes_asked = b""
    lifecycle.fail_volumes(pod, item.message, now, out)


# deadlines


def _arm_deadline(pod: Pod, out: Outbox) -> None:
    seconds = pod.spec.get("activeDeadlineSeconds")
    if seconds is not None and not pod.is_ended:
        due = Instant(pod.accepted_at + float(seconds))
        out.timers.append(SetTimer(DeadlineReached(pod.uid), due))


@table.on(DeadlineReached)
def on_deadline_reached(state: State, item: DeadlineReached, now: Instant, out: Outbox) -> None:
    """Fail a pod that was active for too long; a deadline that was moved has its own timer."""
    pod = state.pods.get(item.uid)
    if pod is None or pod.is_ended or pod.stop is not None:
        return
    seconds = pod.spec.get("activeDeadlineSeconds")
    if seconds is None or now < pod.accepted_at + float(seconds):
        return
    pod.reason = "DeadlineExceeded"
    pod.message = "Pod was active on the node longer than the specified deadline"
    events.record(pod, pod.reason, pod.message, out, kind="Normal")
    stopping.begin(pod, StopReason.DEADLINE, stopping.grace_of(pod), now)
    lifecycle.advance(state, pod, now, out)
