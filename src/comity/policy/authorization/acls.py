"""The file of access control lists: for each action rules of who and on what, in order."""

import enum
from typing import Any, NamedTuple

import msgspec

from comity.core.errors import UserError


class Type(enum.Enum):
    """What an entity stands for."""

    SOME = "SOME"
    ANY = "ANY"
    NONE = "NONE"


class Entity(msgspec.Struct, frozen=True):
    """Who, or on what: some names, anything, or nothing."""

    type: Type = Type.SOME
    values: tuple[str, ...] = ()


ANY = Entity(Type.ANY)


class Rule(NamedTuple):
    """One rule: these principals on these objects."""

    principals: Entity
    objects: Entity


class Action(enum.Enum):
    """What one may be allowed to do; the value is the file's name of its list of rules."""

    REGISTER_FRAMEWORK = "register_frameworks"
    RUN_TASK = "run_tasks"
    TEARDOWN_FRAMEWORK = "teardown_frameworks"
    RESERVE_RESOURCES = "reserve_resources"
    UNRESERVE_RESOURCES = "unreserve_resources"
    CREATE_VOLUME = "create_volumes"
    DESTROY_VOLUME = "destroy_volumes"
    RESIZE_VOLUME = "resize_volumes"
    GET_QUOTA = "get_quotas"
    UPDATE_QUOTA = "update_quotas"
    UPDATE_WEIGHT = "update_weights"
    VIEW_ROLE = "view_roles"
    GET_ENDPOINT = "get_endpoints"
    VIEW_FRAMEWORK = "view_frameworks"
    VIEW_TASK = "view_tasks"
    VIEW_EXECUTOR = "view_executors"
    VIEW_FLAGS = "view_flags"
    VIEW_CONTAINER = "view_containers"
    ACCESS_SANDBOX = "access_sandboxes"
    ACCESS_MESOS_LOG = "access_mesos_logs"
    SET_LOG_LEVEL = "set_log_level"
    REGISTER_AGENT = "register_agents"
    MARK_AGENT_GONE = "mark_agents_gone"
    DRAIN_AGENT = "drain_agents"
    DEACTIVATE_AGENT = "deactivate_agents"
    REACTIVATE_AGENT = "reactivate_agents"
    UPDATE_MAINTENANCE_SCHEDULE = "update_maintenance_schedules"
    GET_MAINTENANCE_SCHEDULE = "get_maintenance_schedules"
    START_MAINTENANCE = "start_maintenances"
    STOP_MAINTENANCE = "stop_maintenances"
    GET_MAINTENANCE_STATUS = "get_maintenance_statuses"
    LAUNCH_NESTED_CONTAINER = "launch_nested_containers_under_parent_with_user"
    LAUNCH_NESTED_CONTAINER_SESSION = "launch_nested_container_sessions_under_parent_with_user"
    LAUNCH_NESTED_CONTAINER_AS_USER = "launch_nested_containers_as_user"
    LAUNCH_NESTED_CONTAINER_SESSION_AS_USER = "launch_nested_container_sessions_as_user"
    KILL_NESTED_CONTAINER = "kill_nested_containers"
    WAIT_NESTED_CONTAINER = "wait_nested_containers"
    REMOVE_NESTED_CONTAINER = "remove_nested_containers"
    ATTACH_CONTAINER_INPUT = "attach_containers_input"
    ATTACH_CONTAINER_OUTPUT = "attach_containers_output"
    LAUNCH_STANDALONE_CONTAINER = "launch_standalone_containers"
    KILL_STANDALONE_CONTAINER = "kill_standalone_containers"
    WAIT_STANDALONE_CONTAINER = "wait_standalone_containers"
    REMOVE_STANDALONE_CONTAINER = "remove_standalone_containers"
    VIEW_STANDALONE_CONTAINER = "view_standalone_containers"
    PRUNE_IMAGES = "prune_images"


_OBJECTS = {
    Action.REGISTER_FRAMEWORK: "roles",
    Action.TEARDOWN_FRAMEWORK: "framework_principals",
    Action.RESERVE_RESOURCES: "roles",
    Action.UNRESERVE_RESOURCES: "reserver_principals",
    Action.CREATE_VOLUME: "roles",
    Action.DESTROY_VOLUME: "creator_principals",
    Action.RESIZE_VOLUME: "roles",
    Action.GET_QUOTA: "roles",
    Action.UPDATE_QUOTA: "roles",
    Action.UPDATE_WEIGHT: "roles",
    Action.VIEW_ROLE: "roles",
    Action.GET_ENDPOINT: "paths",
    Action.VIEW_FLAGS: "flags",
    Action.ACCESS_MESOS_LOG: "logs",
    Action.SET_LOG_LEVEL: "level",
    Action.REGISTER_AGENT: "agents",
    Action.MARK_AGENT_GONE: "agents",
    Action.DRAIN_AGENT: "agents",
    Action.DEACTIVATE_AGENT: "agents",
    Action.REACTIVATE_AGENT: "agents",
    Action.UPDATE_MAINTENANCE_SCHEDULE: "machines",
    Action.GET_MAINTENANCE_SCHEDULE: "machines",
    Action.START_MAINTENANCE: "machines",
    Action.STOP_MAINTENANCE: "machines",
    Action.GET_MAINTENANCE_STATUS: "machines",
    Action.PRUNE_IMAGES: "images",
}
"""How a rule names its objects; all others are about users."""


class Acls(msgspec.Struct, frozen=True):
    """All rules, and what holds where none matches."""

    permissive: bool = True
    rules: dict[Action, tuple[Rule, ...]] = msgspec.field(default_factory=dict)

    def has(self, *actions: Action) -> bool:
        """Whether something may be refused for one of these actions."""
        return not self.permissive or any(self.rules.get(one) for one in actions)


PERMISSIVE = Acls()
"""What holds without a file: everything is allowed."""


def parse(text: bytes) -> Acls:
    """Return the access control lists in a JSON document.

    Raises:
        UserError: it is not one; an action that is not known is refused, not ignored.
    """
    try:
        given = msgspec.json.decode(text, type=dict[str, Any])
        permissive = msgspec.convert(given.pop("permissive", True), bool)
        known = {action.value: action for action in Action}
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise UserError(f"access control lists for unknown actions: {', '.join(unknown)}")
        rules = {known[name]: _rules(known[name], held) for name, held in given.items()}
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise UserError(f"the access control lists are invalid: {error}") from error
    return Acls(permissive, rules)


def _rules(action: Action, given: Any) -> tuple[Rule, ...]:
    found = []
    name = _OBJECTS.get(action, "users")
    for one in msgspec.convert(given, list[dict[str, Entity]]):
        for needed in ("principals", name):
            if needed not in one:
                raise UserError(f"a rule of '{action.value}' lacks '{needed}'")
        found.append(Rule(one["principals"], one[name]))
    return tuple(found)
