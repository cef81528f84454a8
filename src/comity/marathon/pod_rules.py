"""The rules of a pod definition, and the fields of pods that Comity does not yet serve.

As in `rules`: all that is wrong is found in one pass, and texts and paths of Marathon's own rules
(`PodsValidation`) are Marathon's.
"""

from collections.abc import Iterator
from typing import Any

from comity.marathon import networking, secrets
from comity.marathon.rules import check_limits, constraint_error, reserved_text
from comity.wire.marathon import ids
from comity.wire.marathon.errors import invalid
from comity.wire.marathon.reads import Errors, note

Draft = dict[str, Any]

_PERSISTENT = "persistent volumes are not supported yet; use a volume with host"
_GPUS = "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)"
_NUL = "must not contain a NUL character"
_NAME_REQUIRED = "Network name must be specified when container network is selected."
_ONE_STACK = (
    "May specify a single host network, single bridge network, or else 1-to-n container networks"
)
_ONE_CHECK = "Only one of http, tcp, or command may be specified"
_NAMES_LENGTH_MAX = 200
"""Of a pod's id and a container's name: Mesos takes ids of 255 characters (`wire.marathon.ids`)."""


def check(pod: Draft) -> None:
    """Check a complete draft.

    Raises:
        Refused: 422, with all that is wrong.
    """
    errors: Errors = {}
    _check_id(pod["id"], errors)
    _check_texts(pod, "", pod["secrets"], errors)
    _check_volumes(pod, errors)
    _check_networks(pod["networks"], errors)
    for index, container in enumerate(pod["containers"]):
        _check_container(pod, container, f"/containers({index})", errors)
    _check_together(pod, errors)
    _check_scheduling(pod, errors)
    _check_linux(pod.get("linuxInfo") or {}, "/linuxInfo", errors)
    if (pod.get("linuxInfo") or {}).get("seccomp"):
        text = "Seccomp configuration on executor level is not supported"
        note(errors, "/linuxInfo/seccomp", text)
    if errors:
        raise invalid(errors)


def _check_id(pod_id: str, errors: Errors) -> None:
    if not pod_id.startswith("/"):
        note(errors, "/id", "Path needs to be absolute")
    elif ids.resolve(pod_id) == "/":
        note(errors, "/id", "Path must contain at least one path element")
    elif pod_id.rpartition("/")[2] in ids.RESERVED:
        note(errors, "/id", reserved_text())


def _check_texts(one: Draft, path: str, declared: Draft, errors: Errors) -> None:
    """Check the user and the environment of a pod or a container."""
    if one.get("user") == "":
        note(errors, f"{path}/user", "must not be empty")
    elif "\0" in (one.get("user") or ""):
        note(errors, f"{path}/user", _NUL)
    environment = one.get("environment", {})
    secrets.check_environment(environment, declared, f"{path}/environment", errors)
    for name, value in environment.items():
        if isinstance(value, str) and "\0" in value:
            note(errors, f"{path}/environment/{name}", _NUL)
        if not name or "=" in name or "\0" in name:
            text = f"{name!r} is not a name for an environment variable"
            note(errors, f"{path}/environment", text)


def _check_volumes(pod: Draft, errors: Errors) -> None:
    mounted = {mount["name"] for one in pod["containers"] for mount in one.get("volumeMounts", ())}
    for index, volume in enumerate(pod["volumes"]):
        path = f"/volumes({index})"
        if volume.pop("persistent", None) is not None:
            note(errors, f"{path}/persistent", _PERSISTENT)
        if volume.get("secret") is not None:
            secrets.check_volume(volume["secret"], pod["secrets"], f"{path}/secret", errors)
            if volume.get("host"):
                note(errors, f"{path}/host", "must be empty where there is a secret")
        if volume["name"] not in mounted:
            note(errors, path, "volume must be referenced by at least one container")
        if "\0" in volume.get("host", ""):
            note(errors, f"{path}/host", _NUL)
    if _repeats([one["name"] for one in pod["volumes"]]):
        note(errors, "/volumes", "volume names must be unique")


