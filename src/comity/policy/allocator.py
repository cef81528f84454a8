"""Dominant Resource Fairness over roles, then over the frameworks of a role.

Agents' free resources go, agent by agent, to the role with the lowest dominant share that may and
wants to have them, and in it to the framework with the lowest share. The whole free remainder of
an agent makes one offer, as in Mesos's hierarchical allocator. Shares are kept as resources are
allocated and released; one cycle holds roles and frameworks in heaps, so that an agent costs a heap
step, not a sort. Frameworks that are inactive, suppressed or without the role are not in the heaps.

Filters: a framework that refused resources of an agent is not offered what that refusal contains
until it expires; more than that is offered again.
"""

import heapq
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.resources.amounts import NOTHING, Resources
from comity.resources.operations import Conversion

MIN_CPUS_MILLI = 10
MIN_MEM_MILLI = 32_000
"""Less than 0.01 cpus and less than 32 MB of memory together are not worth an offer."""


class Allocation(NamedTuple):
    """Resources of an agent that go to a framework for a role."""

    agent_id: AgentId
    framework_id: FrameworkId
    role: str
    resources: Resources


class Refusal(NamedTuple):
    """What was refused, until when."""

    resources: Resources
    expires: Instant


@dataclass(slots=True)
class _Client:
    """A role, or a framework in a role: what it holds, and how often it was given something."""

    name: str
    allocated: dict[str, int] = field(default_factory=dict)
    given: int = 0

    def add(self, resources: Resources, sign: int) -> None:
        for kind, amount in resources:
            if isinstance(amount, int):
                self.allocated[kind.name] = self.allocated.get(kind.name, 0) + sign * amount

    def share(self, total: dict[str, int]) -> float:
        shares = (held / total[name] for name, held in self.allocated.items() if total.get(name))
        return max(shares, default=0.0)


@dataclass(slots=True)
class _Framework:
    roles: dict[str, _Client]
    suppressed: set[str]
    active: bool = True
    gpus: bool = False


@dataclass(slots=True)
class _Agent:
    total: Resources
    free: Resources
    active: bool = True


Heap = list[tuple[float, int, str]]


