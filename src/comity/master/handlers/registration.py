"""Agents register: they are admitted, durably, before they hear that they are."""

from collections import Counter
from collections.abc import Iterable

from comity.core.effects import CancelTimer, CloseStream, OpenStream, Outbox, SetTimer, Write
from comity.core.errors import InvariantViolated
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master.handlers import draining, ids, publishing, recovery, removal, sending, unsaved
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_from_agent
from comity.master.inputs import AgentReturnDue, AgentSubscribed, PingDue
from comity.master.maintenance import key_of_agent
from comity.master.state import Agent, State
from comity.master.table import table
from comity.resources import operations
from comity.resources.amounts import Amount, Kind, Resources
from comity.wire.mesos import codec, link, resources, v1


def agent_key(agent_id: AgentId) -> str:
    """Return the registry key of an admitted agent."""
    return f"agents/{agent_id}"


@table.on(AgentSubscribed)
def on_agent_subscribed(state: State, item: AgentSubscribed, now: Instant, out: Outbox) -> None:
    """Admit an agent, durably, before it hears that it is."""
    info = item.call.subscribe.agent_info
    fault = _fault_of(state, item.call.subscribe)
    if fault is not None:
        sending.refused(item.to, 400, fault, out)
        return
    out.sends.append(OpenStream(to=item.to, stream=item.link, headers=((link.LINK_ID, item.link),)))
    unwelcome = _why_unwelcome(state, info, item.ip)
    if unwelcome is not None:
        sending.to_stream(item.link, link.EventShutdown(message=unwelcome), out)
        out.sends.append(CloseStream(item.link))
        return
    if info.id is None:
        info = codec.replace(info, id=v1.Id(value=f"{state.id}-S{state.next_agent}"))
        state.next_agent += 1
        state.count("master/slave_registrations")
        state.count("master/messages_register_slave")
    else:
        state.count("master/slave_reregistrations")
        state.count("master/messages_reregister_slave")
    assert info.id is not None
    agent_id = AgentId(info.id.value)
    was_known = agent_id in state.agents or agent_id in state.unreachable_agents
    agent = _admit(state, info, item, now, out)
    brought = item.call.subscribe
    _greet(state, agent, brought, now, out)
    if was_known:
        brought = unsaved.end_strays(state, agent, brought, out)
    recovery.recover(state, agent, brought, now, out)
    _resend(state, agent, out)
    draining.resume(state, agent, now, out)
    want_cycle(state, now, out)


def _why_unwelcome(state: State, info: v1.AgentInfo, ip: str) -> str | None:
    """Return why an agent is told to end instead of being admitted."""
    if info.id is not None and AgentId(info.id.value) in state.gone_agents:
        return "the agent was marked gone; remove its work directory"
    if key_of_agent(info.hostname, ip) in state.maintenance.down:
        return "Machine is `DOWN`"
    return None


def _fault_of(state: State, brought: link.SubscribeBody) -> str | None:
    """Return why an agent cannot be admitted: what it runs must fit into what it has."""
    info = brought.agent_info
    if not info.hostname:
        return "an agent needs a host name"
    if info.domain is not None and state.config.domain is None:
        return "the agent has a domain, but the master has none: start the master with --domain"
    if info.domain is None and state.config.require_agent_domain:
        return "this master wants every agent to have a domain: start the agent with --domain"
    for one in brought.frameworks:
        fault = None if one.id is None else ids.fault_of(one.id.value, "framework ID")
        if fault is not None:
            return fault
    held = [each.executor_info.resources for each in brought.executors]
    held += [each.resources for each in brought.tasks if not each.state.is_terminal]
    try:
        if not _fits(_total_of(brought), map(resources.read, held)):
            return "the agent's tasks and executors hold more than the agent has"
    except (resources.ResourceInvalid, InvariantViolated) as error:
        return f"the agent's resources are invalid: {error}"
    return None


def _fits(total: Resources, held: Iterable[Resources]) -> bool:
    """Whether a total contains all of these at once; scalars are summed before they are compared.

    Ten thousand agents with all their tasks come here when a master has restarted.
    """
    scalars: dict[Kind, Amount] = {}
    rest = total
    for bundle, times in Counter(held).items():  # tasks of one kind share a bundle
        for kind, amount in bundle:
            sum_ = scalars.get(kind, 0)
            if isinstance(amount, int) and isinstance(sum_, int) and not kind.is_indivisible:
                scalars[kind] = sum_ + amount * times
                continue
            one = Resources({kind: amount})
            for _ in range(times):
                if not rest.contains(one):
                    return False
                rest = rest - one
    return total.contains(Resources(scalars))


def _admit(
    state: State, info: v1.AgentInfo, item: AgentSubscribed, now: Instant, out: Outbox
) -> Agent:
    assert info.id is not None
    agent_id = AgentId(info.id.value)
    known = state.agents.get(agent_id)
    stored = state.recovered_agents.pop(agent_id, None)
    removal.spare(state, agent_id)
    if known is not None:
        stored = known.info
        _break_link(state, known, out)
        withdraw_from_agent(state, known, out)
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
    if state.unreachable_agents.pop(agent_id, None) is not None:
        out.writes.append(Write(f"unreachable/{agent_id}", None))
    if stored != info:
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


def _greet(
    state: State, agent: Agent, brought: link.SubscribeBody, now: Instant, out: Outbox
) -> None:
    body = link.RegisteredBody(
        agent_id=v1.Id(value=agent.id),
        master_info=state.info,
        ping_timeout_seconds=state.config.ping_interval_s * state.config.pings_missed_max,
        executors=tuple(
            link.ExecutorName(
                framework_id=one.framework_id, executor_id=one.executor_info.executor_id
            )
            for one in brought.executors
        ),
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
    for (framework_id, task_id), task in list(agent.tasks.items()):
        framework = state.frameworks[framework_id]
        if task_id in framework.pending_kills and not task.state.is_terminal:
            policy = framework.pending_kills[task_id]
            event = link.EventKillTask(
                framework_id=v1.Id(value=framework_id),
                task_id=v1.Id(value=task_id),
                kill_policy=policy,
            )
            sending.to_agent(agent, event, out)
