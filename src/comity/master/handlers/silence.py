"""Agents fall silent: pings without answers, links that break, agents that do not come back."""

from comity.core.effects import Outbox, SetTimer
from comity.core.instants import Instant
from comity.master.handlers import removal, sending, unsaved
from comity.master.handlers.withdrawing import withdraw_from_agent
from comity.master.inputs import AgentReturnDue, PingDue
from comity.master.state import Agent, State
from comity.master.table import table
from comity.wire.mesos import link


@table.on(PingDue)
def on_ping_due(state: State, item: PingDue, now: Instant, out: Outbox) -> None:
    """Ping, or give up an agent that has been silent for too long; a stale timer does nothing."""
    agent = state.agents.get(item.agent_id)
    if agent is None or agent.link != item.link:
        return
    # Counted, not timed: after this process was stopped for a while, agents get their pings first.
    if agent.pings_missed >= state.config.pings_missed_max:
        removal.give_up(state, agent.id, now, out)
        if agent.id not in state.removals:
            return
    agent.pings_missed += 1
    sending.to_agent(agent, link.EventPing(), out)
    out.timers.append(SetTimer(item, Instant(now + state.config.ping_interval_s)))


def disconnect(state: State, agent: Agent, now: Instant, out: Outbox) -> None:
    """An agent's link broke: no offers of it, and a time limit for coming back."""
    agent.link = None
    state.allocator.set_agent_active(agent.id, False)
    withdraw_from_agent(state, agent, out)
    due = Instant(now + state.config.agent_reregister_timeout_s)
    out.timers.append(SetTimer(AgentReturnDue(agent.id), due))
    unsaved.lose(state, agent, now, out)


@table.on(AgentReturnDue)
def on_agent_return_due(state: State, item: AgentReturnDue, now: Instant, out: Outbox) -> None:
    """Give up an agent that did not come back, also one known from the registry only."""
    agent = state.agents.get(item.agent_id)
    is_away = agent is not None and agent.link is None
    if is_away or item.agent_id in state.recovered_agents:
        removal.give_up(state, item.agent_id, now, out)
