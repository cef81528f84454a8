"""The reads of the agent's operator API (include/mesos/v1/agent/agent.proto)."""

from collections.abc import Mapping
from typing import Any

from comity.agent import statistics, views
from comity.agent.config import VERSION
from comity.agent.state import State
from comity.core import release
from comity.wire.mesos import operator, v1
from comity.wire.mesos.base import filled
from comity.wire.mesos.operations import UUID, OperationRecord

Document = dict[str, Any]


def metrics(numbers: Mapping[str, float]) -> Document:
    """Return the answer to GET_METRICS; some of the numbers only a shell knows."""
    pairs = [{"name": name, "value": value} for name, value in numbers.items()]
    return {"type": "GET_METRICS", "get_metrics": {"metrics": pairs}}


def answer(state: State, call: operator.AgentCall, usage: statistics.Usage) -> Document | None:
    """Return the answer to a read, or None when the call is none."""
    match call:
        case operator.GetHealth():
            return {"type": "GET_HEALTH", "get_health": {"healthy": True}}
        case operator.GetVersion():
            info = {"version": VERSION, **release.shown()}
            return {"type": "GET_VERSION", "get_version": {"version_info": info}}
        case operator.GetFlags():
            pairs = [{"name": k, "value": v} for k, v in views.flags(state).items()]
            return {"type": "GET_FLAGS", "get_flags": {"flags": pairs}}
        case operator.GetAgent():
            return {"type": "GET_AGENT", "get_agent": {"agent_info": state.info}}
        case operator.GetContainers(get_containers=body):
            shown = statistics.records(
                state,
                usage,
                nested=bool(body.show_nested),
                standalone=bool(body.show_standalone),
            )
            return {"type": "GET_CONTAINERS", "get_containers": filled(containers=shown)}
        case operator.GetOperations():
            return {"type": "GET_OPERATIONS", "get_operations": _operations(state)}
        case operator.GetResourceProviders():
            # Storage plugins (CSI) are not supported: there are none.
            return {"type": "GET_RESOURCE_PROVIDERS", "get_resource_providers": {}}
        case operator.GetFrameworks():
            return {"type": "GET_FRAMEWORKS", "get_frameworks": _frameworks(state)}
        case operator.GetExecutors():
            return {"type": "GET_EXECUTORS", "get_executors": _executors(state)}
        case operator.GetTasks():
            return {"type": "GET_TASKS", "get_tasks": _tasks(state)}
        case operator.GetState():
            whole = {
                "get_tasks": _tasks(state),
                "get_executors": _executors(state),
                "get_frameworks": _frameworks(state),
            }
            return {"type": "GET_STATE", "get_state": whole}
        case _:
            return None


def _operations(state: State) -> Document:
    """Return the operations whose statuses have not been acknowledged."""
    agent_id = v1.Id(value=state.id)
    shown = [
        OperationRecord(
            info=one.info,
            latest_status=one.status,
            uuid=UUID(value=one.uuid),
            framework_id=v1.Id(value=one.framework_id) if one.framework_id else None,
            agent_id=agent_id,
            statuses=(one.status,),
        )
        for one in state.operations.values()
    ]
    return filled(operations=shown)


def _frameworks(state: State) -> Document:
    completed = views.completed_frameworks(state)
    return filled(
        frameworks=[{"framework_info": one} for one in state.frameworks.values()],
        completed_frameworks=[{"framework_info": one} for one in completed],
    )


def _executors(state: State) -> Document:
    held = [*state.executors.values(), *state.completed_executors]
    live = [one.info for one in held if not one.has_exited]
    ended = [one.info for one in held if one.has_exited]
    return filled(
        executors=[{"executor_info": one} for one in live],
        completed_executors=[{"executor_info": one} for one in ended],
    )


def _tasks(state: State) -> Document:
    """Return the tasks by how far they are; a terminated one waits for its acknowledgement."""
    shown: dict[str, list[v1.Task]] = {
        "queued_tasks": [],
        "launched_tasks": [],
        "terminated_tasks": [],
        "completed_tasks": [],
    }
    for executor in [*state.executors.values(), *state.completed_executors]:
        for task in executor.tasks.values():
            kind = "launched_tasks"
            if task.state.is_terminal:
                kind = "terminated_tasks"
            elif task.task_id in executor.queued:
                kind = "queued_tasks"
            shown[kind].append(views.record(state, executor, task))
        for task in executor.completed_tasks:
            shown["completed_tasks"].append(views.record(state, executor, task))
    return filled(**shown)