def _check_networks(networks: list[Draft], errors: Errors) -> None:
    modes = [one["mode"] for one in networks]
    if len(networks) > 1 and set(modes) != {networking.CONTAINER}:
        note(errors, "/networks", _ONE_STACK)
    names = []
    for one in networks:
        name = one.get("name")
        if one["mode"] == networking.HOST and (name or one.get("labels")):
            note(errors, "/networks", "Host networks may not have names or labels")
        if one["mode"] == networking.BRIDGED and name:
            note(errors, "/networks", "Bridge networks may not have names")
        if one["mode"] == networking.CONTAINER and not name:
            note(errors, "/networks", _NAME_REQUIRED)
        names.append((one["mode"], name))
    if _repeats(names):
        note(errors, "/networks", "Duplicate networks are not allowed")


def _repeats(items: list[Any]) -> bool:
    return len(set(items)) < len(items)


# one container


def _check_container(pod: Draft, container: Draft, path: str, errors: Errors) -> None:
    _check_texts(container, path, pod["secrets"], errors)
    _check_commands(container, path, errors)
    if len(pod["id"]) + len(container["name"]) > _NAMES_LENGTH_MAX:
        text = f"must not have more than {_NAMES_LENGTH_MAX} characters together with the pod's id"
        note(errors, f"{path}/name", text)
    if container["resources"]["gpus"] > 0:
        note(errors, f"{path}/resources/gpus", _GPUS)
    if container.pop("check", None):
        text = "generic checks are not supported yet; use healthCheck"
        note(errors, f"{path}/check", text)
    image = container.get("image") or {}
    secrets.check_pull_config(image, pod["secrets"], f"{path}/image", errors)
    if "\0" in image.get("id", ""):
        note(errors, f"{path}/image/id", _NUL)
    limits = container.get("resourceLimits") or {}
    check_limits(limits, container["resources"], f"{path}/resourceLimits", errors)
    if limits and pod.get("legacySharedCgroups"):
        text = "resourceLimits cannot be defined if legacySharedCgroups is enabled"
        note(errors, f"{path}/resourceLimits", text)
    for index, endpoint in enumerate(container["endpoints"]):
        _check_endpoint(pod, endpoint, f"{path}/endpoints({index})", errors)
    _check_health(container, f"{path}/healthCheck", errors)
    known = {one["name"] for one in pod["volumes"]}
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount["name"] not in known:
            text = "Referenced Volume in VolumeMount should exist"
            note(errors, f"{path}/volumeMounts({index})/name", text)
        if "\0" in mount["mountPath"]:
            note(errors, f"{path}/volumeMounts({index})/mountPath", _NUL)
    _check_linux(container.get("linuxInfo") or {}, f"{path}/linuxInfo", errors)


def _check_commands(container: Draft, path: str, errors: Errors) -> None:
    """Check what is run: each container needs a command, or an image that brings one."""
    given = container.get("exec")
    if given is None and container.get("image") is None:
        note(errors, f"{path}/exec", "not defined: a container without an image needs a command")
    if (
        given is not None
        and given["command"].get("shell")
        and given.get("overrideEntrypoint") is False
    ):
        text = "must not be false when command.shell is set"
        note(errors, f"{path}/exec/overrideEntrypoint", text)
    check = (container.get("healthCheck") or {}).get("exec")
    for where, one in ((f"{path}/exec", given), (f"{path}/healthCheck/exec", check)):
        command = one["command"] if one is not None else {}
        if "\0" in command.get("shell", "") or any("\0" in arg for arg in command.get("argv", ())):
            note(errors, f"{where}/command", _NUL)


