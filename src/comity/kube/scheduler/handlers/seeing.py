"""What the API shows: pods to place, pods placed, nodes."""

from typing import Any

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import reconciling, table
from comity.kube.scheduler.handlers.placing import want_plan
from comity.kube.scheduler.inputs import NodeGone, NodeSeen, PodGone, PodSeen
from comity.kube.scheduler.outbox import CallMaster, RemovePod
from comity.kube.scheduler.pods import bound_to, has_ended, is_deleting, node_of
from comity.kube.scheduler.state import PORT_ANNOTATION, Node, State, annotation, task_id_of

Json = dict[str, Any]
SCHEDULER_NAME = "default-scheduler"


@table.on(PodSeen)
def on_pod_seen(state: State, item: PodSeen, now: Instant, out: Outbox) -> None:
    """Queue a pod that waits for a node."""
    pod = item.pod
    uid = pod["metadata"]["uid"]
    held = state.pods.get(uid)
    if held is not None and node_of(held) and not node_of(pod):
        pod = bound_to(pod, node_of(held))  # seen late: it was bound since
    state.pods[uid] = pod
    if is_deleting(pod) and uid in state.over:
        key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
        out.launches.append(RemovePod(key, uid))
    if not _is_waiting(pod) and not _is_lost(state, pod):
        state.pending.pop(uid, None)
        state.told.pop(uid, None)
        state.lost.discard(uid)
        reconciling.expect(state, uid, now, out)
    elif uid not in state.binding and uid not in state.lost:
        state.pending.setdefault(uid, now)
        want_plan(state, now, out)


def _is_lost(state: State, pod: Json) -> bool:
    """Whether a pod is bound, and still to be launched again."""
    return pod["metadata"]["uid"] in state.lost and not is_deleting(pod) and not has_ended(pod)


def _is_waiting(pod: Json) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not is_deleting(pod)
        and spec.get("schedulerName", SCHEDULER_NAME) == SCHEDULER_NAME
        and not spec.get("schedulingGates")
        and not has_ended(pod)
    )


@table.on(PodGone)
def on_pod_gone(state: State, item: PodGone, now: Instant, out: Outbox) -> None:
    """Forget a pod. Its node ends its task; the kill is for the case that it cannot."""
    pod = item.pod
    uid = pod["metadata"]["uid"]
    state.pods.pop(uid, None)
    state.pending.pop(uid, None)
    state.told.pop(uid, None)
    state.lost.discard(uid)
    state.over.discard(uid)
    state.relaunched.pop(uid, None)
    reconciling.forget(state, uid)
    node = state.nodes.get(pod["spec"].get("nodeName") or "")
    if node is not None:
        node.pods = max(0, node.pods - 1)
        if state.is_subscribed and (pod.get("status") or {}).get("phase") == "Running":
            killed = ((task_id_of(pod), node.agent_id),)
            out.launches.append(CallMaster("kill", task_ids=killed))
    want_plan(state, now, out)


@table.on(NodeSeen)
def on_node_seen(state: State, item: NodeSeen, now: Instant, out: Outbox) -> None:
    """Take a Node object's labels, taints and annotations."""
    name = item.node["metadata"]["name"]
    node = state.nodes.setdefault(name, Node(name))
    node.obj = item.node
    held = annotation(item.node, PORT_ANNOTATION)
    if held.isdigit() and not node.kubelet_port:
        node.kubelet_port = int(held)
    if state.pending:
        want_plan(state, now, out)


@table.on(NodeGone)
def on_node_gone(state: State, item: NodeGone, now: Instant, out: Outbox) -> None:
    """A Node that was deleted is made again by its next offer."""
    node = state.nodes.get(item.name)
    if node is not None:
        node.obj = None