class Allocator:
    """Who is offered what next. Knows nothing of offers: what it gives counts until released."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._agents: dict[AgentId, _Agent] = {}
        self._frameworks: dict[FrameworkId, _Framework] = {}
        self._roles: dict[str, _Client] = {}
        self._members: dict[str, dict[FrameworkId, _Client]] = {}
        self._filters: dict[AgentId, dict[tuple[FrameworkId, str], list[Refusal]]] = {}
        self._total: dict[str, int] = {}
        self._dirty: dict[AgentId, None] = {}

    # frameworks

    def add_framework(
        self,
        framework_id: FrameworkId,
        roles: Iterable[str],
        suppressed: Iterable[str] = (),
        *,
        gpus: bool = False,
    ) -> None:
        """Let a framework take part, or change its roles; what it holds stays counted."""
        known = self._frameworks.get(framework_id)
        held = known.roles if known is not None else {}
        framework = _Framework({}, set(suppressed), True, gpus)
        for role in roles:
            # One that left the role while it held something is still counted there.
            counted = self._members.get(role, {}).get(framework_id)
            framework.roles[role] = held.get(role) or counted or _Client(framework_id)
            self._join(role, framework_id, framework.roles[role])
        for role, client in held.items():
            if role not in framework.roles:
                self._leave(role, framework_id, client)
        self._frameworks[framework_id] = framework
        self._mark_all()

    def remove_framework(self, framework_id: FrameworkId) -> None:
        """Forget a framework whose resources have all been released."""
        framework = self._frameworks.pop(framework_id, None)
        if framework is not None:
            for role, client in framework.roles.items():
                self._leave(role, framework_id, client)
            self._drop_filters(framework_id)

    def deactivate_framework(self, framework_id: FrameworkId) -> None:
        """Offer it nothing while it is away; its filters are dropped."""
        framework = self._frameworks.get(framework_id)
        if framework is not None:
            framework.active = False
            self._drop_filters(framework_id)

    def suppress(self, framework_id: FrameworkId, roles: Iterable[str]) -> None:
        """Offer it nothing for these roles until they are revived."""
        self._frameworks[framework_id].suppressed.update(roles)

    def revive(self, framework_id: FrameworkId, roles: Iterable[str]) -> None:
        """Offer for these roles again, and drop the filters for them."""
        revived = set(roles)
        self._frameworks[framework_id].suppressed -= revived
        self._drop_filters(framework_id, revived)
        self._mark_all()

    def _join(self, role: str, framework_id: FrameworkId, client: _Client) -> None:
        self._roles.setdefault(role, _Client(role))
        self._members.setdefault(role, {})[framework_id] = client

    def _leave(self, role: str, framework_id: FrameworkId, client: _Client) -> None:
        members = self._members.get(role, {})
        if not any(client.allocated.values()):
            members.pop(framework_id, None)
        if not members:
            self._members.pop(role, None)
            self._roles.pop(role, None)

    def _drop_filters(self, framework_id: FrameworkId, roles: set[str] | None = None) -> None:
        for agent_id, refusals in self._filters.items():
            for key in [k for k in refusals if k[0] == framework_id]:
                if roles is None or key[1] in roles:
                    del refusals[key]
                    self._dirty[agent_id] = None

    # agents

    def add_agent(self, agent_id: AgentId, total: Resources, used: Resources) -> None:
        """Let an agent's resources be offered, or change them; `used` is counted by `allocated`."""
        known = self._agents.get(agent_id)
        if known is not None:
            self._count(known.total, -1)
        self._agents[agent_id] = _Agent(total, total.minus_what_there_is(used))
        self._count(total, 1)
        self._dirty[agent_id] = None

    def remove_agent(self, agent_id: AgentId) -> None:
        """Forget an agent; what was allocated of it must have been released."""
        agent = self._agents.pop(agent_id, None)
        if agent is not None:
            self._count(agent.total, -1)
        self._filters.pop(agent_id, None)
        self._dirty.pop(agent_id, None)

    def set_agent_active(self, agent_id: AgentId, active: bool) -> None:
        """Offer an agent's resources, or not, while it is disconnected."""
        agent = self._agents.get(agent_id)
        if agent is not None:
            agent.active = active
            self._dirty[agent_id] = None

    def drop_filters_of_agent(self, agent_id: AgentId) -> None:
        """Forget refusals of an agent that has changed."""
        self._filters.pop(agent_id, None)

    def _count(self, total: Resources, sign: int) -> None:
        for kind, amount in total:
            if isinstance(amount, int):
                self._total[kind.name] = self._total.get(kind.name, 0) + sign * amount

    def _mark_all(self) -> None:
        self._dirty.update(dict.fromkeys(self._agents))

    # what is held

    def allocated(self, framework_id: FrameworkId, role: str, resources: Resources) -> None:
        """Count resources that a framework turned out to hold (an agent came back with tasks)."""
        self._change(framework_id, role, resources, 1)

    def released(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, resources: Resources
    ) -> None:
        """Take back what a framework held of an agent, to be offered again."""
        self._change(framework_id, role, resources, -1)
        agent = self._agents.get(agent_id)
        if agent is not None and resources:
            agent.free = agent.free + resources
            self._dirty[agent_id] = None

    def _change(
        self, framework_id: FrameworkId, role: str, resources: Resources, sign: int
    ) -> None:
        framework = self._frameworks.get(framework_id)
        if framework is None:
            return
        client = framework.roles.get(role) or self._members.get(role, {}).get(framework_id)
        if client is None:
            client = _Client(framework_id)
            self._join(role, framework_id, client)
        client.add(resources, sign)
        self._roles[role].add(resources, sign)
        if role not in framework.roles:
            self._leave(role, framework_id, client)

    def converted(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, conversion: Conversion
    ) -> None:
        """Take an operation on what a framework holds; quantities stay, so shares do."""
        agent = self._agents[agent_id]
        agent.total = conversion.applied_to(agent.total)

    def change_free(self, agent_id: AgentId, conversion: Conversion) -> None:
        """Take an operator's operation on what nobody holds."""
        agent = self._agents[agent_id]
        agent.free = conversion.applied_to(agent.free)
        agent.total = conversion.applied_to(agent.total)
        self._dirty[agent_id] = None

    def refuse(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, refusal: Refusal
    ) -> None:
        """Remember that a framework does not want these resources for a while."""
        refusals = self._filters.setdefault(agent_id, {})
        held = refusals.setdefault((framework_id, role), [])
        held[:] = [
            one
            for one in held
            if one.expires > refusal.expires or not refusal.resources.contains(one.resources)
        ]
        held.append(refusal)

    # giving

    def share_of_role(self, role: str) -> float:
        """Return a role's dominant share, 0 to 1."""
        client = self._roles.get(role)
        return client.share(self._total) if client is not None else 0.0

    @property
    def has_work(self) -> bool:
        """Whether something changed since the last cycle."""
        return bool(self._dirty)

    def allocate(self, now: Instant, *, everything: bool) -> list[Allocation]:
        """Give out free resources, of changed agents or of all, and count them as held."""
        agents = list(self._agents) if everything else list(self._dirty)
        self._dirty.clear()
        roles = self._role_heap()
        if not roles:
            return []
        heaps = {role: self._framework_heap(role) for _, _, role in roles}
        self._chance.shuffle(agents)
        given: list[Allocation] = []
        for agent_id in agents:
            agent = self._agents.get(agent_id)
            if agent is None or not agent.active:
                continue
            while is_allocatable(agent.free):
                allocation = self._give_one(agent_id, agent, (roles, heaps), now)
                if allocation is None:
                    break
                given.append(allocation)
        return given

    def _role_heap(self) -> Heap:
        wanted = {
            role
            for framework in self._frameworks.values()
            if framework.active
            for role in framework.roles
            if role not in framework.suppressed
        }
        heap = [self._key(self._roles[role]) for role in sorted(wanted)]
        heapq.heapify(heap)
        return heap

    def _framework_heap(self, role: str) -> Heap:
        heap = []
        for framework_id, client in self._members[role].items():
            framework = self._frameworks[framework_id]
            wants = role in framework.roles and role not in framework.suppressed
            if framework.active and wants:
                heap.append(self._key(client))
        heapq.heapify(heap)
        return heap

    def _key(self, client: _Client) -> tuple[float, int, str]:
        return (client.share(self._total), client.given, client.name)

    def _give_one(
        self, agent_id: AgentId, agent: _Agent, order: tuple[Heap, dict[str, Heap]], now: Instant
    ) -> Allocation | None:
        """Give the agent's free resources to whom they are due; None when nobody may have them."""
        roles, heaps = order
        passed: Heap = []
        found: Allocation | None = None
        while roles and found is None:
            entry = heapq.heappop(roles)
            role = entry[2]
            usable = agent.free.usable_by(role)
            if is_allocatable(usable):
                found = self._give_in_role(agent_id, role, usable, heaps[role], now)
            passed.append(self._key(self._roles[role]) if found is not None else entry)
        for entry in passed:
            heapq.heappush(roles, entry)
        if found is not None:
            agent.free = agent.free - found.resources
        return found

    def _give_in_role(
        self, agent_id: AgentId, role: str, usable: Resources, heap: Heap, now: Instant
    ) -> Allocation | None:
        passed: Heap = []
        found: Allocation | None = None
        while heap and found is None:
            entry = heapq.heappop(heap)
            framework_id = FrameworkId(entry[2])
            if self._may_have(agent_id, framework_id, role, usable, now):
                client = self._members[role][framework_id]
                for holder in (client, self._roles[role]):
                    holder.add(usable, 1)
                    holder.given += 1
                found = Allocation(agent_id, framework_id, role, usable)
                entry = self._key(client)
            passed.append(entry)
        for entry in passed:
            heapq.heappush(heap, entry)
        return found

    def _may_have(
        self,
        agent_id: AgentId,
        framework_id: FrameworkId,
        role: str,
        usable: Resources,
        now: Instant,
    ) -> bool:
        has_gpus = self._agents[agent_id].total.milli_of("gpus") > 0
        if has_gpus and not self._frameworks[framework_id].gpus:
            return False
        refusals = self._filters.get(agent_id, {}).get((framework_id, role))
        if not refusals:
            return True
        live = [refusal for refusal in refusals if refusal.expires > now]
        refusals[:] = live
        return not any(refusal.resources.contains(usable) for refusal in live)


def is_allocatable(resources: Resources) -> bool:
    """Whether resources are worth an offer: enough cpus, or enough memory."""
    if resources is NOTHING:
        return False
    return (
        resources.milli_of("cpus") >= MIN_CPUS_MILLI or resources.milli_of("mem") >= MIN_MEM_MILLI
    )
