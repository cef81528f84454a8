"""An agent's HTTP interface: the executor API, the operator API, and Mesos's legacy reads.

Routes are served with and without `/slave(1)` in front.
"""

import uuid
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from comity.agent import metrics, permissions, statistics, views
from comity.agent import operator as reads
from comity.agent.config import VERSION
from comity.agent.handlers.nested import flat_id
from comity.agent.http.access import Access, caller
from comity.agent.http.sessions import Sessions
from comity.agent.inputs import (
    ContainerAsked,
    ExecutorCalled,
    ExecutorSubscribed,
    KillAsked,
    RemoveAsked,
    WaitAsked,
)
from comity.agent.state import Container, State
from comity.core import release
from comity.runtime.containers.errors import ContainerRefused
from comity.runtime.driver import Driver
from comity.runtime.files import Files
from comity.runtime.http import Request, Response, Router, Stream
from comity.runtime.http.legacy import (
    add_file_routes,
    answer_file_call,
    document,
    shorten,
    strip_prefix,
    text,
)
from comity.runtime.http.negotiation import (
    RECORDIO,
    Refused,
    accepted_format,
    decoded,
    in_format,
)
from comity.runtime.http.verbosity import LoggingCall, Verbosity, add_process_routes
from comity.runtime.meters import system
from comity.wire import prometheus
from comity.wire.mesos import agent_responses, codec, operator, sessions
from comity.wire.mesos import executor as wire


class Images(Protocol):
    """The agent's images (shell.images)."""

    @property
    def is_there(self) -> bool:
        """Whether this agent keeps images at all."""
        ...

    async def shown(self) -> dict[str, Any]:
        """Return the images here, and what is being pulled."""
        ...

    async def find(self, name: str) -> dict[str, Any] | None:
        """Return an image that is here; raises ImageRefused."""
        ...

    async def pull(self, name: str, login: str = "") -> dict[str, Any]:
        """Fetch an image; raises ImageRefused."""
        ...

    async def prune(self, excluded: set[str]) -> object:
        """Remove what nothing uses."""
        ...


class PullBody(msgspec.Struct, frozen=True):
    """Which image is meant."""

    name: str
    pull: bool = True
    """Fetch it; else only say whether it is here."""
    docker_config: str = ""
    """A docker config with credentials for it, besides the agent's."""


class Measures(Protocol):
    """What the shell measures: what containers use, and what it has done itself."""

    def of(self, one: Container) -> dict[str, float]:
        """Return a container's numbers by Mesos's names (ResourceStatistics)."""
        ...

    def counters(self) -> dict[str, float]:
        """Return what only grows."""
        ...

    def gauges(self) -> dict[str, float]:
        """Return what goes up and down."""
        ...


