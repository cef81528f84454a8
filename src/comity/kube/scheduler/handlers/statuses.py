"""What becomes of pods' tasks. The node executor says most of it to the API itself.

A terminal status from the executor comes after the pod's own terminal status was stored. One from
the agent or the master means that nobody else will tell: the pod is made Failed, or its deletion is
completed. A pod of which no node has ever spoken is launched again instead, once: its launch was
lost with a master, an agent or an offer.
"""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import reconciling, table
from comity.kube.scheduler.handlers.placing import launch_again
from comity.kube.scheduler.inputs import Json, StatusCame
from comity.kube.scheduler.outbox import CallMaster, FailPod, RemovePod
from comity.kube.scheduler.pods import has_ended, is_deleting, was_started
from comity.kube.scheduler.state import State, uid_of_task
from comity.wire.mesos import v1

_LOST = (v1.TaskState.UNKNOWN,)
_STALE_S = 30.0
"""How long the answer to a question that was asked before a launch may take."""


@table.on(StatusCame)
def on_status_came(state: State, item: StatusCame, now: Instant, out: Outbox) -> None:
    """Fail or remove a pod whose task is over by somebody else's word; kill a task without pod."""
    status = item.status
    uid = uid_of_task(status.task_id.value)
    pod = state.pods.get(uid)
    is_over = status.state.is_terminal or status.state in _LOST
    if pod is None:
        if not is_over and status.agent_id is not None:
            killed = ((status.task_id.value, status.agent_id.value),)
            out.launches.append(CallMaster("kill", task_ids=killed))
        return
    if is_over and _is_stale(state, uid, status, now):
        return
    reconciling.heard(state, uid)
    if not is_over:
        state.launched_at.pop(uid, None)
    elif status.source is not v1.Source.EXECUTOR and uid not in state.binding:
        _over(state, pod, status, now, out)


def _is_stale(state: State, uid: str, status: v1.TaskStatus, now: Instant) -> bool:
    """Whether a status may be older than a launch that was made since."""
    if uid in state.lost:
        return True
    if status.reason is v1.Reason.RECONCILIATION:
        launched_at = state.launched_at.get(uid)
        return launched_at is not None and now < launched_at + _STALE_S
    return status.uuid is not None and state.relaunched.get(uid) == status.uuid


def _over(state: State, pod: Json, status: v1.TaskStatus, now: Instant, out: Outbox) -> None:
    uid = pod["metadata"]["uid"]
    state.over.add(uid)
    key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    if is_deleting(pod):
        out.launches.append(RemovePod(key, uid))
    elif has_ended(pod):
        return
    elif uid not in state.relaunched and _never_ran(pod, status):
        state.relaunched[uid] = status.uuid
        launch_again(state, uid, now, out)
    else:
        reason = status.reason.value if status.reason is not None else status.state.value
        text = status.message or f"the pod's task is {status.state.value}"
        out.launches.append(FailPod(key, uid, _camel(reason), text))


def _never_ran(pod: Json, status: v1.TaskStatus) -> bool:
    """Whether a pod's agent is there and has never started it."""
    if was_started(pod):
        return False
    unknown = status.reason is v1.Reason.RECONCILIATION and status.state is v1.TaskState.GONE
    return unknown or status.state is v1.TaskState.DROPPED


def _camel(reason: str) -> str:
    """Return `REASON_EXECUTOR_TERMINATED` as `ExecutorTerminated`, as Kubernetes writes reasons."""
    words = reason.removeprefix("REASON_").removeprefix("TASK_").split("_")
    return "".join(word.capitalize() for word in words)
