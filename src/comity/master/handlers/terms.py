"""What the allocator needs to know of frameworks and agents, out of what they say they are."""

from comity.policy.allocator import Terms, Traits
from comity.wire.mesos import v1


def terms_of(info: v1.FrameworkInfo) -> Terms:
    """Return the terms on which a framework takes part."""
    return Terms(frozenset(one.type for one in info.capabilities if one.type is not None))


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
