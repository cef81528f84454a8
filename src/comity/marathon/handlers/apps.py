"""Writes to apps: create, update, replace, delete, restart; and the deployments they start."""

from collections.abc import Mapping

import msgspec

from comity.core.effects import Outbox
from comity.core.instants import Instant
from comity.marathon import drafts, service_ports, views
from comity.marathon.drafts import Draft
from comity.marathon.handlers import table
from comity.marathon.handlers.answering import (
    answer,
    answer_deployment,
    answer_empty,
    refuse,
)
from comity.marathon.handlers.deploying import Wish, cancel, deploy, revert
from comity.marathon.handlers.events import emit
from comity.marathon.inputs import (
    AppDeleted,
    AppPosted,
    AppRestarted,
    AppsPut,
    DeploymentCancelled,
)
from comity.marathon.state import State
from comity.wire.marathon import ids, timestamps
from comity.wire.marathon.app_reads import FIELDS
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import Refused, invalid, plain, unknown_app

_NOTHING_YET = {"tasksStaged": 0, "tasksRunning": 0, "tasksHealthy": 0, "tasksUnhealthy": 0}


@table.on(AppPosted)
def on_app_posted(state: State, item: AppPosted, now: Instant, out: Outbox) -> None:
    """Create an app."""
    try:
        app = drafts.canonical(item.draft, state.config.default_network_name)
        if app.id in state.apps:
            raise plain(409, f"An app with id [{app.id}] already exists.")
        app = service_ports.assign(app, None, service_ports.taken(state.apps.values()))
        deployment = deploy(state, {app.id: Wish(app)}, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    app = state.apps[app.id]
    _post_event(state, app, item, now, out)
    body = views.app_json(app) | _NOTHING_YET | {"deployments": [{"id": deployment.id}]}
    headers = (("Location", f"/v2/apps{app.id}"), ("Marathon-Deployment-Id", deployment.id))
    answer(out, item.to, body, status=201, headers=headers)


@table.on(AppsPut)
def on_apps_put(state: State, item: AppsPut, now: Instant, out: Outbox) -> None:
    """Update, replace or create one app or several, as one deployment."""
    try:
        wishes: dict[str, Wish] = {}
        ports = service_ports.taken(state.apps.values())
        for draft in item.drafts:
            app = _wanted(state, draft, item)
            app = service_ports.assign(app, state.apps.get(app.id), ports)
            ports |= service_ports.taken([app])
            wishes[app.id] = Wish(app)
        created = any(app_id not in state.apps for app_id in wishes)
        deployment = deploy(state, wishes, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    for app_id in wishes:
        _post_event(state, state.apps[app_id], item, now, out)
    is_new = created and not item.is_list
    headers = (("Location", f"/v2/apps{next(iter(wishes))}"),) if is_new else ()
    status = 201 if is_new else 200
    answer_deployment(out, item.to, deployment, status=status, headers=headers)


@table.on(AppDeleted)
def on_app_deleted(state: State, item: AppDeleted, now: Instant, out: Outbox) -> None:
    """Remove an app; its tasks end as a deployment."""
    try:
        if item.app_id not in state.apps:
            raise unknown_app(item.app_id)
        deployment = deploy(state, {item.app_id: Wish(None)}, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    answer_deployment(out, item.to, deployment)


@table.on(AppRestarted)
def on_app_restarted(state: State, item: AppRestarted, now: Instant, out: Outbox) -> None:
    """Replace all instances of an app by new ones of the same definition."""
    try:
        app = state.apps.get(item.app_id)
        if app is None:
            raise unknown_app(item.app_id)
        wishes = {item.app_id: Wish(app, restart=True)}
        deployment = deploy(state, wishes, now, out, force=item.force)
    except Refused as error:
        refuse(out, item.to, error)
        return
    answer_deployment(out, item.to, deployment)


@table.on(DeploymentCancelled)
def on_deployment_cancelled(
    state: State, item: DeploymentCancelled, now: Instant, out: Outbox
) -> None:
    """Take a deployment back by another one; with force, only stop it."""
    deployment = state.deployments.get(item.deployment_id)
    if deployment is None:
        text = f"DeploymentPlan {item.deployment_id} does not exist"
        refuse(out, item.to, plain(404, text))
    elif item.force:
        cancel(state, deployment, now, out)
        answer_empty(out, item.to, 202)
    else:
        answer_deployment(out, item.to, revert(state, deployment, now, out))


def _wanted(state: State, draft: Draft, item: AppsPut) -> App:
    """Return the app that a PUT or PATCH asks for.

    Raises:
        Refused: 404 where it may not create one, or what is wrong with the result.
    """
    app_id, network = ids.resolve(draft["id"]), state.config.default_network_name
    current = state.apps.get(app_id)
    if current is None:
        if not item.may_create:
            raise unknown_app(app_id)
        return drafts.canonical(_defaulted(draft), network)
    if draft.get("version") is not None:
        return _former(state, current, draft)
    if item.partial:
        return drafts.canonical(drafts.merged(current, draft), network)
    return drafts.canonical(draft, network)


def _defaulted(draft: Draft) -> Draft:
    """Return an update as a whole app."""
    defaults = {name: known.default for name, known in FIELDS.items() if known.default is not None}
    return defaults | draft


def _former(state: State, current: App, draft: Mapping[str, object]) -> App:
    """Return an earlier version of an app, to become its next one."""
    if set(draft) - {"id", "version"}:
        text = "The 'version' field may only be combined with the 'id' field."
        raise invalid({"/": [text]})
    try:
        version = timestamps.render_ms(timestamps.parse_ms(str(draft["version"])))
    except ValueError as error:
        raise invalid({"/version": [f"is not a version: {error}"]}) from error
    found = state.versions.get(current.id, {}).get(version)
    if found is None:
        raise unknown_app(current.id, version)
    return msgspec.structs.replace(found)


def _post_event(
    state: State, app: App, item: AppPosted | AppsPut, now: Instant, out: Outbox
) -> None:
    emit(
        state,
        now,
        out,
        "api_post_event",
        clientIp=item.peer,
        uri=item.uri,
        appDefinition=views.app_json(app),
    )
