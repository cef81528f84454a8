"""Offer constraints: which agents a framework wants offers of, per role (scheduler.proto, 1.11)."""

from typing import Annotated

from msgspec import field

from comity.wire.mesos import numbers
from comity.wire.mesos.base import Wire
from comity.wire.mesos.v1 import Empty


class Selector(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Selector`."""

    pseudoattribute_type: Annotated[
        str | None, 1, numbers.SCHEDULER_ATTRIBUTE_CONSTRAINT_SELECTOR_PSEUDOATTRIBUTE_TYPE
    ] = None
    attribute_name: Annotated[str | None, 2] = None


class TextEquals(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Predicate.TextEquals`."""

    value: Annotated[str, 1]


class TextNotEquals(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Predicate.TextNotEquals`."""

    value: Annotated[str, 1]


class TextMatches(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Predicate.TextMatches`."""

    regex: Annotated[str, 1]


class TextNotMatches(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Predicate.TextNotMatches`."""

    regex: Annotated[str, 1]


class Predicate(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint.Predicate`."""

    exists: Annotated[Empty | None, 1] = None
    not_exists: Annotated[Empty | None, 2] = None
    text_equals: Annotated[TextEquals | None, 3] = None
    text_not_equals: Annotated[TextNotEquals | None, 4] = None
    text_matches: Annotated[TextMatches | None, 5] = None
    text_not_matches: Annotated[TextNotMatches | None, 6] = None


class AttributeConstraint(Wire, frozen=True, kw_only=True):
    """`AttributeConstraint`."""

    selector: Annotated[Selector, 1]
    predicate: Annotated[Predicate, 2]


class ConstraintGroup(Wire, frozen=True, kw_only=True):
    """`OfferConstraints.RoleConstraints.Group`."""

    attribute_constraints: Annotated[tuple[AttributeConstraint, ...], 1] = ()


class RoleConstraints(Wire, frozen=True, kw_only=True):
    """`OfferConstraints.RoleConstraints`."""

    groups: Annotated[tuple[ConstraintGroup, ...], 1] = ()


class OfferConstraints(Wire, frozen=True, kw_only=True):
    """`OfferConstraints`."""

    role_constraints: Annotated[dict[str, RoleConstraints], 1] = field(default_factory=dict)
