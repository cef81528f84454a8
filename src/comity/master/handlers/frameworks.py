"""Frameworks come, fail over, go away and end."""

from collections import deque

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, SetTimer
from comity.core.ids import FrameworkId
from comity.core.instants import Instant
from comity.master import permissions
from comity.master.handlers import ids, publishing, sending, terms
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_from_framework
from comity.master.inputs import (
    FrameworkReturnDue,
    HeartbeatDue,
    SchedulerSubscribed,
    TeardownRequested,
)
from comity.master.state import Agent, Framework, State
from comity.master.table import table
from comity.policy import roles
from comity.wire.mesos import codec, link, scheduler, v1
from comity.wire.mesos.codec import Format

FAILOVER_TIMEOUT_MAX_S = 9_223_372_036.0
"""What fits into Mesos's 64-bit nanoseconds."""


@table.on(SchedulerSubscribed)
def on_scheduler_subscribed(
    state: State, item: SchedulerSubscribed, now: Instant, out: Outbox
) -> None:
    """Open the stream; what is wrong with the framework is said on it, as Mesos does."""
    info = item.call.subscribe.framework_info
    if info.id is not None and not info.id.value:
        info = codec.replace(info, id=None)  # Mesos takes an empty id for none
    asked = item.call.framework_id
    if asked is not None and asked.value and (info.id is None or info.id.value != asked.value):
        sending.refused(item.to, 400, "'framework_id' differs from 'framework_info.id'", out)
        return
    if item.principal is not None and info.principal not in (None, item.principal):
        sending.refused(item.to, 400, "the principal is not the authenticated one", out)
        return
    if info.principal is None and item.principal is not None:
        info = codec.replace(info, principal=item.principal)
    is_back = info.id is not None
    state.count(f"master/messages_{'reregister' if is_back else 'register'}_framework")
    headers = (("Mesos-Stream-Id", item.stream),)
    out.sends.append(
        OpenStream(to=item.to, stream=item.stream, content_type=item.format.value, headers=headers)
    )
    fault = fault_of(state, info, item.call.subscribe)
    if fault is None and not permissions.may_use_roles(state.acls, info, roles_of(info)):
        fault = f"Not authorized to use roles '{', '.join(roles_of(info))}'"
    if fault is not None:
        _end_stream(item.stream, item.format, fault, out)
        return
    framework = _admit(state, info, now)
    _attach(state, framework, item, now, out)
    is_new = framework.reregistered_at is None
    tell = publishing.framework_added if is_new else publishing.framework_updated
    tell(state, framework, out)


def fault_of(
    state: State,
    info: v1.FrameworkInfo,
    asked: scheduler.SubscribeBody | scheduler.UpdateFrameworkBody,
) -> str | None:
    """Return why a framework may not be as it says, or None."""
    own = roles_of(info)
    is_multi_role = any(one.type == "MULTI_ROLE" for one in info.capabilities)
    if is_multi_role and info.role is not None:
        return "'FrameworkInfo.role' must not be set when the framework is MULTI_ROLE capable"
    if not is_multi_role and info.roles:
        return "'FrameworkInfo.roles' must not be set when the framework is not MULTI_ROLE capable"
    if len(set(own)) != len(own):
        return "'FrameworkInfo.roles' must not contain duplicates"
    for role in own:
        fault = roles.fault_of(role)
        if fault is not None:
            return f"invalid role: {fault}"
    foreign = [role for role in asked.suppressed_roles if role not in own]
    if foreign:
        return f"suppressed role '{foreign[0]}' is not one of the framework's roles"
    if not 0 <= info.failover_timeout <= FAILOVER_TIMEOUT_MAX_S:
        return "'FrameworkInfo.failover_timeout' is negative or too large"
    fault = terms.fault_of(info, own, asked.offer_constraints)
    if fault is not None:
        return fault
    if info.id is None:
        return None
    fault = ids.fault_of(info.id.value, "framework ID")
    if fault is not None:
        return fault
    if FrameworkId(info.id.value) in state.completed_frameworks:
        return "Framework has been removed"
    known = state.frameworks.get(FrameworkId(info.id.value))
    if known is not None and known.info.principal != info.principal:
        return "Changing framework's principal is not allowed"
    return None


