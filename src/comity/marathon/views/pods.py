"""Pods as they are shown, and their status (`types/podStatus.raml`, `PodStatusConversion`)."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from comity.core.instants import Instant
from comity.marathon import pod_networking
from comity.marathon.state import Instance, Part, State, Termination
from comity.wire.marathon import timestamps
from comity.wire.marathon.errors import unknown_pod
from comity.wire.marathon.pods import Pod, PodContainer

Json = dict[str, Any]

_UNREACHABLE = "pod instance has become unreachable"
_UNHEALTHY = "at least one container is not healthy"


def pod_json(pod: Pod) -> Json:
    """Return a definition as it is shown."""
    found: Json = msgspec.to_builtins(pod)
    found.pop("versionInfo", None)
    return found


def pod_list(state: State) -> list[Json]:
    """Return the definitions of all pods."""
    return [pod_json(one) for one in state.pods.values()]


def find_pod(state: State, pod_id: str) -> Pod:
    """Return a pod.

    Raises:
        Refused: 404.
    """
    pod = state.pods.get(pod_id)
    if pod is None:
        raise unknown_pod(pod_id)
    return pod


def pod_versions(state: State, pod_id: str) -> list[str]:
    """Return a pod's versions, oldest first."""
    find_pod(state, pod_id)
    return sorted(state.pod_versions.get(pod_id, {}))


def pod_version(state: State, pod_id: str, version: str) -> Json:
    """Return one version of a pod."""
    found = state.pod_versions.get(pod_id, {}).get(version)
    if found is None:
        raise unknown_pod(pod_id, version)
    return pod_json(found)


# health


def is_well(state: State, instance: Instance) -> bool:
    """Whether a deployment may count on a pod's instance: it runs, and every check has passed."""
    if instance.condition != "Running":
        return False
    return all(_healthy(state, instance, one) is not False for one in instance.parts.values())


def _healthy(state: State, instance: Instance, part: Part) -> bool | None:
    """Return whether a container is well; None where nothing checks it, or it has ended."""
    container = _container(state, instance, part)
    if container is None or container.health_check is None or part.has_ended:
        return None
    return part.healthy is True


def _spec(state: State, instance: Instance) -> Pod | None:
    spec = state.spec_of(instance)
    return spec if isinstance(spec, Pod) else None


def _container(state: State, instance: Instance, part: Part) -> PodContainer | None:
    pod = _spec(state, instance)
    containers = pod.containers if pod is not None else ()
    return next((one for one in containers if one.name == part.container), None)


# status


def pod_statuses(state: State, now: Instant) -> list[Json]:
    """Return the status of every pod."""
    return [pod_status(state, one, now) for one in state.pods.values()]


def pod_status(state: State, pod: Pod, now: Instant) -> Json:
    """Return what a pod's instances are doing."""
    present = [one for one in state.of_app(pod.id).values() if one.parts]
    instances = [instance_status(state, one) for one in present]
    stable = sum(one["status"] == "STABLE" for one in instances)
    since = timestamps.render(max((one.since for one in present), default=now))
    return {
        "id": pod.id,
        "spec": pod_json(pod),
        "status": "STABLE" if stable >= pod.instances else "DEGRADED",
        "statusSince": since,
        "instances": instances,
        "terminationHistory": [_ended(one) for one in state.terminations.get(pod.id, ())],
        "lastUpdated": timestamps.render(now),
        "lastChanged": since,
    }


def instance_status(state: State, instance: Instance) -> Json:
    """Return the status of one instance."""
    status, message = _phase(state, instance)
    since = timestamps.render(instance.since)
    found: Json = {
        "id": instance.instance_id,
        "status": status,
        "statusSince": since,
        "conditions": [],
        "agentHostname": instance.host,
        "agentId": instance.agent_id,
        "resources": _resources(state, instance),
        "networks": _networks(instance.parts.values()),
        "containers": [
            _container_status(state, instance, task_id, part)
            for task_id, part in instance.parts.items()
        ],
        "specReference": f"/v2/pods{instance.app_id}::versions/{instance.version}",
        "localVolumes": [],
        "lastUpdated": since,
        "lastChanged": since,
        "role": instance.role,
    }
    if message is not None:
        found["message"] = message
    for name in ("region", "zone"):
        if f"@{name}" in instance.node:
            found[f"agent{name.capitalize()}"] = instance.node[f"@{name}"]
    return found


def _phase(state: State, instance: Instance) -> tuple[str, str | None]:
    if instance.condition == "Unreachable":
        return "DEGRADED", _UNREACHABLE
    if instance.leaving or instance.condition == "Killing":
        return "TERMINAL", None
    if instance.condition != "Running":
        return "STAGING", None
    return ("STABLE", None) if is_well(state, instance) else ("DEGRADED", _UNHEALTHY)


