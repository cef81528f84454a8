"""The question: may this principal do this to that? The first rule that matches decides."""

from collections.abc import Iterable

from comity.policy.authorization.acls import ANY, Acls, Action, Entity, Rule, Type

_BY_ROLE = frozenset(
    {
        Action.REGISTER_FRAMEWORK,
        Action.RESERVE_RESOURCES,
        Action.CREATE_VOLUME,
        Action.RESIZE_VOLUME,
        Action.GET_QUOTA,
        Action.UPDATE_QUOTA,
        Action.UPDATE_WEIGHT,
        Action.VIEW_ROLE,
    }
)
"""Actions on roles, in whose rules `a/%` stands for every role below `a`."""


def allows(acls: Acls, action: Action, principal: str | None, thing: str | None = None) -> bool:
    """Whether a principal (None: nobody in particular) may do something to `thing` (None: any)."""
    rules = acls.rules.get(action)
    if not rules:
        return acls.permissive
    subject = ANY if principal is None else Entity(Type.SOME, (principal,))
    wanted = ANY if thing is None else Entity(Type.SOME, (thing,))
    for rule in rules:
        objects = _objects(rule, action, thing)
        if _matches(subject, rule.principals) and _matches(wanted, objects):
            return _is_allowed(subject, rule.principals) and _is_allowed(wanted, objects)
    return acls.permissive


def allows_all(
    acls: Acls, action: Action, principal: str | None, things: Iterable[str | None]
) -> bool:
    """Whether a principal may do something to each of several things."""
    return all(allows(acls, action, principal, thing) for thing in things)


def _objects(rule: Rule, action: Action, thing: str | None) -> Entity:
    """Return a rule's objects, with `thing` among them when it is below one that ends in `/%`."""
    if action not in _BY_ROLE or thing is None:
        return rule.objects
    for value in rule.objects.values:
        if value.endswith("/%") and thing.startswith(value[:-1]):
            return Entity(rule.objects.type, (*rule.objects.values, thing))
    return rule.objects


def _matches(asked: Entity, of_rule: Entity) -> bool:
    """Whether a rule is about what is asked: about some, one that names ANY, NONE, or them."""
    if asked.type is Type.SOME and of_rule.type is Type.SOME:
        return set(asked.values) <= set(of_rule.values)
    return of_rule.type is not Type.SOME


def _is_allowed(asked: Entity, of_rule: Entity) -> bool:
    """Whether a rule that matches allows it: ANY allows all, NONE nobody."""
    if of_rule.type is Type.ANY:
        return True
    return of_rule.type is Type.SOME and asked.type is Type.SOME
