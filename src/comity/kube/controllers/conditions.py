"""Status conditions: one of each type, with the time of its last change of status."""

from typing import Any

from comity.core.instants import Instant
from comity.wire.kubernetes import timestamps

Json = dict[str, Any]


def with_condition(
    conditions: list[Json],
    kind: str,
    status: str,
    reason: str,
    message: str,
    now: Instant,
    *,
    has_update_time: bool = True,
) -> list[Json]:
    """Return the conditions with one set; an equal one keeps its times."""
    held = next((each for each in conditions if each["type"] == kind), None)
    told = {"status": status, "reason": reason, "message": message}
    if held is not None and all(held.get(name) == value for name, value in told.items()):
        return conditions
    stamp = timestamps.render(now)
    changed = held is None or held.get("status") != status
    made: Json = {
        "type": kind,
        **told,
        "lastTransitionTime": stamp if changed else (held or {}).get("lastTransitionTime", stamp),
    }
    if has_update_time:
        made["lastUpdateTime"] = stamp
    if held is None:
        return [*conditions, made]
    return [made if each["type"] == kind else each for each in conditions]
