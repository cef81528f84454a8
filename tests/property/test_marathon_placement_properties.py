"""Placement against dumb twins, and against what no placement may ever do."""

import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from comity.policy.placement import (
    Constraint,
    Demand,
    Fit,
    OfferedNode,
    Operator,
    Placed,
    PortDemand,
    Room,
    accepts,
    fit,
    pick_ports,
    victims,
)

VALUES = st.sampled_from(["r1", "r2", "r3"])
NODES = st.lists(st.one_of(st.none(), VALUES), max_size=8)


def twin(operator: Operator, arg: str, value: str | None, used: list[str], wanted: int) -> bool:
    """Say the rules of Constraints.scala again, in the plainest way."""
    if value is None:
        return operator is Operator.UNLIKE
    counts = Counter(used)
    if operator is Operator.UNIQUE:
        return counts[value] == 0
    if operator is Operator.CLUSTER:
        return value == arg if arg else (used == [] or used[0] == value)
    if operator is Operator.MAX_PER:
        return counts[value] < int(arg)
    if operator is Operator.GROUP_BY:
        groups = int(arg)
        if counts[value] == 0:
            return len(counts) < groups
        even, rest = wanted // groups, wanted % groups
        over = sum(count - even for count in counts.values() if count > even)
        return counts[value] < even or (counts[value] == even and over < rest)
    if operator is Operator.IS:
        return value == arg
    matched = bool(arg) and re.match(f"(?:{arg})\\Z", value) is not None
    return matched if operator is Operator.LIKE else bool(arg) and not matched


@given(
    operator=st.sampled_from(list(Operator)),
    value=st.one_of(st.none(), VALUES),
    used=NODES,
    wanted=st.integers(0, 9),
    number=st.integers(1, 4),
    text=st.sampled_from(["", "r1", "r.", "r[12]"]),
)
def test_every_operator_agrees_with_its_twin(
    operator: Operator,
    value: str | None,
    used: list[str | None],
    wanted: int,
    number: int,
    text: str,
) -> None:
    arg = str(number) if operator in (Operator.GROUP_BY, Operator.MAX_PER) else text
    node = {"hostname": "h"} | ({"rack": value} if value else {})
    placed = Placed([{"rack": one} if one else {} for one in used])
    found = accepts(Constraint("rack", operator, arg), node, placed, wanted, 0)
    assert found == twin(operator, arg, value, [one for one in used if one], wanted)


@given(
    racks=st.lists(VALUES, min_size=1, max_size=30),
    groups=st.integers(1, 4),
    wanted=st.integers(1, 12),
)
def test_group_by_never_lets_a_group_grow_past_its_share(
    racks: list[str], groups: int, wanted: int
) -> None:
    placed = Placed([])
    rule = Constraint("rack", Operator.GROUP_BY, str(groups))
    for rack in racks:
        if len(placed.nodes) < wanted and accepts(rule, {"rack": rack}, placed, wanted, 0):
            placed.nodes.append({"rack": rack})
    counts = Counter(placed.values("rack"))
    assert len(counts) <= groups
    assert max(counts.values(), default=0) <= -(-wanted // groups) + (wanted < groups)


RANGES = st.lists(st.tuples(st.integers(31000, 31040), st.integers(0, 6)), max_size=4).map(
    lambda spans: _disjoint([(first, first + width) for first, width in spans])
)


def _disjoint(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if not kept or first > kept[-1][1]:
            kept.append((first, last))
    return kept


@given(
    ranges=RANGES,
    ports=st.lists(st.one_of(st.just(0), st.integers(31000, 31046)), max_size=6),
    seed=st.integers(),
)
def test_picked_ports_are_offered_different_and_as_demanded(
    ranges: list[tuple[int, int]], ports: list[int], seed: int
) -> None:
    offered = {port for first, last in ranges for port in range(first, last + 1)}
    fixed = [port for port in ports if port]
    picked = pick_ports(PortDemand(tuple(ports)), ranges, random.Random(seed))
    possible = (
        set(fixed) <= offered and len(set(fixed)) == len(fixed) and len(ports) <= len(offered)
    )
    assert (picked is not None) == possible
    if picked is not None:
        assert len(set(picked)) == len(ports)
        assert set(picked) <= offered
        assert all(want in (0, got) for want, got in zip(ports, picked, strict=True))


@given(
    cpus=st.lists(st.integers(0, 30), min_size=1, max_size=12),
    room=st.integers(0, 60),
    ports=st.integers(0, 12),
    seed=st.integers(),
)
def test_fits_never_take_more_than_there_is(
    cpus: list[int], room: int, ports: int, seed: int
) -> None:
    node = OfferedNode(
        {"hostname": "h"},
        {"*": Room({"cpus": room / 10, "mem": 100.0}, [(31000, 31000 + ports - 1)] * (ports > 0))},
    )
    taken, used_ports = 0.0, []
    for amount in cpus:
        demand = Demand({"cpus": amount / 10, "mem": 1.0}, PortDemand((0,)))
        found = fit(demand, node, Placed([]), {}, random.Random(seed))
        if isinstance(found, Fit):
            taken += amount / 10
            used_ports += found.ports
        else:
            assert taken + amount / 10 > room / 10 or len(used_ports) == ports
    assert taken <= room / 10 + 1e-6
    assert len(set(used_ports)) == len(used_ports) <= ports


@given(racks=st.lists(VALUES, max_size=12), count=st.integers(0, 12))
def test_victims_of_group_by_never_widen_an_even_spread(racks: list[str], count: int) -> None:
    placed = {f"t{index}": {"rack": rack} for index, rack in enumerate(racks)}
    picked = victims([Constraint("rack", Operator.GROUP_BY, "3")], placed, count)
    assert len(picked) == len(set(picked)) <= count
    left = dict(placed)
    groups = set(racks)
    before = _spread(left, groups)
    for task in picked:
        del left[task]
        after = _spread(left, groups)
        assert after <= max(1, before)
        before = after


def _spread(left: dict[str, dict[str, str]], groups: set[str]) -> int:
    counts = Counter({rack: 0 for rack in groups})
    counts.update(one["rack"] for one in left.values())
    return max(counts.values(), default=0) - min(counts.values(), default=0)