def roles_of(info: v1.FrameworkInfo) -> tuple[str, ...]:
    """Return the roles a framework subscribes to."""
    if any(one.type == "MULTI_ROLE" for one in info.capabilities):
        return info.roles
    return (info.role or "*",)


def _end_stream(stream: str, format: Format, message: str, out: Outbox) -> None:
    error = scheduler.EventError(error=scheduler.ErrorBody(message=message))
    sending.to_stream(stream, error, out, format)
    out.sends.append(CloseStream(stream))


def _admit(state: State, info: v1.FrameworkInfo, now: Instant) -> Framework:
    """Return the framework of this id, made new or brought up to date."""
    if info.id is None:
        info = codec.replace(info, id=_new_id(state))
    assert info.id is not None
    framework_id = FrameworkId(info.id.value)
    known = state.frameworks.get(framework_id)
    if known is None:
        return add_framework(state, info, now)
    # A changed user or checkpoint flag is kept as it was, silently, as in Mesos.
    kept = codec.replace(info, user=known.info.user, checkpoint=known.info.checkpoint)
    replace_info(known, kept)
    known.reregistered_at = now
    return known


def _new_id(state: State) -> v1.Id:
    """Return an id that nobody has, not even a framework that chose its own."""
    while True:
        found = FrameworkId(f"{state.id}-{state.next_framework:04d}")
        state.next_framework += 1
        if found not in state.frameworks and found not in state.completed_frameworks:
            return v1.Id(value=found)


def replace_info(framework: Framework, info: v1.FrameworkInfo) -> None:
    """Let a framework be as it says now."""
    framework.info = info
    framework.roles = roles_of(info)
    framework.capabilities = capabilities_of(info)


def add_framework(state: State, info: v1.FrameworkInfo, now: Instant) -> Framework:
    """Start to know a framework; the caller says whether it is here or recovered."""
    assert info.id is not None
    framework = Framework(
        id=FrameworkId(info.id.value),
        info=info,
        roles=roles_of(info),
        capabilities=capabilities_of(info),
        registered_at=now,
        completed_tasks=deque(maxlen=state.config.max_completed_tasks_per_framework),
    )
    framework.operations = state.unclaimed_operations.pop(framework.id, {})
    state.frameworks[framework.id] = framework
    return framework


def capabilities_of(info: v1.FrameworkInfo) -> frozenset[str]:
    """Return the names of a framework's capabilities."""
    return frozenset(one.type for one in info.capabilities if one.type is not None)


def _attach(
    state: State, framework: Framework, item: SchedulerSubscribed, now: Instant, out: Outbox
) -> None:
    if framework.stream is not None:
        old = framework.stream
        del state.streams[old]
        withdraw_from_framework(state, framework, out)
        _end_stream(old, framework.format, "Framework failed over", out)
    framework.stream, framework.format = item.stream, item.format
    framework.recovered = False
    framework.unregistered_at = None
    framework.suppressed = set(item.call.subscribe.suppressed_roles)
    framework.offer_constraints = item.call.subscribe.offer_constraints
    state.streams[item.stream] = framework.id
    out.timers.append(CancelTimer(FrameworkReturnDue(framework.id)))
    body = scheduler.SubscribedBody(
        framework_id=v1.Id(value=framework.id),
        heartbeat_interval_seconds=state.config.heartbeat_interval_s,
        master_info=state.info,
    )
    framework.count("calls")
    framework.count("calls/subscribe")
    sending.to_framework(framework, scheduler.EventSubscribed(subscribed=body), out)
    # Clients that read line by line see an event when the next record starts.
    sending.to_framework(framework, scheduler.EventHeartbeat(), out)
    beat = HeartbeatDue(framework.id, item.stream)
    out.timers.append(SetTimer(beat, Instant(now + state.config.heartbeat_interval_s)))
    tell_agents(state, framework, out)
    let_take_part(state, framework)
    want_cycle(state, now, out)


def tell_agents(state: State, framework: Framework, out: Outbox) -> None:
    """Tell the agents that run something of a framework what it is now."""
    event = link.EventUpdateFramework(framework_info=framework.info)
    for agent_id in sorted({one.agent_id for one in framework.tasks.values()}):
        if agent_id in state.agents:
            sending.to_agent(state.agents[agent_id], event, out)


