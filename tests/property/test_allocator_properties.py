"""The allocator against the textbook's, over random histories; and what must hold in each."""

import random

from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import astuple

from comity.policy.allocator import Allocator, Refusal, Settings, Terms, Traits
from comity.policy.allocator.constraints import HOSTNAME, Predicate, Selector, equal_to
from comity.resources import operations, text
from comity.resources.amounts import NOTHING, Kind, Reservation, Resources
from support.dumb_allocator import DumbAllocator, metered

AGENTS = ["S1", "S2", "S3", "S4"]
NAMES = ["f1", "f2", "f3"]
ROLES = ["*", "a", "a/x", "a/y", "b"]
TOPS = ["*", "a", "b"]
TOTALS = [
    text.parse("cpus:4;mem:400"),
    text.parse("cpus:2;mem:800;ports:[1-9]"),
    text.parse("cpus:2;mem:200;cpus(a):1;mem(a):100"),
    text.parse("cpus:1;mem:100;cpus(a/x):1;mem(a/x):50;gpus:1"),
    Resources(
        {
            Kind("cpus"): 3000,
            Kind("mem"): 300_000,
            Kind("cpus", revocable=True): 1000,
            Kind("cpus", (Reservation("a"), Reservation("a/x", True))): 1000,
        }
    ),
]
TRAITS = [
    Traits("h1", (("rack", "r1"),), "eu", "z1"),
    Traits("h2", (("rack", "r2"),)),
    Traits("h3", (("rack", None),), "us", "z2"),
]
RACK = Selector("rack")
CONSTRAINTS = [
    ((Predicate(RACK, True, equal_to("r1", True)),),),
    ((Predicate(RACK, False),), (Predicate(HOSTNAME, True, equal_to("h2", True)),)),
    ((Predicate(RACK, True), Predicate(HOSTNAME, False, equal_to("h2", False))),),
]
MINIMUMS = [(), ((("cpus", 2000),),), ((("mem", 1_000_000),), (("gpus", 1000),))]
CAPABILITIES = ["GPU_RESOURCES", "REVOCABLE_RESOURCES", "RESERVATION_REFINEMENT", "REGION_AWARE"]
TERMS = st.builds(
    Terms,
    st.frozensets(st.sampled_from(CAPABILITIES)),
    st.dictionaries(st.sampled_from(ROLES), st.sampled_from(MINIMUMS), max_size=1),
    st.dictionaries(st.sampled_from(ROLES), st.sampled_from(CONSTRAINTS), max_size=1),
)
QUANTITIES = st.dictionaries(
    st.sampled_from(["cpus", "mem"]), st.sampled_from([0, 1000, 3000, 150_000, 500_000]), max_size=2
)


class InOrder(random.Random):
    """No chance: agents are taken in the order in which they were added."""

    def random(self):
        return 0.0