class AgentHttp:
    """Handles every request that an agent gets."""

    def __init__(
        self,
        driver: Driver,
        state: State,
        files: Files,
        measures: Measures,
        streams: Sessions,
        access: Access,
        images: Images,
    ) -> None:
        self._access = access
        self._images = images
        self._driver = driver
        self._streams = streams
        self._state = state
        self._files = files
        self._measures = measures
        self._verbosity = Verbosity()
        self._router = Router()
        self._router.add("POST", "/api/v1/executor", self._executor)
        self._router.add("POST", "/api/v1", self._operator)
        self._router.add("GET", "/health", _health)
        for path, build in self._documents().items():
            self._router.add("GET", path, self._read(build))
        for path in ("/metrics", "/metrics/prometheus"):
            self._router.add("GET", path, self._prometheus)
        self._router.add("GET", "/images", self._shown_images)
        self._router.add("POST", "/images", self._pull_image)
        add_file_routes(self._router, files)
        add_process_routes(self._router, self._verbosity)

    async def handle(self, request: Request) -> Response | Stream:
        """Answer one request."""
        strip_prefix(request, "slave(1)")
        shorten(request, self._router)
        refusal = self._access.refusal(request, self._state)
        return await self._router.handle(request) if refusal is None else refusal

    async def _executor(self, request: Request) -> Response | Stream:
        try:
            call: wire.Call = decoded(codec.EXECUTOR_CALL, request)
            if not permissions.may_execute(self._state, caller(request), call):
                raise Refused(403, "The token is not this executor's")
            if not isinstance(call, wire.Subscribe):
                called = call
                return await self._driver.ask(lambda to: ExecutorCalled(to, called))
            format = accepted_format(request)
        except Refused as refused:
            return refused.response
        subscribe, stream = call, f"executor-{uuid.uuid4()}"
        return await self._driver.ask(lambda to: ExecutorSubscribed(to, subscribe, stream, format))

    async def _operator(self, request: Request) -> Response | Stream:
        try:
            if request.feed is not None:
                return await self._streams.input(request, request.feed)
            call: operator.AgentCall = decoded(codec.AGENT_CALL, request)
            self._access.check(self._state, request, call)
            if isinstance(call, sessions.LaunchNestedContainerSession):
                return await self._streams.start(call.launch_nested_container_session, request)
            if isinstance(call, sessions.AttachContainerOutput):
                return self._streams.output(call.attach_container_output.container_id, request)
            if isinstance(call, sessions.AttachContainerInput):
                raise Refused(415, f"Expecting 'Content-Type' of {RECORDIO} for this call")
            format = accepted_format(request)
        except Refused as refused:
            return refused.response
        answer = await self._answer(call, request)
        if isinstance(answer, Stream):
            return answer
        return in_format(answer, agent_responses.AgentResponse, format)

    # images (ours; what Mesos has of it is PRUNE_IMAGES)

    async def _shown_images(self, request: Request) -> Response:
        return document(request, await self._images.shown())

    async def _pull_image(self, request: Request) -> Response:
        try:
            body = msgspec.json.decode(request.body, type=PullBody)
        except msgspec.DecodeError as error:
            return text(400, f'Expecting {{"name": "IMAGE"}}: {error}')
        if not self._images.is_there:
            return text(409, "Image containers cannot run on this agent")
        try:
            if body.pull:
                found = await self._images.pull(body.name, body.docker_config)
            else:
                found = await self._images.find(body.name) or {}
        except ContainerRefused as refused:
            return text(400, str(refused))
        if not found:
            return text(404, f"Image {body.name} is not here")
        return Response(200, msgspec.json.encode(found))

    async def _answer(self, call: operator.AgentCall, request: Request) -> Response | Stream:
        make = _container_input(call)
        if make is not None:
            return await self._driver.ask(make)
        if isinstance(call, operator.ListFiles | operator.ReadFile):
            return answer_file_call(self._files, call)
        if isinstance(call, LoggingCall):
            return self._verbosity.answer(call)
        if isinstance(call, operator.PruneImages):
            excluded = call.prune_images.excluded_images if call.prune_images is not None else ()
            names = {one.docker.name for one in excluded if one.docker is not None}
            await self._images.prune(names)
            return Response(200, b"")
        await self._driver.settled()
        if isinstance(call, operator.GetMetrics):
            return Response(200, codec.encode(reads.metrics(self._metrics())))
        if isinstance(call, operator.GetContainers):
            seen, usage = self._access.containers(self._state, request), self._usage()
        else:
            seen, usage = self._access.seen(self._state, request), {}
        answer = reads.answer(seen, call, usage)
        if answer is None:
            return text(501, f"{type(call).__name__}: not supported by this agent yet")
        return Response(200, codec.encode(answer))

    def _documents(self) -> dict[str, Callable[[Request], Any]]:
        state, access = self._state, self._access

        def whole(request: Request) -> Any:
            shown = views.whole_state(access.seen(state, request))
            if not access.may_see_flags(request):
                del shown["flags"]
            return shown

        def used(request: Request) -> Any:
            return statistics.containers(access.containers(state, request), self._usage())

        return {
            "/state": whole,
            "/state.json": whole,
            "/flags": lambda _: {"flags": views.flags(state)},
            "/version": lambda _: {"version": VERSION, **release.shown()},
            "/containers": used,
            "/monitor/statistics": used,
            "/containerizer/debug": lambda _: {"pending": []},
            "/metrics/snapshot": lambda _: self._metrics(),
        }

    def _metrics(self) -> dict[str, float]:
        return {**self._counters(), **self._gauges()}

    def _counters(self) -> dict[str, float]:
        return {**metrics.counters(self._state), **self._measures.counters()}

    def _gauges(self) -> dict[str, float]:
        now = self._driver.clock.now()
        return {**metrics.gauges(self._state, now), **self._measures.gauges(), **system()}

    async def _prometheus(self, request: Request) -> Response:
        await self._driver.settled()
        shown, counters = self._gauges(), self._counters()
        for name, value in statistics.numbers(self._state, self._usage()).items():
            (counters if statistics.is_counter(name) else shown)[name] = value
        return Response(200, prometheus.render(shown, counters, "mesos"), prometheus.CONTENT_TYPE)

    def _usage(self) -> statistics.Usage:
        now = self._driver.clock.now()
        here = [one for one in self._state.containers.values() if one.phase != "EXITED"]
        return {one.id: {"timestamp": now, **self._measures.of(one)} for one in here}

    def _read(self, build: Callable[[Request], Any]) -> Callable[..., Any]:
        async def handler(request: Request) -> Response:
            await self._driver.settled()
            return document(request, build(request))

        return handler


def _container_input(call: operator.AgentCall) -> Callable[[int], Any] | None:
    """Return what makes the input of a call about containers; None for other calls."""
    match call:
        case (
            operator.LaunchContainer(launch_container=launch)
            | operator.LaunchNestedContainer(launch_nested_container=launch)
        ):
            name = flat_id(launch.container_id)
            return lambda to: ContainerAsked(to, name, launch)
        case (
            operator.WaitContainer(wait_container=body)
            | operator.WaitNestedContainer(wait_nested_container=body)
        ):
            name = flat_id(body.container_id)
            is_old = isinstance(call, operator.WaitNestedContainer)
            return lambda to: WaitAsked(to, name, is_old)
        case (
            operator.KillContainer(kill_container=kill)
            | operator.KillNestedContainer(kill_nested_container=kill)
        ):
            name = flat_id(kill.container_id)
            return lambda to: KillAsked(to, name, 9 if kill.signal is None else kill.signal)
        case (
            operator.RemoveContainer(remove_container=body)
            | operator.RemoveNestedContainer(remove_nested_container=body)
        ):
            name = flat_id(body.container_id)
            return lambda to: RemoveAsked(to, name)
        case _:
            return None


async def _health(request: Request) -> Response:
    return Response(200, b"", "")
