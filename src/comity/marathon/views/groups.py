"""Groups: they exist through the apps and pods in them."""

from typing import Any

from comity.core.instants import Instant
from comity.marathon.state import State
from comity.marathon.views.apps import SINGLE, app_info
from comity.marathon.views.pods import pod_status
from comity.marathon.views.tasks import tasks_of
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import unknown_group
from comity.wire.marathon.pods import Pod, Spec

Json = dict[str, Any]


def _require_group(state: State, group_id: str) -> None:
    if group_id != "/" and not any(
        ids.is_within(one, group_id) for one in (*state.apps, *state.pods)
    ):
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


def group(state: State, group_id: str, now: Instant, embed: frozenset[str]) -> Json:
    """Return a group with its apps, pods and subgroups."""
    _require_group(state, group_id)
    specs: dict[str, list[Spec]] = {}
    children: dict[str, dict[str, None]] = {}
    for spec in state.specs().values():
        path = ids.parent(spec.id)
        specs.setdefault(path, []).append(spec)
        while path != "/":
            above = ids.parent(path)
            children.setdefault(above, {})[path] = None
            path = above

    def node(path: str) -> Json:
        own = specs.get(path, ())
        found: Json = {"id": path, "dependencies": [], "version": root_version(state)}
        if not embed or "apps" in embed:
            extra = embed - {"apps", "groups", "pods"}
            found["apps"] = [app_info(state, one, extra) for one in own if isinstance(one, App)]
        if not embed or "groups" in embed:
            found["groups"] = [node(one) for one in sorted(children.get(path, ()))]
        if not embed or "pods" in embed:
            found["pods"] = [pod_status(state, one, now) for one in own if isinstance(one, Pod)]
        return found  # no enforceRole: there is one role, and PyPI's client chokes on the field

    return node(group_id)


def root_version(state: State) -> str:
    """Return the version of the root group: that of the latest change."""
    return timestamps.render_ms(state.last_version_ms)
