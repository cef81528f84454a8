"""What executors may ask for on the socket of the file system that is theirs."""

from collections.abc import Awaitable, Callable

from comity.runtime.http import Request, Response, Stream
from comity.runtime.http.legacy import strip_prefix, text

Handler = Callable[[Request], Awaitable[Response | Stream]]
_THEIRS = frozenset({"/api/v1", "/api/v1/executor"})


def executor_calls_only(handle: Handler) -> Handler:
    """Return a handler of executors' calls and those about containers (Mesos: slave.cpp)."""

    async def handler(request: Request) -> Response | Stream:
        strip_prefix(request, "slave(1)")
        if request.path not in _THEIRS:
            return text(403, "This socket is for /api/v1/executor and /api/v1")
        return await handle(request)

    return handler
