"""The master's HTTP interface: bytes to inputs, state to documents.

Routes are served with and without `/master` in front. Decisions about frameworks are the machine's;
here is only what concerns the request itself: method, media types, JSON.
"""

import asyncio
import ipaddress
import uuid
from collections.abc import Callable
from typing import Any

from comity.core import release
from comity.core.ids import FrameworkId
from comity.core.splicing import Piece
from comity.master import (
    commands,
    explaining,
    fragments,
    metrics,
    operator,
    permissions,
    reads,
    roles,
    settings,
    views,
)
from comity.master.config import VERSION
from comity.master.inputs import (
    AgentCalled,
    AgentSubscribed,
    AllocationDue,
    DirtyAllocationDue,
    OperatorSubscribed,
    QuotaRemoved,
    SchedulerCalled,
    SchedulerSubscribed,
    TeardownRequested,
)
from comity.master.realms import realm_of
from comity.master.state import State
from comity.policy.authorization.acls import Action
from comity.policy.authorization.deciding import allows
from comity.runtime.driver import Driver
from comity.runtime.files import Files
from comity.runtime.http import Request, Response, Router, Stream
from comity.runtime.http.credentials import Guard, Realm
from comity.runtime.http.legacy import (
    add_file_routes,
    answer_file_call,
    document,
    form_of,
    is_callback,
    shorten,
    strip_prefix,
    text,
)
from comity.runtime.http.negotiation import Refused, accepted_format, decoded, in_format
from comity.runtime.http.sharing import Sharing, compressed
from comity.runtime.http.verbosity import LoggingCall, Verbosity, add_process_routes
from comity.runtime.meters import Meter, system
from comity.wire import prometheus
from comity.wire.mesos import administration, codec, link, responses, scheduler
from comity.wire.mesos import operator as wire
from comity.wire.mesos.codec import Format


