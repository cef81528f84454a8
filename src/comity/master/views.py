"""How a master looks from outside: the JSON of Mesos's legacy endpoints and of its operator reads.

Here are the documents of single objects; whole answers are put together in `documents`.

Legacy JSON keeps the word "slave", flattens ids to strings and resources to an object in which the
four scalars are always present (mesos src/common/http.cpp). Everything here is built from the state
synchronously, in one piece, so that a document never mixes two moments.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from comity.core.ids import AgentId
from comity.master.config import VERSION
from comity.master.holdings import Holding
from comity.master.maintenance import key_of_agent
from comity.master.state import Agent, Executor, Framework, Offer, State, Task
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import codec, legacy, v1
from comity.wire.mesos import resources as wire_resources
from comity.wire.mesos.maintenance import ClusterStatus

if TYPE_CHECKING:
    from comity.master.documents import Show

Document = dict[str, Any]

AGENT_CAPABILITIES = (
    "MULTI_ROLE",
    "HIERARCHICAL_ROLE",
    "RESERVATION_REFINEMENT",
    "RESIZE_VOLUME",
    "AGENT_OPERATION_FEEDBACK",
    "AGENT_DRAINING",
    "TASK_RESOURCE_LIMITS",
)
"""What every agent of this version can."""


def _labels(labels: v1.Labels | None) -> list[v1.Label]:
    return list(labels.labels) if labels is not None else []


def task(framework: Framework, one: Task) -> legacy.Task:
    """Return a task as /state and /tasks show it."""
    info = one.info
    return legacy.Task(
        one.task_id,
        info.name,
        framework.id,
        info.executor_id.value if info.executor_id is not None else "",
        one.agent_id,
        one.state,
        legacy.flat_json(one.resources),
        one.role,
        [legacy.status(status) for status in one.statuses.values()],
        legacy.limits(info.limits) if info.limits else None,
        info.labels.labels if info.labels is not None else None,
        info.user,
        info.discovery,
        info.container,
        info.health_check,
    )


def written(one: Task) -> v1.Task:
    """Return a task as GET_TASKS shows it."""
    statuses = tuple(one.statuses.values())
    if not statuses:
        return codec.replace(one.info, state=one.state, statuses=())
    return codec.replace(
        one.info,
        state=one.state,
        statuses=statuses,
        status_update_state=one.forwarded,
        status_update_uuid=statuses[-1].uuid,
    )


def executor(framework: Framework, agent_id: str, one: Executor) -> Document:
    """Return an executor as /state and /frameworks show it."""
    shown: Document = {
        "executor_id": one.info.executor_id.value,
        "name": one.info.name or "",
        "framework_id": framework.id,
        "slave_id": agent_id,
        "command": _command(one.info.command),
        "resources": legacy.flat(one.resources),
        "role": one.role,
        "source": one.info.source or "",
    }
    if one.info.labels is not None:
        shown["labels"] = _labels(one.info.labels)
    if one.info.type is not None:
        shown["type"] = one.info.type.value
    return shown


def _command(command: v1.CommandInfo | None) -> Document:
    """Return a command; of a secret variable its name only."""
    if command is None:
        return {}
    shown: Document = {
        "shell": command.shell,
        "value": command.value or "",
        "argv": list(command.arguments),
        "uris": list(command.uris),
    }
    if command.environment is not None:
        variables = [_variable(one) for one in command.environment.variables]
        shown["environment"] = {"variables": variables}
    return shown


def _variable(one: v1.Variable) -> Document:
    if one.secret is not None:
        return {"name": one.name, "type": "SECRET"}
    return {"name": one.name, "value": one.value or ""}


def offer(one: Offer) -> Document:
    """Return an offer as /state and /frameworks show it."""
    return {
        "id": one.id,
        "framework_id": one.framework_id,
        "allocation_info": {"role": one.role},
        "slave_id": one.agent_id,
        "resources": legacy.flat(one.resources),
    }


def offered_to(framework: Framework) -> Resources:
    """Return the sum of a framework's outstanding offers."""
    total = NOTHING
    for offer in framework.offers.values():
        total = total + offer.resources
    return total


def framework(state: State, one: Framework, show: "Show") -> Document:
    """Return a framework as /state and /frameworks show it."""
    used, offered = one.used, offered_to(one)
    info = one.info
    shown: Document = {
        **framework_summary(one),
        "user": info.user,
        "failover_timeout": info.failover_timeout,
        "checkpoint": info.checkpoint,
        "registered_time": one.registered_at,
        "unregistered_time": one.unregistered_at or 0.0,
        **optional(principal=info.principal),
        "resources": legacy.flat(used + offered),
        # A framework is shown with the one of the two that it may use.
        **({"roles": info.roles} if "MULTI_ROLE" in one.capabilities else {"role": one.roles[0]}),
        "tasks": show.tasks(one, one.tasks),
        "unreachable_tasks": show.tasks(one, one.unreachable_tasks),
        "completed_tasks": show.tasks(one, one.completed_tasks),
        "offers": show.offers(one),
        "executors": show.executors(one),
        "offer_constraints": one.offer_constraints or {},
    }
    if info.labels is not None:
        shown["labels"] = _labels(info.labels)
    if one.reregistered_at is not None:
        shown["reregistered_time"] = one.reregistered_at
    return shown


def framework_summary(one: Framework) -> Document:
    """Return what /state-summary and /frameworks have in common, without counts.

    There is no `pid`, for the framework speaks HTTP; clients cannot read an empty one.
    """
    is_here = one.stream is not None
    return {
        "id": one.id,
        "name": one.info.name,
        "used_resources": legacy.flat(one.used),
        "offered_resources": legacy.flat(offered_to(one)),
        "capabilities": [each.type for each in one.info.capabilities],
        "hostname": one.info.hostname or "",
        "webui_url": one.info.webui_url or "",
        "active": is_here,
        "connected": is_here,
        "recovered": one.recovered,
    }


