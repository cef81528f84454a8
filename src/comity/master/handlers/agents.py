"""Agents register, speak, fall silent and are given up."""

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, SetTimer, Write
from comity.core.errors import InvariantViolated
from comity.core.ids import AgentId, ExecutorId, FrameworkId, TaskId
from comity.core.instants import Instant
from comity.master.handlers import (
    draining,
    feedback,
    frameworks,
    ids,
    lost,
    publishing,
    sending,
    statuses,
    unsaved,
)
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.terms import traits_of
from comity.master.handlers.withdrawing import withdraw_offers
from comity.master.inputs import (
    AgentCalled,
    AgentMarkedGone,
    AgentReturnDue,
    AgentSubscribed,
    PingDue,
)
from comity.master.state import Agent, Executor, Framework, State, Task
from comity.master.table import table
from comity.resources import operations
from comity.resources.amounts import Resources
from comity.wire.mesos import codec, link, resources, v1


def agent_key(agent_id: AgentId) -> str:
    """Return the registry key of an admitted agent."""
    return f"agents/{agent_id}"


@table.on(AgentSubscribed)
def on_agent_subscribed(state: State, item: AgentSubscribed, now: Instant, out: Outbox) -> None:
    """Admit an agent, durably, before it hears that it is."""
    info = item.call.subscribe.agent_info
    fault = _fault_of(item.call.subscribe)
    if fault is not None:
        sending.refused(item.to, 400, fault, out)
        return
    out.sends.append(OpenStream(to=item.to, stream=item.link, headers=((link.LINK_ID, item.link),)))
    if info.id is not None and AgentId(info.id.value) in state.gone_agents:
        event = link.EventShutdown(message="the agent was marked gone; remove its work directory")
        sending.to_stream(item.link, event, out)
        out.sends.append(CloseStream(item.link))
        return
    if info.id is None:
        info = codec.replace(info, id=v1.Id(value=f"{state.id}-S{state.next_agent}"))
        state.next_agent += 1
        state.count("master/slave_registrations")
    else:
        state.count("master/slave_reregistrations")
    assert info.id is not None
    was_here = AgentId(info.id.value) in state.agents
    agent = _admit(state, info, item, now, out)
    _greet(state, agent, now, out)
    brought = item.call.subscribe
    if was_here:
        brought = unsaved.end_strays(state, agent, brought, out)
    _recover(state, agent, brought, now, out)
    _resend(state, agent, out)
    draining.resume(state, agent, now, out)
    want_cycle(state, now, out)


def _fault_of(brought: link.SubscribeBody) -> str | None:
    """Return why an agent cannot be admitted: what it runs must fit into what it has."""
    info = brought.agent_info
    if not info.hostname:
        return "an agent needs a host name"
    for one in brought.frameworks:
        fault = None if one.id is None else ids.fault_of(one.id.value, "framework ID")
        if fault is not None:
            return fault
    held = [each.executor_info.resources for each in brought.executors]
    held += [each.resources for each in brought.tasks if not each.state.is_terminal]
    try:
        free = _total_of(brought)
        for written in held:
            wanted = resources.read(written)
            if not free.contains(wanted):
                return "the agent's tasks and executors hold more than the agent has"
            free = free - wanted
    except (resources.ResourceInvalid, InvariantViolated) as error:
        return f"the agent's resources are invalid: {error}"
    return None


def _admit(
    state: State, info: v1.AgentInfo, item: AgentSubscribed, now: Instant, out: Outbox
) -> Agent:
    assert info.id is not None
    agent_id = AgentId(info.id.value)
    known = state.agents.get(agent_id)
    if known is not None:
        _break_link(state, known, out)
        withdraw_offers(state, list(known.offers.values()), out, tell=True)
        if known.info.attributes != info.attributes:
            state.allocator.drop_filters_of_agent(agent_id)
        known.info, known.ip, known.link, known.pings_missed = info, item.ip, item.link, 0
        known.total = _total_of(item.call.subscribe)
        known.reregistered_at = now
        agent = known
    else:
        agent = Agent(
            id=agent_id,
            info=info,
            ip=item.ip,
            total=_total_of(item.call.subscribe),
            registered_at=now,
            link=item.link,
        )
        state.agents[agent_id] = agent
        publishing.agent_added(state, agent, out)
    state.recovered_agents.pop(agent_id, None)
    if state.unreachable_agents.pop(agent_id, None) is not None:
        out.writes.append(Write(f"unreachable/{agent_id}", None))
    out.writes.append(Write(agent_key(agent_id), codec.encode(info)))
    state.links[item.link] = agent_id
    return agent


def _total_of(brought: link.SubscribeBody) -> Resources:
    """Return what an agent has: what it was configured with, as operations changed it."""
    configured = resources.read(brought.agent_info.resources)
    return operations.with_checkpointed(configured, resources.read(brought.checkpointed_resources))


def _break_link(state: State, agent: Agent, out: Outbox) -> None:
    if agent.link is not None:
        state.links.pop(agent.link, None)
        out.sends.append(CloseStream(agent.link))
        agent.link = None


