"""The routes of pods (`pods.raml`): a pod's id comes first, what is asked of it after `::`."""

from comity.marathon import inputs, views
from comity.marathon.http.reading import Answer, Handler, body_of, flag, json_of
from comity.marathon.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Request, Response
from comity.wire.marathon import ids
from comity.wire.marathon.errors import invalid
from comity.wire.marathon.pod_reads import INSTANCE_IDS, NEW_POD
from comity.wire.marathon.reads import Errors

_ID_TEXT = "must be a path of lower-case letters, digits, dots and inner dashes, such as /group/pod"


class Pods:
    """What callers ask of pods."""

    def __init__(self, driver: Driver, state: State) -> None:
        self._driver = driver
        self._state = state

    def routes(self) -> list[tuple[str, str, Handler]]:
        """Return the routes; the first that matches is taken."""
        return [
            ("HEAD", "/v2/pods", self._probe),
            ("GET", "/v2/pods", self._list),
            ("POST", "/v2/pods", self._create),
            ("GET", "/v2/pods/::status", self._list_statuses),
            ("GET", "/v2/pods/{pod_id:path}::status", self._show_status),
            ("GET", "/v2/pods/{pod_id:path}::versions", self._list_versions),
            ("GET", "/v2/pods/{pod_id:path}::versions/{version}", self._show_version),
            ("DELETE", "/v2/pods/{pod_id:path}::instances", self._kill_some),
            ("DELETE", "/v2/pods/{pod_id:path}::instances/{instance_id}", self._kill_one),
            ("GET", "/v2/pods/{pod_id:path}", self._show),
            ("PUT", "/v2/pods/{pod_id:path}", self._put),
            ("DELETE", "/v2/pods/{pod_id:path}", self._delete),
        ]

    async def _probe(self, request: Request) -> Answer:
        """Say that there are pods: clients ask before each of their commands."""
        return Response(200, b"")

    async def _list(self, request: Request) -> Answer:
        await self._driver.settled()
        return json_of(views.pod_list(self._state))

    async def _create(self, request: Request) -> Answer:
        draft, force = body_of(request, NEW_POD), flag(request, "force")
        return await self._driver.ask(
            lambda to: inputs.PodPosted(to, draft, force, request.peer, request.raw_path)
        )

    async def _show(self, request: Request, pod_id: str) -> Answer:
        path = _path(pod_id)
        await self._driver.settled()
        return json_of(views.pod_json(views.find_pod(self._state, path)))

    async def _put(self, request: Request, pod_id: str) -> Answer:
        path, force = _path(pod_id), flag(request, "force")
        draft = body_of(request, NEW_POD)
        return await self._driver.ask(
            lambda to: inputs.PodPut(to, path, draft, force, request.peer, request.raw_path)
        )

    async def _delete(self, request: Request, pod_id: str) -> Answer:
        path, force = _path(pod_id), flag(request, "force")
        return await self._driver.ask(
            lambda to: inputs.PodDeleted(to, path, force, request.peer, request.raw_path)
        )

    # status and versions

    async def _list_statuses(self, request: Request) -> Answer:
        await self._driver.settled()
        return json_of(views.pod_statuses(self._state, self._driver.clock.now()))

    async def _show_status(self, request: Request, pod_id: str) -> Answer:
        path = _path(pod_id)
        await self._driver.settled()
        pod = views.find_pod(self._state, path)
        return json_of(views.pod_status(self._state, pod, self._driver.clock.now()))

    async def _list_versions(self, request: Request, pod_id: str) -> Answer:
        path = _path(pod_id)
        await self._driver.settled()
        return json_of(views.pod_versions(self._state, path))

    async def _show_version(self, request: Request, pod_id: str, version: str) -> Answer:
        path = _path(pod_id)
        await self._driver.settled()
        return json_of(views.pod_version(self._state, path, version))

    # instances

    async def _kill_some(self, request: Request, pod_id: str) -> Answer:
        found = tuple(body_of(request, INSTANCE_IDS))
        return await self._kill(_path(pod_id), found, is_list=True)

    async def _kill_one(self, request: Request, pod_id: str, instance_id: str) -> Answer:
        path, errors = _path(pod_id), Errors()
        INSTANCE_IDS([instance_id], "", errors)
        if errors:
            raise invalid({"/": [f"{instance_id!r} is not the id of an instance"]})
        return await self._kill(path, (instance_id,), is_list=False)

    async def _kill(self, pod_id: str, instance_ids: tuple[str, ...], *, is_list: bool) -> Answer:
        """Kill instances. `wipe` frees nothing more: pods have no volumes that outlive them."""
        return await self._driver.ask(
            lambda to: inputs.PodInstancesKilled(to, pod_id, instance_ids, is_list)
        )


def _path(pod_id: str) -> str:
    if not ids.is_path(pod_id):
        raise invalid({"/id": [_ID_TEXT]})
    return ids.resolve(pod_id)
