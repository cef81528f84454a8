"""Who may see and do what on an agent, by its access control lists (`--acls`).

An executor that proved itself by its token may do what it needs with containers below its own, and
nothing else, whatever the lists say (mesos: implicit authorization of executors).
"""

import dataclasses
from collections import deque
from typing import Any, NamedTuple

import msgspec

from comity.agent.handlers.nested import flat_id
from comity.agent.state import Container, Executor, State, Task
from comity.policy.authorization.acls import Acls, Action
from comity.policy.authorization.deciding import allows
from comity.wire.mesos import administration, operator, sessions, v1
from comity.wire.mesos import executor as executors

ENDPOINTS = {
    path: Action.GET_ENDPOINT
    for path in (
        "/containers",
        "/containerizer/debug",
        "/files/debug",
        "/logging/toggle",
        "/metrics/snapshot",
        "/monitor/statistics",
    )
} | {"/flags": Action.VIEW_FLAGS}
"""Paths that a rule may be about."""

_SANDBOX = ("frameworks", "executors", "runs")


class Caller(NamedTuple):
    """Who calls: a principal, or an executor by what its token says; neither is anybody."""

    principal: str | None
    claims: dict[str, str] | None = None


class _Rules(NamedTuple):
    """The actions of a kind of call: on containers below another, and on those of their own."""

    nested: Action
    standalone: Action
    as_user: Action | None = None
    """Asked, too, of a nested container whose command names a user."""


_LAUNCH = _Rules(
    Action.LAUNCH_NESTED_CONTAINER,
    Action.LAUNCH_STANDALONE_CONTAINER,
    Action.LAUNCH_NESTED_CONTAINER_AS_USER,
)
_SESSION = _Rules(
    Action.LAUNCH_NESTED_CONTAINER_SESSION,
    Action.LAUNCH_NESTED_CONTAINER_SESSION,
    Action.LAUNCH_NESTED_CONTAINER_SESSION_AS_USER,
)
_KILL = _Rules(Action.KILL_NESTED_CONTAINER, Action.KILL_STANDALONE_CONTAINER)
_WAIT = _Rules(Action.WAIT_NESTED_CONTAINER, Action.WAIT_STANDALONE_CONTAINER)
_REMOVE = _Rules(Action.REMOVE_NESTED_CONTAINER, Action.REMOVE_STANDALONE_CONTAINER)
_INPUT = _Rules(Action.ATTACH_CONTAINER_INPUT, Action.ATTACH_CONTAINER_INPUT)
_OUTPUT = _Rules(Action.ATTACH_CONTAINER_OUTPUT, Action.ATTACH_CONTAINER_OUTPUT)


def may_call(state: State, acls: Acls, caller: Caller, call: operator.AgentCall) -> bool:
    """Whether somebody may make a call of the operator API that names no container."""
    if caller.claims is not None:
        return False
    match call:
        case operator.GetFlags():
            return allows(acls, Action.VIEW_FLAGS, caller.principal)
        case administration.SetLoggingLevel():
            return allows(acls, Action.SET_LOG_LEVEL, caller.principal)
        case operator.PruneImages():
            return allows(acls, Action.PRUNE_IMAGES, caller.principal)
        case _:
            return True


def file_of(call: operator.AgentCall) -> str | None:
    """Return the path that a call of the files API names; None for other calls."""
    match call:
        case operator.ReadFile():
            return call.read_file.path
        case operator.ListFiles():
            return call.list_files.path
        case _:
            return None


def may_touch(state: State, acls: Acls, caller: Caller, call: operator.AgentCall) -> bool | None:
    """Whether somebody may make a call about a container; None for other calls."""
    found = _about(call)
    if found is None:
        return None
    rules, container_id, command = found
    name = "" if container_id is None else flat_id(container_id)
    root = name.partition(".")[0]
    if caller.claims is not None:
        return "." in name and root == caller.claims["cid"]
    owner = state.containers.get(root)
    user = _user_of_container(state, owner) if owner is not None else _command_user(command)
    is_nested = "." in name and (owner is None or owner.executor is not None)
    action = rules.nested if is_nested else rules.standalone
    if not allows(acls, action, caller.principal, user):
        return False
    wanted = _command_user(command)
    if rules.as_user is None or wanted is None or "." not in name:
        return True
    return allows(acls, rules.as_user, caller.principal, wanted)


_About = tuple[_Rules, v1.ContainerID | None, v1.CommandInfo | None]


def _about(call: operator.AgentCall) -> _About | None:
    match call:
        case operator.LaunchContainer(launch_container=launch):
            return _LAUNCH, launch.container_id, launch.command
        case operator.LaunchNestedContainer(launch_nested_container=launch):
            return _LAUNCH, launch.container_id, launch.command
        case sessions.LaunchNestedContainerSession(launch_nested_container_session=session):
            return _SESSION, session.container_id, session.command
        case operator.KillContainer(kill_container=kill):
            return _KILL, kill.container_id, None
        case operator.KillNestedContainer(kill_nested_container=kill):
            return _KILL, kill.container_id, None
        case operator.WaitContainer(wait_container=body):
            return _WAIT, body.container_id, None
        case operator.WaitNestedContainer(wait_nested_container=body):
            return _WAIT, body.container_id, None
        case operator.RemoveContainer(remove_container=body):
            return _REMOVE, body.container_id, None
        case operator.RemoveNestedContainer(remove_nested_container=body):
            return _REMOVE, body.container_id, None
        case sessions.AttachContainerOutput(attach_container_output=output):
            return _OUTPUT, output.container_id, None
        case sessions.AttachContainerInput(attach_container_input=given):
            return _INPUT, given.container_id, None
        case _:
            return None