def _greet(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    timeout_s = state.config.ping_interval_s * state.config.pings_missed_max
    body = link.RegisteredBody(
        agent_id=v1.Id(value=agent.id), master_info=state.info, ping_timeout_seconds=timeout_s
    )
    sending.to_agent(agent, link.EventRegistered(registered=body), out)
    sending.to_agent(agent, link.EventPing(), out)
    agent.pings_missed = 1
    assert agent.link is not None
    ping = PingDue(agent.id, agent.link)
    out.timers.append(SetTimer(ping, Instant(now + state.config.ping_interval_s)))
    out.timers.append(CancelTimer(AgentReturnDue(agent.id)))


def _resend(state: State, agent: Agent, out: Outbox) -> None:
    """Tell an agent that is back what it missed: kills, and frameworks that have ended."""
    for framework_id, task_id in list(agent.tasks):
        framework = state.frameworks[framework_id]
        if task_id in framework.pending_kills:
            policy = framework.pending_kills.pop(task_id)
            event = link.EventKillTask(
                framework_id=v1.Id(value=framework_id),
                task_id=v1.Id(value=task_id),
                kill_policy=policy,
            )
            sending.to_agent(agent, event, out)


# what an agent brings along


def _recover(
    state: State, agent: Agent, brought: link.SubscribeBody, now: Instant, out: Outbox
) -> None:
    """Make the master's view of the agent what the agent says it runs."""
    infos = {FrameworkId(one.id.value): one for one in brought.frameworks if one.id is not None}
    for framework_id, info in infos.items():
        if framework_id in state.completed_frameworks:
            event = link.EventShutdownFramework(framework_id=v1.Id(value=framework_id))
            sending.to_agent(agent, event, out)
        elif framework_id not in state.frameworks:
            _recover_framework(state, info, now, out)
        elif state.frameworks[framework_id].info != info:
            newer = state.frameworks[framework_id].info
            sending.to_agent(agent, link.EventUpdateFramework(framework_info=newer), out)
    _recover_executors(state, agent, brought)
    reported = _recover_tasks(state, agent, brought, now, out)
    for key, task in list(agent.tasks.items()):
        if key not in reported and not task.state.is_terminal:
            _lose(state, agent, (state.frameworks[key[0]], task), now, out)
    feedback.recover(state, agent, brought.operations, out)
    state.allocator.add_agent(agent.id, agent.total, agent.used, traits_of(agent.info))


def _recover_framework(state: State, info: v1.FrameworkInfo, now: Instant, out: Outbox) -> None:
    framework = frameworks.add_framework(state, info, now)
    framework.recovered = True
    framework.unregistered_at = now
    publishing.framework_added(state, framework, out)
    state.allocator.add_framework(framework.id, framework.roles)
    state.allocator.deactivate_framework(framework.id)
    # Its scheduler needs the time to find this master, even if it asked for no failover timeout.
    grace_s = state.config.agent_reregister_timeout_s
    frameworks.await_return(framework, now, out, at_least_s=grace_s)


def _recover_executors(state: State, agent: Agent, brought: link.SubscribeBody) -> None:
    here = set()
    for one in brought.executors:
        key = (FrameworkId(one.framework_id.value), ExecutorId(one.executor_info.executor_id.value))
        here.add(key)
        framework = state.frameworks.get(key[0])
        if framework is None or key in agent.executors:
            continue
        role = _role_of(one.executor_info.resources, framework)
        executor = Executor(one.executor_info, resources.read(one.executor_info.resources), role)
        framework.executors[agent.id, key[1]] = agent.executors[key] = executor
        agent.used = agent.used + executor.resources
        state.allocator.allocated(framework.id, role, executor.resources)
    for key in [key for key in agent.executors if key not in here]:
        statuses.release_executor(state, agent, key)


def _role_of(written: tuple[v1.Resource, ...], framework: Framework) -> str:
    roles = resources.allocation_roles(written)
    return min(roles) if roles else (framework.roles or ("*",))[0]


def _recover_tasks(
    state: State, agent: Agent, brought: link.SubscribeBody, now: Instant, out: Outbox
) -> set[tuple[FrameworkId, TaskId]]:
    reported = set()
    for info in brought.tasks:
        key = (FrameworkId(info.framework_id.value), TaskId(info.task_id.value))
        framework = state.frameworks.get(key[0])
        if framework is None:
            continue
        reported.add(key)
        if key in agent.tasks:
            statuses.advance(state, (agent, framework, agent.tasks[key]), info.state)
            continue
        was_unreachable = framework.unreachable_tasks.pop(key[1], None) is not None
        publishing.task_added(state, _recover_task(state, agent, framework, info), out)
        if was_unreachable:
            status = sending.master_status(
                key[1],
                info.state,
                v1.Reason.AGENT_REREGISTERED,
                "Agent re-registered; the task is still there",
                now,
                agent_id=agent.id,
            )
            sending.update(framework, status, out)
    return reported


def _recover_task(state: State, agent: Agent, framework: Framework, info: v1.Task) -> Task:
    role = _role_of(info.resources, framework)
    last_forwarded = info.status_update_state or info.state
    task = Task(
        info=codec.replace(info, statuses=()),
        state=info.state,
        forwarded=last_forwarded,
        resources=resources.read(info.resources),
        role=role,
        statuses={one.state: one for one in info.statuses},
    )
    if last_forwarded.is_terminal:
        task.pending_terminal_uuid = info.status_update_uuid
    framework.tasks[task.task_id] = agent.tasks[framework.id, task.task_id] = task
    if not task.state.is_terminal:
        agent.used = agent.used + task.resources
        state.allocator.allocated(framework.id, role, task.resources)
    return task


def _lose(
    state: State, agent: Agent, what: tuple[Framework, Task], now: Instant, out: Outbox
) -> None:
    """A task was sent to the agent and never arrived, or the agent has forgotten it."""
    framework, task = what
    found = v1.TaskState.DROPPED if framework.is_partition_aware else v1.TaskState.LOST
    status = sending.master_status(
        task.task_id,
        found,
        v1.Reason.AGENT_RESTARTED,
        "Task is unknown to the agent that registered again",
        now,
        agent_id=agent.id,
    )
    statuses.finish_by_master(state, (agent, framework, task), status, out)


# calls, pings and silence


@table.on(AgentCalled)
def on_agent_called(state: State, item: AgentCalled, now: Instant, out: Outbox) -> None:
    """Handle a batch of an agent's calls, in order."""
    agent_id = state.links.get(item.link)
    if agent_id is None:
        sending.refused(item.to, 403, "this link is not open; subscribe again", out)
        return
    agent = state.agents[agent_id]
    agent.pings_missed = 0
    for call in item.calls:
        match call:
            case link.Update():
                statuses.on_update(state, agent, call, now, out)
            case link.UpdateOperation():
                feedback.on_update(state, agent, call, out)
            case link.ExitedExecutor():
                statuses.on_exited_executor(state, agent, call, out)
            case link.Message():
                statuses.on_message(state, agent, call, out)
            case link.Pong():
                pass
            case link.Unregister():
                lost.remove_agent(state, agent, now, out, gone=False)
    sending.accepted(item.to, out)
    want_cycle(state, now, out)


@table.on(PingDue)
def on_ping_due(state: State, item: PingDue, now: Instant, out: Outbox) -> None:
    """Ping, or give up an agent that has been silent for too long; a stale timer does nothing."""
    agent = state.agents.get(item.agent_id)
    if agent is None or agent.link != item.link:
        return
    # Counted, not timed: after this process was stopped for a while, agents get their pings first.
    if agent.pings_missed >= state.config.pings_missed_max:
        lost.mark_unreachable(state, agent, now, out)
        return
    agent.pings_missed += 1
    sending.to_agent(agent, link.EventPing(), out)
    out.timers.append(SetTimer(item, Instant(now + state.config.ping_interval_s)))


def disconnect(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """An agent's link broke: no offers of it, and a time limit for coming back."""
    agent.link = None
    state.allocator.set_agent_active(agent.id, False)
    withdraw_offers(state, list(agent.offers.values()), out, tell=True)
    due = Instant(now + state.config.agent_reregister_timeout_s)
    out.timers.append(SetTimer(AgentReturnDue(agent.id), due))
    unsaved.lose(state, agent, now, out)


@table.on(AgentReturnDue)
def on_agent_return_due(state: State, item: AgentReturnDue, now: Instant, out: Outbox) -> None:
    """Give up an agent that did not come back, also one known from the registry only."""
    agent = state.agents.get(item.agent_id)
    if agent is not None and agent.link is None:
        lost.mark_unreachable(state, agent, now, out)
    elif item.agent_id in state.recovered_agents:
        del state.recovered_agents[item.agent_id]
        lost.record_unreachable(state, item.agent_id, now, out)


@table.on(AgentMarkedGone)
def on_agent_marked_gone(state: State, item: AgentMarkedGone, now: Instant, out: Outbox) -> None:
    """Write an agent off for good; a second time changes nothing."""
    agent = state.agents.get(item.agent_id)
    if agent is not None:
        event = link.EventShutdown(message="the agent was marked gone by an operator")
        sending.to_agent(agent, event, out)
        lost.remove_agent(state, agent, now, out, gone=True)
    elif item.agent_id in state.recovered_agents or item.agent_id in state.unreachable_agents:
        state.recovered_agents.pop(item.agent_id, None)
        state.unreachable_agents.pop(item.agent_id, None)
        lost.record_gone(state, item.agent_id, now, out)
    elif item.agent_id not in state.gone_agents:
        sending.refused(item.to, 404, f"Agent {item.agent_id} is not known", out)
        return
    sending.refused(item.to, 200, "", out)
    want_cycle(state, now, out)
