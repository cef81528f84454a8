"""Pulls of images: their progress is told in the message of TASK_STARTING, a status like others.

A status that is not acknowledged yet holds back the next one: progress is news or nothing.
"""

from comity.agent.handlers import outcomes, playing, reporting
from comity.agent.inputs import ImagePulling
from comity.agent.state import State
from comity.agent.table import table
from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.wire.mesos import v1

_BEFORE = (v1.TaskState.STAGING, v1.TaskState.STARTING)


@table.on(ImagePulling)
def on_image_pulling(state: State, item: ImagePulling, now: Instant, out: Outbox) -> None:
    """Tell the framework how far a pull is, unless that is no news or was told just now."""
    container = state.containers.get(item.container_id)
    if container is None or container.phase != "STARTING" or container.is_killed:
        return
    text = f"Pulling image {container.spec.image}"
    if item.total_bytes:
        text += f": {_size(item.done_bytes)} of {_size(item.total_bytes)}"
    for executor, task in playing.tasks_in(state, container):
        last = reporting.last_status(task)
        waits = len(task.pending) > 1 or (last is not None and last.message == text)
        if task.state in _BEFORE and not waits:
            status = outcomes.status(task.info, v1.TaskState.STARTING, message=text)
            reporting.report(state, executor, task, status, now, out)


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB"