def may_execute(state: State, caller: Caller, call: executors.Call) -> bool:
    """Whether an executor's call is from the executor that its token names."""
    if caller.claims is None:
        return True
    key = (caller.claims["fid"], caller.claims["eid"])
    if key != (call.framework_id.value, call.executor_id.value):
        return False
    for (framework_id, executor_id), one in state.executors.items():
        if (framework_id, executor_id) == key:
            return one.container_id == caller.claims["cid"]
    return True  # there is none any more, which the call will hear


def may_get(state: State, acls: Acls, caller: Caller, path: str, file: str | None) -> bool:
    """Whether somebody may read an endpoint; `file` is what the files API was asked for."""
    if caller.claims is not None:
        return path == "/images"  # whose containers it launches from images anyway
    if path.startswith("/files/") and file:
        return may_read(state, acls, caller, file)
    action = ENDPOINTS.get(path)
    if action is None:
        return True
    thing = path if action is Action.GET_ENDPOINT else None
    return allows(acls, action, caller.principal, thing)


LOG = "/slave/log"
"""The path of the agent's own log in its files API."""


def may_read(state: State, acls: Acls, caller: Caller, path: str) -> bool:
    """Whether somebody may read a path of the files API: a sandbox is its user's."""
    if path == LOG:
        return allows(acls, Action.ACCESS_MESOS_LOG, caller.principal)
    if not acls.has(Action.ACCESS_SANDBOX):
        return True
    found = _executor_of(state, path)
    if found is not None:
        return allows(acls, Action.ACCESS_SANDBOX, caller.principal, _user(state, found))
    if _is_sandbox(path):  # nobody remembers whose: only who may read all of them may read it
        acls = msgspec.structs.replace(acls, permissive=False)
    return allows(acls, Action.ACCESS_SANDBOX, caller.principal)


def _is_sandbox(path: str) -> bool:
    parts = path.strip("/").split("/")
    return all(name in parts[:-1] for name in _SANDBOX[:2])


def _executor_of(state: State, path: str) -> Executor | None:
    for one in (*state.executors.values(), *state.completed_executors):
        if f"{path}/".startswith(f"{one.directory}/"):
            return one
    if _is_sandbox(path):
        parts = path.strip("/").split("/")
        named = [parts[parts.index(name) + 1] for name in _SANDBOX[:2]]
        for one in (*state.executors.values(), *state.completed_executors):
            if [one.framework_id, one.id] == named:
                return one
    return None


# what is seen

_VIEWS = (Action.VIEW_FRAMEWORK, Action.VIEW_EXECUTOR, Action.VIEW_TASK)


def seen_by(state: State, acls: Acls, caller: Caller) -> State:
    """Return an agent's state without the frameworks, executors and tasks that are hidden."""
    if not acls.has(*_VIEWS):
        return state

    def may(action: Action, user: str | None) -> bool:
        return allows(acls, action, caller.principal, user)

    frameworks = {
        key: info for key, info in state.frameworks.items() if may(Action.VIEW_FRAMEWORK, info.user)
    }
    kept = {
        key: _with_seen_tasks(state, one, acls, caller)
        for key, one in state.executors.items()
        if key[0] in frameworks and may(Action.VIEW_EXECUTOR, _user(state, one))
    }
    ended = [
        _with_seen_tasks(state, one, acls, caller)
        for one in state.completed_executors
        if (one.framework is None or may(Action.VIEW_FRAMEWORK, one.framework.user))
        and may(Action.VIEW_EXECUTOR, _user(state, one))
    ]
    return dataclasses.replace(
        state, frameworks=frameworks, executors=kept, completed_executors=deque(ended)
    )


def with_seen_containers(state: State, acls: Acls, caller: Caller) -> State:
    """Return an agent's state without the containers that the caller may not see."""
    if not acls.has(Action.VIEW_CONTAINER):
        return state
    containers = {
        name: one
        for name, one in state.containers.items()
        if allows(acls, Action.VIEW_CONTAINER, caller.principal, _user_of_container(state, one))
    }
    kept = {key: one for key, one in state.executors.items() if one.container_id in containers}
    return dataclasses.replace(state, executors=kept, containers=containers)


def _with_seen_tasks(state: State, one: Executor, acls: Acls, caller: Caller) -> Executor:
    def sees(task: Task) -> bool:
        user = _command_user(task.info.command) or _user(state, one)
        return allows(acls, Action.VIEW_TASK, caller.principal, user)

    tasks = {key: task for key, task in one.tasks.items() if sees(task)}
    ended = deque(task for task in one.completed_tasks if sees(task))
    return dataclasses.replace(one, tasks=tasks, completed_tasks=ended)


def _user_of_container(state: State, one: Container) -> str | None:
    root: Any = state.containers.get(one.id.partition(".")[0], one)
    executor = state.executors.get(root.executor) if root.executor is not None else None
    return _user(state, executor) if executor is not None else root.spec.user


def _user(state: State, one: Executor) -> str | None:
    framework = one.framework or state.frameworks.get(one.framework_id)
    own = _command_user(one.info.command)
    return own or (framework.user if framework is not None else None)


def _command_user(command: v1.CommandInfo | None) -> str | None:
    return command.user if command is not None and command.user else None
