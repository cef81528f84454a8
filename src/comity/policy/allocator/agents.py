"""Agents as the allocator sees them, and the profiles that many of them share."""

from typing import NamedTuple

from comity.core.ids import AgentId
from comity.core.instants import Instant
from comity.policy.allocator.constraints import HOSTNAME, REGION, ZONE, Selector
from comity.policy.allocator.filters import NEVER, Refusal, Refusals
from comity.policy.allocator.portions import EMPTY, Portion, portion_of
from comity.policy.allocator.terms import Traits
from comity.resources.amounts import NOTHING, Resources


class Sight(NamedTuple):
    """What some clients see of an agent's free resources."""

    portion: Portion
    viewers: int
    """The bits of the clients that see this; negative when it is everybody but some."""


class Profile:
    """What is the same for many agents: attributes, domain, GPUs."""

    __slots__ = ("barred", "has_gpus", "region", "users", "values")

    def __init__(self, traits: Traits, has_gpus: bool) -> None:
        self.values: dict[Selector, str | None] = {}
        for name, text in traits.attributes:
            self.values.setdefault(Selector(name), text)  # the first of a name counts
        if traits.region is not None:
            self.values[REGION] = traits.region
        if traits.zone is not None:
            self.values[ZONE] = traits.zone
        self.region = traits.region
        self.has_gpus = has_gpus
        self.users = 0
        """How many agents are of this profile."""
        self.barred = 0
        """The bits of the clients that get no offers of such agents, whatever is free there."""


class Agent:
    """An agent: what it has, what of it is free, and who is not to be offered that."""

    __slots__ = (
        "_portion",
        "active",
        "free",
        "hostname",
        "id",
        "open",
        "open_for",
        "open_until",
        "profile",
        "refusals",
        "shunned",
        "sights",
        "stamp",
        "total",
    )

    def __init__(self, agent_id: AgentId) -> None:
        self.id = agent_id
        self.total = NOTHING
        self.free = NOTHING
        self.active = True
        self.hostname = ""
        self.profile = Profile(Traits(), False)
        self.shunned = 0
        """The bits of the clients whose constraints exclude its host name."""
        self.refusals = Refusals()
        self._portion = EMPTY
        # What follows is worked out when it is needed, and holds while `stamp` is the book's and
        # the free resources are those that it was worked out for.
        self.stamp = -1
        self.open_for: Resources | None = None
        self.sights: list[Sight] = []
        self.open = 0
        """The bits of the clients that would take something of it."""
        self.open_until: Instant = NEVER

    def refuse(self, bit: int, refusal: Refusal) -> None:
        """Remember that a client does not want something of it."""
        self.refusals.add(bit, refusal)
        self.stamp = -1

    def drop_refusals(self) -> None:
        """Forget what anybody refused of it."""
        self.refusals = Refusals()
        self.stamp = -1

    @property
    def portion(self) -> Portion:
        """Return what is free, counted."""
        if self._portion.resources is not self.free:
            self._portion = portion_of(self.free)
        return self._portion

    def seen_by(self, bit: int) -> Portion:
        """Return what a client sees."""
        for sight in self.sights:
            if sight.viewers & bit:
                return sight.portion
        return EMPTY

    def values(self) -> dict[Selector, str | None]:
        """Return what constraints are held against."""
        return {**self.profile.values, HOSTNAME: self.hostname}
