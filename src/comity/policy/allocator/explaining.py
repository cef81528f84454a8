"""Why a framework is, or is not, offered what there is.

The same masks that the cycle goes by are read for one client, agent by agent. Nothing is given and
nothing is changed but what an agent remembers anyway.
"""

from typing import NamedTuple

from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.policy.allocator.agents import Agent
from comity.policy.allocator.book import Book, Framework
from comity.policy.allocator.quota import Quotas, top_of
from comity.policy.allocator.tree import Client

EXAMPLES_MAX = 5


class Obstacle(NamedTuple):
    """What keeps agents from being offered to a framework in a role, or does not."""

    reason: str
    """OFFERABLE, NOTHING_FREE, INACTIVE, GPUS, REGION, CONSTRAINTS, RESERVED, CAPABILITIES,
    TOO_LITTLE, REFUSED, QUOTA or HELD_BACK."""
    agents: int
    """How many agents."""
    examples: tuple[AgentId, ...]
    until: Instant | None = None
    """When the first of these refusals ends."""


class RoleExplained(NamedTuple):
    """How it stands for one role of a framework."""

    role: str
    state: str
    """WANTING, SUPPRESSED or AWAY."""
    share: float
    """The role's dominant share, 0 to 1."""
    is_at_limit: bool
    """Whether the quota of its top-level role leaves nothing that is worth an offer."""
    obstacles: tuple[Obstacle, ...]


def explain(
    book: Book, quotas: Quotas, framework_id: FrameworkId, now: Instant
) -> list[RoleExplained]:
    """Return how it stands for every role of a framework; none when it is unknown."""
    framework = book.frameworks.get(framework_id)
    if framework is None:
        return []
    book.flush()
    quotas.begin(book.minimums)
    sated = quotas.sated
    return [_role(book, quotas, framework, client, (sated, now)) for client in _clients(framework)]


def _clients(framework: Framework) -> list[Client]:
    return [framework.clients[role] for role in sorted(framework.clients)]


def _role(
    book: Book, quotas: Quotas, framework: Framework, client: Client, at: tuple[int, Instant]
) -> RoleExplained:
    sated, now = at
    role = client.role.name
    state = "WANTING"
    if not framework.active:
        state = "AWAY"
    elif role in framework.suppressed:
        state = "SUPPRESSED"
    is_at_limit = bool(sated & client.mask)
    found: dict[str, list[Agent]] = {}
    for agent in book.agents.values():
        found.setdefault(_reason(book, quotas, client, agent, now), []).append(agent)
    obstacles = tuple(
        Obstacle(
            reason,
            len(agents),
            tuple(agent.id for agent in agents[:EXAMPLES_MAX]),
            _first_end(agents, client.mask) if reason == "REFUSED" else None,
        )
        for reason, agents in sorted(found.items())
    )
    node = book.tree.find(top_of(role))
    share = book.tree.share_of(node) if node is not None else 0.0
    return RoleExplained(role, state, share, is_at_limit, obstacles)


def _reason(book: Book, quotas: Quotas, client: Client, agent: Agent, now: Instant) -> str:
    bit = client.mask
    if not agent.active:
        return "INACTIVE"
    bar = book.bar_of(agent.profile, bit)
    if bar is not None:
        return bar.upper()
    if agent.shunned & bit:
        return "CONSTRAINTS"
    if not agent.free:
        return "NOTHING_FREE"
    book.refresh(agent, now)
    seen = agent.seen_by(bit)
    if not seen.resources:
        return "CAPABILITIES" if agent.free.usable_by(client.role.name) else "RESERVED"
    if book.below_minimum(seen) & bit:
        return "TOO_LITTLE"
    if agent.refusals.blocked(seen.resources) & bit:
        return "REFUSED"
    return _by_quota(book, quotas, client, agent) if quotas.in_force else "OFFERABLE"


def _by_quota(book: Book, quotas: Quotas, client: Client, agent: Agent) -> str:
    """Return whether what quota leaves of an agent is worth an offer, and whose quota it is."""
    seen, top = agent.seen_by(client.mask), client.role.top
    wanted = quotas.guaranteed(top, seen) if quotas.hungry & client.mask else None
    if wanted is None:
        wanted = quotas.fair(top, seen)
    if not book.closed(agent, wanted) & client.mask:
        return "OFFERABLE"
    return "QUOTA" if book.closed(agent, quotas.limited(top, seen)) & client.mask else "HELD_BACK"


def _first_end(agents: list[Agent], bit: int) -> Instant | None:
    ends = [agent.refusals.until(bit, agent.seen_by(bit).resources) for agent in agents]
    return min((end for end in ends if end is not None), default=None)
