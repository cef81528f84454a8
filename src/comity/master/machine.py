"""The master's machine: every input, its handler, and how it starts from the registry.

Where the story goes: `inputs` says what can happen, `handlers` what is done about it, `state` what
is known, `views` how it looks from outside.
"""

from collections import Counter

from comity.core.effects import Outbox, SetTimer
from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.master.handlers import (  # registers the handlers
    agents,
    calls,
    cycles,
    draining,
    frameworks,
    maintaining,
    operating,
    publishing,
    quotas,
    rebalancing,
    registration,
    registry,
    removal,
    silence,
    weights,
)
from comity.master.inputs import (
    AgentCalled,
    AgentReturnDue,
    AllocationDue,
    DirtyAllocationDue,
    HeartbeatDue,
    PingDue,
    RegistryGcDue,
    SubscriberHeartbeatDue,
)
from comity.master.state import State
from comity.master.table import table
from comity.policy.authorization import acls
from comity.resources.amounts import NOTHING
from comity.wire.mesos import codec, link, v1
from comity.wire.mesos.maintenance import DrainInfo
from comity.wire.mesos.quota import QuotaConfig

HANDLERS = (
    agents,
    calls,
    cycles,
    draining,
    frameworks,
    maintaining,
    operating,
    publishing,
    quotas,
    rebalancing,
    registration,
    registry,
    removal,
    silence,
    weights,
)
"""The modules whose import fills the table."""


_QUIET = (AllocationDue, DirtyAllocationDue, HeartbeatDue, PingDue, SubscriberHeartbeatDue)
"""Inputs that most often change nothing that a reader sees."""


def _is_quiet(item: object) -> bool:
    if isinstance(item, AgentCalled):
        return all(isinstance(call, link.Pong) for call in item.calls)
    return isinstance(item, _QUIET)


def _trace(state: State, out: Outbox) -> tuple[int, ...]:
    """Return what changes when one of them does."""
    return len(out.writes), state.next_offer, len(state.offers), len(state.agents)


class Master:
    """Steps the master's state."""

    def __init__(self, state: State) -> None:
        self.state = state
        if state.config.acls:
            state.acls = acls.parse(state.config.acls.encode())

    def step(self, item: object, now: Instant, out: Outbox) -> None:
        """Handle one input."""
        if not _is_quiet(item):
            self.state.version += 1
            table.step(self.state, item, now, out)
            return
        before = _trace(self.state, out)
        table.step(self.state, item, now, out)
        if _trace(self.state, out) != before:
            self.state.version += 1

    def recover(self, pairs: list[tuple[str, bytes]], now: Instant, out: Outbox) -> None:
        """Take the registry, and wait for the agents in it to come back.

        `maintenance/schedule` holds the schedule, `down/HOSTNAME/IP` a machine that is down.
        """
        state = self.state
        for key, value in pairs:
            kind, _, name = key.partition("/")
            agent_id = AgentId(name)
            if kind == "agents":
                state.recovered_agents[agent_id] = codec.decode(v1.AgentInfo, value)
                due = Instant(now + state.config.agent_reregister_timeout_s)
                out.timers.append(SetTimer(AgentReturnDue(agent_id), due))
            elif kind == "unreachable":
                state.unreachable_agents[agent_id] = Instant(float(value))
            elif kind == "gone":
                state.gone_agents[agent_id] = Instant(float(value))
            elif kind == "quotas":
                state.quotas[name] = codec.decode(QuotaConfig, value)
                quotas.tell_allocator(state, state.quotas[name])
            elif kind == "weights":
                state.weights[name] = float(value)
                state.allocator.set_weight(name, state.weights[name])
            elif kind == "deactivated":
                state.deactivated.add(agent_id)
            elif kind == "draining":
                state.draining[agent_id] = codec.decode(DrainInfo, value)
            elif kind in ("maintenance", "down"):
                maintaining.recover(state, key, value)
        draining.watch(state, now, out)
        cycles.pause(state, now)
        state.next_cycle_at = Instant(now + state.config.allocation_interval_s)
        out.timers.append(SetTimer(AllocationDue(), state.next_cycle_at))
        look_at = Instant(now + state.config.registry_gc_interval_s)
        out.timers.append(SetTimer(RegistryGcDue(), look_at))


def check_invariants(state: State) -> None:
    """Assert what must hold between two inputs; tests call it after every step."""
    for agent in state.agents.values():
        used = NOTHING
        for task in agent.tasks.values():
            if not task.state.is_terminal:
                used = used + task.resources
        for executor in agent.executors.values():
            used = used + executor.resources
        assert used == agent.used, f"{agent.id}: used {agent.used}, tasks hold {used}"
        assert agent.total.contains(agent.used + agent.offered), f"{agent.id} is over-committed"
        free = agent.total.minus_what_there_is(agent.used + agent.offered)
        counted = state.allocator.free_of(agent.id)
        assert counted == free, f"{agent.id}: the allocator has {counted} free, there is {free}"
        assert agent.link is None or state.links[agent.link] == agent.id
    for offer in state.offers.values():
        assert state.agents[offer.agent_id].offers[offer.id] is offer
        assert state.frameworks[offer.framework_id].offers[offer.id] is offer
        assert state.frameworks[offer.framework_id].stream is not None
    for framework in state.frameworks.values():
        held = NOTHING
        for task in framework.tasks.values():
            held = held + (NOTHING if task.state.is_terminal else task.resources)
        for executor in framework.executors.values():
            held = held + executor.resources
        assert held == framework.used, f"{framework.id}: counts {framework.used}, holds {held}"
        states = Counter(task.state for task in framework.tasks.values())
        assert states == {k: v for k, v in framework.tasks.counts.items() if v}, framework.id
    asked = [one for held in state.maintenance.inverse_offers.values() for one in held.values()]
    assert {one.id: one for one in asked} == state.maintenance.by_id
    for one in asked:
        assert state.agents[one.agent_id].link is not None
        assert state.frameworks[one.framework_id].stream is not None
    for stream, framework_id in state.streams.items():
        assert state.frameworks[framework_id].stream == stream
