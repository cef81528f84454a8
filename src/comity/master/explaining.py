"""Why a framework gets no offers, and what of its calls was dropped: GET /explain (ours).

Mesos says such things in its log, if at all. Here they can be asked for.
"""

from typing import Any

from comity.core.instants import Instant
from comity.master.state import Framework, State
from comity.policy.allocator import Obstacle, RoleExplained
from comity.wire.mesos import v1

Document = dict[str, Any]

_AGENTS = {
    "OFFERABLE": "can be offered, in its turn among the frameworks that want the same",
    "NOTHING_FREE": "have nothing free",
    "INACTIVE": "are disconnected, deactivated or draining",
    "GPUS": "have GPUs, which are offered to frameworks with the GPU_RESOURCES capability only",
    "REGION": "are in another region; the REGION_AWARE capability is needed for those",
    "CONSTRAINTS": "do not meet the framework's offer constraints",
    "RESERVED": "have only what is reserved for other roles",
    "CAPABILITIES": "have only what needs the capability REVOCABLE_RESOURCES or "
    "RESERVATION_REFINEMENT",
    "TOO_LITTLE": "have less free than the framework's smallest offer (min_allocatable_resources)",
    "REFUSED": "were refused by the framework; REVIVE, or the filter's end, offers them again",
    "QUOTA": "have free resources, but the role's quota leaves nothing of them",
    "HELD_BACK": "have free resources, which are held back for the guarantees of other roles",
}
_FAILED = frozenset(
    {
        v1.TaskState.ERROR,
        v1.TaskState.FAILED,
        v1.TaskState.LOST,
        v1.TaskState.DROPPED,
        v1.TaskState.GONE,
        v1.TaskState.GONE_BY_OPERATOR,
        v1.TaskState.UNREACHABLE,
    }
)
_TASKS_MAX = 20


def explained(state: State, framework: Framework, now: Instant) -> Document:
    """Return how it stands for a framework."""
    roles = state.allocator.explain(framework.id, now)
    return {
        "framework_id": framework.id,
        "name": framework.info.name,
        "connected": framework.stream is not None,
        "outstanding_offers": len(framework.offers),
        "summary": _summary(state, framework, roles),
        "roles": [_role(state, one) for one in roles],
        "dropped": [
            {"time": one.at, "call": one.call, "reason": one.reason}
            for one in reversed(framework.dropped)
        ],
        "tasks": _failures(framework),
    }


def _summary(state: State, framework: Framework, roles: list[RoleExplained]) -> list[str]:
    """Return in sentences what keeps offers away, the most general first."""
    if framework.stream is None:
        return ["The scheduler is not connected: it gets no offers until it subscribes again."]
    if not framework.roles:
        return ["The framework has no roles, and so no offers."]
    if not state.agents:
        return ["No agent is registered with this master."]
    if state.paused_until is not None:
        return [
            "This master waits for more of its agents to come back before it offers anything, "
            "since there are quotas to keep."
        ]
    return [sentence for one in roles for sentence in _sentences(one)]


def _sentences(one: RoleExplained) -> list[str]:
    if one.state == "SUPPRESSED":
        return [f"Role '{one.role}' is suppressed: the framework gets no offers until REVIVE."]
    found = []
    if one.is_at_limit:
        found.append(f"Role '{one.role}' is at the limit of its quota.")
    if any(each.reason == "OFFERABLE" for each in one.obstacles):
        return [*found, f"Role '{one.role}' can be offered something in the next cycles."]
    found += [f"Role '{one.role}': {_text(each)}." for each in one.obstacles]
    return found


def _text(one: Obstacle) -> str:
    agents = "1 agent" if one.agents == 1 else f"{one.agents} agents"
    return f"{agents}: {_AGENTS[one.reason]}"


def _role(state: State, one: RoleExplained) -> Document:
    return {
        "role": one.role,
        "state": one.state,
        "share": one.share,
        "weight": state.weights.get(one.role, 1.0),
        "at_quota_limit": one.is_at_limit,
        "agents": [
            {
                "reason": each.reason,
                "count": each.agents,
                "text": _AGENTS[each.reason],
                "examples": [_name(state, agent_id) for agent_id in each.examples],
                **({"until": each.until} if each.until is not None else {}),
            }
            for each in one.obstacles
        ],
    }


def _name(state: State, agent_id: Any) -> Document:
    agent = state.agents.get(agent_id)
    return {"id": agent_id, "hostname": agent.info.hostname if agent is not None else ""}


def _failures(framework: Framework) -> list[Document]:
    """Return the last tasks that did not go well, with what was said of them."""
    held = [*framework.completed_tasks, *framework.unreachable_tasks.values()]
    failed = [one for one in held if one.state in _FAILED][-_TASKS_MAX:]
    found = []
    for one in reversed(failed):
        status = one.statuses.get(one.state)
        shown: Document = {"id": one.task_id, "state": one.state, "agent_id": one.agent_id}
        if status is not None:
            shown["time"] = status.timestamp
            shown["reason"] = status.reason
            shown["message"] = status.message or ""
        found.append(shown)
    return found
