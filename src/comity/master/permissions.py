"""Who may command what of a master, and see what, by its access control lists (`--acls`).

`refused` is asked before an operator's command becomes an input; `may_run`, `may_use_roles` and
`may_perform` by the handlers of schedulers' calls; `show_for` gives what a reader may see.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from comity.master import inputs
from comity.master.fragments import CACHED, Cached
from comity.master.state import Executor, Framework, State, Task
from comity.policy.authorization.acls import Acls, Action
from comity.policy.authorization.deciding import allows, allows_all
from comity.wire.mesos import administration, v1
from comity.wire.mesos import operator as wire

_PLAIN: dict[type, Action] = {
    inputs.AgentMarkedGone: Action.MARK_AGENT_GONE,
    inputs.AgentDrained: Action.DRAIN_AGENT,
    inputs.AgentDeactivated: Action.DEACTIVATE_AGENT,
    inputs.AgentReactivated: Action.REACTIVATE_AGENT,
    inputs.MaintenanceScheduled: Action.UPDATE_MAINTENANCE_SCHEDULE,
    inputs.MaintenanceStarted: Action.START_MAINTENANCE,
    inputs.MaintenanceStopped: Action.STOP_MAINTENANCE,
}
"""Commands whose rules are about who, not about what."""


def refused(state: State, item: Any, principal: str | None) -> bool:
    """Whether an operator may not give a command."""
    acls = state.acls
    match item:
        case inputs.TeardownRequested():
            framework = state.frameworks.get(item.framework_id)
            owner = framework.info.principal if framework is not None else None
            return not allows(acls, Action.TEARDOWN_FRAMEWORK, principal, owner)
        case inputs.QuotaUpdated():
            limited = [one.role for one in item.configs]
            return not allows_all(acls, Action.UPDATE_QUOTA, principal, limited)
        case inputs.QuotaSet():
            return not allows(acls, Action.UPDATE_QUOTA, principal, item.request.role)
        case inputs.QuotaRemoved():
            return not allows(acls, Action.UPDATE_QUOTA, principal, item.role)
        case inputs.WeightsUpdated():
            named = [one.role for one in item.infos]
            return not allows_all(acls, Action.UPDATE_WEIGHT, principal, named)
        case inputs.OperationRequested():
            return not may_perform(acls, principal, item.operation)
        case _:
            action = _PLAIN.get(type(item))
            return action is not None and not allows(acls, action, principal)


def may_perform(acls: Acls, principal: str | None, operation: v1.Operation) -> bool:
    """Whether somebody may do an operation with the resources that it names."""
    things: Iterable[str | None]
    if operation.reserve is not None and operation.reserve.source:
        released = list(map(_reserver, operation.reserve.source))
        if not allows_all(acls, Action.UNRESERVE_RESOURCES, principal, released):
            return False
    if operation.reserve is not None:
        action, things = Action.RESERVE_RESOURCES, map(_role, operation.reserve.resources)
    elif operation.unreserve is not None:
        action = Action.UNRESERVE_RESOURCES
        things = map(_reserver, operation.unreserve.resources)
    elif operation.create is not None:
        action, things = Action.CREATE_VOLUME, map(_role, operation.create.volumes)
    elif operation.destroy is not None:
        action, things = Action.DESTROY_VOLUME, map(_creator, operation.destroy.volumes)
    elif (resized := operation.grow_volume or operation.shrink_volume) is not None:
        action, things = Action.RESIZE_VOLUME, [_role(resized.volume)]
    else:
        return True
    return allows_all(acls, action, principal, list(things))


def _role(one: v1.Resource) -> str | None:
    return one.reservations[-1].role if one.reservations else one.role


def _reserver(one: v1.Resource) -> str | None:
    if one.reservations:
        return one.reservations[-1].principal
    return one.reservation.principal if one.reservation is not None else None


def _creator(one: v1.Resource) -> str | None:
    if one.disk is None or one.disk.persistence is None:
        return None
    return one.disk.persistence.principal


def may_use_roles(acls: Acls, info: v1.FrameworkInfo, roles: Iterable[str]) -> bool:
    """Whether a framework may subscribe to roles."""
    return allows_all(acls, Action.REGISTER_FRAMEWORK, info.principal, roles)


def may_run(acls: Acls, framework: Framework, task: v1.TaskInfo) -> str | None:
    """Return as which user a framework may not run a task; None when it may."""
    users = [_user(task.command, framework)]
    if task.executor is not None:
        users = [_user(task.executor.command, framework), _user(task.command, framework)]
    for user in users:
        if not allows(acls, Action.RUN_TASK, framework.info.principal, user):
            return user
    return None


def _user(command: v1.CommandInfo | None, framework: Framework) -> str:
    if command is not None and command.user:
        return command.user
    return framework.info.user


_READS: dict[type, Action] = {
    wire.GetFlags: Action.VIEW_FLAGS,
    administration.SetLoggingLevel: Action.SET_LOG_LEVEL,
    administration.GetMaintenanceSchedule: Action.GET_MAINTENANCE_SCHEDULE,
    administration.GetMaintenanceStatus: Action.GET_MAINTENANCE_STATUS,
}
"""Other calls of the operator API that may be refused."""

LOG = "/master/log"
"""What the files API shows of a master: its log."""


def refused_call(acls: Acls, call: wire.MasterCall, principal: str | None) -> bool:
    """Whether an operator may not make a call that is no command."""
    if isinstance(call, wire.ReadFile):
        return not may_read(acls, call.read_file.path, principal)
    if isinstance(call, wire.ListFiles):
        return not may_read(acls, call.list_files.path, principal)
    action = _READS.get(type(call))
    return action is not None and not allows(acls, action, principal)


def may_read(acls: Acls, path: str, principal: str | None) -> bool:
    """Whether somebody may read a path of the files API."""
    is_log = f"/{path.strip('/')}".startswith(LOG)
    return not is_log or allows(acls, Action.ACCESS_MESOS_LOG, principal)


def of_visible_roles(acls: Acls, action: Action, principal: str | None, document: Any) -> Any:
    """Return a document of roles, weights or quota without the roles that somebody may not see."""
    if not acls.has(action):
        return document
    return _without(
        msgspec.to_builtins(document), lambda role: allows(acls, action, principal, role)
    )


def _without(given: Any, sees: Callable[[str], bool]) -> Any:
    if isinstance(given, list):
        return [
            _without(one, sees)
            for one in given
            if not isinstance(one, dict) or sees(one.get("role") or one.get("name") or "*")
        ]
    if isinstance(given, dict):
        return {key: _without(value, sees) for key, value in given.items()}
    return given


_VIEWS = (Action.VIEW_FRAMEWORK, Action.VIEW_TASK, Action.VIEW_EXECUTOR, Action.VIEW_FLAGS)


def show_for(state: State, principal: str | None) -> Cached:
    """Return what makes documents of what a principal may see."""
    return Viewer(state.acls, principal) if state.acls.has(*_VIEWS) else CACHED


class Viewer(Cached):
    """Shows a principal what it may see."""

    sees_all_tasks = False

    def __init__(self, acls: Acls, principal: str | None) -> None:
        self._acls = acls
        self._principal = principal
        self.key = (principal,)

    def may_see_framework(self, framework: Framework) -> bool:
        """Whether the caller may see a framework at all."""
        return self._may(Action.VIEW_FRAMEWORK, framework.info.user)

    def may_see_task(self, framework: Framework, one: Task) -> bool:
        """Whether the caller may see a task of a framework that it may see."""
        return self._may(Action.VIEW_TASK, one.info.user or framework.info.user)

    def may_see_executor(self, framework: Framework, one: Executor) -> bool:
        """Whether the caller may see an executor of a framework that it may see."""
        return self._may(Action.VIEW_EXECUTOR, _user(one.info.command, framework))

    def may_see_flags(self) -> bool:
        """Whether the caller may see the master's settings."""
        return self._may(Action.VIEW_FLAGS, None)

    def _may(self, action: Action, thing: str | None) -> bool:
        return allows(self._acls, action, self._principal, thing)