COUNTED = (
    "TASK_STAGING",
    "TASK_STARTING",
    "TASK_RUNNING",
    "TASK_KILLING",
    "TASK_FINISHED",
    "TASK_KILLED",
    "TASK_FAILED",
    "TASK_LOST",
    "TASK_ERROR",
    "TASK_UNREACHABLE",
)


def counts(holdings: Iterable[Holding[Any, Task]], rest: Iterable[Task] = ()) -> dict[str, int]:
    """Return how many tasks are in each state."""
    found = dict.fromkeys(COUNTED, 0)
    for holding in holdings:
        for state, number in holding.counts.items():
            if number:
                found[state.value] = found.get(state.value, 0) + number
    for one in rest:
        name = one.state.value
        found[name] = found.get(name, 0) + 1
    return found


def all_tasks(one: Framework) -> Iterable[Task]:
    """Return the tasks of a framework, live, unreachable and completed."""
    yield from one.tasks.values()
    yield from one.unreachable_tasks.values()
    yield from one.completed_tasks


def agent(state: State, one: Agent) -> Document:
    """Return an agent as /state and /state-summary show it."""
    offered = one.offered
    reserved, unreserved = legacy.by_reservation(one.total)
    shown: Document = {
        **recovered_agent(one.info),
        "pid": one.pid,
        "registered_time": one.registered_at,
        "resources": legacy.flat_json(one.total),
        "used_resources": legacy.flat_json(one.used),
        "offered_resources": legacy.flat_json(offered),
        "reserved_resources": reserved,
        "unreserved_resources": unreserved,
        "active": is_active(state, one),
        "connected": one.link is not None,
        "deactivated": one.id in state.deactivated,
        "version": VERSION,
        "capabilities": AGENT_CAPABILITIES,
    }
    if one.reregistered_at is not None:
        shown["reregistered_time"] = one.reregistered_at
    if one.id in state.draining:
        shown["drain_info"] = state.draining[one.id]
    shown.update(optional(estimated_drain_start_time_seconds=drain_started(state, one)))
    return shown


def agent_full(state: State, one: Agent) -> Document:
    """Return an agent as /slaves shows it: with resources as objects, too."""
    return {
        **agent(state, one),
        "unreserved_resources_full": _endpoint_resources(one.total, reserved=False),
        "reserved_resources_full": {
            role: _endpoint_resources(one.total, reserved=True, role=role)
            for role in sorted({kind.role for kind, _ in one.total if kind.reservations})
        },
        "used_resources_full": wire_resources.write_for_endpoints(one.used),
        "offered_resources_full": wire_resources.write_for_endpoints(one.offered),
    }


def _endpoint_resources(
    total: Resources, *, reserved: bool, role: str | None = None
) -> list[v1.Resource]:
    chosen = {
        kind: amount
        for kind, amount in total
        if bool(kind.reservations) == reserved and role in (None, kind.role)
    }
    return list(wire_resources.write_for_endpoints(Resources(chosen)))


def framework_in_summary(state: State, one: Framework, show: "Show") -> Document:
    """Return a framework as /state-summary shows it."""
    agents = set(one.tasks.places) | {agent_id for agent_id, _ in one.executors}
    for ended in (one.unreachable_tasks.values(), one.completed_tasks):
        agents |= {AgentId(each.info.agent_id.value) for each in ended}
    tasks = counts((one.tasks, one.unreachable_tasks), one.completed_tasks)
    return {**framework_summary(one), **tasks, "slave_ids": sorted(agents)}


def agent_in_summary(state: State, one: Agent) -> Document:
    """Return an agent as /state-summary shows it."""
    ids = {key[0] for key in one.tasks} | {key[0] for key in one.executors}
    return {**agent(state, one), **counts((one.tasks,)), "framework_ids": sorted(ids)}


def recovered_agent(info: v1.AgentInfo) -> Document:
    """Return what is known of an agent that is not back yet."""
    return {
        "id": info.id.value if info.id is not None else "",
        "hostname": info.hostname,
        "port": info.port,
        "attributes": legacy.attributes(info),
        **optional(domain=info.domain),
    }


def is_active(state: State, one: Agent) -> bool:
    """Whether an agent may be offered."""
    return one.link is not None and one.id not in state.deactivated


def active_agents(state: State) -> int:
    """Count the agents that are active, without a look at each."""
    away = (state.agents.get(one) for one in state.deactivated)
    return len(state.links) - sum(one is not None and one.link is not None for one in away)


def drain_started(state: State, one: Agent) -> int | None:
    """Return when an agent was told to drain, in whole seconds as Mesos."""
    if one.id not in state.draining or one.drain_started_at is None:
        return None
    return int(one.drain_started_at)


def optional(**fields: Any) -> Document:
    """Return the fields that are there."""
    return {name: value for name, value in fields.items() if value is not None}


def leader(info: v1.MasterInfo) -> Document:
    """Return a master as /state shows it."""
    return {
        "id": info.id,
        "pid": info.pid,
        "port": info.port,
        "hostname": info.hostname,
        **optional(domain=info.domain),
    }


def maintenance_status(state: State) -> ClusterStatus:
    """Return /maintenance/status."""
    agents = state.agents.values()
    return state.maintenance.status(
        (one.id, key_of_agent(one.info.hostname, one.ip)) for one in agents
    )
