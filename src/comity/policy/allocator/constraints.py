"""Offer constraints: which agents a framework wants offers of, by their attributes.

Per role, groups of which one must hold; a group holds when all its predicates do. Predicates on
text hold for attributes that are no text: the framework then decides for itself (Mesos 1.11,
offer_constraints_filter.cpp).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from comity.policy.allocator.patterns import Pattern


@dataclass(frozen=True, slots=True)
class Selector:
    """Which value is looked at: a pseudo-attribute, or the first attribute of a name."""

    name: str
    is_pseudo: bool = False


HOSTNAME = Selector("HOSTNAME", True)
REGION = Selector("REGION", True)
ZONE = Selector("ZONE", True)
PSEUDO_ATTRIBUTES = {one.name: one for one in (HOSTNAME, REGION, ZONE)}

Values = Mapping[Selector, str | None]
"""What an agent has; None is a value that is no text."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """What must hold of the value that a selector finds."""

    selector: Selector
    wants_presence: bool
    """Whether the value must be there (exists, equals, matches) or may be missing (their nots)."""
    test: Callable[[str], bool] | None = None
    """What a text must pass; None when presence is all that is asked for."""

    def holds(self, values: Values) -> bool:
        """Whether it holds for an agent."""
        if self.selector not in values:
            return not self.wants_presence
        if self.test is None:
            return self.wants_presence
        value = values[self.selector]
        return value is None or self.test(value)


RoleConstraints = tuple[tuple[Predicate, ...], ...]


def are_met(groups: RoleConstraints, values: Values) -> bool:
    """Whether an agent is one that the constraints let through."""
    return any(all(one.holds(values) for one in group) for group in groups)


def name_hosts(groups: RoleConstraints) -> bool:
    """Whether constraints tell agents apart by their host name."""
    return any(one.selector == HOSTNAME for group in groups for one in group)


def equal_to(text: str, wanted: bool) -> Callable[[str], bool]:
    """Return the test for a text being, or not being, another."""
    return lambda value: (value == text) is wanted


def matching(pattern: str, wanted: bool) -> Callable[[str], bool]:
    """Return the test for the whole of a text matching, or not matching, a pattern.

    Raises:
        PatternInvalid: the pattern is none, or is not taken.
    """
    compiled = Pattern(pattern)
    return lambda value: compiled.matches(value) is wanted
