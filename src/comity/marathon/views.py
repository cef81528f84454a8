"""What readers see: state to JSON objects, synchronously and without changing anything."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from comity.core.instants import Instant
from comity.marathon import labels
from comity.marathon.state import Attempts, Deployment, Health, Instance, State
from comity.policy.placement import Reason
from comity.policy.rollout import Action, Kind
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import unknown_app, unknown_group

Json = dict[str, Any]

_PREFIXES = ("group.apps.", "group.", "apps.", "app.")
_SUMMARY = frozenset({"counts", "deployments"})
_SINGLE = frozenset({"counts", "deployments", "tasks", "lastTaskFailure"})
MESOS_STATES = {
    "Staging": "TASK_STAGING",
    "Starting": "TASK_STARTING",
    "Running": "TASK_RUNNING",
    "Killing": "TASK_KILLING",
    "Unreachable": "TASK_UNREACHABLE",
}


def embeds(given: Sequence[str]) -> frozenset[str]:
    """Return embed names without their prefixes (`apps.tasks` and `tasks` mean the same)."""
    found = set()
    for name in given:
        prefix = next((one for one in _PREFIXES if name.startswith(one)), "")
        found.add(name[len(prefix) :])
    if "failures" in found:
        found |= {"lastTaskFailure", "tasks", "counts", "deployments"}
    return frozenset(found)


# apps


def app_json(app: App) -> Json:
    """Return a definition as it is shown."""
    return msgspec.to_builtins(app)  # type: ignore[no-any-return]


def app_info(state: State, app: App, embed: frozenset[str]) -> Json:
    """Return a definition with what its instances and deployments are doing."""
    info = app_json(app)
    if "counts" in embed:
        info |= counts(state, app.id)
    if "deployments" in embed:
        lock = state.locks.get(app.id)
        info["deployments"] = [{"id": lock}] if lock else []
    if "readiness" in embed:
        info["readinessCheckResults"] = []
    if "tasks" in embed:
        info["tasks"] = tasks_of(state, app.id)
    failure = state.failures.get(app.id)
    if "lastTaskFailure" in embed and failure is not None:
        info["lastTaskFailure"] = msgspec.to_builtins(failure)
    if "taskStats" in embed:
        info["taskStats"] = task_stats(state, app)
    return info


def app_list(
    state: State, query: Callable[[App], bool], embed: frozenset[str] = frozenset()
) -> Json:
    """Return the apps that a query picks."""
    found = [app_info(state, app, embed | _SUMMARY) for app in state.apps.values() if query(app)]
    return {"apps": found}


def app_query(cmd: str | None, app_id: str | None, label: str | None) -> Callable[[App], bool]:
    """Return the test of `GET /v2/apps`'s filters; substrings are compared without case.

    Raises:
        Refused: the label selector cannot be read.
    """
    selectors = labels.parse(label) if label else ()
    wanted_cmd, wanted_id = (cmd or "").lower(), (app_id or "").lower()

    def picks(app: App) -> bool:
        return (
            wanted_cmd in (app.cmd or "").lower()
            and wanted_id in app.id.lower()
            and all(one.matches(app.labels) for one in selectors)
        )

    return picks


def single_app(state: State, app_id: str, embed: frozenset[str]) -> Json:
    """Return one app in full.

    Raises:
        Refused: 404.
    """
    app = state.apps.get(app_id)
    if app is None:
        raise unknown_app(app_id)
    return {"app": app_info(state, app, embed | _SINGLE)}


def apps_within(state: State, group_id: str, embed: frozenset[str]) -> Json:
    """Return the apps of a group and its subgroups, as the wildcard path answers."""
    _require_group(state, group_id)
    found = [
        app_info(state, app, embed | _SINGLE)
        for app in state.apps.values()
        if ids.is_within(app.id, group_id)
    ]
    return {"*": found}


def app_versions(state: State, app_id: str) -> Json:
    """Return an app's versions, newest first."""
    if app_id not in state.apps:
        raise unknown_app(app_id)
    return {"versions": sorted(state.versions.get(app_id, {}), reverse=True)}


def app_version(state: State, app_id: str, version: str) -> Json:
    """Return one version of an app."""
    found = state.versions.get(app_id, {}).get(version)
    if found is None:
        raise unknown_app(app_id, version)
    return app_json(found)


