"""The node's HTTP endpoint, for the API server: logs, pods, health. Bearer token, plain HTTP.

The paths are the kubelet's. Errors are one plain sentence, which the API server passes on.
"""

import asyncio
import hmac
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from comity.kube.node import views
from comity.kube.node.logs import LogQuery, LogReader, Timeline
from comity.kube.node.state import Container, State
from comity.runtime.http import Request, Response, Router, Stream

_POLL_S = 0.25
"""How often a follower looks for new lines."""

TimelineOf = Callable[[str], tuple[Path, Timeline]]
"""Gives the log directory and the timeline of an incarnation, by its container id."""


class NodeHttp:
    """The handlers over the machine's state."""

    def __init__(self, state: State, token: str, timeline_of: TimelineOf) -> None:
        self._state = state
        self._token = token
        self._timeline_of = timeline_of
        self._followers: set[asyncio.Task[None]] = set()
        self.router = Router()
        self.router.add("GET", "/healthz", self._healthz)
        self.router.add("GET", "/pods", self._pods)
        self.router.add("GET", "/containerLogs/{namespace}/{pod}/{container}", self._logs)

    def authenticate(self, request: Request) -> Response | None:
        """Refuse whoever does not show the API server's token."""
        given = request.headers.get("authorization", "")
        if self._token and hmac.compare_digest(given.encode(), f"Bearer {self._token}".encode()):
            request.principal = "kube-apiserver"
            return None
        return Response(401, b"Unauthorized\n", "text/plain", (("WWW-Authenticate", "Bearer"),))

    async def close(self) -> None:
        """End the followers."""
        for job in list(self._followers):
            job.cancel()
        await asyncio.gather(*self._followers, return_exceptions=True)

    async def _healthz(self, request: Request) -> Response:
        return Response(200, b"ok", "text/plain")

    async def _pods(self, request: Request) -> Response:
        items = [{**pod.object, "status": pod.status} for pod in self._state.pods.values()]
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        return Response(200, msgspec.json.encode(body))

    async def _logs(
        self, request: Request, namespace: str, pod: str, container: str
    ) -> Response | Stream:
        found = views.find_pod(self._state, namespace, pod)
        if found is None:
            return _refused(404, f'pod "{namespace}/{pod}" is not on this node')
        wanted = found.container(container)
        if wanted is None:
            return _refused(404, f'container "{container}" is not in pod "{pod}"')
        is_previous = _flag(request, "previous")
        container_id = wanted.previous_id if is_previous else wanted.container_id
        if not container_id:
            return _refused(400, _why_none(pod, wanted, is_previous=is_previous))
        try:
            query = _query(request)
        except ValueError as error:
            return _refused(400, str(error))
        reader = LogReader(*self._timeline_of(container_id), query)
        stream = Stream("text/plain", high_water=64 << 20)
        job = asyncio.get_running_loop().create_task(
            self._pour(reader, stream, (wanted, container_id), follow=query.follow)
        )
        self._followers.add(job)
        job.add_done_callback(self._followers.discard)
        return stream

    async def _pour(
        self, reader: LogReader, stream: Stream, source: tuple[Container, str], *, follow: bool
    ) -> None:
        container, container_id = source
        try:
            for block in reader.first():
                if not await _send(stream, block):
                    return
            while follow and not reader.is_full and not stream.closed:
                is_over = container.live_id != container_id
                data = reader.more(time.time(), is_over=is_over)
                if data and not await _send(stream, data):
                    return
                if is_over and not data:
                    return
                if not data:
                    await asyncio.sleep(_POLL_S)
        finally:
            stream.close()


async def _send(stream: Stream, data: bytes) -> bool:
    """Send, then wait for the reader to have taken most of it. False: it has gone."""
    if not stream.send(data):
        return False
    await stream.drained()
    await asyncio.sleep(0)  # the server may only now get to take the stream
    return not stream.closed


def _query(request: Request) -> LogQuery:
    since = _number(request, "sinceSeconds")
    return LogQuery(
        tail_lines=_number(request, "tailLines"),
        since=None if since is None else time.time() - since,
        limit_bytes=_number(request, "limitBytes"),
        timestamps=_flag(request, "timestamps"),
        follow=_flag(request, "follow"),
    )


def _number(request: Request, name: str) -> int | None:
    text = request.arg(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{name} must be a whole number that is not negative, not {text!r}")
    return int(text)


def _flag(request: Request, name: str) -> bool:
    return (request.arg(name) or "").lower() in ("true", "1")


def _why_none(pod: str, container: Container, *, is_previous: bool) -> str:
    if is_previous:
        return f'previous terminated container "{container.name}" in pod "{pod}" not found'
    reason = container.waiting_reason or "ContainerCreating"
    return f'container "{container.name}" in pod "{pod}" is waiting to start: {reason}'


def _refused(status: int, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), "text/plain")