def _check_endpoint(pod: Draft, endpoint: Draft, path: str, errors: Errors) -> None:
    modes = [one["mode"] for one in pod["networks"]]
    has_port = endpoint.get("containerPort") is not None
    if networking.HOST in modes and has_port:
        note(errors, f"{path}/containerPort", "is not allowed when using host-mode networking")
    if networking.CONTAINER in modes and not has_port:
        note(errors, f"{path}/containerPort", "is required when using container-mode networking")
    if endpoint.get("containerPort") == 0 and endpoint.get("hostPort") is None:
        note(errors, f"{path}/containerPort", "must be set where there is no hostPort")
    names = endpoint.get("networkNames") or []
    known = {one.get("name") for one in pod["networks"]}
    if set(names) - known:
        note(errors, f"{path}/networkNames", "must be names of the pod's networks")
    is_mapped = modes.count(networking.CONTAINER) > 1 and endpoint.get("hostPort") is not None
    if is_mapped and len(names) != 1:
        text = (
            "networkNames must be a single item list when hostPort is specified and more than "
            "1 container network is defined"
        )
        note(errors, path, text)
    if _repeats(endpoint.get("protocol") or []):
        text = "Duplicate protocols within the same endpoint are not allowed"
        note(errors, f"{path}/protocol", text)


def _check_health(container: Draft, path: str, errors: Errors) -> None:
    given = container.get("healthCheck")
    if given is None:
        return
    if sum(given.get(name) is not None for name in ("http", "tcp", "exec")) != 1:
        note(errors, path, _ONE_CHECK)
    if given["timeoutSeconds"] >= given["intervalSeconds"]:
        text = f"got {given['timeoutSeconds']}, expected less than {given['intervalSeconds']}"
        note(errors, f"{path}/timeoutSeconds", text)
    known = {one["name"] for one in container["endpoints"]}
    for name in ("http", "tcp"):
        one = given.get(name)
        if one is not None and one["endpoint"] not in known:
            text = "contained in the container endpoints"
            note(errors, f"{path}/{name}/endpoint", text)


def _check_linux(info: Draft, path: str, errors: Errors) -> None:
    ipc, seccomp = info.get("ipcInfo") or {}, info.get("seccomp")
    if ipc.get("mode") == "SHARE_PARENT" and ipc.get("shmSize") is not None:
        text = "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT"
        note(errors, f"{path}/ipcInfo", text)
    if seccomp is not None and bool(seccomp.get("profileName")) == seccomp["unconfined"]:
        is_named = bool(seccomp.get("profileName"))
        text = (
            "Seccomp unconfined can NOT be true when Profile is defined"
            if is_named
            else "Seccomp unconfined must be true when Profile is NOT defined"
        )
        note(errors, f"{path}/seccomp", text)


# the whole


def _check_together(pod: Draft, errors: Errors) -> None:
    if _repeats([one["name"] for one in pod["containers"]]):
        note(errors, "/containers", "container names must be unique")
    endpoints = list(_endpoints(pod))
    if _repeats([one["name"] for one in endpoints]):
        note(errors, "/", "endpoint names nust be unique across all containers")
    if _repeats([one["containerPort"] for one in endpoints if one.get("containerPort")]):
        note(errors, "/", "container ports must be unique across all containers")
    if _repeats([one["hostPort"] for one in endpoints if one.get("hostPort")]):
        note(errors, "/", "host ports must be unique across all containers")


def _endpoints(pod: Draft) -> Iterator[Draft]:
    for container in pod["containers"]:
        yield from container["endpoints"]


def _check_scheduling(pod: Draft, errors: Errors) -> None:
    scheduling = pod["scheduling"]
    placement = scheduling["placement"]
    for index, one in enumerate(placement["constraints"]):
        value = [one["value"]] if one.get("value") is not None else []
        text = constraint_error([one["fieldName"], one["operator"], *value])
        if text:
            note(errors, f"/scheduling/placement/constraints({index})", text)
    if pod["role"] != "*":
        text = f"role {pod['role']} is not available to pods here; leave role out, or use *"
        note(errors, "/role", text)
    if set(placement["acceptedResourceRoles"]) - {"*", pod["role"]}:
        text = "acceptedResourceRoles can only contain *"
        note(errors, "/scheduling/placement/acceptedResourceRoles", text)
    unreachable = scheduling["unreachableStrategy"]
    if isinstance(unreachable, dict) and (
        unreachable["inactiveAfterSeconds"] > unreachable["expungeAfterSeconds"]
    ):
        text = "must be less than or equal to expungeAfterSeconds"
        note(errors, "/scheduling/unreachableStrategy/inactiveAfterSeconds", text)
