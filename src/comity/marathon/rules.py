"""The rules of an app definition, and the fields that Comity does not yet serve.

Each rule notes its texts under the path of what breaks it; all are found in one pass. Texts and
paths of Marathon's own rules are Marathon's, since scripts and tests compare them.
"""

import re
from typing import Any

from comity.marathon import network_drafts, secrets
from comity.wire.marathon import ids
from comity.wire.marathon.errors import invalid
from comity.wire.marathon.reads import Errors, note

Draft = dict[str, Any]

_OPERATORS = ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "MAX_PER", "UNLIKE", "IS")
_OPERATOR_TEXT = (
    "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
)
_IS_VALUE = re.compile(r"[a-zA-Z0-9_/.-]*")
_IS_TEXT = (
    "IS only supports Mesos text and float values "
    "(see http://mesos.apache.org/documentation/latest/attributes-resources/)"
)
_PORT_INDEX_TEXT = (
    "Health check port indices must address an element of the ports array "
    "or container port mappings."
)
_COMMAND_TEXT = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."

_UNSUPPORTED = {
    "check": "generic checks are not supported yet; use healthChecks",
    "executorResources": "custom executors are not supported; leave executorResources out",
    "readinessChecks": "readiness checks are not supported yet; use healthChecks",
    "residency": "resident apps are not supported yet; leave residency out",
}
_UNSUPPORTED_VOLUME = {
    "persistent": "persistent volumes are not supported yet; use a hostPath",
    "external": "there are no volume drivers; use a hostPath",
}


def check(app: Draft) -> None:
    """Check a complete draft.

    Raises:
        Refused: 422, with all that is wrong.
    """
    errors: Errors = {}
    _check_id(app, errors)
    _check_unsupported(app, errors)
    _check_command(app, errors)
    _check_texts(app, errors)
    secrets.check_environment(app.get("env", {}), app["secrets"], "/env", errors)
    _check_container(app, errors)
    check_limits(app.get("resourceLimits") or {}, app, "/resourceLimits", errors)
    network_drafts.check(app, errors)
    _check_ports(app, errors)
    _check_health(app, errors)
    _check_roles(app, errors)
    _check_strategies(app, errors)
    for index, constraint in enumerate(app["constraints"]):
        text = constraint_error(constraint)
        if text:
            note(errors, f"/constraints({index})", text)
    if app.pop("bothFetches", False):
        note(errors, "/uris", "may not be set in conjunction with fetch")
    if errors:
        raise invalid(errors)


def _check_id(app: Draft, errors: Errors) -> None:
    if app["id"] == "/":
        note(errors, "/", "must not be root")
    elif app["id"].rpartition("/")[2] in ids.RESERVED:
        note(errors, "/id", reserved_text())
    if app["id"] in app["dependencies"]:
        note(errors, "/dependencies", "Dependency graph has cyclic dependencies.")


def reserved_text() -> str:
    """Return what is wrong with an id that the routes of the API keep for themselves."""
    return f"must not end with any of the reserved keywords: {', '.join(sorted(ids.RESERVED))}"


def _check_unsupported(app: Draft, errors: Errors) -> None:
    _refuse_known(app, _UNSUPPORTED, "", errors)
    if app["gpus"] > 0:
        note(
            errors,
            "/gpus",
            "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)",
        )
    if app["executor"] not in ("", "//cmd"):
        note(errors, "/executor", "only the command executor is supported: leave executor out")


def _refuse_known(found: Draft, texts: dict[str, str], path: str, errors: Errors) -> None:
    for name, text in texts.items():
        if found.get(name):
            note(errors, f"{path}/{name}", text)
        found.pop(name, None)


def _check_command(app: Draft, errors: Errors) -> None:
    has_cmd, has_args = bool(app.get("cmd")), bool(app.get("args"))
    if has_cmd == has_args and (has_cmd or not app.get("container")):
        note(errors, "/", _COMMAND_TEXT)


def _check_texts(app: Draft, errors: Errors) -> None:
    """Refuse what no process can be given: NUL bytes, and `=` in a variable's name."""
    text = "must not contain a NUL character"
    for path, value in (("/cmd", app.get("cmd")), ("/user", app.get("user"))):
        if value and "\0" in value:
            note(errors, path, text)
    if any("\0" in one for one in app.get("args", ())):
        note(errors, "/args", text)
    for name, value in app.get("env", {}).items():
        if not name or "=" in name or "\0" in name:
            note(errors, "/env", f"{name!r} is not a name for an environment variable")
        elif isinstance(value, str) and "\0" in value:
            note(errors, f"/env/{name}", text)


def _check_container(app: Draft, errors: Errors) -> None:
    container = app.get("container")
    if not container:
        return
    _check_volumes(container, app["secrets"], errors)
    docker = container.get("docker")
    if docker is None:
        if container["type"] == "DOCKER":
            note(errors, "/container/docker", "not defined")
        return
    if container["type"] == "MESOS" and (docker["privileged"] or docker["parameters"]):
        name = "privileged" if docker["privileged"] else "parameters"
        note(errors, f"/container/docker/{name}", "must be empty unless the type is DOCKER")
    _check_puller(container, docker, app, errors)


