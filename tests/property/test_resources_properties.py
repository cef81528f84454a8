"""The resource algebra and the allocator against dumb twins, and RecordIO in pieces."""

import random

from hypothesis import given
from hypothesis import strategies as st

from comity.policy.allocator import Allocator, Refusal
from comity.resources import ranges, text
from comity.resources.amounts import NOTHING, Kind, Reservation, Resources, total_of
from comity.wire import recordio
from comity.wire.mesos import resources as wire

PORTS = st.frozensets(st.integers(0, 40), max_size=12)
KINDS = st.sampled_from(
    [
        Kind(name, stack, revocable=revocable)
        for name in ("cpus", "mem")
        for stack in ((), (Reservation("a"),), (Reservation("a", True, "me", (("k", "v"),)),))
        for revocable in (False, True)
    ]
)


def spans(numbers):
    return ranges.normalize((one, one) for one in numbers)


def numbers(found):
    return frozenset(n for begin, end in found for n in range(begin, end + 1))


BUNDLES = st.builds(
    lambda scalars, ports: Resources({**scalars, Kind("ports"): spans(ports)}),
    st.dictionaries(KINDS, st.integers(0, 5000), max_size=4),
    PORTS,
)


@given(PORTS, PORTS)
def test_ranges_are_sets_of_integers(left, right):
    one, two = spans(left), spans(right)
    assert numbers(ranges.add(one, two)) == left | right
    assert numbers(ranges.subtract(one, two)) == left - right
    assert ranges.contains(one, two) == (right <= left)
    assert ranges.overlaps(one, two) == bool(left & right)
    assert ranges.size(one) == len(left)


@given(PORTS, PORTS)
def test_ranges_stay_normal(left, right):
    for found in (
        ranges.add(spans(left), spans(right)),
        ranges.subtract(spans(left), spans(right)),
    ):
        assert found == ranges.normalize(found)


def disjoint(one, two):
    """Whether addition of these two loses nothing: ports must not be in both."""
    return not ranges.overlaps(one.ranges_of("ports"), two.ranges_of("ports"))


@given(BUNDLES, BUNDLES)
def test_what_was_added_can_be_taken_away(one, two):
    total = one + two
    assert total == two + one
    assert total.contains(one)
    assert total.contains(two)
    if disjoint(one, two):
        assert total - two == one
    assert not (total - total)


@given(BUNDLES, BUNDLES)
def test_containing_means_that_subtraction_works(one, two):
    if one.contains(two):
        assert (one - two) + two == one
        assert one.minus_what_there_is(two) == one - two
    assert (one.contains(two) and two.contains(one)) == (one == two)


@given(BUNDLES, st.booleans())
def test_the_wire_keeps_everything(bundle, refined):
    assert wire.read(wire.write(bundle, role="a", refined=refined)) == bundle


@given(st.integers(0, 10**9), PORTS)
def test_text_says_the_same(milli, ports):
    shown = ",".join(f"{begin}-{end}" for begin, end in spans(ports))
    written = f"cpus:{milli / 1000}" + (f"; ports(r):[{shown}]" if ports else "")
    expected = Resources({Kind("cpus"): milli, Kind("ports", (Reservation("r"),)): spans(ports)})
    assert text.parse(written) == expected