def is_healthy(state: State, instance: Instance) -> bool:
    """Whether a deployment may count on an instance: running, and alive by every health check."""
    if instance.condition != "Running":
        return False
    app = state.spec_of(instance)
    checks = app.health_checks if app else ()
    if not checks:
        return True
    found = state.healths.get(instance.task_id, [])
    return len(found) >= len(checks) and all(one.alive for one in found)


def counts(state: State, app_id: str) -> Json:
    """Return how many tasks are staged, running, healthy and unhealthy."""
    staged = running = healthy = unhealthy = 0
    for instance in state.of_app(app_id).values():
        staged += instance.condition in ("Staging", "Starting")
        running += instance.condition in ("Running", "Killing")
        found = [one for one in state.healths.get(instance.task_id, []) if _has_result(one)]
        if instance.condition == "Running" and found:
            alive = is_healthy(state, instance)
            healthy += alive
            unhealthy += not alive and any(not one.alive for one in found)
    return {
        "tasksStaged": staged,
        "tasksRunning": running,
        "tasksHealthy": healthy,
        "tasksUnhealthy": unhealthy,
    }


def _has_result(health: Health) -> bool:
    return health.last_success is not None or health.last_failure is not None


def task_stats(state: State, app: App) -> Json:
    """Return counts split by how old the instances' definition is."""
    current = [one for one in state.of_app(app.id).values()]
    latest = [one for one in current if one.config_version == app.config_version]
    outdated = [one for one in current if one.config_version != app.config_version]
    groups = {
        "startedAfterLastScaling": [one for one in current if one.version == app.version],
        "withLatestConfig": latest,
        "withOutdatedConfig": outdated,
        "totalSummary": current,
    }
    return {name: _stats(state, group) for name, group in groups.items() if group}


def _stats(state: State, group: Sequence[Instance]) -> Json:
    healthy = [is_healthy(state, one) and bool(state.healths.get(one.task_id)) for one in group]
    running = [one.condition in ("Running", "Killing") for one in group]
    numbers = {
        "staged": sum(one.condition in ("Staging", "Starting") for one in group),
        "running": sum(running),
        "healthy": sum(healthy),
        "unhealthy": sum(
            bool(state.healths.get(one.task_id)) and up and not well
            for one, up, well in zip(group, running, healthy, strict=True)
        ),
    }
    return {"stats": {"counts": numbers}}


# tasks


