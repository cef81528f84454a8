"""The tree of roles, weights and quota, in small worlds."""

import random
from collections import Counter

import pytest

from comity.policy.allocator import Allocator, Refusal, Terms
from comity.resources import text
from comity.resources.amounts import NOTHING, Resources
from comity.resources.operations import reserving, unreserving

ONE = Resources.scalars(cpus=1, mem=100)


def world(agents, frameworks, each=ONE):
    allocator = Allocator(random.Random(1))
    for number in range(agents):
        allocator.add_agent(f"S{number}", each, NOTHING)
    for framework_id, roles in frameworks.items():
        allocator.add_framework(framework_id, roles)
    return allocator


def given(allocator, now=0.0):
    return allocator.allocate(now, everything=True)


def by_framework(allocations):
    return Counter(one.framework_id for one in allocations)


def test_roles_share_alike_and_so_do_the_frameworks_of_each():
    allocator = world(12, {"f1": ["a"], "f2": ["b"], "f3": ["b"]})
    assert by_framework(given(allocator)) == {"f1": 6, "f2": 3, "f3": 3}


def test_weights_of_two_to_one_are_shares_of_two_to_one():
    allocator = world(12, {"f1": ["a"], "f2": ["b"]})
    allocator.set_weight("a", 2.0)
    assert by_framework(given(allocator)) == {"f1": 8, "f2": 4}


def test_a_weight_counts_whether_it_is_set_before_or_after_the_role_is_known():
    allocator = Allocator(random.Random(1))
    allocator.set_weight("a", 3.0)
    for number in range(8):
        allocator.add_agent(f"S{number}", ONE, NOTHING)
    allocator.add_framework("f1", ["a"])
    allocator.add_framework("f2", ["b"])
    assert by_framework(given(allocator)) == {"f1": 6, "f2": 2}


def test_what_child_roles_hold_counts_against_their_parents():
    allocator = world(12, {"f1": ["a/x"], "f2": ["a/y"], "f3": ["b"]})
    assert by_framework(given(allocator)) == {"f1": 3, "f2": 3, "f3": 6}
    assert allocator.share_of_role("a") == 0.5
    assert allocator.share_of_role("a/x") == 0.25


def test_a_role_stands_beside_its_children():
    allocator = world(12, {"f1": ["a"], "f2": ["a/x"], "f3": ["a/y"]})
    assert by_framework(given(allocator)) == {"f1": 4, "f2": 4, "f3": 4}


def test_weights_of_inner_paths_share_out_what_their_parent_gets():
    allocator = world(12, {"f1": ["a/x"], "f2": ["a/y"], "f3": ["b"]})
    allocator.set_weight("a/x", 2.0)
    assert by_framework(given(allocator)) == {"f1": 4, "f2": 2, "f3": 6}


def test_a_role_that_gains_a_child_keeps_what_it_holds():
    allocator = world(4, {"f1": ["a"]})
    held = given(allocator)
    assert len(held) == 4
    allocator.add_framework("f2", ["a/x"])
    for one in held[:2]:
        allocator.released(one.agent_id, "f1", "a", one.resources)
    assert by_framework(given(allocator)) == {"f2": 2}


def test_reservations_of_an_ancestor_are_offered_to_descendants():
    allocator = world(1, {"f1": ["b"], "f2": ["a/x"]}, text.parse("cpus(a):1;mem(a):100"))
    [only] = given(allocator)
    assert (only.framework_id, only.role) == ("f2", "a/x")


def test_reservations_of_a_descendant_are_not_offered_to_its_ancestor():
    allocator = world(1, {"f1": ["a"]}, text.parse("cpus(a/x):1;mem(a/x):100;cpus:1;mem:100"))
    [only] = given(allocator)
    assert only.resources == ONE


def test_a_limited_role_gets_as_much_as_its_limit_and_agents_are_cut_to_it():
    allocator = world(3, {"f1": ["a/x"]}, Resources.scalars(cpus=4, mem=400))
    allocator.set_quota("a", {}, {"cpus": 6000})
    total = sum((one.resources for one in given(allocator)), NOTHING)
    assert total.milli_of("cpus") == 6000
    assert allocator.consumed("a")["cpus"] == 6000


def test_a_role_at_its_limit_still_gets_its_reservations():
    each = text.parse("cpus(a):2;mem(a):100;cpus:4;mem:400")
    allocator = world(2, {"f1": ["a"], "f2": ["b"]}, each)
    allocator.set_quota("a", {}, {"cpus": 4000, "mem": 200_000})
    found = given(allocator)
    to_a = sum((one.resources for one in found if one.role == "a"), NOTHING)
    to_b = sum((one.resources for one in found if one.role == "b"), NOTHING)
    assert to_a == text.parse("cpus(a):4;mem(a):200")
    assert to_b == text.parse("cpus:8;mem:800")


