"""What a status means beyond its instance: delays of launches, and what readers of events hear."""

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import TaskId
from comity.core.instants import Instant
from comity.marathon.handlers.events import emit
from comity.marathon.handlers.killing import changed
from comity.marathon.inputs import DelayEnded
from comity.marathon.state import Attempts, Instance, State
from comity.wire.mesos import v1


def back_off(state: State, instance: Instance, now: Instant, out: Outbox) -> None:
    """Delay the next launch of an app or a pod of which an instance has failed."""
    app = state.spec(instance.app_id)
    if app is None or instance.config_version != app.config_version:
        return
    attempts = state.queue.setdefault(app.id, Attempts(since=now))
    if attempts.delayed_until > now:
        return  # one of several that failed together
    longest = float(app.max_launch_delay_seconds)
    if now - attempts.delayed_until > longest:
        attempts.delay_s = 0.0
    grown = attempts.delay_s * app.backoff_factor if attempts.delay_s else app.backoff_seconds
    attempts.delay_s = min(grown, longest)
    attempts.delayed_until = Instant(now + attempts.delay_s)
    out.timers.append(SetTimer(DelayEnded(app.id), attempts.delayed_until))


def report(
    state: State, instance: Instance, status: v1.TaskStatus, now: Instant, out: Outbox
) -> None:
    """Tell the readers of events what Mesos said of a task."""
    if not state.readers:
        return
    part = instance.parts.get(TaskId(status.task_id.value))
    emit(
        state,
        now,
        out,
        "status_update_event",
        slaveId=instance.agent_id,
        taskId=status.task_id.value,
        taskStatus=status.state.value,
        message=status.message or "",
        appId=instance.app_id,
        host=instance.host,
        ipAddresses=[{"ipAddress": one, "protocol": "IPv4"} for one in instance.addresses],
        ports=list(part.ports if part is not None else instance.ports),
        version=instance.version,
    )
    if part is None:
        changed(state, instance, condition_name(status.state), now, out)


def condition_name(mesos_state: v1.TaskState) -> str:
    """Return Marathon's name of a state."""
    name = mesos_state.value.removeprefix("TASK_")
    return "Gone" if name == "GONE_BY_OPERATOR" else name.capitalize()
