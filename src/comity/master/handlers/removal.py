"""Silent agents are given up, at a limited rate if the operator wants one.

Mesos's SlaveObserver takes a permit of its RateLimiter for every agent; one that is heard of while
it waits is not removed after all.
"""

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master.handlers import lost
from comity.master.inputs import RemovalDue
from comity.master.state import State
from comity.master.table import table


def give_up(state: State, agent_id: AgentId, now: Instant, out: Outbox) -> None:
    """Give an agent up, now or when it is its turn."""
    if agent_id in state.removals:
        return
    state.count("master/slave_unreachable_scheduled")
    if not state.config.agent_removal_interval_s:
        _remove(state, agent_id, now, out)
        return
    state.removals[agent_id] = None
    if len(state.removals) == 1:
        due = Instant(max(now, state.next_removal_at))
        out.timers.append(SetTimer(RemovalDue(), due))


def spare(state: State, agent_id: AgentId) -> None:
    """Keep an agent that was heard of again."""
    if agent_id in state.removals:
        del state.removals[agent_id]
        state.count("master/slave_unreachable_canceled")


@table.on(RemovalDue)
def on_removal_due(state: State, item: RemovalDue, now: Instant, out: Outbox) -> None:
    """Give up the agent that has waited longest; when all were heard of again, nobody."""
    if not state.removals or now < state.next_removal_at:
        return
    agent_id = next(iter(state.removals))
    del state.removals[agent_id]
    state.next_removal_at = now + state.config.agent_removal_interval_s
    _remove(state, agent_id, now, out)
    if state.removals:
        out.timers.append(SetTimer(item, Instant(state.next_removal_at)))


def _remove(state: State, agent_id: AgentId, now: Instant, out: Outbox) -> None:
    agent = state.agents.get(agent_id)
    if agent is not None:
        lost.mark_unreachable(state, agent, now, out)
    elif state.recovered_agents.pop(agent_id, None) is not None:
        state.count("master/recovery_slave_removals")
        lost.record_unreachable(state, agent_id, now, out)
