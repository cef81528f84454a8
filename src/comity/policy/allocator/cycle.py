"""One allocation cycle: free resources go, agent by agent, to whom they are due.

First roles with unsatisfied guarantees get what they lack (and what else their limits allow of the
same agents); then everything free goes out by fair share, within limits and the headroom. All that
is free of an agent makes one offer; only quota cuts it (Mesos: hierarchical.cpp, generateOffers).
"""

import random
from collections.abc import Iterable

from msgspec import Struct

from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.policy.allocator.agents import Agent
from comity.policy.allocator.book import Book
from comity.policy.allocator.lottery import Lottery
from comity.policy.allocator.portions import EMPTY, Portion
from comity.policy.allocator.quota import Quotas
from comity.policy.allocator.tree import Client, Node
from comity.resources.amounts import NOTHING, Resources


class Allocation(Struct, frozen=True, gc=False):
    """Resources of an agent that go to a framework for a role."""

    agent_id: AgentId
    framework_id: FrameworkId
    role: str
    resources: Resources


class Cycle:
    """What is given in one cycle."""

    def __init__(
        self,
        book: Book,
        quotas: Quotas,
        chance: random.Random,
        now: Instant,
        lottery: Lottery | None = None,
    ) -> None:
        self._book = book
        self._lottery = lottery
        self._pick = book.tree.pick if lottery is None else lottery.pick
        self._quotas = quotas
        self._chance = chance
        self._now = now
        self._given: list[Allocation] = []

    def run(self, agents: Iterable[Agent]) -> list[Allocation]:
        """Give out what is free of these agents."""
        book = self._book
        if not book.wanting:
            return []
        book.flush()
        book.tree.settle()
        if self._lottery is not None:
            self._lottery.begin(book.wanting)
        candidates = [agent for agent in agents if agent.active and self._wanted(agent)]
        if self._quotas.in_force:
            self._quotas.begin(book.minimums)
            for agent in self._shuffled(candidates):
                if not self._give_guarantees(agent):
                    break
            for agent in self._shuffled(candidates):
                self._give_by_quota(agent)
        elif self._lottery is None and (leaf := book.tree.only_leaf()) is not None:
            self._give_in(leaf, self._shuffled(candidates))
        else:
            for agent in self._shuffled(candidates):
                self._give(agent)
        return self._given

    def _shuffled(self, agents: list[Agent]) -> list[Agent]:
        chance = self._chance.random
        keys = [chance() for _ in agents]
        return [agents[at] for at in sorted(range(len(agents)), key=keys.__getitem__)]

    def _wanted(self, agent: Agent) -> int:
        """Return the clients that want something of an agent, and may have it."""
        if agent.free is NOTHING:
            return 0
        book = self._book
        if (
            agent.open_for is not agent.free
            or agent.stamp != book.stamp
            or agent.open_until <= self._now
        ):
            book.refresh(agent, self._now)
        return agent.open & book.wanting

    # without quota

    def _give(self, agent: Agent) -> None:
        # The cycle has just worked out who wants it, and without quota only giving changes that.
        wanted = agent.open & self._book.wanting
        while wanted:
            client = self._pick(wanted)
            assert client is not None
            sights = agent.sights
            alone = len(sights) == 1
            self._take(agent, client, sights[0][0] if alone else agent.seen_by(client.mask))
            wanted = 0 if agent.free is NOTHING else self._wanted(agent)

    def _give_in(self, leaf: Node, agents: list[Agent]) -> None:
        """Do the same where all are in one role, as they are in most clusters, with fewer steps."""
        tree, book, given = self._book.tree, self._book, self._given
        times, portion, steps = 0, EMPTY, tree.steps_of(EMPTY)
        first, give = leaf.ranking.first, tree.give_in
        for agent in agents:
            wanted = agent.open & book.wanting
            while wanted:
                client = first(wanted)
                assert type(client) is Client
                sights = agent.sights
                seen = sights[0][0] if len(sights) == 1 else agent.seen_by(client.mask)
                if seen is not portion:
                    tree.count_in(leaf, portion, times)
                    portion, times, steps = seen, 0, tree.steps_of(seen)
                times += 1
                give(leaf, client, steps)
                resources = seen.resources
                given.append(Allocation(agent.id, client.framework_id, client.role.name, resources))
                if resources is agent.free:
                    agent.free, wanted = NOTHING, 0
                else:
                    agent.free = agent.free - resources
                    wanted = self._wanted(agent)
        tree.count_in(leaf, portion, times)

    def _take(self, agent: Agent, client: Client, portion: Portion) -> None:
        resources = portion.resources
        agent.free = NOTHING if resources is agent.free else agent.free - resources
        self._book.tree.give(client, portion)
        self._given.append(Allocation(agent.id, client.framework_id, client.role.name, resources))

    # by quota

    def _give_guarantees(self, agent: Agent) -> bool:
        """Give to roles what they are guaranteed; False when no guarantee is unsatisfied."""
        unhelped = 0
        while True:
            hungry = self._quotas.hungry
            if not hungry:
                return False
            wanted = self._wanted(agent) & hungry & ~unhelped
            client = self._pick(wanted) if wanted else None
            if client is None:
                return True
            offered = self._quotas.guaranteed(client.role.top, agent.seen_by(client.mask))
            if offered is None:
                unhelped |= client.role.top.mask
            else:
                unhelped |= self._offer(agent, client, offered)

    def _give_by_quota(self, agent: Agent) -> None:
        unhelped = 0
        while wanted := self._wanted(agent) & ~unhelped:
            if agent.portion.is_plain:
                wanted &= ~self._quotas.sated
            client = self._pick(wanted)
            if client is None:
                return
            offered = self._quotas.fair(client.role.top, agent.seen_by(client.mask))
            unhelped |= self._offer(agent, client, offered)

    def _offer(self, agent: Agent, client: Client, offered: Portion) -> int:
        """Give what quota leaves of a portion, or return the clients who do not want that."""
        if offered is not agent.seen_by(client.mask):
            unwilling = self._book.closed(agent, offered)
            if unwilling & client.mask:
                return self._alike(agent, client) & unwilling
        top = client.role.top
        self._take(agent, client, offered)
        self._quotas.given(top, offered)
        return 0

    def _alike(self, agent: Agent, client: Client) -> int:
        """Return the clients of the same role that see the same of an agent."""
        leaf = client.parent
        assert leaf is not None
        for sight in agent.sights:
            if sight.viewers & client.mask:
                return leaf.mask & sight.viewers
        return client.mask
