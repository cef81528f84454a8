"""What handlers say to schedulers and agents: events encoded once, in RecordIO, one per chunk."""

import functools

from comity.core.effects import Headers, Outbox, Reply, Send
from comity.core.instants import Instant
from comity.master.state import Agent, Framework
from comity.wire import recordio
from comity.wire.mesos import codec, link, scheduler, v1
from comity.wire.mesos.codec import Format


def accepted(to: int, out: Outbox, *, headers: Headers = ()) -> None:
    """Answer 202 without a body, the one answer that drivers take for success."""
    out.replies.append(Reply(to=to, status=202, headers=headers))


def refused(to: int, status: int, text: str, out: Outbox) -> None:
    """Answer with an error; the body is its sentence."""
    out.replies.append(
        Reply(to=to, status=status, body=text.encode(), content_type="text/plain; charset=utf-8")
    )


def to_stream(stream: str, event: object, out: Outbox, format: Format = Format.JSON) -> None:
    """Send one record on a stream, in the format that its reader asked for."""
    out.sends.append(Send(stream, recordio.encode(codec.encode(event, format))))


@functools.cache
def _event_metric(kind: type[scheduler.Event]) -> str:
    return f"events/{str(kind.__struct_config__.tag).lower()}"


def to_framework(framework: Framework, event: scheduler.Event, out: Outbox) -> bool:
    """Send an event to a scheduler; False when it is away."""
    if framework.stream is None:
        return False
    return encoded_to_framework(framework, type(event), codec.encode(event, framework.format), out)


def encoded_to_framework(
    framework: Framework, kind: type[scheduler.Event], event: bytes, out: Outbox
) -> bool:
    """Send an event that is encoded already to a scheduler; False when it is away."""
    if framework.stream is None:
        return False
    framework.count("events")
    framework.count(_event_metric(kind))
    out.sends.append(Send(framework.stream, recordio.encode(event)))
    return True


def to_agent(agent: Agent, event: link.Event, out: Outbox) -> bool:
    """Send an event to an agent; False when it is away."""
    if agent.link is None:
        return False
    to_stream(agent.link, event, out)
    return True


def update(framework: Framework, status: v1.TaskStatus, out: Outbox) -> None:
    """Send a status to a scheduler."""
    to_framework(framework, scheduler.EventUpdate(update=scheduler.UpdateBody(status=status)), out)


def master_status(
    task_id: str,
    state: v1.TaskState,
    reason: v1.Reason,
    message: str,
    now: Instant,
    *,
    agent_id: str | None = None,
    unreachable_at: Instant | None = None,
) -> v1.TaskStatus:
    """Return a status made by the master: without uuid, so that nobody acknowledges it."""
    unreachable = None
    if unreachable_at is not None:
        unreachable = v1.TimeInfo(nanoseconds=int(unreachable_at * 1e9))
    return v1.TaskStatus(
        task_id=v1.Id(value=task_id),
        state=state,
        reason=reason,
        message=message,
        source=v1.Source.MASTER,
        timestamp=now,
        agent_id=v1.Id(value=agent_id) if agent_id else None,
        unreachable_time=unreachable,
    )
