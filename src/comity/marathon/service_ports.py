"""Service ports: a number per port of an app, unique in the cluster, for load balancers."""

from collections.abc import Iterable, Iterator, Set

import msgspec

from comity.marathon import networking
from comity.wire.marathon.apps import App
from comity.wire.marathon.errors import plain

FIRST = 10000
LAST = 20000


def of_app(app: App) -> list[int]:
    """Return an app's service ports, 0 for those that it does not have yet."""
    if networking.is_on_host(app):
        return [one.port for one in app.port_definitions]
    return [one.service_port for one in networking.mappings_of(app)]


def taken(apps: Iterable[App]) -> set[int]:
    """Return the ports that apps already have."""
    return {port for app in apps for port in of_app(app) if port}


def assign(app: App, previous: App | None, in_use: Set[int]) -> App:
    """Return the app with a number in place of each zero; with `requirePorts` zeros stay.

    The numbers that the app had before are used again first.

    Raises:
        Refused: 422, when none is left.
    """
    own = of_app(app)
    is_fixed = app.require_ports and networking.is_on_host(app)
    if is_fixed or all(own):
        return app
    before = [port for port in of_app(previous) if port] if previous else []
    free = _free([port for port in before if port not in own], in_use | set(own))
    return _with(app, [port or _next(free) for port in own])


def _with(app: App, ports: list[int]) -> App:
    replace = msgspec.structs.replace
    if networking.is_on_host(app):
        definitions = zip(app.port_definitions, ports, strict=True)
        return replace(
            app, port_definitions=tuple(replace(one, port=port) for one, port in definitions)
        )
    assert app.container is not None
    mappings = zip(networking.mappings_of(app), ports, strict=True)
    mapped = tuple(replace(one, service_port=port) for one, port in mappings)
    return replace(app, container=replace(app.container, port_mappings=mapped))


def _free(first: list[int], used: Set[int]) -> Iterator[int]:
    yield from first
    skipped = set(first)
    for port in range(FIRST, LAST + 1):
        if port not in used and port not in skipped:
            yield port


def _next(free: Iterator[int]) -> int:
    port = next(free, None)
    if port is None:
        raise plain(422, f"no service port between {FIRST} and {LAST} is free")
    return port
