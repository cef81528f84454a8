"""Reaches the kubelet endpoint of a pod's node: logs, and connections into the pod.

Who wants to run commands, attach or forward ports talks WebSocket or SPDY with the node; after the
switch of protocols only bytes are passed here.
"""

from urllib.parse import urlencode

from comity.kube.apiserver.inputs import Target
from comity.kube.apiserver.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import (
    Client,
    ClientStream,
    Duplex,
    HttpError,
    Request,
    Response,
    Stream,
    Upgrade,
    duplex,
    spdy,
    websockets,
)
from comity.wire.kubernetes import Json
from comity.wire.kubernetes.status import ApiError, bad_request

_PASSED = (
    "follow",
    "tailLines",
    "sinceSeconds",
    "sinceTime",
    "limitBytes",
    "previous",
    "timestamps",
)


CONNECTIONS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
"""Subresources of a pod that are connections, and the node's paths for them."""

_SWITCHING = (
    "upgrade",
    "sec-websocket-key",
    "sec-websocket-version",
    "sec-websocket-protocol",
    spdy.VERSION_HEADER.lower(),
)


class Kubelets:
    """Talks to nodes in the API server's name."""

    def __init__(self, driver: Driver, state: State, token: str) -> None:
        self._driver = driver
        self._state = state
        self._headers = (("Authorization", f"Bearer {token}"),)
        self._client = Client()

    async def log(self, request: Request, target: Target) -> Response | Stream:
        """Answer with a container's log, as it grows when `follow` is asked for.

        Raises:
            ApiError: no such container, it has not started, or the node does not answer.
        """
        pod = self._state.collections[target.resource].need((target.namespace, target.name)).obj
        container = _container(pod, request.arg("container"))
        base = _endpoint(self._state, pod)
        passed = {name: request.arg(name) for name in _PASSED if request.arg(name)}
        path = f"/containerLogs/{target.namespace}/{target.name}/{container}"
        url = f"{base}{path}?{urlencode(passed)}" if passed else f"{base}{path}"
        stream = self._client.stream("GET", url, headers=self._headers)
        try:
            await stream.__aenter__()
        except HttpError as error:
            raise ApiError(502, "InternalError", f"the node does not answer: {error}") from error
        if stream.status != 200:
            body = await stream.read()
            await stream.__aexit__(None, None, None)
            raise _refused(stream.status, body)
        answer = Stream("text/plain")
        self._driver.spawn(_pass_on(stream, answer))
        return answer

    async def connect(self, request: Request, target: Target) -> Response:
        """Join a client with the node of a pod, to run a command, attach or forward ports.

        Raises:
            ApiError: no such pod or container, it does not run, or the node does not answer.
        """
        pod = self._state.collections[target.resource].need((target.namespace, target.name)).obj
        path = f"/{CONNECTIONS[target.subresource]}/{target.namespace}/{target.name}"
        if target.subresource != "portforward":
            path += f"/{_container(pod, request.arg('container'))}"
        url = f"{_endpoint(self._state, pod)}{path}?{request.raw_query}"
        if not (websockets.is_wanted(request) or spdy.is_wanted(request)):
            raise bad_request("Upgrade request required")
        given = [(name, request.headers[name]) for name in _SWITCHING if name in request.headers]
        try:
            answer, node = await duplex.switch(url, (*given, *self._headers))
        except HttpError as error:
            raise ApiError(502, "InternalError", f"the node does not answer: {error}") from error
        if node is None:
            raise _refused(answer.status, answer.body)
        joined = node

        async def run(client: Duplex) -> None:
            await duplex.join(client, joined)

        return Upgrade(answer.headers, run)

    async def close(self) -> None:
        """Drop connections."""
        await self._client.close()


def _refused(status: int, body: bytes) -> ApiError:
    """Return a node's refusal as our own."""
    text = body.decode(errors="replace").strip()
    if status in (400, 403, 404, 426):
        return bad_request(text)
    return ApiError(500, "InternalError", f"the node answered {status}: {text}")


async def _pass_on(source: ClientStream, answer: Stream) -> None:
    try:
        async for data in source:
            if not answer.send(data):
                return
            await answer.drained()
    except HttpError:
        answer.abort()  # the node went away in the middle, and whoever reads it is to know
    finally:
        answer.close()
        await source.__aexit__(None, None, None)


def _container(pod: Json, wanted: str | None) -> str:
    spec = pod["spec"]
    names = [each["name"] for each in spec.get("containers", ())]
    known = names + [each["name"] for each in spec.get("initContainers", ())]
    name = pod["metadata"]["name"]
    if wanted is None:
        if len(names) == 1:
            return str(names[0])
        shown = " ".join(names)
        text = f"a container name must be specified for pod {name}, choose one of: [{shown}]"
        raise bad_request(text)
    if wanted not in known:
        raise bad_request(f"container {wanted} is not valid for pod {name}")
    return wanted


def _endpoint(state: State, pod: Json) -> str:
    node_name = pod["spec"].get("nodeName")
    name = pod["metadata"]["name"]
    if not node_name:
        raise bad_request(f"pod {name} does not have a host assigned")
    node = state.by_kind["Node"].get(("", node_name))
    status = node.obj.get("status", {}) if node is not None else {}
    port = status.get("daemonEndpoints", {}).get("kubeletEndpoint", {}).get("Port")
    addresses = {each["type"]: each["address"] for each in status.get("addresses", ())}
    host = addresses.get("InternalIP") or addresses.get("Hostname")
    if not port or not host:
        raise bad_request(f"node {node_name} of pod {name} does not publish a kubelet endpoint yet")
    return f"http://{host}:{port}"