@given(st.lists(st.binary(max_size=30), max_size=8), st.lists(st.integers(1, 9), min_size=1))
def test_records_survive_any_cut(bodies, cuts):
    data = b"".join(recordio.encode(body) for body in bodies)
    decoder, found, at, turn = recordio.Decoder(), [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        found += decoder.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert found == bodies


# the allocator


class DumbTwin:
    """DRF by sorting everything for each agent."""

    def __init__(self, agents, frameworks):
        self.free = dict(agents)
        self.total = sum(agents.values(), NOTHING)
        self.frameworks = frameworks
        self.held = {}
        self.given = {}

    def share(self, keys):
        held = sum((self.held.get(key, NOTHING) for key in keys), NOTHING)
        return max(held.milli_of(name) / self.total.milli_of(name) for name in ("cpus", "mem"))

    def give(self, agent_id):
        def of_role(role):
            keys = [(f, r) for f, roles in self.frameworks.items() for r in roles if r == role]
            return (self.share(keys), sum(self.given.get(key, 0) for key in keys), role)

        def of_framework(framework_id, role):
            key = (framework_id, role)
            return (self.share([key]), self.given.get(key, 0), framework_id)

        role = min({r for roles in self.frameworks.values() for r in roles}, key=of_role)
        members = [f for f, roles in self.frameworks.items() if role in roles]
        chosen = min(members, key=lambda one: of_framework(one, role))
        key = (chosen, role)
        self.held[key] = self.held.get(key, NOTHING) + self.free[agent_id]
        self.given[key] = self.given.get(key, 0) + 1
        return key


SIZES = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), min_size=1, max_size=8)
MEMBERS = st.dictionaries(
    st.sampled_from(["f1", "f2", "f3", "f4"]),
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True),
    min_size=1,
)


@given(SIZES, MEMBERS, st.integers(0, 9))
def test_the_heaps_give_what_sorting_would(sizes, members, seed):
    allocator = Allocator(random.Random(seed))
    agents = {
        f"S{n}": Resources.scalars(cpus=cpus, mem=mem * 100) for n, (cpus, mem) in enumerate(sizes)
    }
    for framework_id, roles in members.items():
        allocator.add_framework(framework_id, roles)
    for agent_id, total in agents.items():
        allocator.add_agent(agent_id, total, NOTHING)
    twin = DumbTwin(agents, members)
    given_out = allocator.allocate(0.0, everything=True)
    assert {one.agent_id for one in given_out} == set(agents), "nothing is left when all want it"
    for one in given_out:
        assert (one.framework_id, one.role) == twin.give(one.agent_id)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "release", "refuse", "suppress", "revive", "away"]),
        st.integers(0, 3),
    ),
    max_size=30,
)


@given(MEMBERS, STEPS, st.integers(0, 9))
def test_nothing_is_ever_given_twice_or_lost(members, steps, seed):
    allocator = Allocator(random.Random(seed))
    total = Resources.scalars(cpus=4, mem=400)
    for agent_id in ("S0", "S1"):
        allocator.add_agent(agent_id, total, NOTHING)
    names = sorted(members)
    for name in names:
        allocator.add_framework(name, members[name])
    held, now, off = [], 0.0, set()
    for what, number in steps:
        name = names[number % len(names)]
        now += 1.0
        if what == "allocate":
            new = allocator.allocate(now, everything=True)
            assert not [one for one in new if one.framework_id in off]
            held += new
        elif what == "suppress":
            allocator.suppress(name, members[name])
            off.add(name)
        elif what == "revive":
            allocator.revive(name, members[name])
            off.discard(name)
        elif what == "away":
            allocator.deactivate_framework(name)
            allocator.add_framework(name, members[name])
            off.discard(name)
        elif held:
            one = held.pop(number % len(held))
            if what == "refuse":
                refusal = Refusal(one.resources, now + 2)
                allocator.refuse(one.agent_id, one.framework_id, one.role, refusal)
            allocator.released(one.agent_id, one.framework_id, one.role, one.resources)
        for agent_id in ("S0", "S1"):
            given_out = sum((o.resources for o in held if o.agent_id == agent_id), NOTHING)
            assert total.contains(given_out)
    for one in held:
        allocator.released(one.agent_id, one.framework_id, one.role, one.resources)
    assert {allocator.share_of_role(role) for role in "abc"} == {0.0}
    for name in names:
        allocator.revive(name, members[name])
    last = allocator.allocate(now, everything=True)
    assert sum((one.resources for one in last), NOTHING) == total + total


@given(st.lists(BUNDLES, max_size=6))
def test_the_sum_in_one_pass_is_the_sum_one_by_one(many):
    expected = NOTHING
    for each in many:
        expected = expected + each
    assert total_of(many) == expected