class Histories(RuleBasedStateMachine):
    """Does everything to both, and compares every full cycle."""

    def __init__(self):
        super().__init__()
        settings = Settings(minimum=((("cpus", 10),), (("mem", 32_000),)), region="eu")
        self.clever = Allocator(InOrder(1), settings)
        self.dumb = DumbAllocator(settings)
        self.now = 0.0

    @initialize(
        agents=st.lists(st.sampled_from(TOTALS), min_size=2, max_size=4),
        frameworks=st.lists(st.sampled_from(ROLES), min_size=1, max_size=3),
        quotas=st.dictionaries(st.sampled_from(TOPS), st.tuples(QUANTITIES, QUANTITIES)),
    )
    def begin(self, agents, frameworks, quotas):
        for agent_id, total in zip(AGENTS, agents, strict=False):
            self.agent_comes(agent_id, total, TRAITS[0])
        for name, role in zip(NAMES, frameworks, strict=False):
            self.framework_comes(name, [role], Terms(), is_suppressed=False)
        for top, (guarantees, limits) in quotas.items():
            self.limit(top, guarantees, limits)

    # who is there

    @rule(
        agent_id=st.sampled_from(AGENTS),
        total=st.sampled_from(TOTALS),
        traits=st.sampled_from(TRAITS),
    )
    def agent_comes(self, agent_id, total, traits):
        if agent_id not in self.dumb.agents:
            self.clever.add_agent(agent_id, total, NOTHING, traits)
            self.dumb.agents[agent_id] = {"total": total, "traits": traits}

    @rule(agent_id=st.sampled_from(AGENTS), traits=st.sampled_from(TRAITS))
    def agent_changes(self, agent_id, traits):
        if agent_id in self.dumb.agents:
            agent = self.dumb.agents[agent_id]
            used = agent["total"] - self.dumb.free(agent_id)
            self.clever.drop_filters_of_agent(agent_id)
            self.clever.add_agent(agent_id, agent["total"], used, traits)
            agent["traits"] = traits
            self.dumb.inactive.discard(agent_id)
            self.drop(lambda one: one[0] == agent_id)

    @rule(agent_id=st.sampled_from(AGENTS))
    def agent_goes(self, agent_id):
        if agent_id in self.dumb.agents:
            for one in [each for each in self.dumb.held if each[0] == agent_id]:
                self.release(one)
            self.clever.remove_agent(agent_id)
            del self.dumb.agents[agent_id]
            self.dumb.inactive.discard(agent_id)
            self.drop(lambda one: one[0] == agent_id)

    @rule(agent_id=st.sampled_from(AGENTS), is_active=st.booleans())
    def agent_is_silent(self, agent_id, is_active):
        if agent_id in self.dumb.agents:
            self.clever.set_agent_active(agent_id, is_active)
            (self.dumb.inactive.discard if is_active else self.dumb.inactive.add)(agent_id)

    @rule(
        name=st.sampled_from(NAMES),
        roles=st.lists(st.sampled_from(ROLES), min_size=1, max_size=3, unique=True),
        terms=TERMS,
        is_suppressed=st.booleans(),
    )
    def framework_comes(self, name, roles, terms, is_suppressed):
        suppressed = roles[:1] if is_suppressed and len(roles) > 1 else []
        self.clever.add_framework(name, roles, suppressed, terms)
        known = self.dumb.frameworks.get(name)
        left = set(known["roles"]) - set(roles) if known else set()
        self.dumb.frameworks[name] = {
            "roles": list(roles),
            "suppressed": set(suppressed),
            "terms": terms,
        }
        self.dumb.away.discard(name)
        self.drop(lambda one: one[1] == name and one[2] in left)
        self.dumb.forget()

    @rule(name=st.sampled_from(NAMES))
    def framework_goes(self, name):
        if name in self.dumb.frameworks:
            for one in [each for each in self.dumb.held if each[1] == name]:
                self.release(one)
            self.clever.remove_framework(name)
            del self.dumb.frameworks[name]
            self.drop(lambda one: one[1] == name)
            self.dumb.forget()

    @rule(name=st.sampled_from(NAMES))
    def framework_is_away(self, name):
        if name in self.dumb.frameworks:
            self.clever.deactivate_framework(name)
            self.dumb.away.add(name)
            self.drop(lambda one: one[1] == name)

    @rule(name=st.sampled_from(NAMES), at=st.integers(0, 2))
    def suppress(self, name, at):
        if name in self.dumb.frameworks:
            own = self.dumb.frameworks[name]
            role = own["roles"][at % len(own["roles"])]
            self.clever.suppress(name, [role])
            own["suppressed"].add(role)

    @rule(name=st.sampled_from(NAMES), at=st.integers(0, 2))
    def revive(self, name, at):
        if name in self.dumb.frameworks:
            own = self.dumb.frameworks[name]
            role = own["roles"][at % len(own["roles"])]
            self.clever.revive(name, [role])
            own["suppressed"].discard(role)
            self.drop(lambda one: one[1:3] == (name, role))

    # roles

    @rule(role=st.sampled_from(ROLES), weight=st.sampled_from([0.5, 1.0, 2.0, 3.0]))
    def weigh(self, role, weight):
        self.clever.set_weight(role, weight)
        self.dumb.weights[role] = weight

    @rule(top=st.sampled_from(TOPS), guarantees=QUANTITIES, limits=QUANTITIES)
    def limit(self, top, guarantees, limits):
        limits = {n: max(limits[n], guarantees.get(n, 0)) for n in limits}
        self.clever.set_quota(top, guarantees, limits)
        self.dumb.quotas[top] = (guarantees, limits)
        if not guarantees and not limits:
            del self.dumb.quotas[top]

    # what is held

    def drop(self, wanted):
        self.dumb.refusals = [one for one in self.dumb.refusals if not wanted(one)]

    def release(self, one):
        self.dumb.held.remove(one)
        self.clever.released(*one)
        self.dumb.forget()

    @precondition(lambda self: self.dumb.held)
    @rule(at=st.integers(0, 99), part=st.sampled_from([1, 2]))
    def task_ends(self, at, part):
        one = self.dumb.held[at % len(self.dumb.held)]
        agent_id, name, role, resources = one
        half = Resources({k: a // part if isinstance(a, int) else a for k, a in resources})
        self.dumb.held.remove(one)
        if resources - half:
            self.dumb.held.append((agent_id, name, role, resources - half))
        self.clever.released(agent_id, name, role, half)
        self.dumb.forget()

    @precondition(lambda self: self.dumb.held)
    @rule(at=st.integers(0, 99), seconds=st.sampled_from([1.0, 5.0]), part=st.sampled_from([1, 2]))
    def decline(self, at, seconds, part):
        one = self.dumb.held[at % len(self.dumb.held)]
        agent_id, name, role, resources = one
        refused = Resources({k: a // part if isinstance(a, int) else a for k, a in resources})
        if name in self.dumb.frameworks and role in self.dumb.frameworks[name]["roles"]:
            refusal = Refusal(refused, self.now + seconds)
            self.clever.refuse(agent_id, name, role, refusal)
            self.dumb.refusals.append((agent_id, name, role, refused, self.now + seconds))
        self.release(one)

    @precondition(lambda self: self.dumb.held)
    @rule(at=st.integers(0, 99))
    def reserve(self, at):
        one = self.dumb.held[at % len(self.dumb.held)]
        agent_id, name, role, resources = one
        plain = metered(resources)
        if role == "*" or not plain:
            return
        kind, amount = next(iter(plain))
        made = Resources({kind._replace(reservations=(Reservation(role, True),)): amount})
        conversion = operations.reserving(made)
        self.clever.converted(agent_id, name, role, conversion)
        self.dumb.held.remove(one)
        self.dumb.held.append((agent_id, name, role, conversion.applied_to(resources)))
        agent = self.dumb.agents[agent_id]
        agent["total"] = conversion.applied_to(agent["total"])

    @rule(agent_id=st.sampled_from(AGENTS), role=st.sampled_from(["a", "a/x", "b"]))
    def operator_reserves(self, agent_id, role):
        if agent_id not in self.dumb.agents:
            return
        free = dict(metered(self.dumb.free(agent_id)))
        if Kind("cpus") in free:
            made = Resources(
                {Kind("cpus", (Reservation(role, True),)): min(500, free[Kind("cpus")])}
            )
            conversion = operations.reserving(made)
            self.clever.change_free(agent_id, conversion)
            agent = self.dumb.agents[agent_id]
            agent["total"] = conversion.applied_to(agent["total"])

    # giving

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0]))
    def cycle(self, seconds):
        self.now += seconds
        expected = self.dumb.cycle(self.now)
        found = self.clever.allocate(self.now, everything=True)
        assert [astuple(one) for one in found] == expected

    @rule(at=st.integers(0, 99), seconds=st.sampled_from([1.0, 5.0]), rounds=st.integers(1, 4))
    def declines_and_cycles(self, at, seconds, rounds):
        for number in range(rounds):
            if self.dumb.held:
                self.decline(at + number, seconds, 1)
        self.cycle(0.5)

    @rule()
    def cycle_of_changes(self):
        for one in self.clever.allocate(self.now, everything=False):
            assert self.dumb.free(one.agent_id).contains(one.resources)
            self.dumb.hold(one.agent_id, one.framework_id, one.role, one.resources)
        assert not self.clever.has_work

    # what must always hold

    @invariant()
    def limits_are_kept(self):
        for top, (_, limits) in self.dumb.quotas.items():
            assert self.clever.consumed(top) == self.dumb.consumed(top)
            assert set(limits) <= {"cpus", "mem"}

    @invariant()
    def shares_are_what_is_held(self):
        for role in ROLES:
            share, _, _ = self.dumb.key(
                (role, ""), lambda own, _, role=role: own == role or own.startswith(role + "/")
            )
            assert self.clever.share_of_role(role) == share


Histories.TestCase.settings = hypothesis_settings(max_examples=60, stateful_step_count=30)
test_histories = Histories.TestCase