class MasterHttp:
    """Handles every request that a master gets."""

    def __init__(
        self, driver: Driver, state: State, files: Files, guard: Guard | None = None
    ) -> None:
        self._driver = driver
        self._state = state
        self._files = files
        self._guard = guard or Guard(None)
        self._verbosity = Verbosity()
        self._router = Router()
        self._sharing = Sharing(driver, lambda: state.version)
        for path in ("/api/v1/scheduler", "/api/v1", link.PATH):
            self._router.add("GET", path, _post_only)
            self._router.add("PUT", path, _post_only)
            self._router.add("DELETE", path, _post_only)
        self._router.add("POST", "/api/v1/scheduler", self._scheduler)
        self._router.add("POST", "/api/v1", self._operator)
        self._router.add("POST", link.PATH, self._agent_link)
        self._router.add("POST", "/teardown", self._teardown)
        for path in commands.FORMS:
            self._router.add("POST", path, self._form(path))
        for method, path in commands.JSONS:
            self._router.add(method, path, self._json(method, path))
        self._router.add("DELETE", "/quota/{role:path}", self._remove_quota)
        self._router.add("GET", "/explain", self._explain)
        self._router.add("GET", "/redirect", self._redirect)
        self._router.add("GET", "/health", _health)
        for path in reads.LEGACY:
            self._router.add("GET", path, self._big(path))
        self._router.add("POST", "/tasks", self._big("/tasks"))
        for path, build in self._documents().items():
            self._router.add("GET", path, self._read(build))
        for path in ("/metrics", "/metrics/prometheus"):
            self._router.add("GET", path, self._prometheus)
        add_file_routes(self._router, files)
        add_process_routes(self._router, self._verbosity)

    async def handle(self, request: Request) -> Response | Stream:
        """Answer one request."""
        strip_prefix(request, "master")
        shorten(request, self._router)
        wanted = realm_of(request.path, self._state.config)
        realm = Realm(wanted.realm, is_open=not wanted.is_required)
        refusal = self._guard.refusal(request, realm) or self._forbidden(request)
        if refusal is not None:
            return refusal
        answer = await self._router.handle(request)
        return answer if isinstance(answer, Stream) else await compressed(request, answer)

    def _forbidden(self, request: Request) -> Response | None:
        """Return 403 for an endpoint that a caller may not get (mesos docs: get_endpoints)."""
        action, thing = _GUARDED.get(request.path, (None, None))
        if request.path.startswith("/files/") and thing is None:
            path = request.arg("path") or ""
            if permissions.may_read(self._state.acls, path, request.principal):
                return None
        if action is None or allows(self._state.acls, action, request.principal, thing):
            return None
        return text(403, f"Not authorized: {action.value}")

    async def _command(self, make: commands.Ask, request: Request) -> Response | Stream:
        """Do what an operator commands, if it may."""
        if permissions.refused(self._state, make(0), request.principal):
            return text(403, "Not authorized to do this")
        return await self._driver.ask(make)

    def _roles(self, request: Request, document: Any, action: Action = Action.VIEW_ROLE) -> Any:
        acls, principal = self._state.acls, request.principal
        return permissions.of_visible_roles(acls, action, principal, document)

    # calls

    async def _scheduler(self, request: Request) -> Response | Stream:
        try:
            call: scheduler.Call = decoded(codec.SCHEDULER_CALL, request)
            stream = request.headers.get("mesos-stream-id", "")
            principal = request.principal
            if isinstance(call, scheduler.Subscribe) and stream:
                fault = "Subscribe calls should not include the 'Mesos-Stream-Id' header"
                raise Refused(400, fault)
            if isinstance(call, scheduler.ReconcileOperations):
                accepted_format(request)  # once it was answered with a document (master/http.cpp)
            if not isinstance(call, scheduler.Subscribe):
                called = call
                return await self._driver.ask(
                    lambda to: SchedulerCalled(to, called, stream, principal)
                )
            format = accepted_format(request)
        except Refused as refused:
            return refused.response
        subscribe, new = call, str(uuid.uuid4())
        return await self._driver.ask(
            lambda to: SchedulerSubscribed(to, subscribe, new, principal, format)
        )

    async def _agent_link(self, request: Request) -> Response | Stream:
        shown = request.headers.get(link.LINK_ID.lower(), "")
        try:
            if shown:
                calls = codec.decode(codec.LINK_CALLS, request.body)
                return await self._driver.ask(lambda to: AgentCalled(to, calls, shown))
            call: link.Subscribe = codec.decode(codec.LINK_SUBSCRIBE, request.body)
        except codec.DecodeFailed as error:
            return text(400, str(error))
        new = str(uuid.uuid4())
        address = _advertised_ip(call, request)
        return await self._driver.ask(lambda to: AgentSubscribed(to, call, new, address))

    async def _operator(self, request: Request) -> Response | Stream:
        try:
            call: wire.MasterCall = decoded(codec.MASTER_CALL, request)
            format = accepted_format(request)
        except Refused as refused:
            return refused.response
        command = commands.of_call(call, request.principal)
        if command is not None:
            return await self._command(command, request)
        if permissions.refused_call(self._state.acls, call, request.principal):
            return text(403, "Not authorized to make this call")
        if isinstance(call, wire.ListFiles | wire.ReadFile):
            return in_format(answer_file_call(self._files, call), responses.MasterResponse, format)
        if isinstance(call, LoggingCall):
            return in_format(self._verbosity.answer(call), responses.MasterResponse, format)
        if type(call) in reads.V1:
            return await self._big_v1(request, call, format)
        if isinstance(call, wire.Subscribe):
            for _ in reads.whole_v1(self._state):
                await asyncio.sleep(0)
            new = str(uuid.uuid4())
            principal = request.principal
            return await self._driver.ask(lambda to: OperatorSubscribed(to, new, format, principal))
        await self._driver.settled()
        if isinstance(call, wire.GetMetrics):
            pairs = [{"name": name, "value": value} for name, value in self._metrics().items()]
            shown = {"type": "GET_METRICS", "get_metrics": {"metrics": pairs}}
            return in_format(Response(200, codec.encode(shown)), responses.MasterResponse, format)
        answer = operator.answer(self._state, call, self._show(request))
        if answer is None:
            return text(501, f"{type(call).__name__}: not supported by this master yet")
        if isinstance(call, wire.GetRoles | administration.GetWeights):
            answer = self._roles(request, answer)
        elif isinstance(call, administration.GetQuota):
            answer = self._roles(request, answer, Action.GET_QUOTA)
        response = Response(200, codec.encode(answer))
        return in_format(response, responses.MasterResponse, format)

    def _form(self, path: str) -> Callable[..., Any]:
        async def handler(request: Request) -> Response | Stream:
            try:
                command = commands.of_form(path, form_of(request), request.principal)
            except commands.FormInvalid as error:
                return text(400, str(error))
            return await self._command(command, request)

        return handler

    def _json(self, method: str, path: str) -> Callable[..., Any]:
        async def handler(request: Request) -> Response | Stream:
            try:
                command = commands.of_json((method, path), request.body)
            except commands.FormInvalid as error:
                return text(400, str(error))
            return await self._command(command, request)

        return handler

    async def _remove_quota(self, request: Request, role: str) -> Response | Stream:
        return await self._command(lambda to: QuotaRemoved(to, role), request)

    async def _teardown(self, request: Request) -> Response | Stream:
        framework_id = form_of(request).get("frameworkId") or request.arg("frameworkId")
        if not framework_id:
            return text(400, "Missing 'frameworkId' query parameter")
        wanted = FrameworkId(framework_id)
        return await self._command(lambda to: TeardownRequested(to, wanted), request)

    # reads

    def _show(self, request: Request) -> fragments.Cached:
        return permissions.show_for(self._state, request.principal)

    def _documents(self) -> dict[str, Callable[[Request], Any]]:
        state = self._state
        return {
            "/maintenance/schedule": lambda request: state.maintenance.schedule,
            "/maintenance/status": lambda request: views.maintenance_status(state),
            "/roles": lambda request: self._roles(request, roles.legacy_roles(state)),
            "/weights": lambda request: self._roles(request, roles.weights(state)),
            "/quota": lambda request: self._roles(
                request, roles.quota_status(state), Action.GET_QUOTA
            ),
            "/flags": lambda request: {"flags": settings.flags(state)},
            "/metrics/snapshot": lambda request: self._metrics(),
            "/version": lambda request: {"version": VERSION, **release.shown()},
        }

    def _metrics(self) -> dict[str, float]:
        now = self._driver.clock.now()
        return {**metrics.snapshot(self._state, now), **_measured(self._driver)}

    async def _prometheus(self, request: Request) -> Response:
        await self._driver.settled()
        gauges = metrics.gauges(self._state, self._driver.clock.now())
        gauges.update(_measured(self._driver))
        body = prometheus.render(gauges, metrics.counters(self._state), "mesos")
        return Response(200, body, prometheus.CONTENT_TYPE)

    def _read(self, build: Callable[[Request], Any]) -> Callable[..., Any]:
        async def handler(request: Request) -> Response:
            await self._driver.settled()
            return document(request, build(request))

        return handler

    def _big(self, path: str) -> Callable[..., Any]:
        read = reads.LEGACY[path]

        async def handler(request: Request) -> Response:
            args = {name: values[0] for name, values in request.query.items()}
            callback = args.pop("jsonp", None)
            if callback is not None and not is_callback(callback):
                return text(400, "'jsonp' is not the name of a function.")
            if path == "/tasks":
                try:
                    reads.page_of(args)
                except reads.ArgInvalid as error:
                    return text(400, str(error))
            state, show = self._state, self._show(request)
            key = (read.build, tuple(sorted(args.items())), callback, show.key)

            def build() -> list[Piece]:
                made = reads.assembled(read.build(state, args, show), show)
                if callback is not None:
                    made = [f"{callback}(".encode(), *made, b");"]
                return made

            answer = await self._sharing.answer(request, key, read.warm(state), build)
            if callback is not None:
                answer.content_type = "text/javascript"
            return answer

        return handler

    async def _big_v1(self, request: Request, call: wire.MasterCall, format: Format) -> Response:
        state, show = self._state, self._show(request)
        key = (type(call), show.key)
        warm = reads.V1[type(call)](state)

        def build() -> list[Piece]:
            return reads.assembled(operator.answer(state, call, show), show)

        if format is Format.JSON:
            return await self._sharing.answer(request, key, warm, build)
        document = await self._sharing.blocks(key, warm, build)
        whole = Response(200, b"".join(document.blocks.result()))
        # Beside the loop: of many tasks this takes seconds.
        return await asyncio.to_thread(in_format, whole, responses.MasterResponse, format)

    async def _explain(self, request: Request) -> Response:
        name = request.arg("framework") or request.arg("framework_id")
        if not name:
            return text(400, "Missing 'framework' query parameter: the id of a framework")
        await self._driver.settled()
        framework = self._state.frameworks.get(FrameworkId(name))
        if framework is None:
            over = FrameworkId(name) in self._state.completed_frameworks
            why = "has ended" if over else "is not known; /frameworks lists those that are"
            return text(404, f"Framework {name} {why}")
        now = self._driver.clock.now()
        return document(request, explaining.explained(self._state, framework, now))

    async def _redirect(self, request: Request) -> Response:
        info = self._state.info
        host = info.address.hostname if info.address is not None else info.hostname
        return Response(307, b"", "", (("Location", f"//{host}:{info.port}"),))


