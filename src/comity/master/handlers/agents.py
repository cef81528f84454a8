"""What agents call, and what operators do with them. How agents come is in `registration`."""

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.master.handlers import draining, feedback, lost, removal, sending, statuses
from comity.master.handlers.cycles import want_cycle
from comity.master.inputs import AgentCalled, AgentMarkedGone
from comity.master.state import State
from comity.master.table import table
from comity.wire.mesos import link

_MESSAGES: dict[type, str] = {
    link.Update: "messages_status_update",
    link.UpdateOperation: "messages_operation_status_update",
    link.ExitedExecutor: "messages_exited_executor",
    link.Message: "messages_executor_to_framework",
    link.Unregister: "messages_unregister_slave",
}
"""How metrics name agents' calls: as the messages of Mesos's agents (src/master/metrics.hpp)."""


@table.on(AgentCalled)
def on_agent_called(state: State, item: AgentCalled, now: Instant, out: Outbox) -> None:
    """Handle a batch of an agent's calls, in order."""
    agent_id = state.links.get(item.link)
    if agent_id is None:
        sending.refused(item.to, 403, "this link is not open; subscribe again", out)
        return
    agent = state.agents[agent_id]
    agent.pings_missed = 0
    removal.spare(state, agent_id)
    for call in item.calls:
        if type(call) in _MESSAGES:
            state.count(f"master/{_MESSAGES[type(call)]}")
        match call:
            case link.Update():
                statuses.on_update(state, agent, call, now, out)
            case link.UpdateOperation():
                feedback.on_update(state, agent, call, now, out)
            case link.ExitedExecutor():
                statuses.on_exited_executor(state, agent, call, out)
            case link.Message():
                statuses.on_message(state, agent, call, out)
            case link.Pong():
                pass
            case link.Unregister():
                lost.remove_agent(state, agent, now, out, gone=False)
                draining.forget(state, agent_id, out)
    sending.accepted(item.to, out)
    want_cycle(state, now, out)


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
        state.removals.pop(item.agent_id, None)
        state.unreachable_agents.pop(item.agent_id, None)
        lost.record_gone(state, item.agent_id, now, out)
    elif item.agent_id not in state.gone_agents:
        sending.refused(item.to, 404, f"Agent {item.agent_id} is not known", out)
        return
    sending.refused(item.to, 200, "", out)
    want_cycle(state, now, out)