def test_guarantees_are_held_back_from_others():
    allocator = world(10, {"f1": ["b"]})
    allocator.set_quota("a", {"cpus": 4000}, {})
    assert by_framework(given(allocator))["f1"] >= 6
    cpus = sum(one.resources.milli_of("cpus") for one in given(allocator))
    assert cpus == 0
    allocator.add_framework("f2", ["a"])
    found = given(allocator)
    assert {one.framework_id for one in found} == {"f2"}
    assert sum(one.resources.milli_of("cpus") for one in found) == 4000


def test_guarantees_come_first_then_fair_shares():
    allocator = world(10, {"f1": ["b"], "f2": ["a"]})
    allocator.set_quota("a", {"cpus": 8000, "mem": 800_000}, {"cpus": 8000, "mem": 800_000})
    assert by_framework(given(allocator)) == {"f2": 8, "f1": 2}


def test_a_quota_that_is_removed_holds_nothing_back():
    allocator = world(10, {"f1": ["b"]})
    allocator.set_quota("a", {"cpus": 10_000, "mem": 1_000_000}, {})
    assert given(allocator) == []
    allocator.set_quota("a", {}, {})
    assert len(given(allocator)) == 10


@pytest.mark.parametrize("held", [True, False])
def test_reserving_moves_what_a_role_consumes_but_does_not_change_it(held):
    allocator = world(1, {"f1": ["a"]})
    if held:
        given(allocator)
    made = text.parse("cpus(a):1")
    if held:
        allocator.converted("S0", "f1", "a", reserving(made))
        assert allocator.consumed("a") == {"cpus": 1000, "mem": 100_000}
        allocator.released("S0", "f1", "a", made + text.parse("mem:100"))
    else:
        allocator.change_free("S0", reserving(made))
    assert allocator.consumed("a") == {"cpus": 1000}
    allocator.change_free("S0", unreserving(made))
    assert allocator.consumed("a") == {}


def test_a_filter_blocks_what_it_contains_and_nothing_more():
    allocator = world(1, {"f1": ["a"]})
    [one] = given(allocator)
    half = Resources.scalars(cpus=0.5, mem=50)
    allocator.refuse("S0", "f1", "a", Refusal(half, 10.0))
    allocator.released("S0", "f1", "a", half)
    assert given(allocator, 1.0) == []
    allocator.released("S0", "f1", "a", one.resources - half)
    assert len(given(allocator, 2.0)) == 1, "the agent gained resources"


def test_a_filter_ends_and_a_revive_ends_it_early():
    allocator = world(2, {"f1": ["a"]})
    for one in given(allocator):
        allocator.refuse(one.agent_id, "f1", "a", Refusal(one.resources, 10.0))
        allocator.released(one.agent_id, "f1", "a", one.resources)
    assert given(allocator, 9.9) == []
    found = given(allocator, 10.0)
    assert len(found) == 2
    for one in found:
        allocator.refuse(one.agent_id, "f1", "a", Refusal(one.resources, 1000.0))
        allocator.released(one.agent_id, "f1", "a", one.resources)
    allocator.revive("f1", ["a"])
    assert len(given(allocator, 11.0)) == 2


def test_agents_with_gpus_are_for_frameworks_that_know_them():
    allocator = world(1, {"f1": ["a"]}, Resources.scalars(cpus=1, mem=100, gpus=1))
    assert given(allocator) == []
    allocator.add_framework("f1", ["a"], (), Terms(frozenset({"GPU_RESOURCES"})))
    assert len(given(allocator)) == 1


def test_bits_of_frameworks_that_ended_are_used_again_without_their_filters():
    allocator = world(1, {"f1": ["a"]})
    for number in range(5):
        name = f"f{number + 1}"
        allocator.add_framework(name, ["a"])
        [one] = given(allocator, float(number))
        assert one.framework_id == name
        allocator.refuse("S0", name, "a", Refusal(one.resources, 1e9))
        allocator.released("S0", name, "a", one.resources)
        allocator.remove_framework(name)


def test_what_the_only_role_got_counts_when_another_joins():
    allocator = world(8, {"f1": ["a/b"], "f2": ["a/b"]})
    first = given(allocator)
    assert by_framework(first) == {"f1": 4, "f2": 4}
    assert {one.role for one in first} == {"a/b"}
    assert allocator.consumed("a") == {"cpus": 8000, "mem": 800_000}
    allocator.add_framework("f3", ["c"])
    for number in range(8, 12):
        allocator.add_agent(f"S{number}", ONE, NOTHING)
    assert by_framework(given(allocator)) == {"f3": 4}
