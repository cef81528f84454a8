"""Pieces of Mesos's legacy JSON that master and agent share (src/common/http.cpp).

Ids become strings, resources an object in which the four scalars are always present.
"""

import functools
from collections.abc import Mapping
from typing import Any

import msgspec

from comity.resources.amounts import Amount, Kind, Resources
from comity.wire.mesos import v1

Document = dict[str, Any]


@functools.lru_cache(maxsize=8192)
def flat(bundle: Resources) -> Document:
    """Return resources as legacy JSON has them: `{"cpus": 1.0, …, "ports": "[31000-32000]"}`.

    Equal bundles share a document: it is to be written, not changed.
    """
    milli = {"disk": 0, "mem": 0, "gpus": 0, "cpus": 0}
    others: dict[str, Resources] = {}
    for kind, amount in bundle:
        name = f"{kind.name}_revocable" if kind.revocable else kind.name
        if isinstance(amount, int):
            milli[name] = milli.get(name, 0) + amount
        else:
            plain = Resources({Kind(kind.name): amount})
            others[name] = others[name] + plain if name in others else plain
    shown: Document = {name: amount / 1000 for name, amount in milli.items()}
    for name, held in others.items():
        for _, amount in held:
            shown[name] = _flat_amount(amount)
    return shown


@functools.lru_cache(maxsize=8192)
def flat_json(bundle: Resources) -> msgspec.Raw:
    """Return the same, encoded."""
    return msgspec.Raw(msgspec.json.encode(flat(bundle)))


@functools.lru_cache(maxsize=8192)
def by_reservation(bundle: Resources) -> tuple[dict[str, msgspec.Raw], msgspec.Raw]:
    """Return what is reserved, by role, and what is not, encoded."""
    unreserved: dict[Kind, Amount] = {}
    reserved: dict[str, dict[Kind, Amount]] = {}
    for kind, amount in bundle:
        held = reserved.setdefault(kind.role, {}) if kind.reservations else unreserved
        held[kind] = amount
    shown = {role: flat_json(Resources(held)) for role, held in reserved.items()}
    return shown, flat_json(Resources(unreserved))


class Task(msgspec.Struct, gc=False, omit_defaults=True):
    """A task as a master's /state and /tasks show it; what is not set is left out."""

    id: str
    name: str
    framework_id: str
    executor_id: str
    slave_id: str
    state: v1.TaskState
    resources: msgspec.Raw
    role: str
    statuses: list["Status"]
    limits: Document | None = None
    labels: tuple[v1.Label, ...] | None = None
    user: str | None = None
    discovery: v1.DiscoveryInfo | None = None
    container: v1.ContainerInfo | None = None
    health_check: v1.HealthCheck | None = None


class Status(msgspec.Struct, gc=False, omit_defaults=True):
    """A status as tasks show it."""

    state: v1.TaskState
    timestamp: float
    labels: tuple[v1.Label, ...] | None = None
    container_status: v1.ContainerStatus | None = None
    healthy: bool | None = None


def _flat_amount(amount: Amount) -> str:
    if isinstance(amount, tuple):
        return "[" + ", ".join(f"{begin}-{end}" for begin, end in amount) + "]"
    assert isinstance(amount, frozenset)
    return "{" + ", ".join(sorted(amount)) + "}"


def attributes(agent: v1.AgentInfo) -> Document:
    """Return an agent's attributes by name."""
    shown: Document = {}
    for one in agent.attributes:
        if one.scalar is not None:
            shown[one.name] = one.scalar.value
        elif one.ranges is not None:
            pairs = (f"{each.begin}-{each.end}" for each in one.ranges.range)
            shown[one.name] = "[" + ", ".join(pairs) + "]"
        elif one.text is not None:
            shown[one.name] = one.text.value
    return shown


def limits(given: Mapping[str, v1.Scalar]) -> Document:
    """Return a task's limits; what is unlimited is a string, for JSON has no such number."""
    return {
        name: "Infinity" if one.value >= v1.UNLIMITED else one.value for name, one in given.items()
    }


def status(one: v1.TaskStatus) -> Status:
    """Return a status as tasks show it."""
    return Status(
        one.state,
        one.timestamp or 0.0,
        one.labels.labels if one.labels is not None else None,
        one.container_status,
        one.healthy,
    )
