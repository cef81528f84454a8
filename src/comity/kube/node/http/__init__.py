"""The node's HTTP endpoint, for the API server. Bearer token, plain HTTP.

Logs, pods and health; commands in containers, attaching to them, connections to their ports.

The paths are the kubelet's. Errors are one plain sentence, which the API server passes on.
"""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

import msgspec

from comity.kube.node import views
from comity.kube.node.http import forwarding, streaming
from comity.kube.node.http.streaming import Streams
from comity.kube.node.logs import LogQuery, LogReader, Timeline
from comity.kube.node.state import Container, Json, Pod, Stage, State
from comity.runtime.http import Duplex, Request, Response, Router, Stream

_POLL_S = 0.25
"""How often a follower looks for new lines."""

_ALIVE = (Stage.RUNNING, Stage.STOPPING)

TimelineOf = Callable[[str], tuple[Path, Timeline]]
"""Gives the log directory and the timeline of an incarnation, by its container id."""


class Inside(Protocol):
    """The way into pods (shell.inside)."""

    streams: Streams

    def name(self, container_id: str) -> Json:
        """Return a container's id for the agent."""
        ...

    async def dial(self, container_id: str, port: int) -> Duplex:
        """Connect to a port of the pod that a container is in."""
        ...


class NodeHttp:
    """The handlers over the machine's state."""

    def __init__(self, state: State, token: str, timeline_of: TimelineOf, inside: Inside) -> None:
        self._state = state
        self._token = token
        self._timeline_of = timeline_of
        self._inside = inside
        self._followers: set[asyncio.Task[None]] = set()
        self.router = Router()
        self.router.add("GET", "/healthz", self._healthz)
        self.router.add("GET", "/pods", self._pods)
        self.router.add("GET", "/containerLogs/{namespace}/{pod}/{container}", self._logs)
        self.router.add("GET", "/exec/{namespace}/{pod}/{container}", self._exec)
        self.router.add("GET", "/attach/{namespace}/{pod}/{container}", self._attach)
        self.router.add("GET", "/portForward/{namespace}/{pod}", self._forward)

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

    async def _exec(
        self, request: Request, namespace: str, pod: str, container: str
    ) -> Response | Stream:
        found = self._running(namespace, pod, container)
        if isinstance(found, Response):
            return found
        ask = streaming.asked(request, self._inside.name(found.live_id))
        if not ask.command:
            return _refused(400, "you must specify at least 1 command for the container")
        return self._inside.streams.exec(request, ask)

    async def _attach(
        self, request: Request, namespace: str, pod: str, container: str
    ) -> Response | Stream:
        found = self._running(namespace, pod, container)
        if isinstance(found, Response):
            return found
        name = found.live_id
        if found.spec.get("tty") or found.spec.get("stdin"):
            ask = streaming.asked(request, self._inside.name(name))
            is_once = bool(found.spec.get("stdinOnce"))
            ask = msgspec.structs.replace(
                ask,
                stdin=ask.stdin and bool(found.spec.get("stdin")),
                tty=ask.tty and bool(found.spec.get("tty")),
                ends_input=is_once,
            )
            return self._inside.streams.attach(request, ask)
        reader = LogReader(*self._timeline_of(name), LogQuery(tail_lines=0, follow=True))
        return self._inside.streams.watch(request, _lines(reader, found, name))

    async def _forward(self, request: Request, namespace: str, pod: str) -> Response | Stream:
        found = views.find_pod(self._state, namespace, pod)
        if found is None:
            return _refused(404, f'pod "{namespace}/{pod}" is not on this node')
        name = _any_live(found)
        if name is None:
            return _refused(400, f'unable to forward port because pod "{pod}" is not running')
        return forwarding.accept(request, lambda port: self._inside.dial(name, port))

    def _running(self, namespace: str, pod: str, container: str) -> Container | Response:
        found = views.find_pod(self._state, namespace, pod)
        if found is None:
            return _refused(404, f'pod "{namespace}/{pod}" is not on this node')
        wanted = found.container(container)
        if wanted is None:
            return _refused(404, f'container "{container}" is not in pod "{pod}"')
        if wanted.stage not in _ALIVE:
            return _refused(400, f'container "{container}" in pod "{pod}" is not running')
        return wanted

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


async def _lines(reader: LogReader, container: Container, name: str) -> AsyncIterator[bytes]:
    """Yield what a container writes from now on, until it ends."""
    for block in reader.first():
        yield block
    while True:
        is_over = container.live_id != name
        data = reader.more(time.time(), is_over=is_over)
        if data:
            yield data
        elif is_over:
            return
        else:
            await asyncio.sleep(_POLL_S)


def _any_live(pod: Pod) -> str | None:
    """Return the id of a running container of a pod; all share its network."""
    found = (each.live_id for each in pod.containers if each.stage in _ALIVE)
    return next(found, None)


async def _send(stream: Stream, data: bytes) -> bool:
    """Send, then wait for the reader to have taken most of it. False: it has gone."""
    if not stream.send(data):
        return False
    await stream.drained()
    await asyncio.sleep(0)  # the server may only now get to take the stream
    return not stream.closed


def _query(request: Request) -> LogQuery:
    seconds, since = _number(request, "sinceSeconds"), _instant(request, "sinceTime")
    if seconds is not None:
        since = time.time() - seconds
    return LogQuery(
        tail_lines=_number(request, "tailLines"),
        since=since,
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


def _instant(request: Request, name: str) -> float | None:
    text = request.arg(name)
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{name} must be a time of RFC 3339, not {text!r}")
    return found.timestamp()


def _flag(request: Request, name: str) -> bool:
    return (request.arg(name) or "").lower() in ("true", "1")


_WORDS = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}
"""The kubelet's words for some reasons."""


def _why_none(pod: str, container: Container, *, is_previous: bool) -> str:
    if is_previous:
        return f'previous terminated container "{container.name}" in pod "{pod}" not found'
    reason = container.waiting_reason or "ContainerCreating"
    reason = _WORDS.get(reason, reason)
    return f'container "{container.name}" in pod "{pod}" is waiting to start: {reason}'


def _refused(status: int, text: str) -> Response:
    return Response(status, f"{text}\n".encode(), "text/plain")
