"""Who may be offered what: frameworks' terms held against agents, remembered as bits.

Every client (a framework in a role) has a bit. What an agent's resources, attributes and refusals
mean for all clients is worked out once per change of them, with a few operations on masks; the
cycle then finds whom an agent can serve without asking each.
"""

from collections.abc import Callable

from comity.core.ids import AgentId, FrameworkId
from comity.core.instants import Instant
from comity.policy.allocator.agents import Agent, Profile, Sight
from comity.policy.allocator.constraints import RoleConstraints, are_met, name_hosts
from comity.policy.allocator.portions import Portion, portion_of
from comity.policy.allocator.terms import Minimum, Settings, Terms, Traits, is_enough
from comity.policy.allocator.tree import Client, RoleTree
from comity.resources.amounts import Kind, Resources

EVERYBODY = -1

ProfileKey = tuple[tuple[tuple[str, str | None], ...], str | None, str | None, bool]


class Framework:
    """A framework that takes part."""

    __slots__ = ("active", "clients", "id", "suppressed", "terms")

    def __init__(self, framework_id: FrameworkId) -> None:
        self.id = framework_id
        self.terms = Terms()
        self.active = True
        self.clients: dict[str, Client] = {}
        """By the roles it is subscribed to."""
        self.suppressed: set[str] = set()


