"""Marathon's REST API: reads bodies and queries, asks the machine, shows its views.

Paths are normalised first: clients double slashes and add one at the end. Every refusal leaves here
in Marathon's own shape.
"""

import re
from typing import Any

from comity.marathon import inputs, pages, views
from comity.marathon.config import Config
from comity.marathon.http.pods import Pods
from comity.marathon.http.reading import Answer, Handler, body_of, flag, json_of, refusal_of
from comity.marathon.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Headers, Request, Response, Router
from comity.wire.marathon import ids
from comity.wire.marathon.app_reads import NEW_APP, NEW_APPS, TASK_IDS, UPDATE, UPDATES
from comity.wire.marathon.errors import Refused, invalid, plain

_NO_CACHE: Headers = (
    ("X-Frame-Options", "DENY"),
    ("Cache-Control", "no-cache, no-store, must-revalidate"),
    ("Pragma", "no-cache"),
    ("Expires", "0"),
)
_SLASHES = re.compile("/{2,}")
_ID_TEXT = "must be a path of lower-case letters, digits, dots and inner dashes, such as /group/app"
_NO_GROUPS = "changing groups is not supported yet; write their apps through /v2/apps instead"


class Api:
    """The routes of one Marathon."""

    def __init__(self, driver: Driver, state: State, config: Config) -> None:
        self._driver = driver
        self._state = state
        self._config = config
        self.address = ("127.0.0.1", config.port)
        self._router = Router(
            not_found=lambda request: refusal_of(plain(404, "URI not found")),
            not_allowed=lambda request, allowed: refusal_of(plain(405, "Method Not Allowed")),
        )
        self._add_routes()

    def _add_routes(self) -> None:
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/v2/apps", self._list_apps),
            ("POST", "/v2/apps", self._create_app),
            ("PUT", "/v2/apps", self._put_apps),
            ("PATCH", "/v2/apps", self._put_apps),
            ("GET", "/v2/apps/{app_id:path}/versions/{version}", self._show_version),
            ("GET", "/v2/apps/{app_id:path}/versions", self._list_versions),
            ("GET", "/v2/apps/{app_id:path}/tasks", self._list_app_tasks),
            ("DELETE", "/v2/apps/{app_id:path}/tasks/{task_id}", self._kill_app_tasks),
            ("DELETE", "/v2/apps/{app_id:path}/tasks", self._kill_app_tasks),
            ("POST", "/v2/apps/{app_id:path}/restart", self._restart_app),
            ("GET", "/v2/apps/{app_id:path}", self._show_app),
            ("PUT", "/v2/apps/{app_id:path}", self._put_app),
            ("PATCH", "/v2/apps/{app_id:path}", self._put_app),
            ("DELETE", "/v2/apps/{app_id:path}", self._delete_app),
            ("GET", "/v2/deployments", self._list_deployments),
            ("DELETE", "/v2/deployments/{deployment_id}", self._cancel_deployment),
            ("GET", "/v2/tasks", self._list_tasks),
            ("POST", "/v2/tasks/delete", self._kill_tasks),
            ("GET", "/v2/queue", self._show_queue),
            ("DELETE", "/v2/queue/{app_id:path}/delay", self._reset_delay),
            ("GET", "/v2/groups", self._show_group),
            ("GET", "/v2/groups/{group_id:path}", self._show_group),
            ("*", "/v2/groups", _refuser(422, _NO_GROUPS)),
            ("*", "/v2/groups/{group_id:path}", _refuser(422, _NO_GROUPS)),
            *Pods(self._driver, self._state).routes(),
            ("GET", "/v2/events", self._open_events),
            ("GET", "/v2/info", self._show_info),
            ("GET", "/v2/leader", self._show_leader),
            ("DELETE", "/v2/leader", self._abdicate),
            ("GET", "/v2/plugins", self._list_plugins),
            ("GET", "/ping", _ping),
            ("GET", "/metrics", self._show_metrics),
            ("GET", "/metrics/prometheus", self._show_prometheus),
        ]
        for method, pattern, handler in routes:
            self._router.add(method, pattern, handler)

    async def handle(self, request: Request) -> Answer:
        """Answer one request."""
        request.path = _SLASHES.sub("/", request.path).rstrip("/") or "/"
        try:
            answer = await self._router.handle(request)
        except Refused as error:
            answer = refusal_of(error)
        host, port = self.address
        leader = (("X-Marathon-Leader", f"http://{host}:{port}"),)
        answer.headers = (*answer.headers, *leader, *_NO_CACHE)
        return answer

    # apps

    async def _list_apps(self, request: Request) -> Answer:
        picks = views.app_query(request.arg("cmd"), request.arg("id"), request.arg("label"))
        await self._driver.settled()
        return json_of(views.app_list(self._state, picks, _embeds(request)))

    async def _create_app(self, request: Request) -> Answer:
        draft = body_of(request, NEW_APP)
        force = flag(request, "force")
        return await self._driver.ask(
            lambda to: inputs.AppPosted(to, draft, force, request.peer, request.raw_path)
        )

    async def _put_apps(self, request: Request) -> Answer:
        partial = request.method == "PATCH" or flag(request, "partialUpdate", default=True)
        drafts = body_of(request, UPDATES if partial else NEW_APPS)
        if any(draft.get("id") is None for draft in drafts):
            raise plain(422, "requirement failed: App Update must have app id set")
        return await self._put(request, tuple(drafts), partial=partial, is_list=True)

    async def _put_app(self, request: Request, app_id: str) -> Answer:
        partial = request.method == "PATCH" or flag(request, "partialUpdate", default=True)
        path = _absolute(app_id)
        draft = body_of(request, UPDATE) if partial else body_of(request, NEW_APP, {"id": path})
        return await self._put(request, (draft | {"id": path},), partial=partial, is_list=False)

    async def _put(
        self, request: Request, drafts: tuple[Any, ...], *, partial: bool, is_list: bool
    ) -> Answer:
        force = flag(request, "force")
        return await self._driver.ask(
            lambda to: inputs.AppsPut(
                to=to,
                drafts=drafts,
                partial=partial,
                may_create=request.method == "PUT",
                force=force,
                is_list=is_list,
                peer=request.peer,
                uri=request.raw_path,
            )
        )

    async def _show_app(self, request: Request, app_id: str) -> Answer:
        await self._driver.settled()
        if app_id == "*" or app_id.endswith("/*"):
            group_id = ids.resolve(app_id[:-1])
            return json_of(views.apps_within(self._state, group_id, _embeds(request)))
        return json_of(views.single_app(self._state, ids.resolve(app_id), _embeds(request)))

    async def _delete_app(self, request: Request, app_id: str) -> Answer:
        path, force = ids.resolve(app_id), flag(request, "force", default=True)
        return await self._driver.ask(lambda to: inputs.AppDeleted(to, path, force))

    async def _restart_app(self, request: Request, app_id: str) -> Answer:
        path, force = ids.resolve(app_id), flag(request, "force")
        return await self._driver.ask(lambda to: inputs.AppRestarted(to, path, force))

    async def _list_versions(self, request: Request, app_id: str) -> Answer:
        await self._driver.settled()
        return json_of(views.app_versions(self._state, ids.resolve(app_id)))

    async def _show_version(self, request: Request, app_id: str, version: str) -> Answer:
        await self._driver.settled()
        return json_of(views.app_version(self._state, ids.resolve(app_id), version))

    # tasks and queue

    async def _list_app_tasks(self, request: Request, app_id: str) -> Answer:
        await self._driver.settled()
        if app_id == "*" or app_id.endswith("/*"):
            return json_of(views.group_tasks(self._state, ids.resolve(app_id[:-1])))
        return json_of(views.app_tasks(self._state, ids.resolve(app_id)))

    async def _kill_app_tasks(
        self, request: Request, app_id: str, task_id: str | None = None
    ) -> Answer:
        return await self._driver.ask(
            lambda to: inputs.AppTasksKilled(
                to=to,
                app_id=ids.resolve(app_id),
                task_id=task_id,
                host=request.arg("host"),
                scale=flag(request, "scale"),
                wipe=flag(request, "wipe"),
                force=flag(request, "force"),
            )
        )

    async def _list_tasks(self, request: Request) -> Answer:
        statuses = [*request.query.get("status", ()), *request.query.get("status[]", ())]
        await self._driver.settled()
        return json_of(views.all_tasks(self._state, statuses))

    async def _kill_tasks(self, request: Request) -> Answer:
        task_ids = tuple(dict.fromkeys(body_of(request, TASK_IDS)["ids"]))
        return await self._driver.ask(
            lambda to: inputs.TasksKilled(
                to=to,
                task_ids=task_ids,
                scale=flag(request, "scale"),
                wipe=flag(request, "wipe"),
                force=flag(request, "force"),
            )
        )

    async def _show_queue(self, request: Request) -> Answer:
        with_offers = "lastUnusedOffers" in request.query.get("embed", ())
        await self._driver.settled()
        now = self._driver.clock.now()
        return json_of(views.queue(self._state, now, with_offers=with_offers))

    async def _reset_delay(self, request: Request, app_id: str) -> Answer:
        return await self._driver.ask(lambda to: inputs.DelayReset(to, ids.resolve(app_id)))

    # deployments and groups

    async def _list_deployments(self, request: Request) -> Answer:
        await self._driver.settled()
        running = self._state.deployments.values()
        return json_of([views.deployment_json(one) for one in running])

    async def _cancel_deployment(self, request: Request, deployment_id: str) -> Answer:
        force = flag(request, "force")
        return await self._driver.ask(
            lambda to: inputs.DeploymentCancelled(to, deployment_id, force)
        )

    async def _show_group(self, request: Request, group_id: str = "/") -> Answer:
        await self._driver.settled()
        now = self._driver.clock.now()
        return json_of(views.group(self._state, ids.resolve(group_id), now, _embeds(request)))

    # the service itself

    async def _open_events(self, request: Request) -> Answer:
        if "text/event-stream" not in request.headers.get("accept", ""):
            raise plain(405, "Method Not Allowed")
        types = frozenset(request.query.get("event_type", ()))
        return await self._driver.ask(lambda to: inputs.EventsOpened(to, types, request.peer))

    async def _show_info(self, request: Request) -> Answer:
        await self._driver.settled()
        return json_of(pages.info(self._state, self._config, self.address))

    async def _show_leader(self, request: Request) -> Answer:
        return json_of({"leader": f"{self.address[0]}:{self.address[1]}"})

    async def _abdicate(self, request: Request) -> Answer:
        return await self._driver.ask(inputs.LeaderAbdicated)

    async def _list_plugins(self, request: Request) -> Answer:
        return json_of({"plugins": []})

    async def _show_metrics(self, request: Request) -> Answer:
        return json_of(pages.metrics(self._state))

    async def _show_prometheus(self, request: Request) -> Answer:
        text = pages.prometheus(self._state)
        return Response(200, text.encode(), "text/plain; version=0.0.4; charset=utf-8")


def _refuser(status: int, text: str) -> Handler:
    async def refuse(request: Request, **fields: str) -> Answer:
        raise invalid({"/": [text]}) if status == 422 else plain(status, text)

    return refuse


async def _ping(request: Request) -> Answer:
    if "application/json" in request.headers.get("accept", ""):
        return Response(200, b'"pong"')
    return Response(200, b"pong", "text/plain")


def _embeds(request: Request) -> frozenset[str]:
    return views.embeds(request.query.get("embed", []))


def _absolute(app_id: str) -> str:
    if not ids.is_path(app_id):
        raise invalid({"/id": [_ID_TEXT]})
    return ids.resolve(app_id)
