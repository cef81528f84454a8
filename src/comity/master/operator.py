"""Answers of the v1 operator API, as plain documents of the documented shapes (master.proto)."""

from collections.abc import Iterable
from typing import Any

from comity.core import release
from comity.core.instants import Instant
from comity.master import documents, offer_views, roles, settings, views
from comity.master.config import VERSION
from comity.master.state import Agent, Framework, Operation, State
from comity.wire.mesos import administration, operator, resources, v1
from comity.wire.mesos.base import filled
from comity.wire.mesos.operations import UUID, OperationRecord

Document = dict[str, Any]


def answer(state: State, call: operator.MasterCall, show: documents.Show) -> Document | None:
    """Return the answer to a read, or None when the call is not a read of this module."""
    match call:
        case operator.GetHealth():
            return {"type": "GET_HEALTH", "get_health": {"healthy": True}}
        case operator.GetVersion():
            info = {"version": VERSION, **release.shown()}
            return {"type": "GET_VERSION", "get_version": {"version_info": info}}
        case operator.GetFlags():
            shown = [{"name": k, "value": v} for k, v in settings.flags(state).items()]
            return {"type": "GET_FLAGS", "get_flags": {"flags": shown}}
        case operator.GetMaster():
            times = {"start_time": state.started_at, "elected_time": state.started_at}
            return {"type": "GET_MASTER", "get_master": {"master_info": state.info, **times}}
        case operator.GetAgents():
            return {"type": "GET_AGENTS", "get_agents": _agents(state, show)}
        case operator.GetFrameworks():
            return {"type": "GET_FRAMEWORKS", "get_frameworks": _frameworks(state, show)}
        case operator.GetExecutors():
            return {"type": "GET_EXECUTORS", "get_executors": _executors(state, show)}
        case operator.GetTasks():
            return {"type": "GET_TASKS", "get_tasks": _tasks(state, show)}
        case operator.GetRoles():
            return {"type": "GET_ROLES", "get_roles": roles.v1_roles(state)}
        case administration.GetWeights():
            return {"type": "GET_WEIGHTS", "get_weights": {"weight_infos": roles.weights(state)}}
        case administration.GetQuota():
            return {"type": "GET_QUOTA", "get_quota": {"status": roles.quota_status(state)}}
        case operator.GetOperations():
            return {"type": "GET_OPERATIONS", "get_operations": _operations(state)}
        case administration.GetMaintenanceSchedule():
            schedule = {"schedule": state.maintenance.schedule}
            return {"type": "GET_MAINTENANCE_SCHEDULE", "get_maintenance_schedule": schedule}
        case administration.GetMaintenanceStatus():
            status = {"status": views.maintenance_status(state)}
            return {"type": "GET_MAINTENANCE_STATUS", "get_maintenance_status": status}
        case operator.GetState():
            return {"type": "GET_STATE", "get_state": whole_state(state, show)}
        case _:
            return None


def whole_state(state: State, show: documents.Show) -> Document:
    """Return what GET_STATE and the first event of a subscription hold."""
    return {
        "get_tasks": _tasks(state, show),
        "get_executors": _executors(state, show),
        "get_frameworks": _frameworks(state, show),
        "get_agents": _agents(state, show),
    }


def _agents(state: State, show: documents.Show) -> Document:
    agents = state.agents.values()
    return filled(
        agents=agents and show.agents(state, agents, agent, documents.agent_keys),
        recovered_agents=list(state.recovered_agents.values()),
    )


def agent(state: State, one: Agent) -> Document:
    """Return an agent as GET_AGENTS shows it."""
    drain_started = views.drain_started(state, one)
    return {
        "agent_info": one.info,
        "active": views.is_active(state, one),
        "deactivated": one.id in state.deactivated,
        "version": VERSION,
        "pid": one.pid,
        "registered_time": _time(one.registered_at),
        **views.optional(
            reregistered_time=_time(one.reregistered_at) if one.reregistered_at else None,
            drain_info=state.draining.get(one.id),
            estimated_drain_start_time=_time(drain_started) if drain_started else None,
        ),
        "capabilities": [{"type": each} for each in views.AGENT_CAPABILITIES],
        **filled(
            total_resources=resources.write_for_endpoints(one.total),
            allocated_resources=resources.write_for_endpoints(one.used),
            offered_resources=resources.write_for_endpoints(one.offered),
        ),
    }


def _time(at: Instant | int) -> v1.TimeInfo:
    return v1.TimeInfo(nanoseconds=int(at * 1e9))


def _frameworks(state: State, show: documents.Show) -> Document:
    def shown(held: Iterable[Framework]) -> Any:
        seen = [one for one in held if show.may_see_framework(one)]
        return seen and show.frameworks(state, seen, framework, documents.framework_key)

    return filled(
        frameworks=shown(state.frameworks.values()),
        completed_frameworks=shown(state.completed_frameworks.values()),
    )


def framework(state: State, one: Framework, show: documents.Show) -> Document:
    """Return a framework as GET_FRAMEWORKS shows it."""
    return {
        "framework_info": one.info,
        "active": one.stream is not None,
        "connected": one.stream is not None,
        "recovered": one.recovered,
        "registered_time": _time(one.registered_at),
        # Mesos starts with the same time for both, unlike its legacy documents.
        "reregistered_time": _time(one.reregistered_at or one.registered_at),
        **views.optional(
            unregistered_time=_time(one.unregistered_at) if one.unregistered_at else None,
        ),
        **filled(
            offers=one.offers and show.written_offers(state, one),
            inverse_offers=list(offer_views.inverse_offers_of(state, one)),
            allocated_resources=resources.write_for_endpoints(one.used),
            offered_resources=resources.write_for_endpoints(views.offered_to(one)),
        ),
        "offer_constraints": one.offer_constraints or {},
    }


def _operations(state: State) -> Document:
    held = (each for one in state.agents.values() for each in one.operations.values())
    return filled(operations=[_operation(each) for each in held])


def _operation(one: Operation) -> OperationRecord:
    framework_id = one.framework_id
    return OperationRecord(
        framework_id=v1.Id(value=framework_id) if framework_id is not None else None,
        agent_id=v1.Id(value=one.agent_id),
        info=one.info,
        latest_status=one.status,
        statuses=(one.status,) if one.status.uuid is not None else (),
        uuid=UUID(value=one.uuid),
    )


def _executors(state: State, show: documents.Show) -> Document:
    return filled(
        executors=[
            {"executor_info": each.info, "agent_id": {"value": agent_id}}
            for one in state.frameworks.values()
            if show.may_see_framework(one)
            for (agent_id, _), each in one.executors.items()
            if show.may_see_executor(one, each)
        ]
    )


def _tasks(state: State, show: documents.Show) -> Document:
    here = [one for one in state.frameworks.values() if show.may_see_framework(one)]
    gone = [one for one in state.completed_frameworks.values() if show.may_see_framework(one)]

    def shown(held: list[tuple[Framework, documents.Tasks]]) -> Any:
        seen = [(one, tasks) for one, tasks in held if show.sees_any(one, tasks)]
        return seen and show.written_tasks(seen)

    return filled(
        tasks=shown([(one, one.tasks) for one in here]),
        unreachable_tasks=shown([(one, one.unreachable_tasks) for one in here]),
        completed_tasks=shown([(one, one.completed_tasks) for one in (*here, *gone)]),
    )
