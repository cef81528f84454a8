"""Tasks: where they run, since when, and how well."""

from collections.abc import Iterable
from typing import Any

from comity.marathon import service_ports
from comity.marathon.state import Health, Instance, State
from comity.marathon.views import pods
from comity.wire.marathon import timestamps
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import unknown_app

Json = dict[str, Any]

MESOS_STATES = {
    "Staging": "TASK_STAGING",
    "Starting": "TASK_STARTING",
    "Running": "TASK_RUNNING",
    "Killing": "TASK_KILLING",
    "Unreachable": "TASK_UNREACHABLE",
}


def is_healthy(state: State, instance: Instance) -> bool:
    """Whether a deployment may count on an instance: running, and alive by every health check."""
    if instance.condition != "Running":
        return False
    if instance.parts:
        return pods.is_well(state, instance)
    app = state.spec_of(instance)
    checks = app.health_checks if app else ()
    if not checks:
        return True
    found = state.healths.get(instance.task_id, [])
    return len(found) >= len(checks) and all(one.alive for one in found)


def has_result(health: Health) -> bool:
    """Whether a check has been made at all."""
    return health.last_success is not None or health.last_failure is not None


def task_json(state: State, instance: Instance) -> Json:
    """Return one task."""
    app = state.spec_of(instance)
    found: Json = {
        "appId": instance.app_id,
        "healthCheckResults": [
            health_json(instance, one)
            for one in state.healths.get(instance.task_id, [])
            if has_result(one)
        ],
        "host": instance.host,
        "id": instance.task_id,
        "ipAddresses": [_address(one) for one in instance.addresses or (instance.host,)],
        "ports": list(instance.ports),
        "servicePorts": service_ports.of_app(app) if isinstance(app, App) else [],
        "slaveId": instance.agent_id,
        "state": MESOS_STATES[instance.condition],
        "stagedAt": timestamps.render(instance.staged_at),
        "version": instance.version,
        "localVolumes": [],
        "role": instance.role,
    }
    if instance.started_at is not None:
        found["startedAt"] = timestamps.render(instance.started_at)
    for name in ("region", "zone"):
        if f"@{name}" in instance.node:
            found[name] = instance.node[f"@{name}"]
    return found


def _address(text: str) -> Json:
    return {"ipAddress": text, "protocol": "IPv6" if ":" in text else "IPv4"}


def health_json(instance: Instance, health: Health) -> Json:
    """Return the result of one health check."""
    found: Json = {
        "alive": health.alive,
        "consecutiveFailures": health.consecutive_failures,
        "instanceId": instance.instance_id,
    }
    for name, at in (
        ("firstSuccess", health.first_success),
        ("lastSuccess", health.last_success),
        ("lastFailure", health.last_failure),
    ):
        if at is not None:
            found[name] = timestamps.render(at)
    if health.last_failure_cause is not None:
        found["lastFailureCause"] = health.last_failure_cause
    return found


def tasks_of(state: State, app_id: str) -> list[Json]:
    """Return an app's tasks."""
    return [task_json(state, one) for one in state.of_app(app_id).values()]


def app_tasks(state: State, app_id: str) -> Json:
    """Return the tasks of one app."""
    if app_id not in state.apps:
        raise unknown_app(app_id)
    return {"tasks": tasks_of(state, app_id)}


def all_tasks(state: State, statuses: Iterable[str]) -> Json:
    """Return the tasks of all apps, or those that are `running` or `staging`."""
    conditions = {"running": "Running", "staging": "Staging"}
    wanted = {conditions[one.lower()] for one in statuses if one.lower() in conditions}
    found = [
        task_json(state, one)
        for one in state.instances.values()
        if not one.parts and (not wanted or one.condition in wanted)
    ]
    return {"tasks": found}
