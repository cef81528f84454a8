"""From a container's spec to the agent's LAUNCH_CONTAINER payload.

An image runs by the agent's image support: `command` replaces its ENTRYPOINT and CMD, `args` only
its CMD, volumes are bind mounts. The reserved image `host` is a plain process in its sandbox, which
sees the machine's own files: a volume cannot appear at an absolute path there. It is linked at the
same path below the sandbox instead, and `COMITY_VOLUME_<NAME>` says where it is.
"""

import shlex
from collections.abc import Mapping
from decimal import Decimal

from comity.kube.node import actions, environment
from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Container, Json, NodeFacts, Pod
from comity.resources import quantities

HOST_IMAGE = "host"
_MIB = 1 << 20
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_HANDLED = {"runAsUser", "runAsGroup", "runAsNonRoot"}


def volume_path(facts: NodeFacts, uid: str, name: str) -> str:
    """Return where a volume of a pod is on the machine, unless it is a hostPath."""
    return f"{facts.sandbox}/pods/{uid}/volumes/{name}"


def message_path(facts: NodeFacts, pod: Pod, container: Container, container_id: str) -> str:
    """Return where an incarnation's termination message is on the machine; plain ones have none."""
    if is_host(container) or not container.spec.get("terminationMessagePath"):
        return ""
    return f"{facts.sandbox}/pods/{pod.uid}/messages/{container_id}"


def is_host(container: Container) -> bool:
    """Whether the container is a plain process."""
    return container.spec.get("image") == HOST_IMAGE


def build(pod: Pod, container: Container, container_id: str, facts: NodeFacts) -> Json:
    """Return the payload but for its container id.

    Raises:
        ConfigError: the container cannot be configured as its spec says.
    """
    assert pod.resolved is not None, "a container starts after its configuration is there"
    spec = container.spec
    variables = environment.build(spec, pod, pod.resolved, facts)
    _check_handlers(spec, facts)
    mounts = _mounts(pod, spec, facts, variables)
    if is_host(container):
        command = _host_command(spec, variables, mounts)
        info: Json = {"type": "MESOS"}
    else:
        command = _image_command(spec, variables)
        info = _image_info(spec, mounts, message_path(facts, pod, container, container_id))
    if user := _user(pod.spec, spec):
        command["user"] = user
    command["environment"] = {
        "variables": [
            {"name": name, "type": "VALUE", "value": value} for name, value in variables.items()
        ]
    }
    payload: Json = {"command": command, "container": info}
    payload.update(_resources(spec))
    return payload


def ignored(pod: Pod) -> list[str]:
    """Return the fields of the spec that have no effect on this node, to be told in an event."""
    found = {
        f"securityContext.{name}"
        for part in (pod.spec, *(each.spec for each in pod.containers))
        for name, value in (part.get("securityContext") or {}).items()
        if value and name not in _HANDLED
    }
    for name in ("imagePullSecrets", "hostAliases", "dnsConfig", "shareProcessNamespace"):
        if pod.spec.get(name):
            found.add(name)
    return sorted(found)


def _check_handlers(spec: Json, facts: NodeFacts) -> None:
    for name in ("startupProbe", "livenessProbe", "readinessProbe"):
        if spec.get(name):
            actions.resolve(spec[name], spec, facts.ip)
    for handler in (spec.get("lifecycle") or {}).values():
        if isinstance(handler, dict):
            actions.resolve(handler, spec, facts.ip)


def _mounts(
    pod: Pod, spec: Json, facts: NodeFacts, variables: Mapping[str, str]
) -> list[tuple[Json, str]]:
    """Return each mount of the container with the path on the machine of what it shows."""
    volumes = {volume["name"]: volume for volume in pod.spec.get("volumes") or ()}
    mounts = []
    for mount in spec.get("volumeMounts") or ():
        volume = volumes.get(mount["name"])
        if volume is None:
            raise ConfigError(f'volumeMounts: the pod has no volume "{mount["name"]}"')
        source = (volume.get("hostPath") or {}).get("path")
        path = source or volume_path(facts, pod.uid, mount["name"])
        below = mount.get("subPath") or environment.expand(
            mount.get("subPathExpr") or "", variables
        )
        if ".." in below.split("/"):
            raise ConfigError(f"volumeMounts: subPath {below!r} must not contain '..'")
        mounts.append((mount, f"{path}/{below.lstrip('/')}" if below else path))
    return mounts


