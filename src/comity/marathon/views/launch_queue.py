"""The launch queue, and why offers were not used."""

from typing import Any

from comity.core.instants import Instant
from comity.marathon.state import Attempts, State
from comity.marathon.views.apps import app_json
from comity.marathon.views.pods import pod_json
from comity.policy.placement import Reason
from comity.wire.marathon import timestamps
from comity.wire.marathon.pods import Pod

Json = dict[str, Any]


def queue(state: State, now: Instant, *, with_offers: bool) -> Json:
    """Return the launch queue: each app or pod that has instances waiting for an offer."""
    found = []
    for app_id, count in state.wanted.items():
        spec, attempts = state.spec(app_id), state.queue.get(app_id)
        if spec is None or attempts is None:
            continue
        left = max(0.0, attempts.delayed_until - now)
        item: Json = {
            "count": count,  # no role: there is one, and PyPI's client chokes on the field
            "delay": {"timeLeftSeconds": int(left + 0.999), "overdue": left <= 0},
            "since": timestamps.render(attempts.since),
            "processedOffersSummary": _offers_summary(attempts),
        }
        item |= {"pod": pod_json(spec)} if isinstance(spec, Pod) else {"app": app_json(spec)}
        if with_offers:
            item["lastUnusedOffers"] = _unused_offers(attempts)
        found.append(item)
    return {"queue": found}


def _unused_offers(attempts: Attempts) -> list[Json]:
    """Return each agent's last offer of no use; `message` is ours: its words on what it cannot."""
    found = []
    for agent_id, (at, reason) in attempts.last_reasons.items():
        entry: Json = {
            "offer": {"id": "", "hostname": "", "agentId": agent_id, "resources": []},
            "timestamp": timestamps.render(at),
            "reason": [reason.value],
        }
        if agent_id in attempts.inabilities:
            entry["message"] = attempts.inabilities[agent_id]
        found.append(entry)
    return found


def _offers_summary(attempts: Attempts) -> Json:
    last: dict[Reason, int] = {}
    for _, reason in attempts.last_reasons.values():
        last[reason] = last.get(reason, 0) + 1
    found: Json = {
        "processedOffersCount": attempts.processed,
        "unusedOffersCount": attempts.unused,
        "rejectSummaryLastOffers": _funnel(last, len(attempts.last_reasons)),
        "rejectSummaryLaunchAttempt": _funnel(attempts.reasons, attempts.processed),
    }
    if attempts.last_unused_at is not None:
        found["lastUnusedOfferAt"] = timestamps.render(attempts.last_unused_at)
    if attempts.last_used_at is not None:
        found["lastUsedOfferAt"] = timestamps.render(attempts.last_used_at)
    return found


def _funnel(declined: dict[Reason, int], processed: int) -> list[Json]:
    rows = []
    for reason in Reason:
        count = declined.get(reason, 0)
        rows.append({"reason": reason.value, "declined": count, "processed": processed})
        processed -= count
    return rows
