"""How much a process logs, changed while it runs; and /system/stats.json beside it.

Level 0 is what it always logs, any level above adds details (glog's `-v`). A change lasts for as
long as was asked (libprocess: src/logging.cpp, src/system.hpp).
"""

import asyncio
import re

from comity.core import durations
from comity.runtime import logs
from comity.runtime.http.legacy import document, text
from comity.runtime.http.messages import Request, Response
from comity.runtime.http.router import Router
from comity.runtime.meters import system
from comity.wire.mesos import administration, codec

DURATION_MAX_S = 292 * 365 * 86400.0
"""What fits into Mesos's 64-bit nanoseconds."""
LEVEL_MAX = 2**31 - 1

LoggingCall = administration.GetLoggingLevel | administration.SetLoggingLevel


class Verbosity:
    """The level of this process's log."""

    def __init__(self) -> None:
        self.level = 0
        self._revert: asyncio.TimerHandle | None = None

    def set(self, level: int, duration_s: float) -> None:
        """Log at a level for a while; a later change replaces this one."""
        if self._revert is not None:
            self._revert.cancel()
        self._apply(level)
        self._revert = asyncio.get_running_loop().call_later(duration_s, self._apply, 0)

    def _apply(self, level: int) -> None:
        self.level = level
        logs.set_verbose(level > 0)

    def answer(self, call: LoggingCall) -> Response:
        """Answer the operator API's calls about the level."""
        if isinstance(call, administration.GetLoggingLevel):
            shown = {"type": "GET_LOGGING_LEVEL", "get_logging_level": {"level": self.level}}
            return Response(200, codec.encode(shown))
        body = call.set_logging_level
        duration_s = body.duration.nanoseconds / 1e9
        fault = _fault_of(body.level, duration_s)
        if fault is not None:
            return text(400, fault)
        self.set(body.level, duration_s)
        return Response(200, b"", "")

    async def toggle(self, request: Request) -> Response:
        """Answer /logging/toggle?level=N&duration=15mins; without both, the level."""
        level, duration = request.arg("level"), request.arg("duration")
        if level is None and duration is None:
            return text(200, str(self.level))
        if duration is None:
            return text(400, "Expecting 'duration=value' in query.")
        if level is None:
            return text(400, "Expecting 'level=value' in query.")
        if re.fullmatch(r"-?[0-9]{1,10}", level) is None:
            return text(400, f"Failed to convert '{level}' to number.")
        try:
            duration_s = durations.parse(duration)
        except ValueError as error:
            return text(400, f"{error}.")
        fault = _fault_of(int(level), duration_s)
        if fault is not None:
            return text(400, fault)
        self.set(int(level), duration_s)
        return Response(200, b"", "")


def _fault_of(level: int, duration_s: float) -> str | None:
    if not 0 <= level <= LEVEL_MAX:
        return f"Invalid level '{level}'."
    if not 0 <= duration_s <= DURATION_MAX_S:
        return f"Invalid duration of {duration_s:g} seconds."
    return None


def add_process_routes(router: Router, verbosity: Verbosity) -> None:
    """Serve /logging/toggle and /system/stats.json."""
    for method in ("GET", "POST"):
        router.add(method, "/logging/toggle", verbosity.toggle)
    router.add("GET", "/system/stats.json", _stats)


async def _stats(request: Request) -> Response:
    numbers = system()
    shown = {
        name.removeprefix("system/").replace("load_", "avg_load_"): value
        for name, value in numbers.items()
    }
    return document(request, shown)
