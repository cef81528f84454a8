"""Groups: they exist through the apps in them."""

from typing import Any

from comity.marathon.state import State
from comity.marathon.views.apps import SINGLE, app_info
from comity.marathon.views.tasks import tasks_of
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import unknown_group

Json = dict[str, Any]


def _require_group(state: State, group_id: str) -> None:
    if group_id != "/" and not any(ids.is_within(one, group_id) for one in state.apps):
        raise unknown_group(group_id)


def apps_within(state: State, group_id: str, embed: frozenset[str]) -> Json:
    """Return the apps of a group and its subgroups, as the wildcard path answers."""
    _require_group(state, group_id)
    found = [
        app_info(state, app, embed | SINGLE)
        for app in state.apps.values()
        if ids.is_within(app.id, group_id)
    ]
    return {"*": found}


def group_tasks(state: State, group_id: str) -> Json:
    """Return the tasks of all apps within a group."""
    _require_group(state, group_id)
    apps = [one for one in state.apps if ids.is_within(one, group_id)]
    return {"tasks": [task for app_id in apps for task in tasks_of(state, app_id)]}


def group(state: State, group_id: str, embed: frozenset[str]) -> Json:
    """Return a group with its apps and subgroups."""
    _require_group(state, group_id)
    apps: dict[str, list[App]] = {}
    children: dict[str, dict[str, None]] = {}
    for app in state.apps.values():
        path = ids.parent(app.id)
        apps.setdefault(path, []).append(app)
        while path != "/":
            above = ids.parent(path)
            children.setdefault(above, {})[path] = None
            path = above

    def node(path: str) -> Json:
        found: Json = {"id": path, "dependencies": [], "version": root_version(state)}
        if not embed or "apps" in embed:
            extra = embed - {"apps", "groups", "pods"}
            found["apps"] = [app_info(state, app, extra) for app in apps.get(path, ())]
        if not embed or "groups" in embed:
            found["groups"] = [node(one) for one in sorted(children.get(path, ()))]
        if not embed or "pods" in embed:
            found["pods"] = []
        return found  # no enforceRole: there is one role, and PyPI's client chokes on the field

    return node(group_id)


def root_version(state: State) -> str:
    """Return the version of the root group: that of the latest change."""
    return timestamps.render_ms(state.last_version_ms)
