"""Reaches the kubelet endpoint of a pod's node: container logs."""

from urllib.parse import urlencode

from comity.kube.apiserver.inputs import Target
from comity.kube.apiserver.state import State
from comity.runtime.driver import Driver
from comity.runtime.http import Client, ClientStream, HttpError, Request, Response, Stream
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
            text = (await stream.read()).decode(errors="replace").strip()
            await stream.__aexit__(None, None, None)
            if stream.status in (400, 404):
                raise bad_request(text)
            raise ApiError(500, "InternalError", f"the node answered {stream.status}: {text}")
        answer = Stream("text/plain")
        self._driver.spawn(_pass_on(stream, answer))
        return answer

    async def close(self) -> None:
        """Drop connections."""
        await self._client.close()


async def _pass_on(source: ClientStream, answer: Stream) -> None:
    try:
        async for data in source:
            if not answer.send(data):
                return
            await answer.drained()
    except HttpError:
        return  # the node went away in the middle: what came is what there is
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
