"""From what a caller wrote to a canonical pod: defaults filled in (Marathon's `PodNormalization`).

A draft is the untyped object that `wire.marathon.pod_reads` has read.
"""

from typing import Any

import msgspec

from comity.marathon import network_drafts, networking, pod_rules
from comity.wire.marathon import ids
from comity.wire.marathon.pods import Pod

Draft = dict[str, Any]

_BACKOFF = {"backoff": 1.0, "backoffFactor": 1.15, "maxLaunchDelay": 300.0}
_UPGRADE = {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 1.0}
_EXECUTOR = {"cpus": 0.1, "mem": 32.0, "disk": 10.0}


def canonical(draft: Draft, default_network: str = "") -> Pod:
    """Return the pod that a draft describes, still without a version.

    A container network that has no name is `default_network`.

    Raises:
        Refused: 422 with every rule that it breaks.
    """
    full = _complete(draft, default_network)
    pod_rules.check(full)
    return msgspec.convert(full | {"id": ids.resolve(full["id"])}, Pod)


def _complete(draft: Draft, default_network: str) -> Draft:
    full = dict(draft)
    full["scaling"] = full.get("scaling") or {"kind": "fixed", "instances": 1}
    full["scheduling"] = _scheduling(full.get("scheduling") or {})
    full["executorResources"] = full.get("executorResources") or dict(_EXECUTOR)
    full.setdefault("role", "*")
    full.setdefault("volumes", [])
    full.setdefault("secrets", {})
    full["networks"] = network_drafts.named(full.get("networks") or [], default_network)
    modes = {one["mode"] for one in full["networks"]}
    full["containers"] = [
        _container(one, mapped=networking.CONTAINER not in modes) for one in full["containers"]
    ]
    return full


def _scheduling(given: Draft) -> Draft:
    placement = given.get("placement") or {"constraints": [], "acceptedResourceRoles": []}
    return {
        "backoff": given.get("backoff") or dict(_BACKOFF),
        "upgrade": given.get("upgrade") or dict(_UPGRADE),
        "placement": {name: _distinct(items) for name, items in placement.items()},
        "killSelection": given.get("killSelection") or "YOUNGEST_FIRST",
        "unreachableStrategy": given.get("unreachableStrategy")
        or {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0},
    }


def _distinct(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def _container(given: Draft, *, mapped: bool) -> Draft:
    """Fill in the host's ports: any, unless the pod is on a network where nobody maps them."""
    full = dict(given)
    full["endpoints"] = [
        {**one, "hostPort": 0} if mapped and one.get("hostPort") is None else one
        for one in full.get("endpoints", [])
    ]
    return full