def _check_puller(container: Draft, docker: Draft, app: Draft, errors: Errors) -> None:
    given = [name for name in ("credential", "pullConfig") if docker.get(name)]
    if container["type"] == "DOCKER":
        for name in given:
            text = "must be empty unless the type is MESOS; fetch a docker.tar.gz instead"
            note(errors, f"/container/docker/{name}", text)
    elif len(given) > 1:
        note(errors, "/container/docker", "must have only one of credential and pullConfig")
    else:
        secrets.check_pull_config(docker, app["secrets"], "/container/docker", errors)


def _check_volumes(container: Draft, declared: Draft, errors: Errors) -> None:
    for index, volume in enumerate(container["volumes"]):
        path = f"/container/volumes({index})"
        is_refused = bool(set(volume) & set(_UNSUPPORTED_VOLUME))
        _refuse_known(volume, _UNSUPPORTED_VOLUME, path, errors)
        if volume.get("secret") is not None:
            secrets.check_volume(volume["secret"], declared, path, errors)
            volume.pop("mode", None)  # its default means nothing here
            if volume.get("hostPath"):
                note(errors, f"{path}/hostPath", "must be empty where there is a secret")
        elif not volume.get("hostPath") and not is_refused:
            note(errors, f"{path}/hostPath", "not defined")


def check_limits(limits: Draft, asked: Draft, path: str, errors: Errors) -> None:
    """Refuse limits below what is asked for, as Marathon does."""
    for name, limit in limits.items():
        if isinstance(limit, int | float) and limit < asked[name]:
            least = f"{limit} < {asked[name]}"
            text = f"resource limit must be greater than or equal to requested: {least}"
            note(errors, f"{path}/{name}", text)


def _check_ports(app: Draft, errors: Errors) -> None:
    definitions = app["portDefinitions"]
    names = [one["name"] for one in definitions if one.get("name")]
    fixed = [one["port"] for one in definitions if one["port"]]
    if len(set(names)) < len(names):
        note(errors, "/portDefinitions", "Port names must be unique.")
    if len(set(fixed)) < len(fixed):
        note(errors, "/portDefinitions", "Ports must be unique.")
    if app.pop("bothPorts", False):
        note(errors, "/", "cannot specify both ports and port definitions")


def _check_health(app: Draft, errors: Errors) -> None:
    count = network_drafts.count_ports(app)
    agents = 0
    for index, one in enumerate(app["healthChecks"]):
        path = f"/healthChecks({index})"
        if one["protocol"] == "COMMAND":
            agents += 1
            if not one.get("command"):
                note(errors, f"{path}/command", "not defined")
            continue
        agents += one["protocol"].startswith("MESOS_")
        if one.get("port") is None and one["portIndex"] >= count:
            note(errors, path, _PORT_INDEX_TEXT)
        if one["ipProtocol"] != "IPv4":
            note(errors, f"{path}/ipProtocol", "only IPv4 is supported yet")
    if agents > 1:
        note(errors, "/", "AppDefinition can contain at most one Mesos health check")


def _check_roles(app: Draft, errors: Errors) -> None:
    if app["role"] != "*":
        text = f"role {app['role']} is not available to apps here; leave role out, or use *"
        note(errors, "/role", text)
    accepted = app.get("acceptedResourceRoles")
    if accepted is None:
        return
    if not accepted:
        note(errors, "/acceptedResourceRoles", "must not be empty")
    elif any(role != "*" for role in accepted):
        text = "acceptedResourceRoles can only contain * and the app's own role (*)"
        note(errors, "/acceptedResourceRoles", text)


def _check_strategies(app: Draft, errors: Errors) -> None:
    unreachable = app["unreachableStrategy"]
    if isinstance(unreachable, dict) and (
        unreachable["inactiveAfterSeconds"] > unreachable["expungeAfterSeconds"]
    ):
        text = "must be less than or equal to expungeAfterSeconds"
        note(errors, "/unreachableStrategy/inactiveAfterSeconds", text)
    if app["labels"].get("MARATHON_SINGLE_INSTANCE_APP") != "true":
        return
    if app["instances"] > 1:
        note(errors, "/", "Single instance app may only have one instance")
    for name, value in app["upgradeStrategy"].items():
        if value != 0:
            note(errors, f"/upgradeStrategy/{name}", f"got {value}, expected 0.0")


def constraint_error(constraint: list[str]) -> str | None:
    """Return what is wrong with one constraint, or None."""
    if not 2 <= len(constraint) <= 3:
        return "Each constraint must have either 2 or 3 fields"
    field, operator, *values = constraint
    if not field:
        return "illegal constraint specification"
    if operator not in _OPERATORS:
        return _OPERATOR_TEXT
    return _value_error(operator, values[0] if values else None)


def _value_error(operator: str, value: str | None) -> str | None:
    match operator:
        case "UNIQUE":
            return "UNIQUE does not accept a value" if value is not None else None
        case "GROUP_BY":
            text = "GROUP BY must define an integer value or else no value at all"
            return None if value is None or _is_integer(value) else text
        case "MAX_PER":
            return None if value and _is_integer(value) else "MAX_PER requires an integer value"
        case "LIKE" | "UNLIKE":
            return _pattern_error(value)
        case "IS":
            return None if _IS_VALUE.fullmatch(value or "") else _IS_TEXT
        case _:
            return None


def _is_integer(text: str) -> bool:
    return re.fullmatch(r"[+-]?[0-9]{1,9}", text) is not None


def _pattern_error(value: str | None) -> str | None:
    if value is None:
        return "LIKE and UNLIKE require a non-empty, regular expression value"
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError):
        return "is not a valid regular expression"
    return None
