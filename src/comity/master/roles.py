"""How roles, their quota and their weights look from outside, old endpoints and v1 API.

A role is known when a framework has it, when it has a weight or a quota, or when something is
reserved for it; with it every role above (Mesos: Master::knownRoles).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from comity.master.state import Framework, State
from comity.resources.amounts import Resources
from comity.wire.mesos import v1
from comity.wire.mesos.quota import QuotaConfig

Document = dict[str, Any]


Quantities = dict[str, int]
"""Thousandths of scalars by name."""


@dataclass(slots=True)
class Use:
    """What a role and all roles below it have."""

    frameworks: list[Framework] = field(default_factory=list)
    """Only those of the role itself."""
    allocated: Quantities = field(default_factory=dict)
    offered: Quantities = field(default_factory=dict)
    reserved: Quantities = field(default_factory=dict)
    unused: Quantities = field(default_factory=dict)
    """What is reserved and not used."""

    @property
    def consumed(self) -> Quantities:
        """Return what counts as consumed of a quota."""
        total = dict(self.allocated)
        _add(total, self.unused)
        return total


def known(state: State) -> dict[str, Use]:
    """Return every known role with what it has, by name."""
    found: dict[str, Use] = {"*": Use()}
    for name in _named(state):
        for each in _upwards(name):
            found.setdefault(each, Use())
    for framework in state.frameworks.values():
        _count(found, framework)
    for agent in state.agents.values():
        for bundle, sign in ((agent.total, 1), (agent.used, -1)):
            for kind, amount in bundle:
                if kind.reservations and isinstance(amount, int):
                    for role in _upwards(kind.role):
                        _add(found[role].unused, {kind.name: sign * amount})
                        if sign > 0:
                            _add(found[role].reserved, {kind.name: amount})
    return dict(sorted(found.items()))


def _upwards(role: str) -> Iterable[str]:
    """Yield a role and those above it."""
    while role:
        yield role
        role = role.rpartition("/")[0]


def _named(state: State) -> Iterable[str]:
    for framework in state.frameworks.values():
        yield from framework.roles
        yield from framework.tasks.tallies
        yield from framework.executors.tallies
        yield from (one.role for one in framework.offers.values())
    yield from state.weights
    yield from state.quotas
    for agent in state.agents.values():
        yield from (kind.role for kind, _ in agent.total if kind.reservations)


def _count(found: dict[str, Use], framework: Framework) -> None:
    for role in framework.roles:
        found[role].frameworks.append(framework)
    for holding in (framework.tasks, framework.executors):
        for name, tally in holding.tallies.items():
            for role in _upwards(name):
                _add(found[role].allocated, scalars(tally.total))
    for offer in framework.offers.values():
        for role in _upwards(offer.role):
            _add(found[role].offered, scalars(offer.resources))


def scalars(bundle: Resources) -> Quantities:
    """Return a bundle's scalars by name, whatever they are reserved for."""
    found: Quantities = {}
    for kind, amount in bundle:
        if isinstance(amount, int):
            found[kind.name] = found.get(kind.name, 0) + amount
    return found


def _add(into: Quantities, amounts: Quantities) -> None:
    for name, amount in amounts.items():
        into[name] = into.get(name, 0) + amount


def weight_of(state: State, role: str) -> float:
    """Return a role's weight; 1 unless it was set."""
    return state.weights.get(role, 1.0)


def _floats(amounts: Quantities) -> Document:
    return {name: amount / 1000 for name, amount in sorted(amounts.items()) if amount}


def legacy_roles(state: State) -> Document:
    """Return /roles."""
    shown = []
    for role, use in known(state).items():
        shown.append(
            {
                "name": role,
                "weight": weight_of(state, role),
                "quota": _quota(state, role, use),
                "resources": _floats(_given(use)),
                "allocated": _floats(use.allocated),
                "offered": _floats(use.offered),
                "reserved": _floats(use.reserved),
                "frameworks": [each.id for each in use.frameworks],
            }
        )
    return {"roles": shown}


def _quota(state: State, role: str, use: Use) -> Document:
    config = state.quotas.get(role, QuotaConfig(role=role))
    return {
        "role": role,
        "guarantee": {name: scalar.value for name, scalar in config.guarantees.items()},
        "limit": {name: scalar.value for name, scalar in config.limits.items()},
        "consumed": _floats(use.consumed),
    }


def v1_roles(state: State) -> Document:
    """Return what GET_ROLES answers."""
    return {
        "roles": [
            {
                "name": role,
                "weight": weight_of(state, role),
                "frameworks": [v1.Id(value=each.id) for each in use.frameworks],
                "resources": [
                    v1.Resource(name=name, type="SCALAR", scalar=v1.Scalar(value=amount))
                    for name, amount in _floats(_given(use)).items()
                ],
            }
            for role, use in known(state).items()
        ]
    }


def _given(use: Use) -> Quantities:
    total = dict(use.allocated)
    _add(total, use.offered)
    return total


def weights(state: State) -> list[Document]:
    """Return /weights and the list in GET_WEIGHTS: those that were set."""
    return [{"weight": weight, "role": role} for role, weight in sorted(state.weights.items())]


def quota_status(state: State) -> Document:
    """Return /quota, which is the status in GET_QUOTA."""
    infos = [
        {
            "role": role,
            "guarantee": [
                v1.Resource(name=name, type="SCALAR", scalar=scalar)
                for name, scalar in config.guarantees.items()
            ],
        }
        for role, config in state.quotas.items()
    ]
    return {"infos": infos, "configs": list(state.quotas.values())}
