"""The random sorters: who comes next is drawn, by weight."""

import random
from collections import Counter

import pytest

from comity.policy.allocator import Allocator, Refusal, Settings
from comity.resources.amounts import NOTHING, Resources

ONE = Resources.scalars(cpus=1, mem=100)
AGENTS = 4000
SLACK = 0.04


def shares(frameworks, weights=(), agents=AGENTS, **drawn):
    """Return what part of the agents every framework was given by one cycle."""
    allocator = Allocator(random.Random(7), Settings(**drawn))
    for path, weight in weights:
        allocator.set_weight(path, weight)
    for number in range(agents):
        allocator.add_agent(f"S{number}", ONE, NOTHING)
    for framework_id, roles in frameworks.items():
        allocator.add_framework(framework_id, roles)
    counts = Counter(one.framework_id for one in allocator.allocate(0.0, everything=True))
    assert sum(counts.values()) == agents
    return {name: counts[name] / agents for name in frameworks}


def close(**parts):
    return pytest.approx(parts, abs=SLACK)


def test_roles_are_drawn_by_their_weights():
    found = shares({"f1": ["a"], "f2": ["b"]}, [("a", 3.0)], roles_drawn=True)
    assert found == close(f1=0.75, f2=0.25)


def test_weights_of_parents_and_children_multiply():
    frameworks = {"f1": ["a/x"], "f2": ["a/y"], "f3": ["b"], "f4": ["a"]}
    weights = [("a", 2.0), ("a/x", 2.0)]
    found = shares(frameworks, weights, roles_drawn=True)
    # b has a third; a's two thirds are two quarters for x, and one each for y and a's own.
    assert found == close(f1=1 / 3, f2=1 / 6, f3=1 / 3, f4=1 / 6)


def test_frameworks_of_a_role_have_the_same_chance_whatever_they_hold():
    frameworks = {"f1": ["a"], "f2": ["a"], "f3": ["b"]}
    found = shares(frameworks, frameworks_drawn=True)
    # Roles still take turns by share, exactly.
    assert found["f3"] == 0.5
    assert found == close(f1=0.25, f2=0.25, f3=0.5)
    assert found["f1"] != 0.25, "drawn, not dealt"


def test_both_can_be_drawn():
    frameworks = {"f1": ["a"], "f2": ["a"], "f3": ["b"]}
    found = shares(frameworks, roles_drawn=True, frameworks_drawn=True)
    assert found == close(f1=0.25, f2=0.25, f3=0.5)


def test_who_has_refused_an_agent_is_not_drawn_for_it():
    allocator = Allocator(random.Random(1), Settings(roles_drawn=True, frameworks_drawn=True))
    allocator.add_agent("S0", ONE, NOTHING)
    for number in range(20):
        allocator.add_framework(f"f{number}", ["a"])
    for number in range(19):
        allocator.refuse("S0", f"f{number}", "a", Refusal(ONE, 100.0))
    for now in range(5):
        [only] = allocator.allocate(float(now), everything=True)
        assert only.framework_id == "f19"
        allocator.released("S0", "f19", "a", only.resources)


def test_quota_holds_with_drawn_roles():
    allocator = Allocator(random.Random(1), Settings(roles_drawn=True))
    for number in range(10):
        allocator.add_agent(f"S{number}", ONE, NOTHING)
    allocator.add_framework("f1", ["a"])
    allocator.add_framework("f2", ["b"])
    allocator.set_quota("a", {"cpus": 8000}, {"cpus": 8000})
    held = Counter()
    for one in allocator.allocate(0.0, everything=True):
        held[one.framework_id] += one.resources.milli_of("cpus")
    assert held == {"f1": 8000, "f2": 2000}
