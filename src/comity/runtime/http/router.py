"""Routes as data: a method, a path pattern, a handler.

Patterns are literal but for `{name}` (one segment) and `{name:path}` (one or more segments).
The first route added that matches wins; a path that matches under other methods only is a 405.
"""

import re
from collections.abc import Awaitable, Callable

from comity.runtime.http.messages import Request, Response, Stream

RouteHandler = Callable[..., Awaitable[Response | Stream]]

_FIELD = re.compile(r"\{(\w+)(:path)?\}")


def _compile(pattern: str) -> re.Pattern[str]:
    parts, last = [], 0
    for found in _FIELD.finditer(pattern):
        parts.append(re.escape(pattern[last : found.start()]))
        parts.append(f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})")
        last = found.end()
    parts.append(re.escape(pattern[last:]))
    return re.compile("".join(parts))


class Router:
    """A handler made of routes; give `router.handle` to a Server."""

    def __init__(
        self,
        *,
        not_found: Callable[[Request], Response] | None = None,
        not_allowed: Callable[[Request, list[str]], Response] | None = None,
    ) -> None:
        self._exact: dict[str, dict[str, RouteHandler]] = {}
        self._patterns: list[tuple[re.Pattern[str], str, RouteHandler]] = []
        self._not_found = not_found or (
            lambda request: Response(404, b"404 Not Found\n", "text/plain")
        )
        self._not_allowed = not_allowed or _plain_not_allowed

    def add(self, method: str, pattern: str, handler: RouteHandler) -> None:
        """Route `method pattern` to `handler(request, **fields)`; method `*` means any."""
        if _FIELD.search(pattern):
            self._patterns.append((_compile(pattern), method, handler))
        else:
            self._exact.setdefault(pattern, {})[method] = handler

    def knows(self, path: str) -> bool:
        """Whether a path has a route, under any method."""
        return path in self._exact or any(one.fullmatch(path) for one, _, _ in self._patterns)

    async def handle(self, request: Request) -> Response | Stream:
        """Answer a request by its first matching route; HEAD falls back to GET."""
        methods = (
            (request.method, "*", "GET") if request.method == "HEAD" else (request.method, "*")
        )
        allowed: list[str] = []
        exact = self._exact.get(request.path)
        if exact is not None:
            for method in methods:
                if method in exact:
                    return await exact[method](request)
            allowed += exact
        for pattern, method, handler in self._patterns:
            found = pattern.fullmatch(request.path)
            if found is None:
                continue
            if method in methods:
                return await handler(request, **found.groupdict())
            allowed.append(method)
        return self._not_allowed(request, allowed) if allowed else self._not_found(request)


def _plain_not_allowed(request: Request, allowed: list[str]) -> Response:
    methods = ", ".join(sorted(set(allowed)))
    text = f"{request.method} is not allowed here; allowed: {methods}\n"
    return Response(405, text.encode(), "text/plain", (("Allow", methods),))
