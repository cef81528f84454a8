"""What becomes of pods' tasks. The node executor says most of it to the API itself.

A terminal status from the executor comes after the pod's own terminal status was stored. One from
the agent or the master means that nobody else will tell: the pod is made Failed, or its deletion is
completed.
"""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.kube.scheduler.handlers import table
from comity.kube.scheduler.inputs import StatusCame
from comity.kube.scheduler.outbox import CallMaster, FailPod, RemovePod
from comity.kube.scheduler.state import State, uid_of_task
from comity.wire.mesos import v1

_ENDED = ("Succeeded", "Failed")
_LOST = (v1.TaskState.UNKNOWN,)


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
    if not is_over or status.source is v1.Source.EXECUTOR or uid in state.binding:
        return
    key = (pod["metadata"]["namespace"], pod["metadata"]["name"])
    if "deletionTimestamp" in pod["metadata"]:
        out.launches.append(RemovePod(key, uid))
    elif (pod.get("status") or {}).get("phase") not in _ENDED:
        reason = status.reason.value if status.reason is not None else status.state.value
        text = status.message or f"the pod's task is {status.state.value}"
        out.launches.append(FailPod(key, uid, _camel(reason), text))


def _camel(reason: str) -> str:
    """Return `REASON_EXECUTOR_TERMINATED` as `ExecutorTerminated`, as Kubernetes writes reasons."""
    words = reason.removeprefix("REASON_").removeprefix("TASK_").split("_")
    return "".join(word.capitalize() for word in words)
