"""From what a caller wrote to a canonical app: old field names translated, defaults filled in.

A draft is the untyped object that `wire.marathon.app_reads` has read. Translation follows
Marathon's `AppNormalization`; what breaks a rule afterwards is found by `rules`.
"""

from typing import Any

import msgspec

from comity.marathon import network_drafts, rules
from comity.wire.marathon import ids
from comity.wire.marathon.apps import App

Draft = dict[str, Any]

SINGLE_INSTANCE_LABEL = "MARATHON_SINGLE_INSTANCE_APP"

_VERSION_FIELDS = {"version": "", "versionInfo": None}


def canonical(draft: Draft, default_network: str = "") -> App:
    """Return the app that a whole draft describes, still without a version.

    A container network that has no name is `default_network`.

    Raises:
        Refused: 422 with every rule that it breaks.
    """
    full = _complete(_migrated(draft), default_network)
    rules.check(full)
    return msgspec.convert(full, App)


def merged(app: App, update: Draft) -> Draft:
    """Return the draft of `app` with an update's fields in place of its own.

    Fields are replaced whole, as in Marathon: a new `container` keeps nothing of the old one.
    """
    draft: Draft = msgspec.to_builtins(app)
    draft.pop("versionInfo", None)
    if "ports" in update or "portDefinitions" in update:
        draft.pop("portDefinitions", None)
    if "uris" in update:
        draft.pop("fetch", None)
    network_drafts.make_way(draft, update)
    draft.update({name: value for name, value in update.items() if name not in ("id", "version")})
    if "portDefinitions" in update:
        draft.pop("ports", None)  # clients send both; of an update, Marathon reads this one
    return draft


def is_single_instance(draft: Draft) -> bool:
    """Whether a label says that there may never be two instances at once."""
    return bool(draft["labels"].get(SINGLE_INSTANCE_LABEL) == "true")


def _migrated(draft: Draft) -> Draft:
    """Translate `ports`, `uris`, `ipAddress` and Docker's network fields to their successors."""
    found = dict(draft)
    found["id"] = ids.resolve(found["id"])
    ports, definitions = found.pop("ports", None), found.get("portDefinitions")
    if ports is not None and definitions is None:
        found["portDefinitions"] = [{"port": port, "protocol": "tcp"} for port in ports]
    elif ports is not None and definitions is not None:
        found["bothPorts"] = [one["port"] for one in definitions] != ports
    network_drafts.migrate(found)
    uris = found.pop("uris", None)
    if uris and not found.get("fetch"):
        found["fetch"] = [_artifact(uri) for uri in uris]
    elif uris:
        found["bothFetches"] = True
    return found


def _artifact(uri: str) -> Draft:
    return {"uri": uri, "extract": True, "executable": False, "cache": False}


def _complete(draft: Draft, default_network: str) -> Draft:
    full = dict(draft) | _VERSION_FIELDS
    network_drafts.complete(full, default_network)
    full.setdefault("role", "*")
    full.setdefault("secrets", {})
    full.setdefault("unreachableStrategy", {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0})
    capacity = 0.0 if is_single_instance(full) else 1.0
    full.setdefault(
        "upgradeStrategy", {"maximumOverCapacity": capacity, "minimumHealthCapacity": capacity}
    )
    for name in ("constraints", "dependencies"):
        full[name] = _distinct(full.get(name, []))
    full["constraints"] = [
        [one[0], one[1].upper(), *one[2:]] if len(one) > 1 else one for one in full["constraints"]
    ]
    full["dependencies"] = [ids.resolve(one) for one in full["dependencies"]]
    full["healthChecks"] = [_health_check(one) for one in full.get("healthChecks", [])]
    return full


def _distinct(items: list[Any]) -> list[Any]:
    kept: list[Any] = []
    for item in items:
        if item not in kept:
            kept.append(item)
    return kept


def _health_check(check: Draft) -> Draft:
    full = dict(check)
    if full.get("command") is not None:
        full["protocol"] = "COMMAND"
    if full["protocol"] == "COMMAND":
        return full
    if full.get("port") is None and full.get("portIndex") is None:
        full["portIndex"] = 0
    if full["protocol"].endswith(("HTTP", "HTTPS")):
        full.setdefault("path", "/")
    if full["protocol"] in ("HTTP", "HTTPS"):
        full.setdefault("ignoreHttp1xx", False)
    return full
