"""The registry forgets unreachable and gone agents that are too old or too many.

As Mesos's master does (Master::doRegistryGc): an agent that was forgotten and comes back registers
with the id it had, and a task asked about is UNKNOWN instead of UNREACHABLE.
"""

from comity.core.effects import Outbox, SetTimer, Write
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master.inputs import RegistryGcDue
from comity.master.state import State
from comity.master.table import table


@table.on(RegistryGcDue)
def on_registry_gc_due(state: State, item: RegistryGcDue, now: Instant, out: Outbox) -> None:
    """Forget what is too much, and look again later."""
    for kind, agents in (("unreachable", state.unreachable_agents), ("gone", state.gone_agents)):
        for agent_id in _too_much(state, agents, now):
            del agents[agent_id]
            out.writes.append(Write(f"{kind}/{agent_id}", None))
            if agent_id in state.deactivated:
                state.deactivated.discard(agent_id)
                out.writes.append(Write(f"deactivated/{agent_id}", None))
            if state.draining.pop(agent_id, None) is not None:
                out.writes.append(Write(f"draining/{agent_id}", None))
    due = Instant(now + state.config.registry_gc_interval_s)
    out.timers.append(SetTimer(item, due))


def _too_much(state: State, agents: dict[AgentId, Instant], now: Instant) -> list[AgentId]:
    oldest_first = sorted(agents, key=lambda one: agents[one])
    surplus = max(0, len(agents) - state.config.registry_max_agent_count)
    oldest = now - state.config.registry_max_agent_age_s
    return [
        one for place, one in enumerate(oldest_first) if place < surplus or agents[one] < oldest
    ]
