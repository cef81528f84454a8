"""From a container's spec to the agent's LAUNCH_CONTAINER payload.

An image runs by the agent's image support: `command` replaces its ENTRYPOINT and CMD, `args` only
its CMD, volumes are bind mounts. The reserved image `host` is a plain process in its sandbox, which
sees the machine's own files: a volume cannot appear at an absolute path there. It is linked at the
same path below the sandbox instead, and `COMITY_VOLUME_<NAME>` says where it is.
"""

import base64
import shlex
from collections.abc import Mapping
from decimal import Decimal

import msgspec

from comity.core.networks import BRIDGE
from comity.kube.node import actions, addresses, environment, pullsecrets, security
from comity.kube.node.environment import ConfigError
from comity.kube.node.state import Container, ContainerKind, Json, NodeFacts, Pod
from comity.resources import quantities
from comity.wire.mesos.base import UNLIMITED

HOST_IMAGE = "host"
_MIB = 1 << 20
_PROPAGATIONS = {"HostToContainer": "HOST_TO_CONTAINER", "Bidirectional": "BIDIRECTIONAL"}


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
        if login := login_of(pod):
            secret = {"type": "VALUE", "value": {"data": base64.b64encode(login).decode()}}
            info["mesos"]["image"]["docker"]["config"] = secret
    if spec.get("tty"):
        info["tty_info"] = {}
    if user := security.user(pod.spec, spec):
        command["user"] = user
    command["environment"] = {
        "variables": [
            {"name": name, "type": "VALUE", "value": value} for name, value in variables.items()
        ]
    }
    own = security.isolation(pod, spec, has_image=not is_host(container))
    payload: Json = {"command": command, "container": info, "isolation": own}
    if facts.logs is not None:
        payload["logs"] = msgspec.structs.asdict(facts.logs)
    payload.update(_resources(spec))
    if spec.get("stdin"):
        payload["stdin"] = True
    return payload


def login_of(pod: Pod) -> bytes:
    """Return the docker config of a pod's own credentials, empty when it brings none.

    Raises:
        ConfigError: a secret holds none.
    """
    assert pod.resolved is not None, "a container starts after its configuration is there"
    return pullsecrets.docker_config(pod.spec, pod.resolved)


def build_sandbox(pod: Pod, facts: NodeFacts) -> Json:
    """Return the payload of the container that the pod's containers are nested in.

    Raises:
        ConfigError: it cannot be made as the pod's spec says.
    """
    own = security.sandbox(pod)
    if sizes := security.memory_volumes(pod):
        own["memory_volumes"] = {
            volume_path(facts, pod.uid, name): size for name, size in sizes.items()
        }
    found = {"is_pod": True, "isolation": own, **_sandbox_resources(pod)}
    if addresses.has_own(pod, facts):
        found["container"] = {"type": "MESOS", "network_infos": [_network_info(pod)]}
    return found


def _network_info(pod: Pod) -> Json:
    ports = [port for each in pod.containers for port in each.spec.get("ports") or ()]
    mapped = [_mapping(port) for port in ports if port.get("hostPort")]
    return {"name": BRIDGE, "port_mappings": mapped}


def _mapping(port: Json) -> Json:
    found = {
        "host_port": port["hostPort"],
        "container_port": port["containerPort"],
        "protocol": str(port.get("protocol") or "TCP").lower(),
    }
    everywhere = port.get("hostIP") in (None, "", "0.0.0.0", "::")  # noqa: S104
    return found if everywhere else {**found, "host_ip": port["hostIP"]}


def ignored(pod: Pod) -> list[str]:
    """Return the fields of the spec that have no effect on this node, to be told in an event."""
    found = [*security.ignored(pod), *(["dnsConfig"] if pod.spec.get("dnsConfig") else ())]
    limits = [(each.spec.get("resources") or {}).get("limits") or {} for each in pod.containers]
    if any("ephemeral-storage" in one for one in limits):
        found.append("resources.limits.ephemeral-storage")
    empty = [one.get("emptyDir") or {} for one in pod.spec.get("volumes") or ()]
    if any(one.get("sizeLimit") and one.get("medium") != "Memory" for one in empty):
        found.append("emptyDir.sizeLimit on the disk")
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
    argv = [*command, *args]  # as of any image without an entry point
    if not argv:
        raise ConfigError("the image host runs nothing by itself: give `command` or `args`")
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


def _volume(mount: Json, path: str) -> Json:
    found: Json = {
        "mode": "RO" if mount.get("readOnly") else "RW",
        "container_path": mount["mountPath"],
    }
    mode = _PROPAGATIONS.get(mount.get("mountPropagation") or "")
    if mode is None:
        return {**found, "host_path": path}
    shown = {"path": path, "mount_propagation": {"mode": mode}}
    return {**found, "source": {"type": "HOST_PATH", "host_path": shown}}


def _image_info(spec: Json, mounts: list[tuple[Json, str]], message: str) -> Json:
    volumes = [_volume(mount, path) for mount, path in mounts]
    if message:
        shown = spec["terminationMessagePath"]
        volumes.append({"mode": "RW", "host_path": message, "container_path": shown})
    image = {
        "type": "DOCKER",
        "docker": {"name": spec.get("image") or ""},
    }
    return {"type": "MESOS", "mesos": {"image": image}, "volumes": volumes}


def _resources(spec: Json) -> Json:
    limits, requests = _limits_and_requests(spec)
    return _resources_payload(requests, limits)


def _limits_and_requests(spec: Json) -> tuple[dict[str, float], dict[str, float]]:
    given = spec.get("resources") or {}
    limits = _amounts(given.get("limits") or {})
    return limits, {**limits, **_amounts(given.get("requests") or {})}


def _resources_payload(requests: dict[str, float], limits: dict[str, float]) -> Json:
    payload: Json = {}
    if "mem" in requests and "mem" not in limits:
        limits = {**limits, "mem": UNLIMITED}  # a request alone holds nothing back
    if requests:
        payload["resources"] = [
            {"name": name, "type": "SCALAR", "scalar": {"value": value}}
            for name, value in requests.items()
        ]
    if limits:
        payload["limits"] = {name: {"value": value} for name, value in limits.items()}
    return payload


def _sandbox_resources(pod: Pod) -> Json:
    """Return what the containers may use together: limits only of what all of them limit."""
    kinds = (ContainerKind.MAIN, ContainerKind.SIDECAR)
    lasting = [_limits_and_requests(each.spec) for each in pod.of_kind(*kinds)]
    first = [_limits_and_requests(each.spec) for each in pod.of_kind(ContainerKind.INIT)]
    found: list[dict[str, float]] = []
    for place in (0, 1):
        totals: dict[str, float] = {}
        for name in ("cpus", "mem"):
            if place == 0 and not all(name in each[0] for each in lasting + first):
                continue
            together = sum(each[place].get(name, 0.0) for each in lasting)
            totals[name] = max(together, *(each[place].get(name, 0.0) for each in first), 0.0)
        found.append({name: value for name, value in totals.items() if value})
    return _resources_payload(found[1], found[0])


def _amounts(given: Json) -> dict[str, float]:
    amounts = {}
    if "cpu" in given:
        amounts["cpus"] = float(quantities.parse(given["cpu"]))
    if "memory" in given:
        amounts["mem"] = float(quantities.parse(given["memory"]) / Decimal(_MIB))
    return amounts
