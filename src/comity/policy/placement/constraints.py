"""Placement constraints, operator by operator.

A field names a value of the node: `hostname`, `@region`, `@zone` or an attribute. "Placed" are the
active instances of the same app, whatever their version.
"""

import enum
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from msgspec import Struct


class Operator(enum.Enum):
    """What a constraint asks of a value."""

    UNIQUE = "UNIQUE"
    CLUSTER = "CLUSTER"
    GROUP_BY = "GROUP_BY"
    LIKE = "LIKE"
    UNLIKE = "UNLIKE"
    MAX_PER = "MAX_PER"
    IS = "IS"


class Constraint(Struct, frozen=True):
    """One rule: field, operator, value."""

    field: str
    operator: Operator
    value: str = ""


class Placed(Struct):
    """How an app's active instances are spread: node values in order of placement."""

    nodes: list[Mapping[str, str]]

    def values(self, field: str) -> list[str]:
        """Return the instances' values of a field; an instance without one is left out."""
        return [node[field] for node in self.nodes if field in node]


def field_name(field: str) -> str:
    """Return the key under which a field is found in node values."""
    return "hostname" if field == "@hostname" else field


def text_of(scalar: float) -> str:
    """Return a scalar's text: at most three decimals, rounded half-even, no trailing zeros."""
    rounded = Decimal(repr(scalar)).quantize(Decimal("0.001"), ROUND_HALF_EVEN)
    return _trim(rounded)


def accepts(
    constraint: Constraint, node: Mapping[str, str], placed: Placed, instances: int, known: int
) -> bool:
    """Whether one more instance may go to a node.

    `instances` is how many the app shall have; `known` is how many distinct values of the field
    the cluster is known to have, which stands in for a GROUP_BY without a number.
    """
    field = field_name(constraint.field)
    value = node.get(field)
    if value is None:
        return constraint.operator is Operator.UNLIKE
    match constraint.operator:
        case Operator.UNIQUE:
            return value not in placed.values(field)
        case Operator.CLUSTER:
            return _clusters(constraint.value, value, placed.values(field))
        case Operator.GROUP_BY:
            groups = int(constraint.value) if constraint.value else 0
            return _groups(groups or known, value, placed.values(field), instances)
        case Operator.MAX_PER:
            return placed.values(field).count(value) < int(constraint.value)
        case Operator.LIKE:
            return bool(constraint.value) and re.fullmatch(constraint.value, value) is not None
        case Operator.UNLIKE:
            return bool(constraint.value) and re.fullmatch(constraint.value, value) is None
        case Operator.IS:
            return _same(constraint.value, value)


def _clusters(wanted: str, value: str, placed: Sequence[str]) -> bool:
    if wanted:
        return value == wanted
    return not placed or value == placed[0]


def _groups(groups: int, value: str, placed: Sequence[str], instances: int) -> bool:
    if groups < 1:
        return True
    want, rest = divmod(instances, groups)
    counts: dict[str, int] = {}
    for used in placed:
        counts[used] = counts.get(used, 0) + 1
    if value not in counts:
        return len(counts) < groups
    if counts[value] < want:
        return True
    spent = sum(max(0, count - want) for count in counts.values())
    return counts[value] == want and spent < rest


def _same(wanted: str, value: str) -> bool:
    if wanted == value:
        return True
    try:
        return _trim(Decimal(wanted).quantize(Decimal("0.001"), ROUND_HALF_EVEN)) == value
    except InvalidOperation:
        return False


def _trim(number: Decimal) -> str:
    text = format(number, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def victims(
    constraints: Sequence[Constraint], placed: Mapping[str, Mapping[str, str]], count: int
) -> list[str]:
    """Return up to `count` instances whose loss keeps the app spread as GROUP_BY asks.

    `placed` maps an instance to its node's values, in the order in which instances should go when
    nothing else decides. Only GROUP_BY steers. Each pick comes from a fullest group and is made
    only while the spread (fullest minus emptiest) stays within one, or shrinks.
    """
    fields = [field_name(one.field) for one in constraints if one.operator is Operator.GROUP_BY]
    picked: list[str] = []
    left = dict(placed)
    while fields and len(picked) < count:
        choice = next((one for one in left if _keeps_spread(fields, left, one)), None)
        if choice is None:
            break
        picked.append(choice)
        del left[choice]
    return picked


def _keeps_spread(
    fields: Sequence[str], left: Mapping[str, Mapping[str, str]], leaving: str
) -> bool:
    for field in fields:
        counts: dict[str, int] = {}
        for node in left.values():
            if field in node:
                counts[node[field]] = counts.get(node[field], 0) + 1
        own = left[leaving].get(field)
        if own is None or counts[own] < max(counts.values()):
            return False
        before = max(counts.values()) - min(counts.values())
        counts[own] -= 1
        after = max(counts.values()) - min(counts.values())
        if after > 1 and after >= before:
            return False
    return True
