"""Agents that operators take out: deactivated ones are not offered, draining ones are emptied, too.

Both outlive a master and a registration. A draining agent kills what it runs; once nothing of it is
left it is DRAINED, and stays out until REACTIVATE_AGENT, or is marked gone when that was asked for.
"""

from comity.core.effects import Outbox, SetTimer, Write
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master import offer_views
from comity.master.handlers import lost, sending
from comity.master.handlers.cycles import want_cycle
from comity.master.handlers.withdrawing import withdraw_from_agent
from comity.master.inputs import AgentDeactivated, AgentDrained, AgentReactivated, DrainCheckDue
from comity.master.state import Agent, State
from comity.master.table import table
from comity.wire.mesos import codec, link
from comity.wire.mesos.maintenance import DrainInfo

DRAINING, DRAINED = "DRAINING", "DRAINED"
CHECK_S = 1.0


@table.on(AgentDrained)
def on_agent_drained(state: State, item: AgentDrained, now: Instant, out: Outbox) -> None:
    """Begin to drain an agent, durably; it need not be here at the moment."""
    if not _is_known(state, item.agent_id):
        sending.refused(item.to, 400, "Unknown agent", out)
        return
    agent = state.agents.get(item.agent_id)
    if agent is not None and offer_views.unavailability_of(state, agent) is not None:
        text = f"Agent {agent.id} is part of a maintenance schedule"
        sending.refused(item.to, 400, text, out)
        return
    _record_drain(state, item.agent_id, DrainInfo(state=DRAINING, config=item.config), out)
    _deactivate(state, item.agent_id, out)
    if agent is not None:
        agent.drain_started_at = now
        tell(state, agent, out)
        _check(state, agent, now, out)
    watch(state, now, out)
    sending.refused(item.to, 200, "", out)


@table.on(AgentDeactivated)
def on_agent_deactivated(state: State, item: AgentDeactivated, now: Instant, out: Outbox) -> None:
    """Offer an agent no more, durably; what runs there goes on."""
    if not _is_known(state, item.agent_id):
        sending.refused(item.to, 400, "Unknown agent", out)
        return
    _deactivate(state, item.agent_id, out)
    sending.refused(item.to, 200, "", out)


@table.on(AgentReactivated)
def on_agent_reactivated(state: State, item: AgentReactivated, now: Instant, out: Outbox) -> None:
    """Offer an agent again."""
    agent_id = item.agent_id
    drain = state.draining.get(agent_id)
    if agent_id not in state.deactivated:
        sending.refused(item.to, 400, "Agent is not deactivated", out)
        return
    if drain is not None and drain.state == DRAINING:
        sending.refused(item.to, 400, "Agent is still in the DRAINING state", out)
        return
    forget(state, agent_id, out)
    agent = state.agents.get(agent_id)
    if agent is not None:
        agent.drain_started_at = None
        state.allocator.set_agent_active(agent_id, agent.link is not None)
        sending.to_agent(agent, link.EventDrain(), out)
        want_cycle(state, now, out)
    sending.refused(item.to, 200, "", out)


def _is_known(state: State, agent_id: AgentId) -> bool:
    return any(
        agent_id in held
        for held in (state.agents, state.recovered_agents, state.unreachable_agents)
    )


def _deactivate(state: State, agent_id: AgentId, out: Outbox) -> None:
    state.deactivated.add(agent_id)
    out.writes.append(Write(f"deactivated/{agent_id}", b""))
    agent = state.agents.get(agent_id)
    if agent is not None:
        state.allocator.set_agent_active(agent_id, False)
        withdraw_from_agent(state, agent, out)


def _record_drain(state: State, agent_id: AgentId, drain: DrainInfo, out: Outbox) -> None:
    state.draining[agent_id] = drain
    out.writes.append(Write(f"draining/{agent_id}", codec.encode(drain)))


def forget(state: State, agent_id: AgentId, out: Outbox) -> None:
    """Let an agent be as any other."""
    if agent_id in state.deactivated:
        state.deactivated.discard(agent_id)
        out.writes.append(Write(f"deactivated/{agent_id}", None))
    if state.draining.pop(agent_id, None) is not None:
        out.writes.append(Write(f"draining/{agent_id}", None))


def resume(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """Keep an agent out that has registered again."""
    if agent.id not in state.deactivated:
        return
    state.allocator.set_agent_active(agent.id, False)
    if agent.id in state.draining:
        agent.drain_started_at = now
        tell(state, agent, out)


def tell(state: State, agent: Agent, out: Outbox) -> None:
    """Tell an agent to drain, if it is to."""
    drain = state.draining.get(agent.id)
    if drain is not None and drain.state == DRAINING:
        sending.to_agent(agent, link.EventDrain(config=drain.config), out)


@table.on(DrainCheckDue)
def on_drain_check_due(state: State, item: DrainCheckDue, now: Instant, out: Outbox) -> None:
    """Find draining agents on which nothing is left, as long as there are any that drain."""
    for agent_id in list(state.draining):
        agent = state.agents.get(agent_id)
        if agent is not None:
            _check(state, agent, now, out)
    watch(state, now, out)


def watch(state: State, now: Instant, out: Outbox) -> None:
    """Look after draining agents now and then."""
    if any(drain.state == DRAINING for drain in state.draining.values()):
        out.timers.append(SetTimer(DrainCheckDue(), Instant(now + CHECK_S)))


def _check(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """Finish the draining of an agent on which nothing is left that has to be told of."""
    drain = state.draining.get(agent.id)
    if drain is None or drain.state != DRAINING:
        return
    if agent.tasks or agent.operations or agent.executors:
        return
    _record_drain(state, agent.id, codec.replace(drain, state=DRAINED), out)
    if drain.config.mark_gone:
        lost.remove_agent(state, agent, now, out, gone=True)