def _argv(spec: Json, variables: Mapping[str, str]) -> tuple[list[str], list[str]]:
    command = [environment.expand(each, variables) for each in spec.get("command") or ()]
    return command, [environment.expand(each, variables) for each in spec.get("args") or ()]


def _host_command(spec: Json, variables: dict[str, str], mounts: list[tuple[Json, str]]) -> Json:
    command, args = _argv(spec, variables)
    if not command:
        raise ConfigError("the image host has no entry point of its own: give `command`")
    variables.setdefault("PATH", _PATH)
    steps = []
    for mount, path in mounts:
        variables[f"COMITY_VOLUME_{_upper(mount['name'])}"] = path
        link = str(mount["mountPath"]).strip("/")
        if link and ".." not in link.split("/"):
            parent = link.rpartition("/")[0]
            if parent:
                steps.append(f"mkdir -p -- {shlex.quote(parent)}")
            steps.append(f"ln -sfn -- {shlex.quote(path)} {shlex.quote(link)}")
    if spec.get("workingDir"):
        steps.append(f"cd -- {shlex.quote(spec['workingDir'])}")
    argv = [*command, *args]
    if not steps:
        return {"shell": False, "value": argv[0], "arguments": argv}
    script = " && ".join((*steps, 'exec "$@"'))
    return {
        "shell": False,
        "value": "/bin/sh",
        "arguments": ["sh", "-c", script, "sh", *argv],
    }


def _upper(name: str) -> str:
    return name.upper().replace("-", "_").replace(".", "_")


def _image_command(spec: Json, variables: Mapping[str, str]) -> Json:
    command, args = _argv(spec, variables)
    info: Json = {"shell": False}
    if command:
        info["value"] = command[0]
        info["arguments"] = [*command, *args]
    elif args:
        info["arguments"] = args
    if spec.get("workingDir"):
        info["working_directory"] = spec["workingDir"]
    return info


def _image_info(spec: Json, mounts: list[tuple[Json, str]], message: str) -> Json:
    volumes = [
        {
            "mode": "RO" if mount.get("readOnly") else "RW",
            "host_path": path,
            "container_path": mount["mountPath"],
        }
        for mount, path in mounts
    ]
    if message:
        shown = spec["terminationMessagePath"]
        volumes.append({"mode": "RW", "host_path": message, "container_path": shown})
    image = {
        "type": "DOCKER",
        "docker": {"name": spec.get("image") or ""},
        "cached": spec.get("imagePullPolicy") != "Always",
    }
    return {"type": "MESOS", "mesos": {"image": image}, "volumes": volumes}


def _user(pod_spec: Json, spec: Json) -> str:
    context = {**(pod_spec.get("securityContext") or {}), **(spec.get("securityContext") or {})}
    user, group = context.get("runAsUser"), context.get("runAsGroup")
    if context.get("runAsNonRoot") and not user:
        raise ConfigError("runAsNonRoot needs a runAsUser other than 0 on this node")
    if user is None:
        return ""
    return f"{user}:{group}" if group is not None else str(user)


def _resources(spec: Json) -> Json:
    given = spec.get("resources") or {}
    limits = _amounts(given.get("limits") or {})
    requests = {**limits, **_amounts(given.get("requests") or {})}
    payload: Json = {}
    if requests:
        payload["resources"] = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}}
            for name, value in requests.items()
        ]
    if limits:
        payload["limits"] = {name: {"value": value} for name, value in limits.items()}
    return payload


def _amounts(given: Json) -> dict[str, float]:
    amounts = {}
    if "cpu" in given:
        amounts["cpus"] = float(quantities.parse(given["cpu"]))
    if "memory" in given:
        amounts["mem"] = float(quantities.parse(given["memory"]) / Decimal(_MIB))
    return amounts