def let_take_part(state: State, framework: Framework) -> None:
    """Let the allocator know a framework as it is now."""
    state.allocator.add_framework(
        framework.id,
        framework.roles,
        framework.suppressed,
        terms.terms_of(framework.info, framework.offer_constraints),
    )


@table.on(HeartbeatDue)
def on_heartbeat_due(state: State, item: HeartbeatDue, now: Instant, out: Outbox) -> None:
    """Beat, unless the stream is another by now."""
    framework = state.frameworks.get(item.framework_id)
    if framework is None or framework.stream != item.stream:
        return
    sending.to_framework(framework, scheduler.EventHeartbeat(), out)
    out.timers.append(SetTimer(item, Instant(now + state.config.heartbeat_interval_s)))


def disconnect(state: State, framework: Framework, now: Instant, out: Outbox) -> None:
    """Its stream broke: no offers, no updates; after its failover timeout it ends."""
    framework.stream = None
    framework.unregistered_at = now
    state.allocator.deactivate_framework(framework.id)
    withdraw_from_framework(state, framework, out)
    await_return(framework, now, out)


def await_return(
    framework: Framework, now: Instant, out: Outbox, *, at_least_s: float = 0.0
) -> None:
    """Give a framework that is away its failover timeout."""
    due = Instant(now + max(framework.info.failover_timeout, at_least_s))
    out.timers.append(SetTimer(FrameworkReturnDue(framework.id), due))


@table.on(FrameworkReturnDue)
def on_framework_return_due(
    state: State, item: FrameworkReturnDue, now: Instant, out: Outbox
) -> None:
    """End a framework that did not come back."""
    framework = state.frameworks.get(item.framework_id)
    if framework is not None and framework.stream is None:
        remove(state, framework, now, out)


@table.on(TeardownRequested)
def on_teardown_requested(state: State, item: TeardownRequested, now: Instant, out: Outbox) -> None:
    """End a framework for an operator."""
    framework = state.frameworks.get(item.framework_id)
    if framework is None:
        sending.refused(item.to, 400, f"No framework found with ID {item.framework_id}", out)
        return
    remove(state, framework, now, out)
    sending.refused(item.to, 200, "", out)


def remove(state: State, framework: Framework, now: Instant, out: Outbox) -> None:
    """Kill what a framework runs, close its stream, and remember it as completed."""
    withdraw_from_framework(state, framework, out)
    for agent in state.agents.values():
        _remove_from_agent(state, framework, agent, out)
    for task in framework.tasks.values():
        if not task.state.is_terminal:
            task.become(v1.TaskState.KILLED)
            state.count("master/tasks_killed")
            status = sending.master_status(
                task.task_id,
                v1.TaskState.KILLED,
                v1.Reason.FRAMEWORK_REMOVED,
                "The framework was removed",
                now,
                agent_id=task.agent_id,
            )
            publishing.remember_status(state, task, status, out)
        framework.completed_tasks.append(task)
    framework.tasks.clear()
    framework.executors.clear()
    framework.unregistered_at = now
    state.allocator.remove_framework(framework.id)
    out.timers.append(CancelTimer(FrameworkReturnDue(framework.id)))
    if framework.stream is not None:
        state.streams.pop(framework.stream, None)
        out.sends.append(CloseStream(framework.stream))
        framework.stream = None
    del state.frameworks[framework.id]
    state.completed_frameworks[framework.id] = framework
    publishing.framework_removed(state, framework, out)
    while len(state.completed_frameworks) > state.config.max_completed_frameworks:
        del state.completed_frameworks[next(iter(state.completed_frameworks))]
    want_cycle(state, now, out)


def _remove_from_agent(state: State, framework: Framework, agent: Agent, out: Outbox) -> None:
    runs = False
    for key, task in [(k, t) for k, t in agent.tasks.items() if k[0] == framework.id]:
        runs = True
        del agent.tasks[key]
        if not task.state.is_terminal:
            agent.used = agent.used - task.resources
            state.allocator.released(agent.id, framework.id, task.role, task.resources)
    for place, executor in [(k, e) for k, e in agent.executors.items() if k[0] == framework.id]:
        runs = True
        del agent.executors[place]
        agent.used = agent.used - executor.resources
        state.allocator.released(agent.id, framework.id, executor.role, executor.resources)
    if runs:
        event = link.EventShutdownFramework(framework_id=v1.Id(value=framework.id))
        sending.to_agent(agent, event, out)
