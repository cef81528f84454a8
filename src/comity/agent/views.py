"""How an agent looks from outside: the JSON of Mesos's legacy endpoints and operator reads."""

from typing import Any

from comity.agent.config import VERSION
from comity.agent.state import Executor, State, Task
from comity.core import release
from comity.resources.amounts import NOTHING, Resources
from comity.wire.mesos import legacy, resources, v1

Document = dict[str, Any]


def _task(executor: Executor, one: Task) -> Document:
    held = resources.read(one.info.resources)
    shown: Document = {
        "id": one.task_id,
        "name": one.info.name,
        "framework_id": executor.framework_id,
        "executor_id": executor.id,
        "slave_id": one.info.agent_id.value,
        "state": one.state,
        "role": min(resources.allocation_roles(one.info.resources), default="*"),
        "resources": legacy.flat(held),
        "statuses": [legacy.status(each) for each in one.statuses.values()],
    }
    if one.info.limits:
        shown["limits"] = legacy.limits(one.info.limits)
    if one.info.labels is not None:
        shown["labels"] = one.info.labels.labels
    for name in ("discovery", "container", "health_check"):
        value = getattr(one.info, name)
        if value is not None:
            shown[name] = value
    return shown


def held_by(executor: Executor) -> Resources:
    """Return what an executor and its live tasks hold."""
    total = executor.resources
    for task in executor.tasks.values():
        if not task.state.is_terminal:
            total = total + resources.read(task.info.resources)
    return total


def _executor(one: Executor) -> Document:
    queued = set(one.queued)
    live = [task for task in one.tasks.values() if not task.state.is_terminal]
    ended = [task for task in one.tasks.values() if task.state.is_terminal]
    return {
        "id": one.id,
        "name": one.info.name or "",
        "source": one.info.source or "",
        "container": one.container_id,
        "directory": str(one.directory),
        "resources": legacy.flat(held_by(one)),
        "type": "DEFAULT" if one.info.type is v1.ExecutorType.DEFAULT else "CUSTOM",
        "tasks": [_task(one, each) for each in live if each.task_id not in queued],
        "queued_tasks": [_task(one, each) for each in live if each.task_id in queued],
        "completed_tasks": [_task(one, each) for each in [*ended, *one.completed_tasks]],
    }


def whole_state(state: State) -> Document:
    """Return /state."""
    used = used_resources(state)
    return {
        "version": VERSION,
        **release.shown(),
        "id": state.id,
        "pid": f"slave(1)@{state.ip}:{state.info.port}",
        "hostname": state.info.hostname,
        "start_time": state.started_at,
        "master_hostname": state.master.hostname if state.master is not None else "",
        "resources": legacy.flat(state.total),
        "used_resources": legacy.flat(used),
        **_reserved("resources", state.total),
        **_reserved("resources_allocated", used),
        "attributes": legacy.attributes(state.info),
        "flags": flags(state),
        "frameworks": [_framework(state, one) for one in state.frameworks.values()],
        "completed_frameworks": [_framework(state, one) for one in completed_frameworks(state)],
    }


def _reserved(name: str, held: Resources) -> Document:
    """Return a bundle by who may use it, flat and in full."""
    reserved, unreserved = legacy.by_reservation(held)
    free = Resources({kind: amount for kind, amount in held if not kind.reservations})
    by_role: dict[str, Resources] = {}
    for kind, amount in held:
        if kind.reservations:
            by_role[kind.role] = by_role.get(kind.role, NOTHING) + Resources({kind: amount})
    shown: Document = {f"reserved_{name}": reserved, f"unreserved_{name}": unreserved}
    if name == "resources":
        shown["unreserved_resources_full"] = resources.write_for_endpoints(free)
        shown["reserved_resources_full"] = {
            role: resources.write_for_endpoints(each) for role, each in by_role.items()
        }
    return shown


def completed_frameworks(state: State) -> list[v1.FrameworkInfo]:
    """Return frameworks with nothing but ended executors here: their logs can still be read."""
    ended = {
        one.framework_id: one.framework
        for one in state.completed_executors
        if one.framework is not None and one.framework_id not in state.frameworks
    }
    return list(ended.values())


def _framework(state: State, info: v1.FrameworkInfo) -> Document:
    assert info.id is not None
    own = [one for key, one in state.executors.items() if key[0] == info.id.value]
    ended = [one for one in state.completed_executors if one.framework_id == info.id.value]
    return {
        "id": info.id.value,
        "name": info.name,
        "user": info.user,
        "checkpoint": info.checkpoint,
        "failover_timeout": info.failover_timeout,
        "hostname": info.hostname or "",
        "principal": info.principal or "",
        "capabilities": [one.type for one in info.capabilities],
        **_roles(info),
        "executors": [_executor(one) for one in own if not one.has_exited],
        "completed_executors": [_executor(one) for one in [*ended, *own] if one.has_exited],
    }


def _roles(info: v1.FrameworkInfo) -> Document:
    is_multi = any(one.type == "MULTI_ROLE" for one in info.capabilities)
    return {"roles": info.roles} if is_multi else {"role": info.role or "*"}


def used_resources(state: State) -> Resources:
    """Return what all executors and live tasks hold."""
    total = NOTHING
    for one in state.executors.values():
        if not one.has_exited:
            total = total + held_by(one)
    return total


def flags(state: State) -> dict[str, str]:
    """Return the settings as Mesos shows flags."""
    config = state.config
    return {
        "attributes": config.attributes,
        "docker_registry": config.docker_registry,
        "executor_registration_timeout": f"{config.executor_registration_timeout_s:g}secs",
        "gc_delay": f"{config.gc_delay_s:g}secs",
        "hostname": state.info.hostname,
        "ip": config.ip,
        "master": config.master,
        "port": str(state.info.port),
        "recovery_timeout": f"{config.recovery_timeout_s:g}secs",
        "work_dir": str(config.work_dir),
    }


def for_master(state: State) -> list[v1.Task]:
    """Return the tasks as the agent brings them to the master when it subscribes."""
    return [
        record(state, executor, task, shows_executor=not executor.is_command)
        for executor in state.executors.values()
        if not executor.is_orphaned
        for task in executor.tasks.values()
    ]


def record(state: State, executor: Executor, task: Task, *, shows_executor: bool = True) -> v1.Task:
    """Return a task as Mesos remembers it; a master knows nothing of command executors."""
    info = task.info
    first = task.pending[0] if task.pending else None
    return v1.Task(
        name=info.name,
        task_id=info.task_id,
        framework_id=v1.Id(value=executor.framework_id),
        agent_id=info.agent_id,
        state=task.state,
        executor_id=v1.Id(value=executor.id) if shows_executor else None,
        resources=info.resources,
        limits=info.limits,
        statuses=tuple(task.statuses.values()),
        status_update_state=first.status.state if first is not None else task.state,
        status_update_uuid=first.uuid if first is not None else None,
        labels=info.labels,
        discovery=info.discovery,
        container=info.container,
        health_check=info.health_check,
        kill_policy=info.kill_policy,
        max_completion_time=info.max_completion_time,
        user=_user(state, executor, info),
    )


def _user(state: State, executor: Executor, info: v1.TaskInfo) -> str | None:
    if info.command is not None and info.command.user:
        return info.command.user
    framework = state.frameworks.get(executor.framework_id)
    return framework.user if framework is not None else None
