"""Pieces of Mesos's legacy JSON that master and agent share (src/common/http.cpp).

Ids become strings, resources an object in which the four scalars are always present.
"""

import functools
from collections.abc import Mapping
from typing import Any

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


def status(one: v1.TaskStatus) -> Document:
    """Return a status as tasks show it."""
    shown: Document = {"state": one.state, "timestamp": one.timestamp or 0.0}
    if one.labels is not None:
        shown["labels"] = list(one.labels.labels)
    if one.container_status is not None:
        shown["container_status"] = one.container_status
    if one.healthy is not None:
        shown["healthy"] = one.healthy
    return shown
