"""Apps as they are listed and shown, with what their instances do."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from comity.marathon import labels
from comity.marathon.state import State
from comity.marathon.views.counting import counts, task_stats
from comity.marathon.views.tasks import tasks_of
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import unknown_app

Json = dict[str, Any]

_PREFIXES = ("group.apps.", "group.", "apps.", "app.")
_SUMMARY = frozenset({"counts", "deployments"})
SINGLE = frozenset({"counts", "deployments", "tasks", "lastTaskFailure"})


def embeds(given: Sequence[str]) -> frozenset[str]:
    """Return embed names without their prefixes (`apps.tasks` and `tasks` mean the same)."""
    found = set()
    for name in given:
        prefix = next((one for one in _PREFIXES if name.startswith(one)), "")
        found.add(name[len(prefix) :])
    if "failures" in found:
        found |= {"lastTaskFailure", "tasks", "counts", "deployments"}
    return frozenset(found)


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
    return {"app": app_info(state, app, embed | SINGLE)}


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