METERED = (AllocationDue, DirtyAllocationDue)
"""Inputs whose steps are timed: allocation cycles."""


def _measured(driver: Driver) -> dict[str, float]:
    """Return what only a shell knows: queues, durations, the machine."""
    cycles = Meter.merged(driver.meters.values())
    return {
        "master/event_queue_messages": float(driver.waiting),
        "master/event_queue_dispatches": float(driver.waiting),
        "master/event_queue_http_requests": float(driver.asking),
        "allocator/mesos/event_queue_dispatches": float(driver.waiting),
        "allocator/mesos/allocation_runs": float(cycles.count),
        **cycles.numbers("allocator/mesos/allocation_run_ms"),
        **driver.lateness.numbers("allocator/mesos/allocation_run_latency_ms"),
        **driver.commits.numbers("registrar/state_store_ms"),
        **driver.fetches.numbers("registrar/state_fetch_ms"),
        **system(),
    }


_GUARDED: dict[str, tuple[Action, str | None]] = {
    "/flags": (Action.VIEW_FLAGS, None),
    "/metrics/snapshot": (Action.GET_ENDPOINT, "/metrics/snapshot"),
    "/logging/toggle": (Action.GET_ENDPOINT, "/logging/toggle"),
    "/files/debug": (Action.GET_ENDPOINT, "/files/debug"),
    "/files/read": (Action.ACCESS_MESOS_LOG, None),
    "/files/download": (Action.ACCESS_MESOS_LOG, None),
    "/files/browse": (Action.ACCESS_MESOS_LOG, None),
    "/maintenance/schedule": (Action.GET_MAINTENANCE_SCHEDULE, None),
    "/maintenance/status": (Action.GET_MAINTENANCE_STATUS, None),
}
"""Endpoints that have a rule of their own."""


async def _post_only(request: Request) -> Response:
    sentence = f"Expecting one of {{ 'POST' }}, but received '{request.method}'\n"
    return Response(405, sentence.encode(), "text/plain", (("Allow", "POST"),))


async def _health(request: Request) -> Response:
    return Response(200, b"", "")


def _advertised_ip(call: link.Subscribe, request: Request) -> str:
    """Return the agent's address: its host name when that is one, else where it calls from."""
    hostname = call.subscribe.agent_info.hostname
    try:
        return str(ipaddress.ip_address(hostname))
    except ValueError:
        return request.peer.rpartition(":")[0]
