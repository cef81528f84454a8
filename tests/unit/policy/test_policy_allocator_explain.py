"""Why a framework gets no offers, as the allocator says it."""

import random

from comity.policy.allocator import Allocator, Refusal, Settings, Terms, Traits
from comity.policy.allocator.constraints import HOSTNAME, Predicate, Selector, equal_to
from comity.resources import text
from comity.resources.amounts import NOTHING, Kind, Reservation, Resources

EACH = text.parse("cpus:2;mem:512")


def made(**settings):
    return Allocator(random.Random(1), Settings(**settings))


def codes(allocator, now=0.0, framework_id="f1"):
    return {
        explained.role: {one.reason: one.agents for one in explained.obstacles}
        for explained in allocator.explain(framework_id, now)
    }


def test_agents_are_counted_by_what_keeps_them_away():
    allocator = made(region="eu")
    hidden = {
        "gpus": (text.parse("cpus:2;mem:512;gpus:1"), Traits("h1")),
        "region": (EACH, Traits("h2", region="us")),
        "host": (EACH, Traits("unwanted")),
        "rack": (EACH, Traits("h3", (("rack", "r2"),))),
        "small": (text.parse("disk:100"), Traits("h4")),
        "other": (text.parse("cpus(b):2;mem(b):512"), Traits("h5")),
        "spare": (Resources({Kind("cpus", revocable=True): 1000}), Traits("h6")),
        "silent": (EACH, Traits("h7")),
        "good": (EACH, Traits("h8")),
    }
    for name, (total, traits) in hidden.items():
        allocator.add_agent(name, total, NOTHING, traits)
    allocator.set_agent_active("silent", False)
    wanted = (
        Predicate(HOSTNAME, False, equal_to("unwanted", False)),
        Predicate(Selector("rack"), False, equal_to("r2", False)),
    )
    allocator.add_framework("f1", ["a"], (), Terms(constraints={"a": (wanted,)}))
    assert codes(allocator)["a"] == {
        "INACTIVE": 1,
        "CONSTRAINTS": 2,
        "GPUS": 1,
        "REGION": 1,
        "RESERVED": 1,
        "CAPABILITIES": 1,
        "TOO_LITTLE": 1,
        "OFFERABLE": 1,
    }
    assert [one.agent_id for one in allocator.allocate(0.0, everything=True)] == ["good"]
    assert codes(allocator)["a"]["NOTHING_FREE"] == 1


def test_a_refined_reservation_needs_a_capability():
    allocator = made()
    stack = (Reservation("a"), Reservation("a/x", True))
    allocator.add_agent("S1", Resources({Kind("cpus", stack): 1000}), NOTHING)
    allocator.add_framework("f1", ["a/x"])
    assert codes(allocator) == {"a/x": {"CAPABILITIES": 1}}


def test_refusals_say_until_when():
    allocator = made()
    for number in range(7):
        allocator.add_agent(f"S{number}", EACH, NOTHING)
    allocator.add_framework("f1", ["a"])
    for number, one in enumerate(allocator.allocate(0.0, everything=True)):
        allocator.refuse(one.agent_id, "f1", "a", Refusal(one.resources, 10.0 + number))
        allocator.released(one.agent_id, "f1", "a", one.resources)
    [explained] = allocator.explain("f1", 1.0)
    [one] = explained.obstacles
    assert (one.reason, one.agents, one.until) == ("REFUSED", 7, 10.0)
    assert len(one.examples) == 5
    allocator.revive("f1", ["a"])
    assert codes(allocator) == {"a": {"OFFERABLE": 7}}


def test_quota_of_the_role_and_quota_of_others_are_told_apart():
    allocator = made()
    allocator.add_agent("S1", EACH, NOTHING)
    allocator.add_framework("f1", ["a/x"])
    allocator.set_quota("a", {}, {"cpus": 0, "mem": 0})
    assert codes(allocator) == {"a/x": {"QUOTA": 1}}
    allocator.set_quota("a", {}, {})
    allocator.set_quota("b", {"cpus": 4000, "mem": 900_000}, {})
    assert codes(allocator) == {"a/x": {"HELD_BACK": 1}}
    assert allocator.allocate(0.0, everything=True) == []
    allocator.add_framework("f2", ["b"])
    assert codes(allocator, framework_id="f2") == {"b": {"OFFERABLE": 1}}


def test_what_the_framework_itself_asked_for_is_its_state():
    allocator = made()
    allocator.add_agent("S1", EACH, NOTHING)
    allocator.add_framework("f1", ["a", "b"], ["b"])
    assert [one.state for one in allocator.explain("f1", 0.0)] == ["WANTING", "SUPPRESSED"]
    allocator.deactivate_framework("f1")
    assert [one.state for one in allocator.explain("f1", 0.0)] == ["AWAY", "AWAY"]
    assert allocator.explain("f9", 0.0) == []


def test_explaining_changes_nothing():
    plain, asked = made(), made()
    for allocator in (plain, asked):
        for number in range(6):
            allocator.add_agent(f"S{number}", EACH, NOTHING)
        allocator.add_framework("f1", ["a"])
        allocator.add_framework("f2", ["b"])
        allocator.set_quota("b", {"cpus": 4000}, {"cpus": 4000})
    codes(asked)
    assert plain.allocate(0.0, everything=True) == asked.allocate(0.0, everything=True)