def task_json(state: State, instance: Instance) -> Json:
    """Return one task."""
    app = state.spec_of(instance)
    found: Json = {
        "appId": instance.app_id,
        "healthCheckResults": [
            health_json(instance, one)
            for one in state.healths.get(instance.task_id, [])
            if _has_result(one)
        ],
        "host": instance.host,
        "id": instance.task_id,
        "ipAddresses": [_address(one) for one in instance.addresses or (instance.host,)],
        "ports": list(instance.ports),
        "servicePorts": [one.port for one in app.port_definitions] if app else [],
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


def group_tasks(state: State, group_id: str) -> Json:
    """Return the tasks of all apps within a group."""
    _require_group(state, group_id)
    apps = [one for one in state.apps if ids.is_within(one, group_id)]
    return {"tasks": [task for app_id in apps for task in tasks_of(state, app_id)]}


def all_tasks(state: State, statuses: Iterable[str]) -> Json:
    """Return all tasks, or those that are `running` or `staging`."""
    conditions = {"running": "Running", "staging": "Staging"}
    wanted = {conditions[one.lower()] for one in statuses if one.lower() in conditions}
    found = [
        task_json(state, one)
        for one in state.instances.values()
        if not wanted or one.condition in wanted
    ]
    return {"tasks": found}


# groups


def _require_group(state: State, group_id: str) -> None:
    if group_id != "/" and not any(ids.is_within(one, group_id) for one in state.apps):
        raise unknown_group(group_id)


def group(state: State, group_id: str, embed: frozenset[str]) -> Json:
    """Return a group with its apps and subgroups; groups exist through the apps in them."""
    _require_group(state, group_id)
    tree: dict[str, list[App]] = {}
    for app in state.apps.values():
        tree.setdefault(ids.parent(app.id), []).append(app)
        path = ids.parent(app.id)
        while path != "/":
            path = ids.parent(path)
            tree.setdefault(path, [])
    return _group_node(state, group_id, tree, embed)


def _group_node(
    state: State, group_id: str, tree: dict[str, list[App]], embed: frozenset[str]
) -> Json:
    children = sorted(one for one in tree if one != "/" and ids.parent(one) == group_id)
    found: Json = {"id": group_id, "dependencies": [], "version": root_version(state)}
    if not embed or "apps" in embed:
        extra = embed - {"apps", "groups", "pods"}
        found["apps"] = [app_info(state, app, extra) for app in tree.get(group_id, [])]
    if not embed or "groups" in embed:
        found["groups"] = [_group_node(state, one, tree, embed) for one in children]
    if not embed or "pods" in embed:
        found["pods"] = []
    return found  # no enforceRole: there is one role, and PyPI's client chokes on the field


def root_version(state: State) -> str:
    """Return the version of the root group: that of the latest change."""
    return timestamps.render_ms(state.last_version_ms)


# deployments


def deployment_json(deployment: Deployment) -> Json:
    """Return a running deployment with the step it is in."""
    apps = sorted({one.app_id for step in deployment.steps for one in step})
    step = deployment.steps[deployment.current]
    return {
        "id": deployment.id,
        "version": deployment.version,
        "affectedApps": apps,
        "affectedPods": [],
        "steps": [step_json(one) for one in deployment.steps],
        "currentActions": [action_json(one) | {"readinessCheckResults": []} for one in step],
        "currentStep": deployment.current + 1,
        "totalSteps": len(deployment.steps),
    }


def plan_json(deployment: Deployment) -> Json:
    """Return a deployment's plan, as events carry it."""
    return {
        "id": deployment.id,
        "version": deployment.version,
        "steps": [step_json(one) for one in deployment.steps],
    }


def step_json(step: Sequence[Action]) -> Json:
    """Return one step of a plan."""
    return {"actions": [action_json(one) for one in step]}


def action_json(action: Action) -> Json:
    """Return one action of a step."""
    assert isinstance(action.kind, Kind)
    return {"action": action.kind.value, "app": action.app_id}


# queue


def queue(state: State, now: Instant, *, with_offers: bool) -> Json:
    """Return the launch queue: each app that has instances waiting for an offer."""
    found = []
    for app_id, count in state.wanted.items():
        app, attempts = state.apps.get(app_id), state.queue.get(app_id)
        if app is None or attempts is None:
            continue
        left = max(0.0, attempts.delayed_until - now)
        item: Json = {
            "count": count,  # no role: there is one, and PyPI's client chokes on the field
            "delay": {"timeLeftSeconds": int(left + 0.999), "overdue": left <= 0},
            "since": timestamps.render(attempts.since),
            "processedOffersSummary": _offers_summary(attempts),
            "app": app_json(app),
        }
        if with_offers:
            item["lastUnusedOffers"] = [
                {
                    "offer": {"id": "", "hostname": "", "agentId": agent_id, "resources": []},
                    "timestamp": timestamps.render(at),
                    "reason": [reason.value],
                }
                for agent_id, (at, reason) in attempts.last_reasons.items()
            ]
        found.append(item)
    return {"queue": found}


def _offers_summary(attempts: Attempts) -> Json:
    last: dict[Reason, int] = {}
    for _, reason in attempts.last_reasons.values():
        last[reason] = last.get(reason, 0) + 1
    found: Json = {
        "processedOffersCount": attempts.processed,
        "unusedOffersCount": attempts.unused,
        "rejectSummaryLastOffers": _funnel(last, len(attempts.last_reasons)),
        "rejectSummaryLaunchAttempt": _funnel(attempts.reasons, attempts.processed),
    }
    if attempts.last_unused_at is not None:
        found["lastUnusedOfferAt"] = timestamps.render(attempts.last_unused_at)
    if attempts.last_used_at is not None:
        found["lastUsedOfferAt"] = timestamps.render(attempts.last_used_at)
    return found


def _funnel(declined: dict[Reason, int], processed: int) -> list[Json]:
    rows = []
    for reason in Reason:
        count = declined.get(reason, 0)
        rows.append({"reason": reason.value, "declined": count, "processed": processed})
        processed -= count
    return rows
