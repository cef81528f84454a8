"""The operators' event stream: who watches, and what they are told (master.proto: Event).

Whoever changes tasks, agents or frameworks calls the hook of that change here. An event is built
and encoded once, whatever the number of subscribers, and not at all when nobody watches. Offers
and allocations are never told. A subscriber that does not read is cut by its own stream's bound.
"""

from collections.abc import Callable

from comity.core import splicing
from comity.core.effects import CloseStream, OpenStream, Outbox, Send, SetTimer
from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.master import documents, metrics, operator, permissions, views
from comity.master.inputs import OperatorSubscribed, SubscriberHeartbeatDue
from comity.master.state import Agent, Framework, State, Subscriber, Task
from comity.master.table import table
from comity.wire import recordio
from comity.wire.mesos import codec, v1

_ALWAYS_TOLD = frozenset(
    {v1.Reason.TASK_CHECK_STATUS_UPDATED, v1.Reason.TASK_HEALTH_CHECK_STATUS_UPDATED}
)
"""Reasons of statuses that are told even though the state is the same (Master::updateTask)."""


@table.on(OperatorSubscribed)
def on_operator_subscribed(
    state: State, item: OperatorSubscribed, now: Instant, out: Outbox
) -> None:
    """Open a stream with a snapshot of everything; one over the limit closes the oldest."""
    while len(state.subscribers) >= max(1, state.config.max_operator_event_stream_subscribers):
        oldest = next(iter(state.subscribers))
        del state.subscribers[oldest]
        out.sends.append(CloseStream(oldest))
    state.subscribers[item.stream] = Subscriber(item.format, item.principal)
    out.sends.append(OpenStream(to=item.to, stream=item.stream, content_type=item.format.value))
    show = permissions.show_for(state, item.principal)
    body = {
        "get_state": operator.whole_state(state, show),
        "heartbeat_interval_seconds": state.config.heartbeat_interval_s,
    }
    snapshot = splicing.skeleton({"type": "SUBSCRIBED", "subscribed": body})
    data = b"".join(splicing.joined(splicing.pieces(snapshot, show)))
    record = _record(data, item.format)
    out.sends.append(Send(item.stream, record))
    _beat(state, item.stream, now, out)


@table.on(SubscriberHeartbeatDue)
def on_subscriber_heartbeat_due(
    state: State, item: SubscriberHeartbeatDue, now: Instant, out: Outbox
) -> None:
    """Beat, unless the stream is closed by now."""
    if item.stream in state.subscribers:
        _beat(state, item.stream, now, out)


def _beat(state: State, stream: str, now: Instant, out: Outbox) -> None:
    format = state.subscribers[stream].format
    out.sends.append(Send(stream, _record(b'{"type":"HEARTBEAT"}', format)))
    due = Instant(now + state.config.heartbeat_interval_s)
    out.timers.append(SetTimer(SubscriberHeartbeatDue(stream), due))


def _publish(
    state: State,
    build: Callable[[], operator.Document],
    out: Outbox,
    framework: Framework | None = None,
    task: Task | None = None,
) -> None:
    """Tell an event about a framework, or one of its tasks, to those who may see that."""
    if not state.subscribers:
        return
    event = codec.encode(build())
    formats = dict.fromkeys(each.format for each in state.subscribers.values())
    records = {format: _record(event, format) for format in formats}
    out.sends += [
        Send(stream, records[each.format])
        for stream, each in state.subscribers.items()
        if framework is None or _may_see(state, each, framework, task)
    ]


def _may_see(state: State, subscriber: Subscriber, framework: Framework, task: Task | None) -> bool:
    show = permissions.show_for(state, subscriber.principal)
    if not show.may_see_framework(framework):
        return False
    return task is None or show.may_see_task(framework, task)


def _record(data: bytes, format: codec.Format) -> bytes:
    """Return an event, in JSON what the message `events.Event` says, as a record."""
    if format is not codec.Format.JSON:
        data = codec.encode(codec.decode(codec.MASTER_EVENT, data), format)
    return recordio.encode(data)


# what is told


def task_added(state: State, task: Task, out: Outbox) -> None:
    """A task was launched, or came with an agent that registered."""
    if not state.subscribers:
        return  # a hundred thousand come at once to a new master
    _publish(
        state,
        lambda: {"type": "TASK_ADDED", "task_added": {"task": views.written(task)}},
        out,
        _framework_of(state, task),
        task,
    )


def remember_status(state: State, task: Task, status: v1.TaskStatus, out: Outbox) -> None:
    """Keep one status per state, without its data, as Mesos does; tell of a new state or check."""
    last = next(reversed(task.statuses), None)
    kept = codec.replace(status, data=None)
    task.remember(kept)
    if status.state.is_terminal and status.state is not last:
        framework = state.frameworks.get(FrameworkId(task.info.framework_id.value))
        metrics.count_end(state, framework, status)
    if status.state is last and status.reason not in _ALWAYS_TOLD:
        return
    body = {"framework_id": task.info.framework_id, "status": kept, "state": task.state}
    event = {"type": "TASK_UPDATED", "task_updated": body}
    _publish(state, lambda: event, out, _framework_of(state, task), task)


def _framework_of(state: State, task: Task) -> Framework | None:
    return state.frameworks.get(FrameworkId(task.info.framework_id.value))


def agent_added(state: State, agent: Agent, out: Outbox) -> None:
    """An agent registered that was not registered before."""
    _publish(
        state,
        lambda: {"type": "AGENT_ADDED", "agent_added": {"agent": operator.agent(state, agent)}},
        out,
    )


def agent_removed(state: State, agent_id: AgentId, out: Outbox) -> None:
    """An agent is unreachable, gone, or left."""
    body = {"agent_id": v1.Id(value=agent_id)}
    _publish(state, lambda: {"type": "AGENT_REMOVED", "agent_removed": body}, out)


def framework_added(state: State, framework: Framework, out: Outbox) -> None:
    """A framework subscribed for the first time, or was learnt of from an agent."""
    _publish(
        state,
        lambda: {
            "type": "FRAMEWORK_ADDED",
            "framework_added": {
                "framework": operator.framework(state, framework, documents.Show())
            },
        },
        out,
        framework,
    )


def framework_updated(state: State, framework: Framework, out: Outbox) -> None:
    """A framework subscribed again, or changed itself."""
    _publish(
        state,
        lambda: {
            "type": "FRAMEWORK_UPDATED",
            "framework_updated": {
                "framework": operator.framework(state, framework, documents.Show())
            },
        },
        out,
        framework,
    )


def framework_removed(state: State, framework: Framework, out: Outbox) -> None:
    """A framework ended."""
    body = {"framework_info": framework.info}
    _publish(
        state, lambda: {"type": "FRAMEWORK_REMOVED", "framework_removed": body}, out, framework
    )