class Book:
    """Agents, frameworks, and the masks that say who is open to what."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tree = RoleTree(settings.unfair_names)
        self.agents: dict[AgentId, Agent] = {}
        self.frameworks: dict[FrameworkId, Framework] = {}
        self.wanting = 0
        """The bits of the clients that take part now: not suppressed, not away."""
        self.stamp = 0
        """Grows when what agents remembered about clients no longer holds."""
        self._profiles: dict[ProfileKey, Profile] = {}
        self._clients: dict[int, Client] = {}
        self._free_bits: list[int] = []
        self._bits_used = 0
        self._constraints: dict[int, RoleConstraints] = {}
        self._by_minimum: dict[Minimum, int] = {}
        self._capable = {"revocable": 0, "refined": 0, "gpus": 0, "remote": 0}
        self._retired: list[int] = []
        """Bits that are free once their refusals have been cleaned away."""
        self._dropped = 0
        """Bits whose refusals have been dropped, but are still in the agents' groups."""

    # clients

    def admit(self, framework: Framework, role: str) -> Client:
        """Let a framework into a role, or back into one where it still holds something."""
        node = self.tree.find(role)
        client = node.clients.get(framework.id) if node is not None else None
        if client is None:
            bit = self._new_bit()
            client = self.tree.join(role, framework.id, bit)
            self._clients[bit] = client
        framework.clients[role] = client
        return client

    def dismiss(self, client: Client) -> None:
        """Take a client out of the order, and out of its role unless it still holds something."""
        self.wanting &= ~client.mask
        self.drop_refusals(client.mask)
        if client.holds_nothing:
            self._forget_terms(client.mask)
            self.tree.leave(client)
            del self._clients[client.mask]
            self._retired.append(client.mask)
            self.stamp += 1

    def _new_bit(self) -> int:
        if self._free_bits:
            return self._free_bits.pop()
        self._bits_used += 1
        return 1 << (self._bits_used - 1)

    def set_terms(self, framework: Framework) -> None:
        """Take a framework's terms for all its clients."""
        for role, client in framework.clients.items():
            self._forget_terms(client.mask)
            self._set_terms(client.mask, role, framework.terms)
        self.stamp += 1

    def _set_terms(self, bit: int, role: str, terms: Terms) -> None:
        minimum = terms.minimums.get(role, self.settings.minimum)
        self._by_minimum[minimum] = self._by_minimum.get(minimum, 0) | bit
        for capability, name in (
            ("REVOCABLE_RESOURCES", "revocable"),
            ("RESERVATION_REFINEMENT", "refined"),
            ("GPU_RESOURCES", "gpus"),
            ("REGION_AWARE", "remote"),
        ):
            if capability in terms.capabilities:
                self._capable[name] |= bit
        constraints = terms.constraints.get(role)
        if constraints is not None:
            self._constraints[bit] = constraints
        for profile in self._profiles.values():
            profile.barred |= self._barred(profile, bit)
        if constraints is not None and name_hosts(constraints):
            for agent in self.agents.values():
                agent.shunned |= 0 if are_met(constraints, agent.values()) else bit

    def _forget_terms(self, bit: int) -> None:
        for minimum in list(self._by_minimum):
            self._by_minimum[minimum] &= ~bit
            if not self._by_minimum[minimum]:
                del self._by_minimum[minimum]
        for name in self._capable:
            self._capable[name] &= ~bit
        for profile in self._profiles.values():
            profile.barred &= ~bit
        constraints = self._constraints.pop(bit, None)
        if constraints is not None and name_hosts(constraints):
            for agent in self.agents.values():
                agent.shunned &= ~bit

    # agents

    def describe(self, agent: Agent, traits: Traits) -> None:
        """Take what an agent is."""
        has_gpus = agent.total.milli_of("gpus") > 0
        key = (traits.attributes, traits.region, traits.zone, has_gpus)
        profile = self._profiles.get(key)
        if profile is None:
            profile = self._profiles[key] = Profile(traits, has_gpus)
            for bit in self._clients:
                profile.barred |= self._barred(profile, bit)
        profile.users += 1  # before the old one is left, which may be the same
        self._leave_profile(agent)
        agent.profile, agent.hostname, agent.stamp, agent.shunned = profile, traits.hostname, -1, 0
        for bit, constraints in self._constraints.items():
            if name_hosts(constraints) and not are_met(constraints, agent.values()):
                agent.shunned |= bit

    def forget(self, agent: Agent) -> None:
        """Let go of what was remembered for an agent."""
        self._leave_profile(agent)

    def _leave_profile(self, agent: Agent) -> None:
        agent.profile.users -= 1
        if not agent.profile.users:
            self._profiles = {k: one for k, one in self._profiles.items() if one.users}

    def _barred(self, profile: Profile, bit: int) -> int:
        return bit if self.bar_of(profile, bit) is not None else 0

    def bar_of(self, profile: Profile, bit: int) -> str | None:
        """Return why a client gets no offers of agents of a profile, or None."""
        if profile.has_gpus and self.settings.gpus_filtered and not self._capable["gpus"] & bit:
            return "gpus"
        is_remote = profile.region not in (None, self.settings.region)
        if is_remote and not self._capable["remote"] & bit:
            return "region"
        constraints = self._constraints.get(bit)
        if constraints is None or name_hosts(constraints) or are_met(constraints, profile.values):
            return None
        return "constraints"

    @property
    def minimums(self) -> list[Minimum]:
        """Return the least that somebody wants offers of."""
        return list(self._by_minimum)

    # refusals

    def drop_refusals(self, bits: int) -> None:
        """Forget what clients refused; the groups are cleaned before they are looked at again."""
        self._dropped |= bits

    def flush(self) -> None:
        """Clean the groups of refusals that were dropped: one walk for any number of clients."""
        if self._dropped:
            for agent in self.agents.values():
                if agent.refusals and agent.refusals.drop(self._dropped):
                    agent.stamp = -1
            self._dropped = 0
            self._free_bits += self._retired
            self._retired = []

    def has_dropped(self, bit: int) -> bool:
        """Whether groups may still have refusals that this client has dropped."""
        return bool(self._dropped & bit)

    # who is open to what

    def refresh(self, agent: Agent, now: Instant) -> None:
        """Work out who would take something of an agent."""
        agent.refusals.expire(now)
        agent.sights = self._sights(agent)
        closed = agent.profile.barred | agent.shunned
        opened = 0
        for portion, viewers in agent.sights:
            opened |= viewers & ~(closed | self.closed(agent, portion))
        agent.open = opened
        agent.stamp = self.stamp
        agent.open_for = agent.free
        agent.open_until = agent.refusals.earliest

    def closed(self, agent: Agent, portion: Portion) -> int:
        """Return the clients for whom this is too little, or who refused it."""
        mask = self.below_minimum(portion)
        return mask | agent.refusals.blocked(portion.resources) if agent.refusals else mask

    def below_minimum(self, portion: Portion) -> int:
        """Return the clients for whom this is not worth an offer."""
        if not portion.resources:
            return EVERYBODY
        mask = 0
        for minimum, bits in self._by_minimum.items():
            if not is_enough(portion.quantities, minimum):
                mask |= bits
        return mask

    def _sights(self, agent: Agent) -> list[Sight]:
        """Split what is free by who may see it; each client is in one sight at most."""
        whole = agent.portion
        if whole.is_plain:
            return [Sight(whole, EVERYBODY)]
        sights = []
        reserved = {kind.role for kind, _ in whole.resources if kind.reservations}
        others = EVERYBODY
        for role in sorted(reserved, key=len, reverse=True):  # what is below comes first
            node = self.tree.find(role)
            viewers = node.mask & others if node is not None else 0
            if viewers:
                sights += self._stripped(whole.resources.usable_by(role), viewers)
                others &= ~viewers
        sights += self._stripped(whole.resources.select(_is_unreserved), others)
        return sights

    def _stripped(self, resources: Resources, viewers: int) -> list[Sight]:
        """Split by what frameworks understand (Mesos: stripIncapableResources)."""
        split = [(resources, viewers)]
        for name, is_such in (("revocable", _is_revocable), ("refined", _is_refined)):
            capable = self._capable[name]
            again = []
            for bundle, mask in split:
                rest = bundle.select(_not(is_such))
                if rest == bundle:
                    again.append((bundle, mask))
                else:
                    again += [(bundle, mask & capable), (rest, mask & ~capable)]
            split = again
        return [Sight(portion_of(bundle), mask) for bundle, mask in split if mask]


def _not(test: Callable[[Kind], bool]) -> Callable[[Kind], bool]:
    return lambda kind: not test(kind)


def _is_unreserved(kind: Kind) -> bool:
    return not kind.reservations


def _is_revocable(kind: Kind) -> bool:
    return kind.revocable


def _is_refined(kind: Kind) -> bool:
    return len(kind.reservations) > 1
