"""What the allocator needs to know of frameworks and agents, out of what they say they are."""

from comity.policy.allocator import Minimum, Terms, Traits
from comity.policy.allocator.constraints import (
    PSEUDO_ATTRIBUTES,
    Predicate,
    RoleConstraints,
    Selector,
    equal_to,
    matching,
)
from comity.policy.allocator.patterns import PatternInvalid
from comity.resources.amounts import milli
from comity.wire.mesos import constraints, v1

QUANTITY_MAX = 1e15


class TermsInvalid(ValueError):
    """Terms that cannot be; the text says why."""


def terms_of(info: v1.FrameworkInfo, asked: constraints.OfferConstraints | None) -> Terms:
    """Return the terms on which a framework takes part.

    Raises:
        TermsInvalid: they cannot be.
    """
    by_role = asked.role_constraints if asked is not None else {}
    return Terms(
        capabilities=frozenset(one.type for one in info.capabilities if one.type is not None),
        minimums={
            role: _minimum_of(filters.min_allocatable_resources)
            for role, filters in info.offer_filters.items()
            if filters.min_allocatable_resources is not None
        },
        constraints={role: _constraints_of(role, one) for role, one in by_role.items()},
    )


def fault_of(
    info: v1.FrameworkInfo, roles: tuple[str, ...], asked: constraints.OfferConstraints | None
) -> str | None:
    """Return why a framework cannot have the terms that it asks for, or None."""
    for role in asked.role_constraints if asked is not None else ():
        if role not in roles:
            return (
                f"Offer constraints specify `role_constraints` for a role '{role}' "
                "not contained in the set of roles"
            )
    try:
        terms_of(info, asked)
    except TermsInvalid as fault:
        return f"Offer filters or constraints are not valid: {fault}"
    return None


def traits_of(info: v1.AgentInfo) -> Traits:
    """Return what of an agent decides who may have it."""
    domain = info.domain.fault_domain if info.domain is not None else None
    return Traits(
        hostname=info.hostname,
        attributes=tuple(
            (one.name, one.text.value if one.type == "TEXT" and one.text is not None else None)
            for one in info.attributes
        ),
        region=domain.region.name if domain is not None else None,
        zone=domain.zone.name if domain is not None else None,
    )


def _minimum_of(wanted: v1.MinAllocatableResources) -> Minimum:
    found = []
    for one in wanted.quantities:
        for name, scalar in one.quantities.items():
            if not 0 <= scalar.value < QUANTITY_MAX:
                raise TermsInvalid(
                    f"Invalid quantity of '{name}' in 'min_allocatable_resources': {scalar.value}"
                )
        found.append(tuple((name, milli(one.quantities[name].value)) for name in one.quantities))
    return tuple(found)


def _constraints_of(role: str, wanted: constraints.RoleConstraints) -> RoleConstraints:
    if not wanted.groups:
        raise TermsInvalid(
            "'OfferConstraints::role_constraints' has an empty 'RoleConstraints::groups' "
            f"for role {role}"
        )
    groups = []
    for group in wanted.groups:
        if not group.attribute_constraints:
            raise TermsInvalid(
                f"'OfferConstraints::RoleConstraints::groups' for role {role} contains an empty "
                "RoleConstraints::Group"
            )
        try:
            groups.append(tuple(_predicate_of(one) for one in group.attribute_constraints))
        except (TermsInvalid, PatternInvalid) as fault:
            text = f"A role {role} has an invalid 'AttributeConstraint': {fault}"
            raise TermsInvalid(text) from fault
    return tuple(groups)


def _predicate_of(wanted: constraints.AttributeConstraint) -> Predicate:
    selector = _selector_of(wanted.selector)
    asked = wanted.predicate
    found = []
    if asked.exists is not None:
        found.append(Predicate(selector, True))
    if asked.not_exists is not None:
        found.append(Predicate(selector, False))
    if asked.text_equals is not None:
        found.append(Predicate(selector, True, equal_to(asked.text_equals.value, True)))
    if asked.text_not_equals is not None:
        found.append(Predicate(selector, False, equal_to(asked.text_not_equals.value, False)))
    if asked.text_matches is not None:
        found.append(Predicate(selector, True, matching(asked.text_matches.regex, True)))
    if asked.text_not_matches is not None:
        found.append(Predicate(selector, False, matching(asked.text_not_matches.regex, False)))
    if len(found) != 1:
        raise TermsInvalid("More than one predicate" if found else "Unknown predicate type")
    return found[0]


def _selector_of(wanted: constraints.Selector) -> Selector:
    pseudo, name = wanted.pseudoattribute_type, wanted.attribute_name
    if (pseudo is None) == (name is None):
        raise TermsInvalid(
            "Exactly one of 'AttributeConstraint::Selector::name' or "
            "'AttributeConstraint::Selector::pseudoattribute_type' must be set"
        )
    if name is not None:
        return Selector(name)
    if pseudo not in PSEUDO_ATTRIBUTES:
        raise TermsInvalid("Unknown pseudoattribute type")
    return PSEUDO_ATTRIBUTES[pseudo]
