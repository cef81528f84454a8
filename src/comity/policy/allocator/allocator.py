"""Who is offered what next: the allocator as the master uses it."""

import random
from collections.abc import Iterable, Mapping

from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.policy.allocator.agents import Agent
from comity.policy.allocator.book import Book, Framework
from comity.policy.allocator.cycle import Allocation, Cycle
from comity.policy.allocator.explaining import RoleExplained, explain
from comity.policy.allocator.filters import Refusal
from comity.policy.allocator.lottery import Lottery
from comity.policy.allocator.portions import portion_of
from comity.policy.allocator.quota import Quota, Quotas
from comity.policy.allocator.terms import Settings, Terms, Traits
from comity.policy.allocator.tree import Client
from comity.resources.amounts import Resources
from comity.resources.operations import Conversion

NO_TERMS = Terms()
NO_TRAITS = Traits()


class Allocator:
    """Knows nothing of offers: what it gives counts until it is released."""

    def __init__(self, chance: random.Random, settings: Settings | None = None) -> None:
        self._chance = chance
        settings = settings or Settings()
        self._book = Book(settings)
        self._quotas = Quotas(self._book.tree)
        roles, frameworks = settings.roles_drawn, settings.frameworks_drawn
        tree = self._book.tree
        self._lottery = (
            Lottery(tree, chance, roles=roles, frameworks=frameworks)
            if roles or frameworks
            else None
        )
        self._dirty: dict[AgentId, None] = {}

    # frameworks

    def add_framework(
        self,
        framework_id: FrameworkId,
        roles: Iterable[str],
        suppressed: Iterable[str] = (),
        terms: Terms = NO_TERMS,
    ) -> None:
        """Let a framework take part, or change it; what it holds stays counted."""
        book = self._book
        framework = book.frameworks.setdefault(framework_id, Framework(framework_id))
        left, framework.clients = framework.clients, {}
        for role in roles:
            book.admit(framework, role)
        for role, client in left.items():
            if role not in framework.clients:
                book.dismiss(client)
        framework.terms, framework.active = terms, True
        framework.suppressed = set(suppressed)
        book.set_terms(framework)
        self._count_in(framework)
        self._mark_all()

    def remove_framework(self, framework_id: FrameworkId) -> None:
        """Forget a framework whose resources have all been released."""
        framework = self._book.frameworks.pop(framework_id, None)
        if framework is not None:
            for client in framework.clients.values():
                self._book.dismiss(client)

    def deactivate_framework(self, framework_id: FrameworkId) -> None:
        """Offer it nothing while it is away; its filters are dropped."""
        framework = self._book.frameworks.get(framework_id)
        if framework is not None:
            framework.active = False
            self._count_in(framework)
            for client in framework.clients.values():
                self._book.drop_refusals(client.mask)

    def suppress(self, framework_id: FrameworkId, roles: Iterable[str]) -> None:
        """Offer it nothing for these roles until they are revived."""
        framework = self._book.frameworks[framework_id]
        framework.suppressed.update(roles)
        self._count_in(framework)

    def revive(self, framework_id: FrameworkId, roles: Iterable[str]) -> None:
        """Offer for these roles again, and drop the filters for them."""
        framework = self._book.frameworks[framework_id]
        for role in roles:
            framework.suppressed.discard(role)
            if role in framework.clients:
                self._book.drop_refusals(framework.clients[role].mask)
        self._count_in(framework)
        self._mark_all()

    def _count_in(self, framework: Framework) -> None:
        """Let the book know for which roles a framework wants offers."""
        for role, client in framework.clients.items():
            if framework.active and role not in framework.suppressed:
                self._book.wanting |= client.mask
            else:
                self._book.wanting &= ~client.mask

    # roles

    def set_weight(self, role: str, weight: float) -> None:
        """Let a role's share count for less (a weight above 1) or more among its siblings."""
        self._book.tree.set_weight(role, weight)

    def set_quota(
        self, role: str, guarantees: Mapping[str, int], limits: Mapping[str, int]
    ) -> None:
        """Set the quota of a top-level role, in thousandths; both empty remove it."""
        self._quotas.set(role, Quota(dict(guarantees), dict(limits)))
        self._mark_all()

    def consumed(self, role: str) -> dict[str, int]:
        """Return what a top-level role consumes of its quota, outstanding offers included."""
        return self._quotas.consumed(role)

    def share_of_role(self, role: str) -> float:
        """Return a role's dominant share, 0 to 1, with what the roles below it hold."""
        node = self._book.tree.find(role)
        return self._book.tree.share_of(node) if node is not None else 0.0

    def explain(self, framework_id: FrameworkId, now: Instant) -> list[RoleExplained]:
        """Return why a framework is offered, or not, what there is: per role, agents by reason."""
        return explain(self._book, self._quotas, framework_id, now)

    # agents

    def add_agent(
        self, agent_id: AgentId, total: Resources, used: Resources, traits: Traits = NO_TRAITS
    ) -> None:
        """Let an agent's resources be offered, or change them; `used` is counted by `allocated`."""
        agent = self._book.agents.get(agent_id)
        if agent is None:
            agent = self._book.agents[agent_id] = Agent(agent_id)
        self._set_total(agent, total)
        agent.free = total.minus_what_there_is(used)
        agent.active = True
        self._book.describe(agent, traits)
        self._dirty[agent_id] = None

    def remove_agent(self, agent_id: AgentId) -> None:
        """Forget an agent; what was allocated of it must have been released."""
        agent = self._book.agents.pop(agent_id, None)
        if agent is not None:
            self._set_total(agent, Resources())
            self._book.forget(agent)
        self._dirty.pop(agent_id, None)

    def set_agent_active(self, agent_id: AgentId, active: bool) -> None:
        """Offer an agent's resources, or not, while it is disconnected."""
        agent = self._book.agents.get(agent_id)
        if agent is not None:
            agent.active = active
            self._dirty[agent_id] = None

    def free_of(self, agent_id: AgentId) -> Resources:
        """Return what of an agent nobody holds."""
        return self._book.agents[agent_id].free

    def drop_filters_of_agent(self, agent_id: AgentId) -> None:
        """Forget refusals of an agent that has changed."""
        agent = self._book.agents.get(agent_id)
        if agent is not None:
            agent.drop_refusals()

    def _set_total(self, agent: Agent, total: Resources) -> None:
        for resources, sign in ((agent.total, -1), (total, 1)):
            self._book.tree.grow(portion_of(resources).quantities, sign)
            self._quotas.count(resources, sign)
        agent.total = total

    def _mark_all(self) -> None:
        self._dirty.update(dict.fromkeys(self._book.agents))

    # what is held

    def allocated(self, framework_id: FrameworkId, role: str, resources: Resources) -> None:
        """Count resources that a framework turned out to hold (an agent came back with tasks)."""
        self._change(framework_id, role, resources, 1)

    def released(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, resources: Resources
    ) -> None:
        """Take back what a framework held of an agent, to be offered again."""
        self._change(framework_id, role, resources, -1)
        agent = self._book.agents.get(agent_id)
        if agent is not None and resources:
            agent.free = agent.free + resources
            self._dirty[agent_id] = None

    def _change(
        self, framework_id: FrameworkId, role: str, resources: Resources, sign: int
    ) -> None:
        framework = self._book.frameworks.get(framework_id)
        if framework is None:
            return
        client = framework.clients.get(role)
        if client is None:
            client = self._former_client(framework, role)
        self._book.tree.change(client, portion_of(resources), sign)
        if role not in framework.clients and client.holds_nothing:
            self._book.dismiss(client)

    def _former_client(self, framework: Framework, role: str) -> Client:
        """Return the client of a role that a framework holds things in, but has left."""
        client = self._book.admit(framework, role)
        del framework.clients[role]
        return client

    def converted(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, conversion: Conversion
    ) -> None:
        """Take an operation on what a framework holds."""
        agent = self._book.agents[agent_id]
        self._set_total(agent, conversion.applied_to(agent.total))
        self._change(framework_id, role, conversion.made, 1)
        self._change(framework_id, role, conversion.consumed, -1)

    def change_free(self, agent_id: AgentId, conversion: Conversion) -> None:
        """Take an operator's operation on what nobody holds."""
        agent = self._book.agents[agent_id]
        agent.free = conversion.applied_to(agent.free)
        self._set_total(agent, conversion.applied_to(agent.total))
        self._dirty[agent_id] = None

    def refuse(
        self, agent_id: AgentId, framework_id: FrameworkId, role: str, refusal: Refusal
    ) -> None:
        """Remember that a framework does not want these resources for a while."""
        agent = self._book.agents.get(agent_id)
        framework = self._book.frameworks.get(framework_id)
        client = framework.clients.get(role) if framework is not None else None
        if agent is None or client is None:
            return
        if self._book.has_dropped(client.mask):
            self._book.flush()
        agent.refuse(client.mask, refusal)

    # giving

    @property
    def has_work(self) -> bool:
        """Whether something changed since the last cycle."""
        return bool(self._dirty)

    def allocate(self, now: Instant, *, everything: bool) -> list[Allocation]:
        """Give out free resources, of changed agents or of all, and count them as held."""
        agents = self._book.agents
        chosen = agents.values() if everything else [agents[one] for one in self._dirty]
        cycle = Cycle(self._book, self._quotas, self._chance, now, self._lottery)
        given = cycle.run(chosen)
        self._dirty.clear()
        return given
