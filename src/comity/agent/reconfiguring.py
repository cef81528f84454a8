"""What of an agent may differ from when it ran last (Mesos: src/slave/compatibility.cpp)."""

from comity.wire.mesos import resources, v1

POLICIES = ("any", "equal", "additive")
"""`any` is ours: reservations, volumes and running tasks must fit, and that is all."""


_OWN = "comity_"


def fault_of(policy: str, old: v1.AgentInfo, new: v1.AgentInfo) -> str | None:
    """Return what has changed that must not, under a policy; None when all is well."""
    if policy == "any":
        return None
    for name in ("hostname", "port"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            return f"its {name} was {before} and is {now}"
    if policy == "equal":
        return _difference(old, new)
    return _loss(old, new)


def _difference(old: v1.AgentInfo, new: v1.AgentInfo) -> str | None:
    if resources.read(old.resources) != resources.read(new.resources):
        return "its resources have changed"
    if _configured(old) != _configured(new):
        return "its attributes have changed"
    return "its fault domain has changed" if old.domain != new.domain else None


def _loss(old: v1.AgentInfo, new: v1.AgentInfo) -> str | None:
    if not resources.read(new.resources).contains(resources.read(old.resources)):
        return "it has less of some resource"
    for attribute in _configured(old):
        if attribute not in new.attributes:
            return f"its attribute {attribute.name} is gone or another"
    if old.domain is not None and old.domain != new.domain:
        return "its fault domain has changed"
    return None


def _configured(info: v1.AgentInfo) -> list[v1.Attribute]:
    """Return the attributes without those that say what the machine can: nobody configured them."""
    return [one for one in info.attributes if not one.name.startswith(_OWN)]