def _resources(state: State, instance: Instance) -> Json:
    """Return what the live containers hold together with their executor."""
    pod = _spec(state, instance)
    live = [one for one in instance.parts.values() if not one.has_ended]
    held = [_container(state, instance, one) for one in live]
    asked = [one.resources for one in held if one is not None]
    own = pod.executor_resources if pod is not None else None
    return {
        "cpus": round(sum(one.cpus for one in asked) + (own.cpus if own else 0.0), 6),
        "mem": sum(one.mem for one in asked) + (own.mem if own else 0.0),
        "disk": sum(one.disk for one in asked) + (own.disk if own else 0.0),
        "gpus": sum(one.gpus for one in asked),
    }


def _networks(parts: Iterable[Part]) -> list[Json]:
    """Return the networks that the containers are on, each once."""
    merged: dict[str | None, dict[str, None]] = {}
    for part in parts:
        for name, addresses in part.networks:
            merged.setdefault(name, {}).update(dict.fromkeys(addresses))
    return [
        ({} if name is None else {"name": name}) | {"addresses": list(addresses)}
        for name, addresses in merged.items()
    ]


def _container_status(state: State, instance: Instance, task_id: str, part: Part) -> Json:
    since = timestamps.render(part.since or instance.staged_at)
    container = _container(state, instance, part)
    found: Json = {
        "name": part.container,
        "status": part.state,
        "statusSince": since,
        "conditions": _conditions(state, instance, part, since),
        "containerId": task_id,
        "endpoints": _endpoints(state, instance, part),
        "lastUpdated": since,
        "lastChanged": since,
    }
    if container is not None and not part.has_ended:
        found["resources"] = msgspec.to_builtins(container.resources)
    if part.message:
        found["message"] = part.message
    if part.has_ended:
        found["termination"] = {"message": part.message}
    return found


def _conditions(state: State, instance: Instance, part: Part, since: str) -> list[Json]:
    """Return the condition `healthy` of a container that is checked and has run."""
    healthy = _healthy(state, instance, part)
    if healthy is None or part.state in ("TASK_STAGING", "TASK_STARTING"):
        return []
    reported = "reported" if part.healthy is not None else "unreported"
    return [
        {
            "name": "healthy",
            "value": "true" if healthy else "false",
            "reason": f"health-{reported}-by-mesos",
            "lastChanged": since,
            "lastUpdated": since,
        }
    ]


def _endpoints(state: State, instance: Instance, part: Part) -> list[Json]:
    pod, container = _spec(state, instance), _container(state, instance, part)
    if pod is None or container is None or part.has_ended:
        return []
    check = container.health_check
    checked = {one.endpoint for one in (check.http, check.tcp) if one} if check else set()
    found = []
    for one in pod_networking.opened(pod, container, part.ports):
        item: Json = {"name": one.endpoint.name}
        if one.host is not None:
            item["allocatedHostPort"] = one.host
        if one.endpoint.name in checked and part.healthy is not None:
            item["healthy"] = part.healthy
        found.append(item)
    return found


def _ended(one: Termination) -> Json:
    return {
        "instanceID": one.instance_id,
        "startedAt": timestamps.render(one.started_at),
        "terminatedAt": timestamps.render(one.terminated_at),
        "message": one.message,
        "containers": [
            {
                "containerId": task_id,
                "lastKnownState": part.state,
                "termination": {"message": part.message},
            }
            for task_id, part in one.parts.items()
        ],
    }


# instances, as kills answer with them


def instances_json(state: State, instances: Sequence[Instance]) -> list[Json]:
    """Return instances as `types/instance.raml` has them."""
    return [_instance_json(state, one) for one in instances]


def _instance_json(state: State, instance: Instance) -> Json:
    spec = state.spec_of(instance)
    checked = [_healthy(state, instance, one) for one in instance.parts.values()]
    results = [one for one in checked if one is not None]
    found: Json = {
        "condition": instance.condition,
        "since": timestamps.render(instance.since),
        "goal": "Decommissioned" if instance.leaving else "Running",
    }
    if instance.started_at is not None:
        found["activeSince"] = timestamps.render(instance.started_at)
    if results:
        found["healthy"] = all(results)
    agent = {"host": instance.host, "agentId": instance.agent_id, "attributes": []}
    return {
        "instanceId": instance.instance_id,
        "state": found,
        "agentInfo": agent,
        "runSpecVersion": instance.version,
        "unreachableStrategy": msgspec.to_builtins(spec.unreachable_strategy if spec else None),
    }
