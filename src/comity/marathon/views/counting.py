"""How many of an app's tasks are staged, running, healthy and unhealthy."""

from collections.abc import Sequence
from typing import Any

from comity.marathon.state import Instance, State
from comity.marathon.views.tasks import has_result, is_healthy
from comity.wire.marathon.apps import App

Json = dict[str, Any]


def counts(state: State, app_id: str) -> Json:
    """Return how many tasks are staged, running, healthy and unhealthy."""
    staged = running = healthy = unhealthy = 0
    for instance in state.of_app(app_id).values():
        staged += instance.condition in ("Staging", "Starting")
        running += instance.condition in ("Running", "Killing")
        found = [one for one in state.healths.get(instance.task_id, []) if has_result(one)]
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
